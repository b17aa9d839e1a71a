/* session_victims.c: a peer that turned against others: what it can make us send to addresses that
 * never asked for it. */
#include <stdio.h>

#include "core/ice/limits.h"
#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

static const struct session_config usual = { 0 };
static struct session_pair p;
static struct session_description d;

static void open_pair(void)
{
    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 2 * SECOND);
    CHECK("both are open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    p.is_silent = true; /* what is answered does not matter */
}

/* The peer's own words, but for a new name and as many addresses as it may name. */
static void describe_victims(unsigned round)
{
    session_get_local(p.end[OFFERER], &d);
    snprintf(d.ufrag, sizeof d.ufrag, "abcd%04u", round);
    d.answers[0] = '\0';
    d.candidate_count = ICE_CANDIDATES_MAX;
    for (size_t i = 0; i < d.candidate_count; i++) {
        d.candidates[i] = d.candidates[0];
        CHECK("an address", addr_parse_ip(&d.candidates[i].addr, "203.0.113.9",
                                          (uint16_t)(1000 + 100 * round + i)));
    }
}

/* One every three seconds is taken, and each may ask a little more than it has left. */
TEST(restarts_bring_no_new_allowance)
{
    enum { ROUNDS = 180, SECONDS = ROUNDS / 2 };
    uint64_t before;

    open_pair();
    before = p.posted;
    for (unsigned round = 0; round < ROUNDS; round++) {
        describe_victims(round);
        (void)session_set_restart(p.end[ANSWERER], p.now, &d);
        session_pair_drain(&p, ANSWERER);
        session_pair_run(&p, p.now + SECOND / 2);
    }
    CHECK("checks to strangers, and a few others",
          p.posted - before < ICE_UNANSWERED_MAX + SECONDS / 3 * ICE_UNANSWERED_ANEW + 4 * SECONDS);
    CHECK("the old path goes on", !p.seen[ANSWERER].is_closed);
    session_pair_deinit(&p);
}

/* Each answer is a message of ours to a broker that counts them. */
TEST(a_beginning_that_is_repeated_all_the_time)
{
    unsigned before;

    open_pair();
    describe_victims(0);
    before = p.seen[ANSWERER].restarts;
    for (unsigned i = 0; i < 1000; i++) {
        CHECK("harmless", session_set_restart(p.end[ANSWERER], p.now, &d) == ERR_OK);
        session_pair_drain(&p, ANSWERER);
        session_pair_run(&p, p.now + 10 * MILLISECOND);
    }
    CHECK("answered now and then",
          p.seen[ANSWERER].restarts - before >= 5 && p.seen[ANSWERER].restarts - before <= 20);
    session_pair_deinit(&p);
}

TESTS(TEST_ROW(restarts_bring_no_new_allowance),
      TEST_ROW(a_beginning_that_is_repeated_all_the_time))
