/* Keeping paths: consent checks, silence, spare paths, giving up. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"
#include "tests/support/ice_wire.h"

static const struct ice_config controlling = { .controlling = true };

/* An agent whose only check has been answered. */
static usec peer_connect(struct peer *p)
{
    usec now = PEER_NOW;
    struct stun_msg m;
    struct ice_path path;
    uint8_t raw[200];

    peer_init_asked(p);
    CHECK("asked", peer_next_check(p, &m));
    ice_input(p->ice, now, &p->host, &p->from, peer_answer(p, &m.id, PEER_PWD, 0, raw));
    CHECK("selected", ice_selected(p->ice, &path));
    return now;
}

TEST(consent_is_asked_for_every_five_seconds_or_so)
{
    struct peer p;
    usec at[20], now = peer_connect(&p);
    bool varies = false;
    size_t count = peer_run(&p, &now, now + 120 * SECOND, true, at, COUNT(at));

    CHECK("about 24 in two minutes", count >= 20 && count <= 30);
    for (size_t i = 1; i < COUNT(at); i++) {
        usec gap = at[i] - at[i - 1];

        CHECK("0.8 to 1.2 of it", gap >= 4 * SECOND && gap <= 6 * SECOND);
        varies |= gap != at[1] - at[0];
    }
    CHECK("never in step", varies);
    CHECK("answered ones cost no allowance",
          p.ice->unanswered_full_at <= PEER_NOW + ICE_UNANSWERED_REFILL);
    ice_free(p.ice);
}

TEST(only_answers_are_consent)
{
    struct peer p;
    struct ice_path path;
    usec now = peer_connect(&p), start = now;

    for (unsigned i = 0; i < 29; i++) {
        peer_run(&p, &now, now + SECOND, false, NULL, 0);
        peer_ask(&p, now);
    }
    CHECK("29 s of silence are borne", ice_selected(p.ice, &path));
    peer_run(&p, &now, start + 30 * SECOND, false, NULL, 0);
    CHECK("30 s are not, whatever the peer asks", !ice_selected(p.ice, &path));
    ice_free(p.ice);
}

TEST(a_path_never_nominated_is_better_than_none)
{
    struct ice_config controlled = { .controlling = false };
    struct ice_candidate c = peer_candidate("192.168.1.2:5000", 1000);
    struct peer p;
    struct ice_path path;
    usec now = PEER_NOW;
    struct stun_msg m;
    uint8_t raw[200];

    peer_init(&p, &controlled);
    peer_describe(&p, now);
    ice_add_remote(p.ice, now, &c);
    CHECK("asked", peer_next_check(&p, &m));
    ice_input(p.ice, now, &p.host, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
    peer_run(&p, &now, PEER_NOW + 14 * SECOND, true, NULL, 0);
    CHECK("the peer has its time to nominate", !ice_selected(p.ice, &path));
    peer_run(&p, &now, PEER_NOW + 15 * SECOND, true, NULL, 0);
    CHECK("then it is taken", ice_selected(p.ice, &path) && p.ice->state == ICE_CONNECTED);
    ice_free(p.ice);
}

TEST(a_spare_given_up_comes_back_when_the_peer_asks)
{
    struct peer p;
    usec now = peer_connect(&p);

    p.ice->pairs[0].next_at = USEC_NEVER;
    CHECK("asked at once", peer_ask(&p, now + SECOND));
    CHECK("and again later", p.ice->pairs[0].next_at != USEC_NEVER);
    ice_free(p.ice);
}

TEST(failing_waits_for_the_peers_own_checks)
{
    struct peer p;
    usec now = PEER_NOW;

    peer_init(&p, &controlling);
    peer_describe(&p, now);
    ice_end_local(p.ice, now);
    ice_end_remote(p.ice, now);
    peer_run(&p, &now, PEER_NOW + 14 * SECOND, false, NULL, 0);
    CHECK("without any pair", p.ice->state == ICE_CHECKING);
    peer_run(&p, &now, PEER_NOW + 15 * SECOND, false, NULL, 0);
    CHECK("to the end", p.ice->state == ICE_FAILED);
    ice_free(p.ice);
}

TEST(failing_is_early_when_nothing_is_left_to_try)
{
    struct peer p;
    usec now = PEER_NOW;

    peer_init_asked(&p);
    ice_end_local(p.ice, now);
    peer_run(&p, &now, PEER_NOW + 14 * SECOND, false, NULL, 0);
    CHECK("not while candidates may come", p.ice->state == ICE_CHECKING);
    ice_end_remote(p.ice, now);
    CHECK("now", p.ice->state == ICE_FAILED);
    ice_free(p.ice);
}

/* IPv4 is preferred; both paths work for two minutes. */
static void wire_two_paths(struct wire *w, uint64_t seed)
{
    wire_init_two_paths(w, seed, 0);
    wire_signal(w, 0);
    CHECK("connects", wire_connect(w, w->now + SECOND));
    wire_run(w, w->now + 120 * SECOND);
    CHECK("on the better path", wire_is_on(w, ADDR_IPV4));
    w->node[0].selected_count = w->node[1].selected_count = 0;
}

TEST(a_silent_path_gives_way_to_one_that_answers)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct wire w;
        usec cut;

        wire_two_paths(&w, seed);
        cut = w.now;
        w.cut_host = wire_addr("192.168.1.20:5000");
        wire_run(&w, w.now + 7 * SECOND);
        CHECK("moved", wire_is_on(&w, ADDR_IPV6));
        CHECK("with the time of the move",
              w.node[0].told_at > cut && w.node[0].told_at <= cut + 6 * SECOND + SECOND / 5);
        w.cut_host = (struct addr){ 0 };
        wire_run(&w, w.now + 20 * SECOND);
        CHECK("moved back when it answers again", wire_is_on(&w, ADDR_IPV4));
        CHECK("not lost", w.node[0].lost_count == 0 && w.node[1].lost_count == 0);
        wire_deinit(&w);
    }
}

TEST(nothing_is_gained_by_moving_to_another_silent_path)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct wire w;

        wire_two_paths(&w, seed);
        w.is_cut = true;
        wire_run(&w, w.now + 31 * SECOND);
        CHECK("one move at the end, or none", w.node[0].selected_count <= 1);
        CHECK("lost", w.node[0].lost_count == 1 && w.node[1].lost_count == 1);
        wire_deinit(&w);
    }
}

/* The controlled side hears checks that nominate, but none of its own is answered. */
TEST(a_path_that_works_one_way_only_is_left_for_good)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct wire w;

        wire_two_paths(&w, seed);
        w.cut_from = wire_addr("192.168.1.20:5000");
        wire_run(&w, w.now + 120 * SECOND);
        CHECK("both moved", wire_is_on(&w, ADDR_IPV6));
        CHECK("once", w.node[0].selected_count == 1 && w.node[1].selected_count == 1);
        wire_deinit(&w);
    }
}

TESTS(TEST_ROW(consent_is_asked_for_every_five_seconds_or_so), TEST_ROW(only_answers_are_consent),
      TEST_ROW(a_path_never_nominated_is_better_than_none),
      TEST_ROW(a_spare_given_up_comes_back_when_the_peer_asks),
      TEST_ROW(failing_waits_for_the_peers_own_checks),
      TEST_ROW(failing_is_early_when_nothing_is_left_to_try),
      TEST_ROW(a_silent_path_gives_way_to_one_that_answers),
      TEST_ROW(nothing_is_gained_by_moving_to_another_silent_path),
      TEST_ROW(a_path_that_works_one_way_only_is_left_for_good))
