/* How sessions open, talk and end, on a wire in virtual time. */
#include "tests/support/session_pair.h"

#include <stdlib.h>

#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/alloc.h"

static const struct session_config usual = { 0 };

static void send_all(struct session_pair *p, int from, size_t len)
{
    static uint8_t data[16384];

    for (unsigned channel = 0; channel < CHANNEL_COUNT; channel++) {
        memset(data, (int)channel, sizeof data);
        CHECK("taken", session_send(p->end[from], p->now, channel, bytes_of(data, len)) == len);
    }
    session_pair_drain(p, from);
}

static void open_pair(struct session_pair *p, const struct session_config *cfg)
{
    CHECK("made", session_pair_init(p, cfg) == ERR_OK);
    CHECK("signalled", session_pair_signal(p, NULL) == ERR_OK);
    session_pair_run(p, p->now + 2 * SECOND);
    CHECK("both are open", p->seen[OFFERER].is_open && p->seen[ANSWERER].is_open);
}

TEST(bytes_flow_on_eight_channels_both_ways)
{
    static struct session_pair p;

    open_pair(&p, &usual);
    send_all(&p, OFFERER, 10000);
    send_all(&p, ANSWERER, 16384);
    session_pair_run(&p, p.now + 2 * SECOND);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        CHECK("to the answerer", p.seen[ANSWERER].received[i] == 10000);
        CHECK("to the offerer", p.seen[OFFERER].received[i] == 16384);
    }
    CHECK("each on its own channel", p.seen[OFFERER].wrong + p.seen[ANSWERER].wrong == 0);
    session_pair_deinit(&p);
}

/* Between hawsers all there is, and whatever is left out is done without. */
TEST(extensions_of_sctp_are_agreed_or_done_without)
{
    const unsigned all = SCTP_I_DATA | SCTP_ZERO_CHECKSUM | SCTP_FORWARD_TSN | SCTP_PARTS;

    for (unsigned without = 0; without <= all; without++) {
        static struct session_pair p;
        const struct session_config cfg = { .sctp_without = without };
        struct session_info info;

        open_pair(&p, &cfg);
        send_all(&p, OFFERER, 10000);
        send_all(&p, ANSWERER, 16384);
        session_pair_run(&p, p.now + 2 * SECOND);
        for (int i = 0; i < 2; i++) {
            session_get_info(p.end[i], &info);
            CHECK("agreed", info.sctp.extensions == (all & ~without));
        }
        for (unsigned i = 0; i < CHANNEL_COUNT; i++)
            CHECK("used",
                  p.seen[ANSWERER].received[i] == 10000 && p.seen[OFFERER].received[i] == 16384);
        session_pair_deinit(&p);
    }
}

TEST(a_close_delivers_first_and_says_why)
{
    static struct session_pair p;

    open_pair(&p, &usual);
    send_all(&p, ANSWERER, 16384);
    session_close(p.end[ANSWERER], p.now, 11);
    session_pair_drain(&p, ANSWERER);
    session_pair_run(&p, p.now + 5 * SECOND);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        CHECK("delivered", p.seen[OFFERER].received[i] == 16384);
    CHECK("told", p.seen[OFFERER].is_closed && p.seen[OFFERER].end == SESSION_END_PEER_REASON);
    CHECK("why", p.seen[OFFERER].reason == 11);
    CHECK("done", p.seen[ANSWERER].is_closed && p.seen[ANSWERER].end == SESSION_END_LOCAL);
    CHECK("in a few round trips",
          p.seen[ANSWERER].closed_at - p.seen[ANSWERER].open_at < 3 * SECOND);
    session_pair_deinit(&p);
}

TEST(of_two_reasons_the_first_counts)
{
    static struct session_pair p;

    open_pair(&p, &usual);
    CHECK("said", channel_send_close(&p.end[ANSWERER]->channels, p.now, 11) == ERR_OK);
    session_pair_drain(&p, ANSWERER);
    session_pair_run(&p, p.now + 100 * MILLISECOND);
    session_close(p.end[ANSWERER], p.now, 12);
    session_pair_drain(&p, ANSWERER);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("the first", p.seen[OFFERER].is_closed && p.seen[OFFERER].reason == 11);
    session_pair_deinit(&p);
}

TEST(what_was_not_read_before_a_close_can_be_read_after)
{
    static struct session_pair p;
    struct bytes left;

    open_pair(&p, &usual);
    p.is_deaf[OFFERER] = true;
    send_all(&p, ANSWERER, 100);
    session_close(p.end[ANSWERER], p.now, 9);
    session_pair_drain(&p, ANSWERER);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("closed", p.seen[OFFERER].is_closed);
    left = session_peek(p.end[OFFERER], p.now, 3);
    CHECK("still there", left.len == 100 && left.data[0] == 3);
    session_consume(p.end[OFFERER], p.now, 3, left.len);
    session_pair_deinit(&p);
}

TEST(closing_does_not_wait_for_a_peer_that_is_gone)
{
    static struct session_pair p;

    open_pair(&p, &usual);
    p.is_cut = true;
    send_all(&p, OFFERER, 16384);
    session_close(p.end[OFFERER], p.now, 0);
    session_pair_drain(&p, OFFERER);
    session_pair_run(&p, p.now + 1100 * MILLISECOND);
    CHECK("after the flush time", p.seen[OFFERER].is_closed);
    CHECK("as a close of this side", p.seen[OFFERER].end == SESSION_END_LOCAL);
    session_pair_deinit(&p);
}

TEST(silence_ends_a_session)
{
    static struct session_pair p;
    usec cut_at;

    open_pair(&p, &(struct session_config){ .dead_us = 6 * SECOND });
    p.is_cut = true;
    cut_at = p.now;
    session_pair_run(&p, p.now + 20 * SECOND);
    for (int i = 0; i < 2; i++) {
        CHECK("ended", p.seen[i].is_closed && p.seen[i].end == SESSION_END_LOST);
        CHECK("in time", p.seen[i].closed_at - cut_at <= 6 * SECOND);
    }
    session_pair_deinit(&p);
}

TEST(an_outage_of_half_the_dead_time_ends_nothing)
{
    static struct session_pair p;

    open_pair(&p, &(struct session_config){ .dead_us = 6 * SECOND });
    for (int i = 0; i < 20; i++) {
        p.is_cut = true; /* half the dead time: a check before and one after it are answered */
        session_pair_run(&p, p.now + 3 * SECOND);
        p.is_cut = false;
        session_pair_run(&p, p.now + 3 * SECOND);
    }
    CHECK("both live", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    session_pair_deinit(&p);
}

TEST(an_idle_session_gives_back_what_it_needed)
{
    static struct session_pair p;

    open_pair(&p, &(struct session_config){ 0 });
    send_all(&p, OFFERER, 16384);
    session_pair_run(&p, p.now + SECOND);
    CHECK("a transfer took blocks", pool_held(p.pool) > pool_used(p.pool));
    session_pair_run(&p, p.now + 60 * SECOND);
    CHECK("only those in use are left", pool_held(p.pool) == pool_used(p.pool));
    session_pair_deinit(&p);
}

TEST(an_idle_session_lives_until_its_zombie_time)
{
    static struct session_pair p;

    open_pair(&p, &(struct session_config){ .zombie_us = 300 * SECOND });
    session_pair_run(&p, p.now + 200 * SECOND);
    CHECK("heartbeats keep it", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    session_pair_run(&p, p.now + 200 * SECOND);
    CHECK("they are not application data", p.seen[OFFERER].is_closed && p.seen[ANSWERER].is_closed);
    CHECK("one of both closed it, the other was told",
          (p.seen[OFFERER].end == SESSION_END_ZOMBIE) +
                  (p.seen[ANSWERER].end == SESSION_END_ZOMBIE) >=
              1);
    session_pair_deinit(&p);
}

TEST(a_session_that_is_kept_is_no_zombie)
{
    for (int keeper = 0; keeper < 2; keeper++) {
        static struct session_pair p;

        open_pair(&p, &(struct session_config){ .zombie_us = 300 * SECOND });
        session_keep_alive(p.end[keeper], p.now, true);
        session_pair_drain(&p, keeper);
        session_pair_run(&p, p.now + 1000 * SECOND);
        CHECK("both live, whoever asked",
              !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
        session_keep_alive(p.end[keeper], p.now, false);
        session_pair_drain(&p, keeper);
        session_pair_run(&p, p.now + 290 * SECOND);
        CHECK("then the time begins anew",
              !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
        session_pair_run(&p, p.now + 20 * SECOND);
        CHECK("and ends", p.seen[OFFERER].is_closed && p.seen[ANSWERER].is_closed);
        session_pair_deinit(&p);
    }
}

static void alter_answer(int from, struct session_description *d)
{
    if (from == ANSWERER)
        d->fingerprint[5] ^= 1;
}

TEST(a_certificate_that_was_not_signalled_ends_it)
{
    static struct session_pair p;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, alter_answer) == ERR_OK);
    session_pair_run(&p, p.now + 12 * SECOND);
    CHECK("never open", !p.seen[OFFERER].is_open && !p.seen[ANSWERER].is_open);
    CHECK("known why", p.seen[OFFERER].end == SESSION_END_FINGERPRINT);
    CHECK("the other is told", p.seen[ANSWERER].end == SESSION_END_HANDSHAKE);
    session_pair_deinit(&p);
}

TEST(an_answer_may_come_after_what_it_announces)
{
    static struct session_pair p;
    usec answered_at;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    p.hold_answer = true;
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 400 * MILLISECOND);
    answered_at = p.now;
    CHECK("answered", session_pair_answer(&p) == ERR_OK);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    CHECK("soon: within 8 round trips of the answer",
          p.seen[OFFERER].open_at - answered_at <= 16 * SESSION_PAIR_DELAY_US);
    session_pair_deinit(&p);
}

TEST(nobody_there_is_an_end_too)
{
    static struct session_pair p;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    p.is_cut = true;
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 20 * SECOND);
    for (int i = 0; i < 2; i++) {
        CHECK("ended", p.seen[i].is_closed);
        CHECK("for want of a path",
              p.seen[i].end == SESSION_END_NO_PATH || p.seen[i].end == SESSION_END_HALF_OPEN);
        CHECK("half-open sessions end", p.seen[i].closed_at <= 12 * SECOND);
    }
    session_pair_deinit(&p);
}

static const struct {
    const char *claim;
    enum session_setup setup;
    int err;
} setups[] = {
    { "an answer may be active", SESSION_ACTIVE, ERR_OK },
    { "an answer may be passive", SESSION_PASSIVE, ERR_OK },
    { "an answer must choose", SESSION_ACTPASS, ERR_INVALID },
};

TEST(who_begins_the_handshake_is_the_answerers_choice)
{
    for (size_t i = 0; i < COUNT(setups); i++) {
        static struct session_pair p;
        static struct session_description answer;

        CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
        p.hold_answer = true;
        CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
        session_get_local(p.end[ANSWERER], &answer);
        answer.setup = setups[i].setup;
        CHECK(setups[i].claim, session_set_remote(p.end[OFFERER], p.now, &answer) == setups[i].err);
        CHECK("once only if it worked", session_set_remote(p.end[OFFERER], p.now, &answer) ==
                                            (setups[i].err ? ERR_INVALID : ERR_WRONG_STATE));
        session_pair_deinit(&p);
    }
}

TEST(every_allocation_may_fail)
{
    static struct session_pair p;

    ALLOC_FAIL_EACH {
        int err = session_pair_init(&p, &usual);

        if (!err)
            err = session_pair_signal(&p, NULL);
        CHECK("says so, or can do without", err == ERR_OK || alloc_has_failed());
        session_pair_deinit(&p);
    }
}

TESTS(TEST_ROW(bytes_flow_on_eight_channels_both_ways),
      TEST_ROW(extensions_of_sctp_are_agreed_or_done_without),
      TEST_ROW(a_close_delivers_first_and_says_why), TEST_ROW(of_two_reasons_the_first_counts),
      TEST_ROW(what_was_not_read_before_a_close_can_be_read_after),
      TEST_ROW(closing_does_not_wait_for_a_peer_that_is_gone), TEST_ROW(silence_ends_a_session),
      TEST_ROW(an_outage_of_half_the_dead_time_ends_nothing),
      TEST_ROW(an_idle_session_gives_back_what_it_needed),
      TEST_ROW(an_idle_session_lives_until_its_zombie_time),
      TEST_ROW(a_session_that_is_kept_is_no_zombie),
      TEST_ROW(a_certificate_that_was_not_signalled_ends_it),
      TEST_ROW(an_answer_may_come_after_what_it_announces), TEST_ROW(nobody_there_is_an_end_too),
      TEST_ROW(who_begins_the_handshake_is_the_answerers_choice),
      TEST_ROW(every_allocation_may_fail))
