/* An hour without a word of the applications, behind NATs that forget after 30 s. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define CHECK_EVERY (15 * SECOND)

/* To a relay go checks inside messages, keep-alives for the NAT, permissions and refreshes. */
#define RELAYED_MAX 2000

/* What the peers sent from the moment they were idle, by first byte and class of STUN. */
struct count {
    uint64_t requests, answers, records, others;
};

static void note(void *ctx, unsigned peer, const struct addr *from, const struct addr *to,
                 struct bytes dgram)
{
    struct count *count = ctx;
    unsigned type = dgram.len >= 2 ? (unsigned)dgram.data[0] << 8 | dgram.data[1] : 0;

    (void)peer;
    (void)from;
    (void)to;
    if (type >= 0x1400 && type < 0x4000) /* RFC 7983: 20 to 63 is DTLS */
        count->records++;
    else if (type == 0x0001)
        count->requests++;
    else if (type == 0x0101)
        count->answers++;
    else
        count->others++;
}

static void be_idle(struct scene *c, struct stage *s, bool is_relayed, const char *detail)
{
    usec hour = 60 * MINUTE, began_at = s->now;
    uint64_t checks_max = (uint64_t)(hour / CHECK_EVERY) + 1;
    struct count count = { 0 };

    s->leaves = note;
    s->ctx = &count;
    stage_run(s, s->now + hour, NULL);
    s->leaves = NULL;
    printf("in %lld s: %llu checks, %llu answers, %llu records, %llu others %s\n",
           (long long)((s->now - began_at) / SECOND), (unsigned long long)count.requests,
           (unsigned long long)count.answers, (unsigned long long)count.records,
           (unsigned long long)count.others, detail);
    if (is_relayed) {
        scene_claim(c, count.requests + count.answers + count.records + count.others <= RELAYED_MAX,
                    "few packets", detail);
    } else {
        scene_claim(c, count.requests <= checks_max, "at most one check per 15 s", detail);
        scene_claim(c, count.answers <= checks_max, "at most one answer per 15 s", detail);
    }
    scene_claim(c, stage_are_open(s) && !stage_are_closed(s), "lives", detail);
}

static void idle_behind(struct scene *c, const struct home *a, const struct home *b,
                        bool is_relayed, const char *detail)
{
    struct town_plan plan = scene_town(a, b);
    static struct stage s;
    usec sent_at;

    scene_set(c, &s, &plan, &(struct scene_talk){ .has_relay = is_relayed });
    s.span_max = 120 * MINUTE;
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", detail)) {
        stage_run(&s, s.now + MINUTE, NULL); /* what connecting started may end */
        be_idle(c, &s, is_relayed, detail);
        sent_at = s.now;
        scene_send_more(&s, 1000);
        scene_claim(c, stage_run(&s, s.now + MINUTE, stage_have_everything), "data flows", detail);
        scene_claim(c, s.now - sent_at == SCENE_ONE_WAY_US * (is_relayed ? 2 : 1), "at once",
                    detail);
    }
    scene_end(c, &s, detail);
}

void scene_idle(struct scene *c)
{
    static const struct home strict = { .kind = HOME_NAT,
                                        .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                        .ports = NAT_PORTS_RANDOM,
                                        .timeout_us = 30 * SECOND };
    static const struct home symmetric = { .kind = HOME_NAT,
                                           .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                           .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                           .ports = NAT_PORTS_RANDOM,
                                           .timeout_us = 30 * SECOND };
    static const struct home open = { .kind = HOME_OPEN };

    idle_behind(c, &strict, &strict, false, "(NATs at both ends)");
    idle_behind(c, &strict, &open, false, "(the offerer's NAT)");
    idle_behind(c, &open, &strict, false, "(the answerer's NAT)");
    idle_behind(c, &symmetric, &symmetric, true, "(relayed)");
}
