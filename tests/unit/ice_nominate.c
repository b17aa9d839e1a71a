/* How both sides agree on the path: NOMINATION between hawsers, USE-CANDIDATE with others. */
#include <stdio.h>

#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"
#include "tests/support/ice_wire.h"

#define OTHER "192.168.1.2:5001"

static const struct ice_config controlling = { .controlling = true, .ufrag = "ours1234" };
static const struct ice_config controlled = { .controlling = false, .ufrag = "ours1234" };

/* The agent knows two addresses of the peer, the second one better. */
static void peer_with_two(struct peer *p, const struct ice_config *cfg, unsigned abilities)
{
    struct ice_candidate worse = peer_candidate("192.168.1.2:5000", ice_priority(ICE_HOST, 1)),
                         better = peer_candidate(OTHER, ice_priority(ICE_HOST, 2));

    peer_init(p, cfg);
    ice_set_abilities(p->ice, abilities);
    peer_describe(p, PEER_NOW);
    ice_add_remote(p->ice, PEER_NOW, &worse);
    ice_add_remote(p->ice, PEER_NOW, &better);
}

static bool is_selected(const struct peer *p, const char *remote)
{
    struct addr a = peer_addr(remote);
    struct ice_path path;

    return ice_selected(p->ice, &path) && addr_equal(&path.remote, &a);
}

static enum verdict answer(struct peer *p, usec now, const char *from, const struct stun_id *id)
{
    struct addr a = peer_addr(from);
    uint8_t raw[200];

    return ice_input(p->ice, now, &p->host, &a, peer_answer(p, id, PEER_PWD, 0, raw));
}

/* What goes out to this address; the last of several. */
static bool next_to(struct peer *p, const char *to, struct stun_msg *m, uint8_t copy[1500])
{
    struct addr a = peer_addr(to);
    bool found = false;

    while (ice_poll_output(p->ice, &p->out)) {
        struct bytes d = out_datagram(&p->out, 0);

        if (!addr_equal(&p->out.to, &a))
            continue;
        memcpy(copy, d.data, d.len);
        found = stun_decode(m, bytes_of(copy, d.len)) == VERDICT_TAKEN && m->class == STUN_REQUEST;
    }
    return found;
}

TEST(the_controlling_side_names_its_choice_by_a_rising_value)
{
    struct peer p;
    struct stun_msg first, second, named;
    uint8_t raw[3][1500];
    usec now = PEER_NOW;
    struct addr worse_at = peer_addr("192.168.1.2:5000");
    struct stun_msg read;

    peer_with_two(&p, &controlling, ICE_RENOMINATION);
    while (ice_poll_output(p.ice, &p.out)) {
        struct bytes d = out_datagram(&p.out, 0);
        bool is_worse = addr_equal(&p.out.to, &worse_at);

        memcpy(raw[is_worse], d.data, d.len);
        CHECK("reads", stun_decode(&read, bytes_of(raw[is_worse], d.len)) == VERDICT_TAKEN);
        CHECK("the first checks nominate all, without a value",
              read.has & STUN_HAS_USE_CANDIDATE && !(read.has & STUN_HAS_NOMINATION));
        *(is_worse ? &first : &second) = read;
    }
    now += 20 * MILLISECOND;
    answer(&p, now, "192.168.1.2:5000", &first.id);
    CHECK("the first that works", is_selected(&p, "192.168.1.2:5000"));
    CHECK("is asked again at once", next_to(&p, "192.168.1.2:5000", &named, raw[2]));
    CHECK("with a value", named.has & STUN_HAS_NOMINATION && named.nomination == 1);
    CHECK("and that alone", !(named.has & STUN_HAS_USE_CANDIDATE));
    answer(&p, now, OTHER, &second.id);
    CHECK("the better one", is_selected(&p, OTHER));
    CHECK("is asked", next_to(&p, OTHER, &named, raw[2]));
    CHECK("with a greater value", named.nomination == 2);
    for (int i = 0; i < 3; i++) {
        now += 30 * MILLISECOND; /* one and a half round trips */
        ice_tick(p.ice, now);
        CHECK("repeated", next_to(&p, OTHER, &named, raw[2]) && named.nomination == 2);
    }
    answer(&p, now + 20 * MILLISECOND, OTHER, &named.id);
    CHECK("until answered", p.ice->nomination_acked);
    CHECK("then consent goes on",
          ice_next_timeout(p.ice) > now + 20 * MILLISECOND + ICE_RTO_MIN_US ||
              p.ice->selected == ICE_NONE);
    ice_free(p.ice);
}

TEST(repeating_a_nomination_ends)
{
    struct peer p;
    struct stun_msg m;
    usec now = PEER_NOW;
    size_t sent;

    peer_init_asked(&p);
    ice_set_abilities(p.ice, ICE_RENOMINATION);
    CHECK("asked", peer_next_check(&p, &m));
    answer(&p, now, "192.168.1.2:5000", &m.id);
    sent = peer_run(&p, &now, now + 29 * SECOND, false, NULL, 0);
    CHECK("a few, then as darkness has it", sent >= ICE_URGENT_MISSED_MAX && sent < 70);
    ice_free(p.ice);
}

TEST(others_get_use_candidate_as_ever)
{
    struct peer p;
    struct stun_msg m;
    usec now = PEER_NOW;

    peer_init_asked(&p);
    CHECK("asked", peer_next_check(&p, &m));
    answer(&p, now, "192.168.1.2:5000", &m.id);
    CHECK("nothing more at once", !peer_next_check(&p, &m));
    for (int i = 0; i < 5; i++) {
        now = ice_next_timeout(p.ice);
        ice_tick(p.ice, now);
        if (!peer_next_check(&p, &m))
            continue;
        CHECK("no value", m.has & STUN_HAS_USE_CANDIDATE && !(m.has & STUN_HAS_NOMINATION));
        answer(&p, now, "192.168.1.2:5000", &m.id);
    }
    ice_free(p.ice);
}

/* A check of the controlling peer, with a value or (0) without. */
static void nominate(struct peer *p, usec now, const char *from, uint32_t value, bool use_candidate)
{
    struct addr a = peer_addr(from);
    uint8_t raw[300];
    struct wr w = wr_of(raw, sizeof raw);
    struct stun_id id;
    bool is_taken;

    stun_id_init(&id, &p->rng);
    stun_encode_header(&w, STUN_REQUEST, STUN_BINDING, &id);
    stun_add_bytes(&w, STUN_ATTR_USERNAME, bytes_of_string("ours1234:" PEER_UFRAG));
    stun_add_u64(&w, STUN_ATTR_ICE_CONTROLLING, 1);
    if (use_candidate)
        stun_add_bytes(&w, STUN_ATTR_USE_CANDIDATE, bytes_of(NULL, 0));
    if (value)
        stun_add_u32(&w, STUN_ATTR_NOMINATION, value);
    stun_add_u32(&w, STUN_ATTR_PRIORITY, 1000);
    stun_add_integrity(&w, bytes_of_string(ice_pwd(p->ice)));
    stun_add_fingerprint(&w);
    is_taken = ice_input(p->ice, now, &p->host, &a, wr_written(&w)) == VERDICT_TAKEN;
    CHECK("a good check", is_taken);
}

/* All its checks so far are answered; only those to this address. */
static void answer_only(struct peer *p, usec now, const char *at)
{
    uint8_t raw[200], copy[1500];
    struct stun_msg m;
    struct addr only = peer_addr(at ? at : "0.0.0.0:0");

    while (ice_poll_output(p->ice, &p->out)) {
        struct bytes d = out_datagram(&p->out, 0);
        struct addr to = p->out.to;

        memcpy(copy, d.data, d.len);
        if (stun_decode(&m, bytes_of(copy, d.len)) == VERDICT_TAKEN && m.class == STUN_REQUEST &&
            (!at || addr_equal(&to, &only)))
            ice_input(p->ice, now, &p->host, &to, peer_answer(p, &m.id, PEER_PWD, 0, raw));
    }
}

static void answer_all(struct peer *p, usec now)
{
    answer_only(p, now, NULL);
}

#define WORSE "192.168.1.2:5000"

TEST(the_controlled_side_follows_the_newest_value)
{
    static const struct {
        const char *claim;
        unsigned abilities;
        struct {
            const char *from;
            uint32_t value;
            bool use_candidate;
        } said[3];
        const char *then;
    } rows[] = {
        { "one value", ICE_RENOMINATION, { { WORSE, 1, false } }, WORSE },
        { "a newer one", ICE_RENOMINATION, { { OTHER, 1, false }, { WORSE, 2, false } }, WORSE },
        { "an older one that comes late",
          ICE_RENOMINATION,
          { { WORSE, 2, false }, { OTHER, 1, false } },
          WORSE },
        { "the same again",
          ICE_RENOMINATION,
          { { OTHER, 1, false }, { WORSE, 2, false }, { OTHER, 1, false } },
          WORSE },
        { "the same for another",
          ICE_RENOMINATION,
          { { WORSE, 2, false }, { OTHER, 2, false } },
          WORSE },
        { "back by a newer one",
          ICE_RENOMINATION,
          { { WORSE, 1, false }, { OTHER, 2, false }, { WORSE, 3, false } },
          WORSE },
        { "a value beats USE-CANDIDATE before it",
          ICE_RENOMINATION,
          { { OTHER, 0, true }, { WORSE, 1, false } },
          WORSE },
        { "and after it", ICE_RENOMINATION, { { WORSE, 1, false }, { OTHER, 0, true } }, WORSE },
        { "largest there is",
          ICE_RENOMINATION,
          { { WORSE, UINT32_MAX, false }, { OTHER, 7, false } },
          WORSE },
        { "neither is not a nomination", ICE_RENOMINATION, { { WORSE, 0, false } }, NULL },
        { "of one who did not say so: nothing", 0, { { WORSE, 5, false } }, NULL },
        { "whose USE-CANDIDATE counts", 0, { { WORSE, 5, true } }, WORSE },
        { "by priority", 0, { { WORSE, 5, true }, { OTHER, 4, true } }, OTHER },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        for (int late = 0; late < 2; late++) { /* our own checks are answered before, or after */
            struct peer p;
            struct ice_path path;

            peer_with_two(&p, &controlled, rows[i].abilities);
            if (!late)
                answer_all(&p, PEER_NOW);
            for (size_t s = 0; s < COUNT(rows[i].said) && rows[i].said[s].from; s++)
                nominate(&p, PEER_NOW, rows[i].said[s].from, rows[i].said[s].value,
                         rows[i].said[s].use_candidate);
            answer_all(&p, PEER_NOW);
            if (rows[i].then)
                CHECK(rows[i].claim, is_selected(&p, rows[i].then));
            else
                CHECK(rows[i].claim, !ice_selected(p.ice, &path));
            ice_free(p.ice);
        }
}

/* We left the path the peer means; it works again, and the peer still means it. */
TEST(a_nomination_that_is_repeated_wins_its_path_back)
{
    struct peer p;
    usec now = PEER_NOW;

    peer_with_two(&p, &controlled, ICE_RENOMINATION);
    answer_all(&p, now);
    nominate(&p, now, WORSE, 1, false);
    answer_all(&p, now);
    CHECK("selected", is_selected(&p, WORSE));
    now += SECOND;
    ice_suspect(p.ice, now);
    answer_only(&p, now, OTHER);
    now += 200 * MILLISECOND;
    ice_tick(p.ice, now);
    CHECK("left", is_selected(&p, OTHER));
    answer_all(&p, now);
    nominate(&p, now, WORSE, 1, false);
    CHECK("not back at once", is_selected(&p, OTHER));
    for (int i = 0; i < 40; i++) {
        now += 100 * MILLISECOND;
        ice_tick(p.ice, now);
        answer_all(&p, now);
    }
    nominate(&p, now, WORSE, 1, false);
    answer_all(&p, now);
    CHECK("back, though the other one is better to us", is_selected(&p, WORSE));
    ice_free(p.ice);
}

/* Loss and delay in every order: in the end both are on one path, the best one. */
TEST(both_sides_agree_whatever_is_lost)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct wire w;
        struct ice_path a, b;

        wire_init(&w, seed, &controlling, NULL);
        wire_set_abilities(&w, ICE_RENOMINATION | ICE_SHARED_CONSENT);
        w.loss_ppm = 300000;
        for (int h = 0; h < 3; h++)
            for (int i = 0; i < 2; i++) {
                char text[40];

                snprintf(text, sizeof text, "10.0.%d.%d:5000", h, i + 1);
                wire_add_host(&w, i, text, (uint16_t)(1000 * (h + 1)));
            }
        wire_signal(&w, 0);
        CHECK("connects", wire_connect(&w, w.now + 10 * SECOND));
        wire_run(&w, w.now + 5 * SECOND);
        w.loss_ppm = 0;
        wire_run(&w, w.now + 30 * SECOND);
        CHECK("both have one", ice_selected(w.node[0].ice, &a) && ice_selected(w.node[1].ice, &b));
        CHECK("the same", addr_equal(&a.local, &b.remote) && addr_equal(&a.remote, &b.local));
        wire_deinit(&w);
    }
}

TEST(after_a_role_conflict_values_go_on_rising)
{
    struct peer p;

    peer_with_two(&p, &controlled, ICE_RENOMINATION);
    answer_all(&p, PEER_NOW);
    nominate(&p, PEER_NOW, WORSE, 41, false);
    CHECK("selected", is_selected(&p, WORSE));
    ice_switch_role(p.ice);
    CHECK("we control", ice_is_controlling(p.ice));
    ice_suspect(p.ice, PEER_NOW);
    ice_tick(p.ice, PEER_NOW + 200 * MILLISECOND);
    ice_select(p.ice, PEER_NOW);
    CHECK("never below what the peer said", p.ice->nomination >= 41);
    ice_free(p.ice);
}

TESTS(TEST_ROW(the_controlling_side_names_its_choice_by_a_rising_value),
      TEST_ROW(repeating_a_nomination_ends), TEST_ROW(others_get_use_candidate_as_ever),
      TEST_ROW(the_controlled_side_follows_the_newest_value),
      TEST_ROW(a_nomination_that_is_repeated_wins_its_path_back),
      TEST_ROW(both_sides_agree_whatever_is_lost),
      TEST_ROW(after_a_role_conflict_values_go_on_rising))
