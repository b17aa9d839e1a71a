/* A path that turns black is noticed and left, whoever notices. Round trip 40 ms unless said. */
#include <stdio.h>

#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"
#include "tests/support/ice_wire.h"

#define BOTH (ICE_RENOMINATION | ICE_SHARED_CONSENT)

/* IPv4 is preferred, both paths work and both sides talk every 20 ms. */
static void wire_two_paths(struct wire *w, uint64_t seed, unsigned abilities)
{
    wire_init_two_paths(w, seed, abilities);
    w->delay_us = 20 * MILLISECOND;
    CHECK("connects", wire_connect_talking(w));
    wire_run(w, w->now + 20 * SECOND);
    CHECK("on the better path", wire_is_on(w, ADDR_IPV4));
    w->node[0].selected_count = w->node[1].selected_count = 0;
}

static const struct {
    const char *claim;
    unsigned abilities;
} peers[] = { { "between hawsers", BOTH }, { "with a browser", 0 } };

TEST(a_black_path_is_left_within_half_a_second)
{
    for (size_t i = 0; i < COUNT(peers); i++)
        for (uint64_t seed = 1; seed <= 30; seed++) {
            struct wire w;
            usec cut;

            wire_two_paths(&w, seed, peers[i].abilities);
            cut = w.now;
            w.cut_host = wire_addr("192.168.1.20:5000");
            wire_run(&w, cut + 500 * MILLISECOND);
            CHECK(peers[i].claim, wire_is_on(&w, ADDR_IPV6));
            CHECK("once each", w.node[0].selected_count == 1 && w.node[1].selected_count == 1);
            CHECK("and data flows", wire_has_flow(&w));
            CHECK("never dark", w.node[0].dark_count + w.node[1].dark_count == 0);
            wire_deinit(&w);
        }
}

/* What goes from one side to the other gets lost; that side's data goes unanswered, though the
 * other's still comes. The wire's applications would not notice: this one does. */
TEST(a_path_black_in_one_direction_is_left)
{
    for (int silent = 0; silent < 2; silent++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct wire w;
            usec cut;

            wire_two_paths(&w, seed, BOTH);
            w.patience_us = 0;
            cut = w.now;
            w.cut_from = wire_addr(silent ? "192.168.1.20:5000" : "192.168.1.10:4000");
            wire_run(&w, cut + 200 * MILLISECOND);
            ice_suspect(w.node[silent].ice, w.now);
            wire_run(&w, cut + 500 * MILLISECOND);
            CHECK("by the one who suspects", w.node[silent].path.remote.family == ADDR_IPV6);
            wire_run(&w, cut + 2 * SECOND);
            CHECK("and by the other in time", wire_is_on(&w, ADDR_IPV6));
            wire_run(&w, cut + 60 * SECOND);
            CHECK("for good", wire_is_on(&w, ADDR_IPV6) && w.node[0].selected_count == 1 &&
                                  w.node[1].selected_count == 1);
            wire_deinit(&w);
        }
}

TEST(a_path_without_owner_is_noticed_within_two_seconds)
{
    for (size_t i = 0; i < COUNT(peers); i++)
        for (uint64_t seed = 1; seed <= 30; seed++) {
            struct wire w;
            usec cut;

            wire_two_paths(&w, seed, peers[i].abilities);
            w.patience_us = 0; /* nobody calls ice_suspect() */
            cut = w.now;
            w.cut_host = wire_addr("192.168.1.20:5000");
            wire_run(&w, cut + 2 * SECOND);
            CHECK(peers[i].claim, wire_is_on(&w, ADDR_IPV6));
            wire_deinit(&w);
        }
}

TEST(a_path_that_answers_again_is_taken_again_but_not_at_once)
{
    struct wire w;
    usec back;

    wire_two_paths(&w, 1, BOTH);
    w.cut_host = wire_addr("192.168.1.20:5000");
    wire_run(&w, w.now + SECOND);
    CHECK("left", wire_is_on(&w, ADDR_IPV6));
    w.cut_host = (struct addr){ 0 };
    back = w.now;
    wire_run(&w, back + SECOND / 2);
    CHECK("a moment later still", wire_is_on(&w, ADDR_IPV6));
    wire_run(&w, back + 30 * SECOND);
    CHECK("then it is back", wire_is_on(&w, ADDR_IPV4));
    wire_deinit(&w);
}

TEST(a_path_that_comes_and_goes_is_shunned_longer_each_time)
{
    struct wire w;
    size_t moves;

    wire_two_paths(&w, 2, BOTH);
    for (int i = 0; i < 60; i++) { /* a second black, three well */
        w.cut_host = i % 4 == 0 ? wire_addr("192.168.1.20:5000") : (struct addr){ 0 };
        wire_run(&w, w.now + SECOND);
    }
    moves = w.node[0].selected_count; /* back after 2, 4, 8, 16, 32 s or so */
    CHECK("fewer moves than darknesses", moves >= 4 && moves <= 10);
    CHECK("and none of them lost", w.node[0].lost_count + w.node[1].lost_count == 0);
    wire_deinit(&w);
}

/* After a minute of good service the first wait is the shortest again. */
TEST(what_has_served_long_is_forgiven)
{
    struct wire w;

    wire_two_paths(&w, 2, BOTH);
    for (int i = 0; i < 8; i++) {
        usec back;

        w.cut_host = wire_addr("192.168.1.20:5000");
        wire_run(&w, w.now + SECOND);
        CHECK("left", wire_is_on(&w, ADDR_IPV6));
        w.cut_host = (struct addr){ 0 };
        back = w.now;
        wire_run(&w, back + 6 * SECOND);
        CHECK("back", wire_is_on(&w, ADDR_IPV4));
        wire_run(&w, back + 90 * SECOND);
    }
    wire_deinit(&w);
}

TEST(nobody_answers_is_told_once)
{
    for (size_t i = 0; i < COUNT(peers); i++) {
        struct wire w;
        usec cut;

        wire_two_paths(&w, 3, peers[i].abilities);
        cut = w.now;
        w.is_cut = true;
        wire_run(&w, cut + 1 * SECOND);
        CHECK("within a second", w.node[0].dark_count == 1 && w.node[1].dark_count == 1);
        CHECK("not before 600 ms", w.node[0].dark_at >= cut + 600 * MILLISECOND);
        wire_run(&w, cut + 10 * SECOND);
        CHECK("once", w.node[0].dark_count == 1 && w.node[1].dark_count == 1);
        w.is_cut = false;
        wire_run(&w, w.now + 3 * SECOND);
        CHECK("light again", w.node[0].data_at > w.now - 50 * MILLISECOND);
        w.is_cut = true;
        wire_run(&w, w.now + 2 * SECOND);
        CHECK("told again", w.node[0].dark_count == 2 && w.node[1].dark_count == 2);
        CHECK("not lost yet", w.node[0].lost_count == 0);
        wire_run(&w, w.now + 30 * SECOND);
        CHECK("at last it is", w.node[0].lost_count == 1 && w.node[1].lost_count == 1);
        wire_deinit(&w);
    }
}

TEST(darkness_costs_few_datagrams)
{
    struct wire w;
    size_t before;

    wire_two_paths(&w, 4, BOTH);
    w.is_cut = true;
    before = w.node[0].sent;
    wire_run(&w, w.now + 29 * SECOND);
    CHECK("about two a second on two paths", w.node[0].sent - before <= 29 * 3 + 30);
    wire_deinit(&w);
}

/* Each side has four hosts: sixteen paths work, of which the best seven are asked. */
TEST(a_suspicion_asks_few_paths)
{
    struct wire w;
    size_t before;

    wire_init_able(&w, 10, BOTH);
    for (int h = 0; h < 4; h++)
        for (int i = 0; i < 2; i++) {
            char text[40];

            snprintf(text, sizeof text, "10.0.%d.%d:5000", h, i + 1);
            wire_add_host(&w, i, text, (uint16_t)(1000 * (h + 1)));
        }
    wire_signal(&w, 0);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    wire_run(&w, w.now + SECOND);
    w.is_cut = true;
    before = w.node[0].sent;
    ice_suspect(w.node[0].ice, w.now);
    wire_run(&w, w.now + 10 * MILLISECOND);
    CHECK("six others at most",
          w.node[0].sent - before >= 2 && w.node[0].sent - before <= 1 + ICE_SUSPECTS_MAX);
    wire_deinit(&w);
}

/* No path is worse than the one there is. */
TEST(loss_alone_makes_nobody_leave)
{
    size_t moves = 0;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct wire w;

        wire_two_paths(&w, seed, BOTH);
        w.loss_ppm = 50000;
        wire_run(&w, w.now + 60 * SECOND);
        moves += w.node[0].selected_count + w.node[1].selected_count;
        CHECK("no darkness", w.node[0].dark_count + w.node[1].dark_count == 0);
        wire_deinit(&w);
    }
    CHECK("at 5 % for twenty minutes in all", moves == 0);
}

TEST(a_late_answer_is_no_reason_to_leave)
{
    struct wire w;
    struct addr wrong = wire_addr("192.168.1.10:4000");

    wire_two_paths(&w, 5, BOTH);
    w.patience_us = 0;
    for (int i = 0; i < 20; i++) {
        ice_suspect(w.node[i % 2].ice, w.now);
        ice_heard(w.node[0].ice, w.now, &wrong, &wrong); /* a path that does not exist */
        wire_run(&w, w.now + 500 * MILLISECOND);
    }
    CHECK("both answer in time", wire_is_on(&w, ADDR_IPV4) && w.node[0].selected_count == 0);
    wire_deinit(&w);
}

/* A better path appears that answers checks and carries nothing else, as behind a filter. */
TEST(a_new_path_that_carries_no_data_is_given_up)
{
    struct wire w;
    usec start;

    wire_init_able(&w, 7, BOTH);
    w.delay_us = 20 * MILLISECOND;
    wire_add_host(&w, 0, "[fd00::10]:4001", 1000);
    wire_add_host(&w, 1, "[fd00::20]:5001", 1000);
    CHECK("connects", wire_connect_talking(&w));
    wire_run(&w, w.now + 5 * SECOND);
    w.cut_data = wire_addr("192.168.1.20:5000");
    wire_add_host(&w, 0, "192.168.1.10:4000", 2000);
    wire_add_host(&w, 1, "192.168.1.20:5000", 2000);
    start = w.now;
    wire_run(&w, start + 100 * MILLISECOND);
    CHECK("adopted", wire_is_on(&w, ADDR_IPV4));
    wire_run(&w, start + 600 * MILLISECOND);
    CHECK("and left", wire_is_on(&w, ADDR_IPV6));
    CHECK("data is back", wire_has_flow(&w));
    w.node[0].selected_count = 0;
    wire_run(&w, start + 120 * SECOND);
    CHECK("tried again ever more rarely", w.node[0].selected_count <= 12);
    CHECK("never dark", w.node[0].dark_count + w.node[1].dark_count == 0);
    wire_deinit(&w);
}

/* The NAT of one side forgets everything and maps anew. The other side is public: no restart. */
TEST(a_nat_that_is_rebooted_is_survived)
{
    for (int natted = 0; natted < 2; natted++) {
        struct wire w;
        struct wire_node *n;
        usec reboot;

        wire_init_able(&w, 8, BOTH);
        w.delay_us = 20 * MILLISECOND;
        n = &w.node[natted];
        n->lan = 1;
        n->nat_ip = wire_addr("198.51.100.10:1");
        wire_add_host(&w, natted, "192.168.1.10:4000", 2000);
        wire_add_host(&w, 1 - natted, "203.0.113.20:5000", 2000);
        CHECK("connects", wire_connect_talking(&w));
        wire_run(&w, w.now + 5 * SECOND);
        n->nat_ip = wire_addr("198.51.100.77:1");
        n->opened_count = 0;
        reboot = w.now;
        wire_run(&w, reboot + SECOND);
        CHECK("data flows within a second", wire_has_flow(&w));
        wire_deinit(&w);
    }
}

TEST(calls_before_there_is_a_path_are_harmless)
{
    struct peer p;
    size_t checks = 0;
    struct stun_msg m;

    peer_init_asked(&p);
    for (int i = 0; i < 10; i++) {
        ice_suspect(p.ice, PEER_NOW);
        ice_check_again(p.ice, PEER_NOW);
        ice_heard(p.ice, PEER_NOW, &p.host, &p.from);
        checks += peer_next_check(&p, &m);
    }
    CHECK("one check as ever", checks == 1);
    ice_free(p.ice);
}

/* The better path does not work, and is tried for so long. */
static void wire_better_is_cut(struct wire *w, uint64_t seed, usec tried_us)
{
    wire_init_two_paths(w, seed, BOTH);
    w->cut_also = wire_addr("192.168.1.20:5000");
    wire_signal(w, 0);
    wire_run(w, w->now + tried_us);
}

TEST(check_again_tries_what_had_failed)
{
    struct wire w;
    usec later;

    wire_better_is_cut(&w, 6, 60 * SECOND);
    CHECK("the better path has failed", wire_is_on(&w, ADDR_IPV6));
    w.cut_also = (struct addr){ 0 };
    wire_run(&w, w.now + 60 * SECOND);
    CHECK("and is not tried by itself", wire_is_on(&w, ADDR_IPV6));
    later = w.now;
    ice_check_again(w.node[1].ice, w.now); /* the controlled side notices a change */
    wire_run(&w, later + 10 * w.delay_us);
    CHECK("now it is", wire_is_on(&w, ADDR_IPV4));
    wire_deinit(&w);
}

/* The series of the first pair still goes on, with long pauses. */
TEST(check_again_hurries_what_is_still_tried)
{
    struct wire w;
    usec later;

    wire_better_is_cut(&w, 9, 5 * SECOND);
    w.cut_also = (struct addr){ 0 };
    later = w.now;
    ice_check_again(w.node[0].ice, w.now);
    wire_run(&w, later + 4 * w.delay_us);
    CHECK("in two round trips", wire_is_on(&w, ADDR_IPV4));
    wire_deinit(&w);
}

/* Whoever calls it all the time does not make us a scanner. */
TEST(check_again_is_bounded)
{
    struct peer p;
    usec now = PEER_NOW;
    size_t sent = 0;
    struct stun_msg m;
    uint8_t raw[200];

    peer_init_asked(&p);
    CHECK("asked", peer_next_check(&p, &m));
    ice_input(p.ice, now, &p.host, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
    for (uint16_t i = 1; i < ICE_CANDIDATES_MAX; i++) {
        struct ice_candidate c = peer_candidate("203.0.113.9:9", 1);

        c.addr.port = i;
        ice_add_remote(p.ice, now, &c);
    }
    for (int i = 0; i < 36000; i++, now += 100 * MILLISECOND) { /* an hour */
        ice_check_again(p.ice, now);
        while (ice_poll_output(p.ice, &p.out))
            sent += !addr_equal(&p.out.to, &p.from);
    }
    CHECK("the allowance and its refill", sent > ICE_UNANSWERED_MAX && sent <= 400 + 1800 + 1);
    ice_free(p.ice);
}

/* The peer has answered, so no allowance limits the checks to another of our sockets. */
TEST(check_again_keeps_a_pace)
{
    struct peer p;
    usec now = PEER_NOW;
    size_t sent = 0;
    struct stun_msg m;
    uint8_t raw[200];
    struct addr second = peer_addr("10.0.0.1:4000");

    peer_init_asked(&p);
    CHECK("asked", peer_next_check(&p, &m));
    ice_input(p.ice, now, &p.host, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
    ice_add_host(p.ice, now, &second, 1);
    for (int i = 0; i < 6000; i++, now += 10 * MILLISECOND) { /* a minute */
        ice_check_again(p.ice, now);
        while (ice_poll_output(p.ice, &p.out))
            sent += addr_equal(&p.out.from, &second);
    }
    CHECK("eight in two seconds", sent >= 100 && sent <= 260);
    ice_free(p.ice);
}

TESTS(TEST_ROW(a_black_path_is_left_within_half_a_second),
      TEST_ROW(a_path_black_in_one_direction_is_left),
      TEST_ROW(a_path_without_owner_is_noticed_within_two_seconds),
      TEST_ROW(a_path_that_answers_again_is_taken_again_but_not_at_once),
      TEST_ROW(a_path_that_comes_and_goes_is_shunned_longer_each_time),
      TEST_ROW(what_has_served_long_is_forgiven), TEST_ROW(nobody_answers_is_told_once),
      TEST_ROW(darkness_costs_few_datagrams), TEST_ROW(a_suspicion_asks_few_paths),
      TEST_ROW(loss_alone_makes_nobody_leave), TEST_ROW(a_late_answer_is_no_reason_to_leave),
      TEST_ROW(a_new_path_that_carries_no_data_is_given_up),
      TEST_ROW(a_nat_that_is_rebooted_is_survived),
      TEST_ROW(calls_before_there_is_a_path_are_harmless),
      TEST_ROW(check_again_tries_what_had_failed),
      TEST_ROW(check_again_hurries_what_is_still_tried), TEST_ROW(check_again_is_bounded),
      TEST_ROW(check_again_keeps_a_pace))
