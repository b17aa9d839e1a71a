/* Messages that may be given up: by time, by retransmissions, with DATA and with I-DATA. */
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/lossy.h"
#include "tests/support/rng.h"

/* Nothing is left anywhere, both are alive, and the streams go on. */
static void check_clean(struct lossy *s, const char *claim)
{
    uint32_t before[3];

    for (int i = 0; i < 3; i++)
        before[i] = s->reader[i].count;
    CHECK(claim, lossy_send(s, LOSSY, &lossy_reliable, 100) == ERR_OK);
    CHECK(claim, lossy_send(s, RELIABLE, &lossy_reliable, 100) == ERR_OK);
    lossy_run(s, 3 * SECOND);
    CHECK(claim, s->reader[LOSSY].count == before[LOSSY] + 1);
    CHECK(claim, s->reader[RELIABLE].count == before[RELIABLE] + 1);
    CHECK("all as it was sent", s->reader[LOSSY].is_right && s->reader[RELIABLE].is_right);
    CHECK("nothing queued", lossy_info(s).queued_bytes == 0 && lossy_info(s).flight_bytes == 0);
    CHECK("no bytes counted", sctp_unacked_bytes(s->pair.side[0].sctp) == 0 &&
                                  sctp_stream_unacked_bytes(s->pair.side[0].sctp, LOSSY) == 0);
    CHECK("no blocks",
          pool_used(s->pair.side[0].pool) == 0 && pool_used(s->pair.side[1].pool) == 0);
    CHECK("alive", !s->pair.side[0].is_closed && !s->pair.side[1].is_closed);
    pair_deinit(&s->pair);
}

static const struct {
    const char *claim;
    struct lossy_limits limits;
    size_t len;          /* of each of ten messages, sent one by one */
    unsigned pass, drop; /* packets with data */
    unsigned arrive, resent;
} losses[] = {
    { "one lost, never again", { 0, 0 }, 200, 3, 1, 9, 0 },
    { "one lost, once again", { 0, 1 }, 200, 3, 1, 10, 1 },
    { "the first lost", { 0, 0 }, 200, 0, 1, 9, 0 },
    { "the last lost", { 0, 0 }, 200, 9, 1, 9, 0 },
    { "some lost in a row", { 0, 0 }, 200, 4, 3, 7, 0 },
    { "all lost", { 0, 0 }, 200, 0, 10, 0, 0 },
    { "a fragment of one lost", { 0, 0 }, 5000, 7, 1, 9, 0 },
    { "the first fragment lost", { 0, 0 }, 5000, 5, 1, 9, 0 },
    { "the last fragment lost", { 0, 0 }, 5000, 9, 1, 9, 0 },
    { "a fragment lost, once again", { 0, 1 }, 5000, 7, 1, 10, 1 },
    { "a fragment lost, long enough to live", { SECOND, SCTP_RETRANSMITS_ANY }, 5000, 7, 1, 10, 1 },
    { "a fragment lost, not long enough",
      { 22 * MILLISECOND, SCTP_RETRANSMITS_ANY },
      5000,
      7,
      1,
      9,
      0 },
};

TEST(what_is_lost_is_given_up_as_its_limits_say)
{
    for (size_t i = 0; i < COUNT(losses) * LOSSY_KINDS; i++) {
        static struct lossy s;
        size_t row = i / LOSSY_KINDS, kind = i % LOSSY_KINDS;
        char claim[96];

        snprintf(claim, sizeof claim, "%s, %s", losses[row].claim, lossy_kinds[kind].claim);
        CHECK(claim, lossy_open(&s, i, &lossy_kinds[kind]));
        s.pass_data = losses[row].pass;
        s.drop_data = losses[row].drop;
        for (int n = 0; n < 10; n++) {
            CHECK(claim, lossy_send(&s, LOSSY, &losses[row].limits, losses[row].len) == ERR_OK);
            lossy_run(&s, 30 * MILLISECOND);
        }
        lossy_run(&s, SECOND);
        CHECK(claim, s.reader[LOSSY].count == losses[row].arrive);
        CHECK(claim, lossy_info(&s).given_up_messages == 10 - losses[row].arrive);
        CHECK(claim, lossy_info(&s).retransmitted_chunks == losses[row].resent);
        CHECK("told only if there is something to tell",
              (s.forwards + s.i_forwards > 0) == (losses[row].arrive < 10));
        CHECK("never in the other form",
              (lossy_kinds[kind].without ? s.i_forwards : s.forwards) == 0);
        check_clean(&s, claim);
    }
}

/* Nobody waits longer for the next message than it takes to see the loss and to tell. */
TEST(what_follows_a_loss_waits_for_little)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        struct lossy_limits never = { 0, 0 };
        usec from;

        CHECK("up", lossy_open(&s, 3, &lossy_kinds[kind]));
        for (int n = 0; n < 5; n++) {
            CHECK("sent", lossy_send(&s, LOSSY, &never, 200) == ERR_OK);
            lossy_run(&s, 30 * MILLISECOND);
        }
        s.drop_data = 1;
        from = s.pair.now;
        for (int n = 0; n < 5; n++)
            CHECK("sent", lossy_send(&s, LOSSY, &never, 1100) == ERR_OK);
        while (s.reader[LOSSY].count < 9 && s.pair.now < from + SECOND)
            lossy_run(&s, MILLISECOND);
        CHECK(lossy_kinds[kind].claim, s.pair.now - from < 60 * MILLISECOND);
        check_clean(&s, lossy_kinds[kind].claim);
    }
}

TEST(a_forward_that_is_lost_is_repeated)
{
    for (size_t i = 0; i < 3 * LOSSY_KINDS; i++) {
        static struct lossy s;
        struct lossy_limits never = { 0, 0 };
        size_t kind = i / 3;
        unsigned lost = 1 + (unsigned)(i % 3), told;

        CHECK("up", lossy_open(&s, i, &lossy_kinds[kind]));
        for (int n = 0; n < 3; n++) {
            CHECK("sent", lossy_send(&s, LOSSY, &never, 200) == ERR_OK);
            lossy_run(&s, 30 * MILLISECOND);
        }
        s.drop_data = 1;
        s.drop_forward = lost;
        CHECK("sent", lossy_send(&s, LOSSY, &never, 3000) == ERR_OK);
        lossy_run(&s, 5 * SECOND);
        told = s.forwards + s.i_forwards;
        CHECK("until one came through, and no more", told == lost + 1);
        check_clean(&s, lossy_kinds[kind].claim);
    }
}

TEST(what_expires_unsent_leaves_no_trace)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        struct lossy_limits soon = { 100 * MILLISECOND, SCTP_RETRANSMITS_ANY };
        unsigned told;

        CHECK("up", lossy_open(&s, 5, &lossy_kinds[kind]));
        s.pair.is_cut = true;
        CHECK("sent",
              lossy_send(&s, RELIABLE, &lossy_reliable, 15000) == ERR_OK); /* fills the window */
        pair_drain(&s.pair);
        for (int n = 0; n < 20; n++)
            CHECK("queued", lossy_send(&s, LOSSY, &soon, n % 2 ? 20000 : 10) == ERR_OK);
        CHECK("queued", lossy_send(&s, LOSSY, &lossy_reliable, 7000) == ERR_OK);
        lossy_run(&s, 101 * MILLISECOND);
        CHECK("dropped when their time was over",
              sctp_stream_unacked_bytes(s.pair.side[0].sctp, LOSSY) == 7000);
        CHECK("and their memory with them", pool_used(s.pair.side[0].pool) <= 10);
        CHECK("counted", lossy_info(&s).given_up_messages == 20);
        s.pair.is_cut = false;
        lossy_run(&s, 2 * SECOND);
        told = s.forwards + s.i_forwards;
        CHECK("there is nothing to tell", told == 0);
        CHECK("the others come", s.reader[LOSSY].count == 1 && s.reader[RELIABLE].count == 1);
        check_clean(&s, lossy_kinds[kind].claim);
    }
}

TEST(the_rest_of_a_message_is_dropped)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        struct lossy_limits soon = { 100 * MILLISECOND, SCTP_RETRANSMITS_ANY };

        CHECK("up", lossy_open(&s, 6, &lossy_kinds[kind]));
        CHECK("begun", lossy_send(&s, LOSSY, &soon, 59000) == ERR_OK);
        CHECK("behind it", lossy_send(&s, LOSSY, &lossy_reliable, 5000) == ERR_OK);
        pair_run(&s.pair, s.pair.now + 15 * MILLISECOND);
        s.pair.is_cut = true;
        lossy_run(&s, 150 * MILLISECOND);
        s.pair.is_cut = false;
        lossy_run(&s, 2 * SECOND);
        CHECK("given up", lossy_info(&s).given_up_messages == 1);
        CHECK("the next one comes alone", s.reader[LOSSY].count == 1 && s.reader[LOSSY].last == 2);
        check_clean(&s, lossy_kinds[kind].claim);
    }
}

/* All that was sent has been acknowledged when its time is over, and the window is shut. */
TEST(a_message_whose_beginning_has_arrived_is_given_up)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        struct lossy_limits soon = { 60 * MILLISECOND, SCTP_RETRANSMITS_ANY };

        CHECK("up", lossy_open(&s, 7, &lossy_kinds[kind]));
        CHECK("begun", lossy_send(&s, LOSSY, &soon, 59000) == ERR_OK);
        pair_run(&s.pair, s.pair.now + 15 * MILLISECOND);
        s.pair.now += 100 * MILLISECOND; /* as if the process had slept */
        CHECK("behind it", lossy_send(&s, LOSSY, &lossy_reliable, 5000) == ERR_OK);
        lossy_run(&s, 2 * SECOND);
        CHECK("given up", lossy_info(&s).given_up_messages == 1);
        CHECK("the next one comes alone", s.reader[LOSSY].count == 1 && s.reader[LOSSY].last == 2);
        check_clean(&s, lossy_kinds[kind].claim);
    }
}

TEST(a_peer_that_cannot_skip_gets_what_was_begun)
{
    for (int i = 0; i < 2; i++) {
        static struct lossy s;
        struct lossy_limits soon = { 50 * MILLISECOND, 0 };

        struct lossy_kind kind = { "", SCTP_FORWARD_TSN | (i ? SCTP_I_DATA : 0), false };

        CHECK("up", lossy_open(&s, 8, &kind));
        s.pass_data = 3;
        s.drop_data = 2;
        for (int n = 0; n < 2; n++)
            CHECK("sent", lossy_send(&s, LOSSY, &soon, 30000) == ERR_OK);
        pair_drain(&s.pair);
        s.pair.is_cut = true;
        lossy_run(&s, 200 * MILLISECOND);
        s.pair.is_cut = false;
        lossy_run(&s, 3 * SECOND);
        CHECK("the one that was begun", s.reader[LOSSY].count == 1 && s.reader[LOSSY].last == 1);
        CHECK("is sent again", lossy_info(&s).retransmitted_chunks > 0);
        CHECK("the other is not begun", lossy_info(&s).given_up_messages == 1);
        CHECK("and nothing told", s.forwards + s.i_forwards == 0);
        check_clean(&s, "it goes on");
    }
}

TEST(room_comes_back_by_time_alone)
{
    static struct lossy s;
    struct lossy_limits soon = { 300 * MILLISECOND, SCTP_RETRANSMITS_ANY };
    int err;

    CHECK("up", lossy_open(&s, 9, &lossy_kinds[2]));
    s.pair.is_cut = true;
    while ((err = lossy_send(&s, LOSSY, &soon, 50000)) == ERR_OK)
        continue;
    CHECK("full", err == ERR_LIMIT);
    s.pair.side[0].writables = 0;
    lossy_run(&s, 301 * MILLISECOND);
    CHECK("told of room", s.pair.side[0].writables == 1);
    CHECK("taken", lossy_send(&s, LOSSY, &lossy_reliable, 50000) == ERR_OK);
    s.pair.is_cut = false;
    lossy_run(&s, 5 * SECOND);
    CHECK("it comes", s.reader[LOSSY].count == 1);
    check_clean(&s, "all is well");
}

TEST(farewell_does_not_wait_for_what_is_given_up)
{
    static struct lossy s;
    struct lossy_limits soon = { 50 * MILLISECOND, SCTP_RETRANSMITS_ANY };

    CHECK("up", lossy_open(&s, 10, &lossy_kinds[2]));
    s.pair.is_cut = true;
    for (int n = 0; n < 5; n++)
        CHECK("sent", lossy_send(&s, LOSSY, &soon, 30000) == ERR_OK);
    pair_drain(&s.pair);
    sctp_shutdown(s.pair.side[0].sctp, s.pair.now);
    lossy_run(&s, 60 * MILLISECOND);
    s.pair.is_cut = false;
    CHECK("closed", pair_run_until_closed(&s.pair, s.pair.now + 5 * SECOND));
    CHECK("as it should be", s.pair.side[0].closed.reason == SCTP_REASON_SHUTDOWN &&
                                 s.pair.side[1].closed.reason == SCTP_REASON_SHUTDOWN);
    pair_deinit(&s.pair);
}

static struct lossy_limits any_limits(struct rng *rng)
{
    switch (rng_below(rng, 4)) {
    case 0:
        return (struct lossy_limits){ 0, rng_below(rng, 3) };
    case 1:
        return (struct lossy_limits){ (1 + rng_below(rng, 200)) * MILLISECOND,
                                      SCTP_RETRANSMITS_ANY };
    case 2:
        return (struct lossy_limits){ (1 + rng_below(rng, 200)) * MILLISECOND, rng_below(rng, 3) };
    default:
        return lossy_reliable;
    }
}

/* Lossy and reliable streams together over a bad path; messages of every length. */
static void soak(struct lossy *s, unsigned messages, size_t longest)
{
    struct rng *rng = &s->pair.rng;

    for (unsigned n = 0; n < messages && !s->pair.side[0].is_closed; n++) {
        struct lossy_limits limits = any_limits(rng);
        uint32_t most = (uint32_t)(rng_below(rng, 4) ? 1500 : longest);

        (void)lossy_send(s, LOSSY, &limits, LOSSY_HEADER + 1 + rng_below(rng, most));
        if (n % 3 == 0)
            (void)lossy_send(s, RELIABLE, &lossy_reliable, LOSSY_HEADER + 1 + rng_below(rng, 3000));
        if (rng_below(rng, 50) == 0) {
            s->pair.is_cut = true;
            lossy_run(s, 100 * MILLISECOND);
            s->pair.is_cut = false;
        }
        lossy_run(s, rng_below(rng, 3) * MILLISECOND);
    }
    lossy_run(s, 30 * SECOND);
}

TEST(anything_may_happen)
{
    for (size_t i = 0; i < 20 * LOSSY_KINDS; i++) {
        static struct lossy s;
        size_t kind = i % LOSSY_KINDS;

        CHECK("up", lossy_open(&s, i, &lossy_kinds[kind]));
        s.pair.link = (struct pair_link){ .delay_us = 10 * MILLISECOND,
                                          .jitter_us = (usec)(i / 4) * 4 * MILLISECOND,
                                          .loss_ppm = 50000,
                                          .duplicate_ppm = 10000 };
        soak(&s, 400, 40000);
        s.pair.link = (struct pair_link){ .delay_us = 10 * MILLISECOND };
        lossy_run(&s, 5 * SECOND);
        CHECK("every reliable one arrived", s.reader[RELIABLE].count == s.next_number[RELIABLE]);
        CHECK("some did not", s.reader[LOSSY].count < s.next_number[LOSSY]);
        CHECK("and were counted",
              s.reader[LOSSY].count + lossy_info(&s).given_up_messages >= s.next_number[LOSSY]);
        check_clean(&s, lossy_kinds[kind].claim);
    }
}

TEST(every_allocation_may_fail)
{
    size_t failed = 0;

    ALLOC_FAIL_EACH {
        static struct lossy s;
        bool is_up = lossy_open(&s, 12, &lossy_kinds[2]);

        if (is_up) {
            s.pair.link.loss_ppm = 100000;
            soak(&s, 60, 20000);
        }
        failed += alloc_has_failed();
        CHECK("goes on, or says why not", !is_up ||
                                              s.reader[RELIABLE].count == s.next_number[RELIABLE] ||
                                              s.pair.side[0].is_closed);
        pair_deinit(&s.pair);
    }
    CHECK("there were some", failed > 10);
}

TESTS(TEST_ROW(what_is_lost_is_given_up_as_its_limits_say),
      TEST_ROW(what_follows_a_loss_waits_for_little), TEST_ROW(a_forward_that_is_lost_is_repeated),
      TEST_ROW(what_expires_unsent_leaves_no_trace), TEST_ROW(the_rest_of_a_message_is_dropped),
      TEST_ROW(a_message_whose_beginning_has_arrived_is_given_up),
      TEST_ROW(a_peer_that_cannot_skip_gets_what_was_begun),
      TEST_ROW(room_comes_back_by_time_alone),
      TEST_ROW(farewell_does_not_wait_for_what_is_given_up), TEST_ROW(anything_may_happen),
      TEST_ROW(every_allocation_may_fail))
