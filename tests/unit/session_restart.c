/* session_restart.c: ICE begins anew through signaling, and what lies above it does not notice. */
#include <stdlib.h>

#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

static const struct session_config usual = { 0 };
static struct session_pair p;

static void open_pair(void)
{
    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + SECOND);
    CHECK("both are open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
}

static size_t send_on(int from, unsigned channel, size_t len)
{
    static uint8_t data[256 << 10];
    size_t done;

    memset(data, (int)channel, sizeof data);
    done = session_send(p.end[from], p.now, channel, bytes_of(data, len));
    session_pair_drain(&p, from);
    return done;
}

static struct session_info info_of(int end)
{
    struct session_info info;

    session_get_info(p.end[end], &info);
    return info;
}

static void restart(int end)
{
    CHECK("begun", session_restart(p.end[end], p.now) == ERR_OK);
    session_pair_drain(&p, end);
}

/* What is sent before, during and after arrives, once. */
static void check_flow(const char *claim)
{
    uint64_t had[2] = { p.seen[0].received[1], p.seen[1].received[1] };

    for (int from = 0; from < 2; from++)
        CHECK("taken", send_on(from, 1, 50000) == 50000);
    session_pair_run(&p, p.now + 3 * SECOND);
    for (int to = 0; to < 2; to++)
        CHECK(claim, p.seen[to].received[1] - had[to] == 50000 && !p.seen[to].is_closed);
    CHECK("nothing was mixed up", p.seen[0].wrong + p.seen[1].wrong == 0);
}

static const struct {
    const char *claim;
    unsigned begins; /* bit: which end */
    bool again;      /* and once more, before any answer is here */
} rows[] = {
    { "the offerer begins", 1 << OFFERER, false },
    { "the answerer begins", 1 << ANSWERER, false },
    { "both begin", 1 << OFFERER | 1 << ANSWERER, false },
    { "the offerer begins twice", 1 << OFFERER, true },
    { "both begin twice", 1 << OFFERER | 1 << ANSWERER, true },
};

static void begin_while_sending(unsigned begins)
{
    for (int end = 0; end < 2; end++) {
        CHECK("taken", send_on(end, 3, 100000) == 100000);
        if (begins & 1u << end)
            restart(end);
    }
    session_pair_run(&p, p.now + 3 * MILLISECOND);
}

TEST(either_side_may_begin)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        open_pair();
        begin_while_sending(rows[i].begins);
        if (rows[i].again)
            begin_while_sending(rows[i].begins);
        session_pair_run(&p, p.now + 3 * SECOND);
        for (int end = 0; end < 2; end++) {
            struct session_info info = info_of(end);

            CHECK(rows[i].claim, info.restarts == 1 && !info.is_restarting);
            CHECK("another path, if by the same addresses", info.path_count == 2);
            CHECK("nothing was lost",
                  p.seen[end].received[3] == (rows[i].again ? 200000u : 100000u));
            CHECK("nobody timed out", info.sctp.timeouts == 0);
        }
        check_flow(rows[i].claim);
        session_pair_deinit(&p);
    }
}

TEST(as_often_as_one_likes)
{
    open_pair();
    for (unsigned i = 0; i < 12; i++) {
        restart((int)(i & 1));
        session_pair_run(&p, p.now + 3 * SECOND);
    }
    for (int end = 0; end < 2; end++)
        CHECK("each found its path", info_of(end).restarts == 12);
    check_flow("still well");
    session_pair_deinit(&p);
}

/* ---- Signaling that fails ------------------------------------------------------------------- */

/* Signaling works again, and a restart succeeds: the first at either end. */
static void restart_is_heard(void)
{
    p.is_silent = false;
    restart(OFFERER);
    session_pair_run(&p, p.now + SECOND);
    CHECK("found", info_of(OFFERER).restarts == 1 && info_of(ANSWERER).restarts == 1);
}

TEST(what_got_lost_is_told_again)
{
    open_pair();
    p.is_silent = true;
    restart(OFFERER);
    session_pair_run(&p, p.now + SECOND);
    CHECK("nothing came of it", info_of(OFFERER).is_restarting && info_of(OFFERER).restarts == 0);
    check_flow("the old path goes on");
    restart_is_heard();
    session_pair_deinit(&p);
}

/* Also if nobody asks for it; but not for ever, since the old path works. */
TEST(what_is_not_answered_is_told_again_for_a_while)
{
    open_pair();
    p.is_silent = true;
    restart(OFFERER);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("some times", p.seen[OFFERER].restarts == 2);
    session_pair_run(&p, p.now + 300 * SECOND);
    CHECK("less and less often", p.seen[OFFERER].restarts <= 9);
    CHECK("and an end", !info_of(OFFERER).is_restarting);
    restart_is_heard();
    check_flow("well");
    session_pair_deinit(&p);
}

/* The offerer's beginning arrives, the answer to it does not. */
TEST(an_answer_that_got_lost)
{
    open_pair();
    restart(OFFERER);
    session_pair_run(&p, p.now + SESSION_PAIR_DELAY_US - MILLISECOND);
    p.is_silent = true;
    session_pair_run(&p, p.now + 500 * MILLISECOND);
    CHECK("one has made an agent for it",
          info_of(ANSWERER).is_restarting || info_of(ANSWERER).restarts);
    restart_is_heard();
    check_flow("well");
    session_pair_deinit(&p);
}

TEST(a_repeated_description_is_harmless)
{
    static struct session_description d;

    open_pair();
    restart(OFFERER);
    session_get_local(p.end[OFFERER], &d);
    for (int i = 0; i < 20; i++) {
        session_pair_run(&p, p.now + 15 * MILLISECOND);
        CHECK("taken", session_set_restart(p.end[ANSWERER], p.now, &d) == ERR_OK);
        session_pair_drain(&p, ANSWERER);
    }
    session_pair_run(&p, p.now + SECOND);
    CHECK("one restart", info_of(OFFERER).restarts == 1 && info_of(ANSWERER).restarts == 1);
    CHECK("and an end of answers", p.note_count == 0);
    check_flow("well");
    session_pair_deinit(&p);
}

TEST(a_first_description_once_more_says_nothing)
{
    static struct session_description d;

    open_pair();
    session_get_local(p.end[OFFERER], &d);
    CHECK("taken", session_set_restart(p.end[ANSWERER], p.now, &d) == ERR_OK);
    session_pair_drain(&p, ANSWERER);
    CHECK("no answer", p.seen[ANSWERER].restarts == 0 && !info_of(ANSWERER).is_restarting);
    session_pair_deinit(&p);
}

/* ---- Descriptions that come untimely ------------------------------------------------------- */

static void use_other_fingerprint(struct session_description *d)
{
    d->fingerprint[31] ^= 1;
}

static void answer_something_older(struct session_description *d)
{
    memcpy(d->answers, "older123", 9);
}

static void use_bad_ufrag(struct session_description *d)
{
    memcpy(d->ufrag, "a b!", 5);
}

static void use_short_password(struct session_description *d)
{
    memcpy(d->pwd, "short", 6);
}

static const struct {
    const char *claim;
    void (*spoil)(struct session_description *d);
    int err;
} refusals[] = {
    { "of another peer", use_other_fingerprint, ERR_AUTH },
    { "an answer to none of ours", answer_something_older, ERR_WRONG_STATE },
    { "no ufrag", use_bad_ufrag, ERR_INVALID },
    { "no password", use_short_password, ERR_INVALID },
};

TEST(what_is_refused_changes_nothing)
{
    static struct session_description d;

    for (size_t i = 0; i < COUNT(refusals); i++) {
        open_pair();
        p.is_silent = true;
        restart(OFFERER);
        session_get_local(p.end[OFFERER], &d);
        refusals[i].spoil(&d);
        CHECK(refusals[i].claim,
              session_set_restart(p.end[ANSWERER], p.now, &d) == refusals[i].err);
        session_pair_drain(&p, ANSWERER);
        CHECK("nothing begun", !info_of(ANSWERER).is_restarting && !p.seen[ANSWERER].restarts);
        check_flow("the old path goes on");
        session_pair_deinit(&p);
    }
}

TEST(an_older_description_comes_too_late)
{
    static struct session_description older;

    open_pair();
    restart(OFFERER);
    session_get_local(p.end[OFFERER], &older);
    session_pair_run(&p, p.now + SECOND);
    restart(OFFERER);
    session_pair_run(&p, p.now + SECOND);
    CHECK("refused", session_set_restart(p.end[ANSWERER], p.now, &older) == ERR_WRONG_STATE);
    session_pair_drain(&p, ANSWERER);
    CHECK("two restarts", info_of(ANSWERER).restarts == 2 && !info_of(ANSWERER).is_restarting);
    check_flow("well");
    session_pair_deinit(&p);
}

TEST(before_a_description_there_is_nothing_to_restart)
{
    static struct session_description d;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    session_get_local(p.end[OFFERER], &d);
    CHECK("ours", session_restart(p.end[OFFERER], p.now) == ERR_WRONG_STATE);
    CHECK("theirs", session_set_restart(p.end[ANSWERER], p.now, &d) == ERR_WRONG_STATE);
    session_pair_deinit(&p);
}

/* Each would make us look for paths wherever the peer points. */
TEST(a_peer_that_begins_all_the_time)
{
    static struct session_description d;
    unsigned taken = 0;

    open_pair();
    session_get_local(p.end[OFFERER], &d);
    for (unsigned i = 0; i < 1000; i++) {
        int err;

        snprintf(d.ufrag, sizeof d.ufrag, "abcd%04u", i);
        err = session_set_restart(p.end[ANSWERER], p.now, &d);
        CHECK("taken or not", err == ERR_OK || err == ERR_LIMIT);
        taken += err == ERR_OK;
        session_pair_drain(&p, ANSWERER);
        session_pair_run(&p, p.now + 10 * MILLISECOND);
    }
    CHECK("in ten seconds a few", taken >= 4 && taken <= 10);
    check_flow("the old path goes on");
    session_pair_deinit(&p);
}

TEST(late_candidates_of_an_older_generation)
{
    static struct session_description d;

    open_pair();
    session_get_local(p.end[OFFERER], &d);
    restart(OFFERER);
    for (size_t i = 0; i < d.candidate_count; i++)
        CHECK("taken", session_add_remote(p.end[ANSWERER], p.now, &d.candidates[i]) == ERR_OK);
    session_pair_run(&p, p.now + SECOND);
    CHECK("found", info_of(OFFERER).restarts == 1 && info_of(ANSWERER).restarts == 1);
    session_pair_deinit(&p);
}

/* ---- Networks that fail --------------------------------------------------------------------- */

/* Nothing works for some seconds, signaling neither. */
TEST(nothing_is_lost_without_any_path)
{
    usec back_at;

    open_pair();
    p.is_cut = p.is_silent = true;
    for (int from = 0; from < 2; from++)
        CHECK("taken", send_on(from, 5, 200000) == 200000);
    session_pair_run(&p, p.now + 8 * SECOND);
    CHECK("it tried by itself", p.seen[OFFERER].restarts >= 1 && p.seen[OFFERER].restarts <= 4);
    p.is_cut = p.is_silent = false;
    back_at = p.now;
    session_pair_run(&p, p.now + 5 * SECOND);
    for (int to = 0; to < 2; to++)
        CHECK("all is there", p.seen[to].received[5] == 200000 && !p.seen[to].is_closed);
    CHECK("nothing was mixed up", p.seen[0].wrong + p.seen[1].wrong == 0);
    (void)back_at;
    check_flow("well");
    session_pair_deinit(&p);
}

/* Wi-Fi goes, LTE comes: another address, told by signaling alone. */
TEST(an_address_that_changes)
{
    const struct addr other = addr_ipv4(0x0a000063, 5000);

    for (int end = 0; end < 2; end++) {
        usec gone_at;

        open_pair();
        CHECK("taken", send_on(end, 5, 200000) == 200000);
        CHECK("taken", send_on(!end, 5, 200000) == 200000);
        session_pair_run(&p, p.now + 15 * MILLISECOND);
        p.dead[p.dead_count++] = p.addr[end];
        gone_at = p.now;
        session_remove_socket(p.end[end], p.now, &p.addr[end]);
        CHECK("added", session_pair_add_socket(&p, end, &other, 65535) == ERR_OK);
        session_pair_drain(&p, end);
        session_pair_run(&p, p.now + 3 * SECOND);
        for (int to = 0; to < 2; to++) {
            CHECK("all is there", p.seen[to].received[5] == 200000 && !p.seen[to].is_closed);
            CHECK("by a new path",
                  addr_equal(end == to ? &p.seen[to].path.local : &p.seen[to].path.remote, &other));
        }
        CHECK("soon", p.seen[end].path_at - gone_at < 300 * MILLISECOND);
        check_flow("well");
        session_pair_deinit(&p);
    }
}

TEST(an_outage_longer_than_the_dead_time_is_the_end)
{
    usec cut_at;

    CHECK("made",
          session_pair_init(&p, &(struct session_config){ .dead_us = 6 * SECOND }) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + SECOND);
    CHECK("taken", send_on(OFFERER, 5, 200000) == 200000);
    p.is_cut = true;
    cut_at = p.now;
    session_pair_run(&p, p.now + 30 * SECOND);
    for (int end = 0; end < 2; end++) {
        CHECK("lost", p.seen[end].is_closed && p.seen[end].end == SESSION_END_LOST);
        CHECK("not before its time", p.seen[end].closed_at - cut_at >= 4 * SECOND);
        CHECK("nor after", p.seen[end].closed_at - cut_at <= 6 * SECOND + SESSION_PAIR_DELAY_US);
    }
    CHECK("restarts were few", p.seen[0].restarts + p.seen[1].restarts < 8);
    session_pair_deinit(&p);
}

TESTS(TEST_ROW(either_side_may_begin), TEST_ROW(as_often_as_one_likes),
      TEST_ROW(what_got_lost_is_told_again),
      TEST_ROW(what_is_not_answered_is_told_again_for_a_while), TEST_ROW(an_answer_that_got_lost),
      TEST_ROW(a_repeated_description_is_harmless),
      TEST_ROW(a_first_description_once_more_says_nothing),
      TEST_ROW(what_is_refused_changes_nothing), TEST_ROW(an_older_description_comes_too_late),
      TEST_ROW(before_a_description_there_is_nothing_to_restart),
      TEST_ROW(a_peer_that_begins_all_the_time), TEST_ROW(late_candidates_of_an_older_generation),
      TEST_ROW(nothing_is_lost_without_any_path), TEST_ROW(an_address_that_changes),
      TEST_ROW(an_outage_longer_than_the_dead_time_is_the_end))
