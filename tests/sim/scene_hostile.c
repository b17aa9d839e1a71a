/* A peer that is who it says, and uses signaling to make us send to others. */
#include "tests/sim/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED      500 /* candidates that are told; far more than are taken */
#define RESTART_US (100 * MILLISECOND)
#define VICTIM     0x5db8d822
#define SPAN       (60 * SECOND)

/* The agent takes 32 candidates and asks each a bounded number of times; restarts begin anew, but
 * only every few seconds. */
#define AT_ONCE_MAX    400
#define PER_SECOND_MAX 30

struct watch {
    struct addr victim;
    uint64_t sent;      /* to the victim */
    uint64_t forbidden; /* to where nobody may make us send */
};

static void note(void *ctx, unsigned peer, const struct addr *from, const struct addr *to,
                 struct bytes dgram)
{
    struct watch *watch = ctx;
    enum addr_scope scope = addr_scope_of(to);

    (void)peer;
    (void)from;
    (void)dgram;
    watch->sent += addr_equal_ip(to, &watch->victim);
    watch->forbidden += scope == ADDR_SCOPE_UNUSABLE || scope == ADDR_SCOPE_LOOPBACK;
}

static struct ice_candidate candidate_at(const struct addr *ip, unsigned k)
{
    struct ice_candidate c = { .type = ICE_HOST, .priority = 2130706431u - k, .addr = *ip };

    c.addr.port = (uint16_t)(1 + k);
    snprintf(c.foundation, sizeof c.foundation, "%u", k);
    return c;
}

static void tell_candidates(struct stage *s, const struct addr *ip)
{
    char line[ICE_CANDIDATE_TEXT_MAX], text[ICE_CANDIDATE_TEXT_MAX + 16];

    for (unsigned k = 0; k < NAMED; k++) {
        struct ice_candidate c = candidate_at(ip, k);

        if (ice_candidate_encode(&c, line))
            exit(2);
        snprintf(text, sizeof text, "candidate %s", line);
        peer_input_message(s->peers[1], s->now, text);
        stage_drain(s, 1);
    }
}

/* The offerer's description, made another generation's: full of the victim's ports. */
static void tell_restart(struct stage *s, struct session_description *d, const struct addr *victim,
                         unsigned k)
{
    char *json, *text;

    snprintf(d->ufrag, sizeof d->ufrag, "evil%04u", k);
    d->candidate_count = ICE_CANDIDATES_MAX;
    for (unsigned i = 0; i < ICE_CANDIDATES_MAX; i++)
        d->candidates[i] = candidate_at(victim, k * ICE_CANDIDATES_MAX + i);
    if (session_description_encode(d, &json) || !(text = malloc(strlen(json) + 16)))
        exit(2);
    snprintf(text, strlen(json) + 16, "restart %s", json);
    peer_input_message(s->peers[1], s->now, text);
    stage_drain(s, 1);
    free(json);
    free(text);
}

static void read_offer(const struct stage *s, struct session_description *d)
{
    const char *text = s->mail[0].text;

    if (strncmp(text, "offer ", 6) != 0 ||
        session_description_decode(d, text + 6, strlen(text) - 6))
        exit(2);
}

static void set_up(struct scene *c, struct stage *s, struct watch *watch)
{
    static const struct home home = { .kind = HOME_NAT,
                                      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
    struct town_plan plan = scene_town(&home, &home);

    scene_set(c, s, &plan, &(struct scene_talk){ 0 });
    *watch = (struct watch){ .victim = addr_ipv4(VICTIM, 0) };
    s->leaves = note;
    s->ctx = watch;
}

static const struct row {
    const char *whom;
    uint32_t ip;
    uint64_t sent_max;
} rows[] = {
    { "a victim", VICTIM, AT_ONCE_MAX },   { "ourselves", 0x7f000001, 0 },
    { "nobody", 0x00000000, 0 },           { "a group", 0xe00000fb, 0 },
    { "all of a network", 0xffffffff, 0 },
};

static void name_many(struct scene *c, const struct row *row)
{
    static struct stage s;
    struct watch watch;

    set_up(c, &s, &watch);
    watch.victim = addr_ipv4(row->ip, 0);
    stage_start(&s);
    stage_run(&s, 21 * MILLISECOND, NULL); /* the offer is there */
    tell_candidates(&s, &watch.victim);
    stage_run(&s, SPAN, NULL);
    printf("%3llu packets to %s, named by %d candidates\n", (unsigned long long)watch.sent,
           row->whom, NAMED);
    scene_claim(c, watch.sent <= row->sent_max, "asked a bounded number of times", row->whom);
    scene_claim(c, watch.forbidden == 0, "nothing goes where nothing may", row->whom);
    scene_end(c, &s, row->whom);
}

static void restart_often(struct scene *c)
{
    static struct session_description d;
    static struct stage s;
    struct watch watch;
    usec until;

    set_up(c, &s, &watch);
    stage_start(&s);
    read_offer(&s, &d);
    scene_claim(c, stage_run(&s, SPAN, scene_has_flowed), "connects", "(restarts)");
    until = s.now + SPAN;
    for (unsigned k = 0; s.now < until && !s.fault; k++) {
        tell_restart(&s, &d, &watch.victim, k);
        stage_run(&s, s.now + RESTART_US, NULL);
    }
    printf("%.1f packets a second to a victim whom %d restarts a second named\n",
           (double)watch.sent / (SPAN / SECOND), (int)(SECOND / RESTART_US));
    scene_claim(c, watch.sent <= AT_ONCE_MAX + PER_SECOND_MAX * (SPAN / SECOND),
                "restarts are rationed", "");
    scene_claim(c, stage_are_open(&s) && !stage_are_closed(&s), "the session lives", "");
    scene_end(c, &s, "(restarts)");
}

void scene_hostile(struct scene *c)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        name_many(c, &rows[i]);
    restart_often(c);
}
