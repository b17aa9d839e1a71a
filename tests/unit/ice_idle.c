/* What keeping paths costs between hawsers: the idle schedule, NATs that forget, spare paths. */
#include <stdio.h>

#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"
#include "tests/support/ice_wire.h"

#define BOTH (ICE_RENOMINATION | ICE_SHARED_CONSENT)
#define HOUR (60 * MINUTE)

static const struct ice_config controlling = { .controlling = true };

static void wire_one_path(struct wire *w, uint64_t seed)
{
    wire_init(w, seed, &controlling, NULL);
    w->delay_us = 20 * MILLISECOND;
    wire_set_abilities(w, BOTH);
    wire_add_host(w, 0, "192.168.1.10:4000", 2000);
    wire_add_host(w, 1, "192.168.1.20:5000", 2000);
    wire_signal(w, 0);
    CHECK("connects", wire_connect(w, w->now + SECOND));
}

TEST(an_idle_hour_costs_one_check_and_answer_per_quarter_minute)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct wire w;
        size_t sent[2];

        wire_one_path(&w, seed);
        wire_run(&w, w.now + MINUTE);
        sent[0] = w.node[0].sent;
        sent[1] = w.node[1].sent;
        wire_run(&w, w.now + HOUR);
        CHECK("the controlling side asks", w.node[0].sent - sent[0] <= 240);
        CHECK("not less often than NATs forget", w.node[0].sent - sent[0] >= 235);
        CHECK("the other one answers, no more", w.node[1].sent - sent[1] <= 240);
        CHECK("both live", w.node[0].lost_count + w.node[1].lost_count == 0);
        CHECK("undisturbed", w.node[0].selected_count == 1 && w.node[1].selected_count == 1 &&
                                 w.node[0].dark_count + w.node[1].dark_count == 0);
        wire_deinit(&w);
    }
}

TEST(loss_is_made_good_within_seconds)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct wire w;

        wire_one_path(&w, seed);
        w.loss_ppm = 200000;
        wire_run(&w, w.now + HOUR);
        CHECK("at 20 %", w.node[0].lost_count + w.node[1].lost_count == 0);
        CHECK("still few", w.node[0].sent <= 900 && w.node[1].sent <= 900);
        wire_deinit(&w);
    }
}

TEST(data_ends_idleness_and_its_end_begins_it)
{
    struct wire w;
    size_t before, talking, idle;

    wire_one_path(&w, 1);
    wire_talk(&w, SECOND / 2, 0);
    before = w.node[0].sent;
    wire_run(&w, w.now + 10 * MINUTE);
    talking = w.node[0].sent - before;
    CHECK("every five seconds, both", talking >= 200 && talking <= 300);
    wire_talk(&w, 0, 0);
    wire_run(&w, w.now + MINUTE);
    before = w.node[0].sent;
    wire_run(&w, w.now + 10 * MINUTE);
    idle = w.node[0].sent - before;
    CHECK("then rarely", idle >= 35 && idle <= 40);
    wire_deinit(&w);
}

/* Whoever dies, the other one learns it in time. */
TEST(idle_death_is_noticed_by_either_side)
{
    for (int dead = 0; dead < 2; dead++) {
        struct wire w;
        struct wire_node *alive;
        usec cut;

        wire_one_path(&w, 2);
        wire_run(&w, w.now + 5 * MINUTE);
        alive = &w.node[1 - dead];
        ice_free(w.node[dead].ice);
        w.node[dead].ice = NULL;
        cut = w.now;
        wire_run(&w, cut + 20 * SECOND);
        CHECK("dark within twenty seconds", alive->dark_count == 1);
        wire_run(&w, cut + 32 * SECOND);
        CHECK("lost within thirty", alive->lost_count == 1);
        CHECK("ten seconds are left between", alive->lost_at >= alive->dark_at + 10 * SECOND);
        wire_deinit(&w);
    }
}

/* The controlled side asks when it is not asked, and is answered: nothing is lost. */
TEST(checks_that_get_lost_one_way_are_missed_by_the_other_side)
{
    struct wire w;

    wire_one_path(&w, 3);
    wire_run(&w, w.now + 2 * MINUTE);
    w.cut_from = wire_addr("192.168.1.10:4000");
    wire_run(&w, w.now + 20 * SECOND);
    CHECK("the one notices", w.node[0].dark_count == 1);
    CHECK("and the other", w.node[1].dark_count == 1);
    w.cut_from = (struct addr){ 0 };
    wire_run(&w, w.now + 20 * SECOND);
    CHECK("and recovered", w.node[0].lost_count + w.node[1].lost_count == 0);
    wire_run(&w, w.now + 5 * MINUTE);
    CHECK("for good", w.node[0].dark_count == 1 && w.node[1].dark_count == 1);
    wire_deinit(&w);
}

TEST(data_is_life_between_hawsers_and_not_with_others)
{
    static const struct {
        const char *claim;
        unsigned abilities;
        bool lives;
    } rows[] = { { "between hawsers", BOTH, true }, { "with others", 0, false } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct stun_msg m;
        struct ice_path path;
        usec now = PEER_NOW;
        uint8_t raw[200];

        peer_init_asked(&p);
        ice_set_abilities(p.ice, rows[i].abilities);
        CHECK("asked", peer_next_check(&p, &m));
        ice_input(p.ice, now, &p.host, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
        for (unsigned s = 0; s < 40; s++) {
            peer_run(&p, &now, now + SECOND, false, NULL, 0);
            ice_heard(p.ice, now, &p.host, &p.from);
        }
        CHECK(rows[i].claim, ice_selected(p.ice, &path) == rows[i].lives);
        CHECK("and is told", !rows[i].lives || path.heard_at == now);
        ice_free(p.ice);
    }
}

/* Four paths, of which the selected one and two others are kept; the rest run out. */
TEST(idle_spares_are_few_and_rare)
{
    struct wire w;
    struct ice_pair_info info[ICE_PAIRS_MAX];
    size_t sent[2], alive = 0, bases = 0, count;

    wire_init(&w, 4, &controlling, NULL);
    wire_set_abilities(&w, BOTH);
    for (int i = 0; i < 2; i++) {
        for (int h = 0; h < 2; h++) {
            char text[40];

            snprintf(text, sizeof text, "203.0.113.%d:5000", 10 * h + i + 1);
            wire_add_host(&w, i, text, (uint16_t)(1000 * (h + 1)));
        }
        wire_add_relayed(&w, i, i ? "198.51.100.8:7000" : "198.51.100.7:6000", 9);
    }
    wire_signal(&w, 0);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    wire_run(&w, w.now + 5 * MINUTE);
    sent[0] = w.node[0].sent;
    sent[1] = w.node[1].sent;
    wire_run(&w, w.now + HOUR);
    CHECK("240 on the selected path, 144 on each spare", w.node[0].sent - sent[0] <= 240 + 288);
    CHECK("and as many answers", w.node[1].sent - sent[1] <= 240 + 288);
    count = ice_get_pairs(w.node[0].ice, info, COUNT(info));
    for (size_t i = 0; i < count; i++) {
        if (info[i].fate != ICE_FATE_WORKS)
            continue;
        alive++;
        bases |= info[i].local_type == ICE_RELAYED || info[i].remote_type == ICE_RELAYED ? 1 : 2;
    }
    CHECK("two spares", alive == 2);
    CHECK("one direct, one relayed", bases == 3);
    wire_deinit(&w);
}

/* After an idle hour the spare is warm on both sides. */
TEST(an_idle_spare_takes_over_at_once)
{
    struct wire w;
    usec cut;

    wire_one_path(&w, 5);
    wire_add_host(&w, 0, "[fd00::10]:4001", 1000);
    wire_add_host(&w, 1, "[fd00::20]:5001", 1000);
    wire_run(&w, w.now + HOUR);
    CHECK("on the better one", w.node[0].path.remote.family == ADDR_IPV4);
    cut = w.now;
    w.cut_host = wire_addr("192.168.1.20:5000");
    wire_talk(&w, 20 * MILLISECOND, 200 * MILLISECOND);
    wire_run(&w, cut + 500 * MILLISECOND);
    CHECK("when data finds it black",
          w.node[0].path.remote.family == ADDR_IPV6 && w.node[1].path.remote.family == ADDR_IPV6);
    wire_deinit(&w);
}

TESTS(TEST_ROW(an_idle_hour_costs_one_check_and_answer_per_quarter_minute),
      TEST_ROW(loss_is_made_good_within_seconds),
      TEST_ROW(data_ends_idleness_and_its_end_begins_it),
      TEST_ROW(idle_death_is_noticed_by_either_side),
      TEST_ROW(checks_that_get_lost_one_way_are_missed_by_the_other_side),
      TEST_ROW(data_is_life_between_hawsers_and_not_with_others),
      TEST_ROW(idle_spares_are_few_and_rare), TEST_ROW(an_idle_spare_takes_over_at_once))
