/* session_paths.c: two ends with two addresses each: data goes by the better pair while it works,
 * by the other as soon as it does not, and nothing is lost or said twice on the way. */
#include <stdlib.h>

#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

static const struct session_config usual = { 0 };
static struct session_pair p;

static bool is_by_better_pair(int end)
{
    return addr_equal(&p.seen[end].path.local, &p.addr[end]) &&
           addr_equal(&p.seen[end].path.remote, &p.addr[!end]);
}

static void open_pair(const struct session_config *cfg)
{
    CHECK("made", session_pair_init(&p, cfg) == ERR_OK);
    for (int end = 0; end < 2; end++) {
        struct addr other = addr_ipv4(0x0a010001u + (uint32_t)end, (uint16_t)(6000 + end));

        CHECK("added", session_pair_add_socket(&p, end, &other, 1000) == ERR_OK);
    }
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 2 * SECOND);
    CHECK("both are open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    for (int end = 0; end < 2; end++)
        CHECK("by the better pair", is_by_better_pair(end));
}

static struct session_info info_of(int end)
{
    struct session_info info;

    session_get_info(p.end[end], &info);
    return info;
}

/* Keeps a channel full until `until`; returns how much was taken. */
static uint64_t send_until(int from, usec until)
{
    static uint8_t data[65536];
    uint64_t sent = 0;

    memset(data, 1, sizeof data);
    while (p.now < until) {
        if (info_of(from).unsent[1] < 2 * sizeof data)
            sent += session_send(p.end[from], p.now, 1, bytes_of(data, sizeof data));
        session_pair_drain(&p, from);
        session_pair_run(&p, p.now + 5 * MILLISECOND);
    }
    return sent;
}

static const struct {
    const char *claim;
    unsigned die; /* bit: whose better address goes dead */
} rows[] = {
    { "the sender's", 1 << OFFERER },
    { "the receiver's", 1 << ANSWERER },
    { "both", 3 },
};

TEST(a_black_path_is_left_at_once)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t sent;
        usec dead_at;

        open_pair(&usual);
        sent = send_until(OFFERER, p.now + SECOND);
        for (int end = 0; end < 2; end++)
            if (rows[i].die & 1u << end)
                p.dead[p.dead_count++] = p.addr[end];
        dead_at = p.now;
        sent += send_until(OFFERER, p.now + 2 * SECOND);
        session_pair_run(&p, p.now + 5 * SECOND);
        CHECK("all is there", p.seen[ANSWERER].received[1] == sent && p.seen[ANSWERER].wrong == 0);
        for (int end = 0; end < 2; end++) {
            CHECK(rows[i].claim, !is_by_better_pair(end) && !p.seen[end].is_closed);
            CHECK("within half a second", p.seen[end].path_at - dead_at < 500 * MILLISECOND);
            CHECK("without signaling", p.seen[end].restarts == 0);
        }
        session_pair_deinit(&p);
    }
}

/* What was on its way arrives by the old path: it is not sent again by the new one. */
TEST(a_better_path_takes_over_without_a_storm)
{
    struct session_info before, after;
    uint64_t sent;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    for (int end = 0; end < 2; end++) {
        struct addr other = addr_ipv4(0x0a010001u + (uint32_t)end, (uint16_t)(6000 + end));

        CHECK("added", session_pair_add_socket(&p, end, &other, 1000) == ERR_OK);
    }
    p.dead[p.dead_count++] = p.addr[ANSWERER];
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 2 * SECOND);
    CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    sent = send_until(OFFERER, p.now + SECOND);
    before = info_of(OFFERER);
    p.dead_count = 0;
    session_check_paths(p.end[OFFERER], p.now);
    session_pair_drain(&p, OFFERER);
    sent += send_until(OFFERER, p.now + 2 * SECOND);
    session_pair_run(&p, p.now + 2 * SECOND);
    after = info_of(OFFERER);
    CHECK("by the better pair", addr_equal(&p.seen[OFFERER].path.remote, &p.addr[ANSWERER]));
    CHECK("all is there", p.seen[ANSWERER].received[1] == sent && p.seen[ANSWERER].wrong == 0);
    CHECK("nothing was sent again",
          after.sctp.retransmitted_chunks == before.sctp.retransmitted_chunks);
    CHECK("nor too late", after.sctp.timeouts == before.sctp.timeouts);
    session_pair_deinit(&p);
}

/* Hourly means: the selected path has at most one check and its answer per 15 s; a spare fewer. */
TEST(an_idle_hour_is_quiet)
{
    uint64_t before;

    CHECK("made",
          session_pair_init(&p, &(struct session_config){ .zombie_us = USEC_NEVER }) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 60 * SECOND);
    before = p.posted;
    session_pair_run(&p, p.now + 60 * MINUTE);
    CHECK("both live", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    CHECK("a check and its answer per 15 s", p.posted - before <= 2 * 240);
    session_pair_deinit(&p);
}

TEST(every_pair_is_told_with_its_fate)
{
    struct ice_pair_info pairs[16];
    size_t count, works = 0;

    open_pair(&usual);
    count = session_get_pairs(p.end[OFFERER], pairs, COUNT(pairs));
    CHECK("all four", count == 4);
    CHECK("the selected one first", pairs[0].fate == ICE_FATE_SELECTED && pairs[0].rtt_us > 0);
    for (size_t i = 1; i < count; i++)
        works += pairs[i].fate == ICE_FATE_WORKS && pairs[i].checks > 0;
    CHECK("the others work", works == 3);
    CHECK("as many as there is room for", session_get_pairs(p.end[OFFERER], pairs, 2) == 2);
    session_pair_deinit(&p);
}

TEST(a_socket_that_is_removed_takes_its_paths_along)
{
    open_pair(&usual);
    session_remove_socket(p.end[OFFERER], p.now, &p.addr[OFFERER]);
    session_pair_drain(&p, OFFERER);
    CHECK("the other at once", addr_equal(&p.seen[OFFERER].path.local, &p.more[OFFERER][0]));
    session_remove_socket(p.end[OFFERER], p.now, &p.addr[OFFERER]);
    session_pair_run(&p, p.now + SECOND);
    CHECK("told to the peer as well",
          addr_equal(&p.seen[ANSWERER].path.remote, &p.more[OFFERER][0]));
    CHECK("nobody died", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    session_pair_deinit(&p);
}

TESTS(TEST_ROW(a_black_path_is_left_at_once), TEST_ROW(a_better_path_takes_over_without_a_storm),
      TEST_ROW(an_idle_hour_is_quiet), TEST_ROW(every_pair_is_told_with_its_fate),
      TEST_ROW(a_socket_that_is_removed_takes_its_paths_along))
