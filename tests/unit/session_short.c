/* session_short.c: the short handshake. SPED takes DTLS into the checks, SNAP takes SCTP's INIT
 * into signaling; each falls back by itself. What is counted is round trips of virtual time. */
#include <stdlib.h>

#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

static const struct session_config usual = { 0 };
static struct session_pair p;

#define ROUND_TRIP (2 * SESSION_PAIR_DELAY_US)

static usec delay_us = SESSION_PAIR_DELAY_US;
static bool does_bend;
static uint64_t lose_nth;
static unsigned strips; /* what a middle takes out of descriptions: bits 0…3 */

enum {
    SPED_OF_OFFER = 1 << OFFERER,
    SPED_OF_ANSWER = 1 << ANSWERER,
    SNAP_OF_OFFER = 4 << OFFERER,
    SNAP_OF_ANSWER = 4 << ANSWERER,
    SPED_OF_BOTH = 3,
    SNAP_OF_BOTH = 12,
};

static void strip(int from, struct session_description *d)
{
    if (strips & 1u << from)
        d->has_sped = false;
    if (strips & 4u << from)
        d->init_len = 0;
}

/* Until `after` the answer reached the offerer; the answerer has sent its checks together with it.
 * Returns when it did. */
static usec connect(usec after)
{
    static struct session_description offer, answer;
    usec answered_at;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    p.is_talking[OFFERER] = p.is_talking[ANSWERER] = true;
    p.lose_nth = lose_nth;
    p.bends_flights = does_bend;
    p.delay_us = delay_us;
    session_pair_drain(&p, OFFERER);
    session_get_local(p.end[OFFERER], &offer);
    strip(OFFERER, &offer);
    CHECK("offered", session_set_remote(p.end[ANSWERER], p.now, &offer) == ERR_OK);
    session_get_local(p.end[ANSWERER], &answer);
    strip(ANSWERER, &answer);
    session_pair_drain(&p, ANSWERER);
    session_pair_run(&p, p.now + p.delay_us);
    answered_at = p.now;
    CHECK("answered", session_set_remote(p.end[OFFERER], p.now, &answer) == ERR_OK);
    session_pair_drain(&p, OFFERER);
    session_pair_run(&p, p.now + after);
    return answered_at;
}

/* Half round trips, so that the numbers are whole. */
static unsigned halves(usec from, usec at)
{
    return (unsigned)((at - from + p.delay_us / 2) / p.delay_us);
}

static const struct {
    const char *claim;
    unsigned strips;
    bool had_sped, had_snap;
    unsigned at_offerer,
        at_answerer; /* first byte, in half round trips after the answer; 0: soon */
} rows[] = {
    { "both halves: 2.0 and 1.5 round trips", 0, true, true, 4, 3 },
    { "SPED alone", SNAP_OF_BOTH, true, false, 0, 0 },
    { "SNAP alone", SPED_OF_BOTH, false, true, 0, 0 },
    { "neither", SPED_OF_BOTH | SNAP_OF_BOTH, false, false, 0, 0 },
    { "the answerer has no SPED", SPED_OF_ANSWER, false, true, 0, 0 },
    { "the answerer has no SNAP", SNAP_OF_ANSWER, true, false, 0, 0 },
    { "the offerer has no SPED", SPED_OF_OFFER, false, true, 0, 0 },
    { "the offerer has no SNAP", SNAP_OF_OFFER, true, false, 0, 0 },
};

TEST(first_bytes_are_as_early_as_promised)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct session_info info;
        usec answered_at;

        strips = rows[i].strips;
        answered_at = connect(3 * SECOND);
        for (int end = 0; end < 2; end++) {
            unsigned promised = end == OFFERER ? rows[i].at_offerer : rows[i].at_answerer;

            CHECK(rows[i].claim, p.seen[end].is_open && p.seen[end].received[0] == 1);
            CHECK("within 5 round trips", p.seen[end].first_at - answered_at <= 5 * ROUND_TRIP);
            if (promised)
                CHECK(rows[i].claim, halves(answered_at, p.seen[end].first_at) == promised);
            session_get_info(p.end[end], &info);
            CHECK("both know which way it went", info.had_sped == rows[i].had_sped);
        }
        /* one may believe in SNAP where the other was not told; both recover */
        session_get_info(p.end[OFFERER], &info);
        CHECK("SNAP", info.had_snap == rows[i].had_snap);
        session_pair_deinit(&p);
    }
}

/* Whichever of the first datagrams is lost on a path of 100 ms: a check, answer or flight costs
 * at most a round trip. Data itself, of each end once, has only SCTP's timer: three. */
TEST(one_lost_datagram_costs_at_most_a_round_trip)
{
    unsigned late = 0;

    delay_us = 50 * MILLISECOND;
    strips = 0;
    for (lose_nth = 1; lose_nth <= 24; lose_nth++) {
        usec answered_at = connect(3 * SECOND);

        for (int end = 0; end < 2; end++) {
            unsigned took = halves(answered_at, p.seen[end].first_at);
            unsigned least = end == OFFERER ? 4 : 3;

            CHECK("open", p.seen[end].is_open && p.seen[end].received[0] == 1);
            CHECK("soon", took <= least + 6);
            late += took > least + 2;
        }
        session_pair_deinit(&p);
    }
    CHECK("two of them are data", late <= 2);
    lose_nth = 0;
    delay_us = SESSION_PAIR_DELAY_US;
}

/* Whoever carries the datagrams may change them. What goes in checks is authentic, or nothing. */
TEST(bent_flights_between_hawsers_do_no_harm)
{
    for (unsigned round = 0; round < 2; round++) {
        strips = round == 0 ? 0 : SNAP_OF_BOTH;
        does_bend = true;
        connect(3 * SECOND);
        CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
        CHECK("and well", p.seen[OFFERER].received[0] == 1 && p.seen[ANSWERER].received[0] == 1);
        does_bend = false;
        session_pair_deinit(&p);
    }
}

TESTS(TEST_ROW(first_bytes_are_as_early_as_promised),
      TEST_ROW(bent_flights_between_hawsers_do_no_harm),
      TEST_ROW(one_lost_datagram_costs_at_most_a_round_trip))
