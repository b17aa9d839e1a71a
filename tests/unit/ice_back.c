/* A path that was silent and answers again: when that is told, and how soon it is noticed. */
#include "core/ice/ice.h"
#include "tests/check.h"
#include "tests/support/ice_wire.h"

#define BOTH (ICE_RENOMINATION | ICE_SHARED_CONSENT)

static const struct {
    const char *claim;
    unsigned abilities;
} peers[] = { { "between hawsers", BOTH }, { "with a browser", 0 } };

/* A path without traffic but checks: nobody but the test accuses it. */
static void wire_one_path(struct wire *w, unsigned abilities)
{
    wire_init_able(w, 11, abilities);
    w->delay_us = 20 * MILLISECOND;
    wire_add_host(w, 0, "192.168.1.10:4000", 2000);
    wire_add_host(w, 1, "192.168.1.20:5000", 2000);
    wire_signal(w, 0);
    CHECK("connects", wire_connect(w, w->now + SECOND));
    wire_run(w, w->now + SECOND);
}

static usec back_at(const struct wire *w, int node)
{
    struct ice_path path;

    CHECK("a path", ice_selected(w->node[node].ice, &path));
    return path.back_at;
}

/* Suspicion alone says nothing of the path, nor does an answer that is late. */
TEST(a_path_is_back_only_if_it_had_lost_checks)
{
    for (size_t i = 0; i < COUNT(peers); i++) {
        struct wire w;
        usec back;

        wire_one_path(&w, peers[i].abilities);
        ice_suspect(w.node[0].ice, w.now);
        wire_run(&w, w.now + 300 * MILLISECOND);
        CHECK("it answers at once", back_at(&w, 0) == 0);
        w.delay_us = 90 * MILLISECOND;
        ice_suspect(w.node[0].ice, w.now);
        wire_run(&w, w.now + 500 * MILLISECOND);
        CHECK("it answers late", back_at(&w, 0) == 0);
        w.delay_us = 20 * MILLISECOND;
        w.is_cut = true;
        ice_suspect(w.node[0].ice, w.now);
        wire_run(&w, w.now + 300 * MILLISECOND);
        CHECK("nothing answers", back_at(&w, 0) == 0);
        w.is_cut = false;
        back = w.now;
        wire_run(&w, back + 400 * MILLISECOND);
        CHECK(peers[i].claim, back_at(&w, 0) > back);
        wire_deinit(&w);
    }
}

static const struct {
    const char *claim;
    usec dark_us, most_us; /* most_us: an eighth, and a round trip */
} returns[] = {
    { "after a second", SECOND, 165 * MILLISECOND },
    { "after three", 3 * SECOND, 415 * MILLISECOND },
    { "after twenty", 20 * SECOND, 1040 * MILLISECOND },
};

/* The peer's check is as good a reason to ask as time. */
TEST(the_return_of_a_path_is_noticed_by_both_soon)
{
    for (size_t i = 0; i < COUNT(returns); i++) {
        struct wire w;
        struct ice_path path[2];
        usec back;

        wire_one_path(&w, BOTH);
        w.is_cut = true;
        ice_suspect(w.node[0].ice, w.now);
        wire_run(&w, w.now + returns[i].dark_us / 2);
        ice_suspect(w.node[1].ice, w.now);
        wire_run(&w, w.now + returns[i].dark_us / 2);
        w.is_cut = false;
        back = w.now;
        wire_run(&w, back + 2 * SECOND);
        for (int n = 0; n < 2; n++)
            CHECK("a path", ice_selected(w.node[n].ice, &path[n]));
        CHECK(returns[i].claim, path[0].back_at > back && path[1].back_at > back);
        CHECK("soon", usec_max(path[0].back_at, path[1].back_at) <= back + returns[i].most_us);
        CHECK("one because of the other",
              usec_max(path[0].back_at - path[1].back_at, path[1].back_at - path[0].back_at) <=
                  60 * MILLISECOND);
        wire_deinit(&w);
    }
}

/* Checks that make the other side check must not keep each other going: they would come so quickly
 * that the answers to all that still await one are under way. */
TEST(a_path_that_became_slow_is_trusted_again)
{
    static const usec delays[] = { 300 * MILLISECOND, 600 * MILLISECOND, SECOND };

    for (size_t i = 0; i < COUNT(delays); i++) {
        struct wire w;
        size_t sent;

        wire_one_path(&w, BOTH);
        w.delay_us = delays[i];
        ice_suspect(w.node[0].ice, w.now);
        ice_suspect(w.node[1].ice, w.now);
        wire_run(&w, w.now + 15 * SECOND);
        sent = w.node[0].sent + w.node[1].sent;
        wire_run(&w, w.now + 15 * SECOND);
        CHECK("few checks and answers", w.node[0].sent + w.node[1].sent - sent <= 30);
        wire_deinit(&w);
    }
}

/* Whoever saw a check of the peer's can repeat it. */
TEST(repeated_checks_of_a_peer_that_is_gone_cause_few_of_ours)
{
    enum { REPEATED = 400 };
    struct wire w;
    struct wire_packet old = { 0 };
    size_t sent;

    wire_one_path(&w, BOTH);
    ice_suspect(w.node[1].ice, w.now);
    wire_run(&w, w.now + 5 * MILLISECOND);
    for (size_t i = 0; i < w.packet_count; i++)
        if (addr_equal(&w.packets[i].from, &w.node[1].hosts[0]) && w.packets[i].data[0] == 0)
            old = w.packets[i];
    CHECK("recorded", old.len > 0);
    w.is_cut = true;
    ice_suspect(w.node[0].ice, w.now);
    wire_run(&w, w.now + 20 * SECOND);
    sent = w.node[0].sent;
    for (int i = 0; i < REPEATED; i++) {
        ice_input(w.node[0].ice, w.now, &old.to, &old.from, bytes_of(old.data, old.len));
        wire_run(&w, w.now + 50 * MILLISECOND);
    }
    CHECK("answered", w.node[0].sent - sent >= REPEATED);
    CHECK("two a second besides", w.node[0].sent - sent - REPEATED <= 42);
    wire_deinit(&w);
}

TESTS(TEST_ROW(a_path_is_back_only_if_it_had_lost_checks),
      TEST_ROW(the_return_of_a_path_is_noticed_by_both_soon),
      TEST_ROW(a_path_that_became_slow_is_trusted_again),
      TEST_ROW(repeated_checks_of_a_peer_that_is_gone_cause_few_of_ours))
