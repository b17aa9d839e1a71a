/* Whatever a network does for two minutes, in the end both are on one path, and data flows. */
#include <stdio.h>

#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_wire.h"

#define SEEDS 60

static const struct ice_config controlling = { .controlling = true };

static void build(struct wire *w, uint64_t seed)
{
    static const unsigned abilities[] = { 0, ICE_RENOMINATION, ICE_SHARED_CONSENT,
                                          ICE_RENOMINATION | ICE_SHARED_CONSENT };

    wire_init(w, seed, &controlling, NULL);
    w->delay_us = (1 + rng_below(&w->rng, 80)) * MILLISECOND;
    wire_set_abilities(w, abilities[seed % COUNT(abilities)]);
    for (int i = 0; i < 2; i++) {
        wire_add_host(w, i, i ? "192.168.1.20:5000" : "192.168.1.10:4000", 3000);
        wire_add_host(w, i, i ? "[fd00::20]:5001" : "[fd00::10]:4001", 2000);
        wire_add_relayed(w, i, i ? "198.51.100.8:7000" : "198.51.100.7:6000", 1000);
    }
    wire_signal(w, 0);
    CHECK("connects", wire_connect(w, w->now + 2 * SECOND));
    wire_talk(w, 50 * MILLISECOND, 300 * MILLISECOND);
}

/* Never more than two addresses are cut off for long: one of the three ways works. */
static void disturb(struct wire *w)
{
    static const char *const some[] = { "192.168.1.20:5000", "192.168.1.10:4000",
                                        "[fd00::20]:5001",   "[fd00::10]:4001",
                                        "198.51.100.8:7000", "198.51.100.7:6000" };
    struct addr a = wire_addr(some[rng_below(&w->rng, COUNT(some))]), none = { 0 };
    int who = (int)rng_below(&w->rng, 2);

    if (w->cut_host.family && w->cut_also.family)
        w->cut_from = none;
    switch (rng_below(&w->rng, 9)) {
    case 0:
        w->cut_host = a;
        break;
    case 1:
        w->cut_also = a;
        break;
    case 2:
        w->cut_from = a;
        w->cut_host = none;
        break;
    case 3:
        w->cut_host = w->cut_also = w->cut_from = none;
        break;
    case 4:
        w->loss_ppm = rng_below(&w->rng, 300000);
        break;
    case 5:
        w->is_cut = !w->is_cut;
        break;
    case 6:
        ice_suspect(w->node[who].ice, w->now);
        break;
    case 7:
        ice_check_again(w->node[who].ice, w->now);
        break;
    default:
        w->talk_us = w->talk_us ? 0 : 50 * MILLISECOND;
        w->talk_at = w->now;
    }
}

static void heal(struct wire *w)
{
    w->is_cut = false;
    w->cut_host = w->cut_also = w->cut_from = (struct addr){ 0 };
    w->loss_ppm = 0;
    wire_talk(w, 50 * MILLISECOND, 300 * MILLISECOND);
}

TEST(both_sides_find_to_each_other_again)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static struct wire w;
        struct ice_path a = { 0 }, b = { 0 };
        size_t sent;
        usec start;
        char claim[40];

        snprintf(claim, sizeof claim, "seed %u", (unsigned)seed);
        build(&w, seed);
        for (start = w.now; w.now < start + 2 * MINUTE;) {
            disturb(&w);
            wire_run(&w, w.now + rng_below(&w.rng, 8000) * MILLISECOND);
            w.is_cut = false;
        }
        heal(&w);
        wire_run(&w, w.now + 3 * MINUTE);
        CHECK(claim, ice_selected(w.node[0].ice, &a) && ice_selected(w.node[1].ice, &b));
        CHECK(claim, addr_equal(&a.local, &b.remote) && addr_equal(&a.remote, &b.local));
        CHECK(claim, w.node[0].data_at > w.now - SECOND && w.node[1].data_at > w.now - SECOND);
        w.node[0].selected_count = w.node[1].selected_count = 0;
        sent = w.node[0].sent;
        wire_run(&w, w.now + 5 * MINUTE);
        CHECK("and stay there", w.node[0].selected_count + w.node[1].selected_count == 0);
        CHECK("quietly", w.node[0].sent - sent <= 2 * 5 * (15 + 2 * 3));
        CHECK("in the light", !w.node[0].ice->is_dark && !w.node[1].ice->is_dark);
        wire_deinit(&w);
    }
}

TESTS(TEST_ROW(both_sides_find_to_each_other_again))
