#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults;

static bool up(struct sctp_pair *p, uint64_t seed)
{
    return pair_connect(p, seed, &defaults, 10 * MILLISECOND);
}

static bool is_closed_by(const struct sctp_pair *p, int side, enum sctp_reason reason)
{
    return p->side[side].is_closed && p->side[side].closed.reason == reason;
}

static void queue_some(struct sctp_pair *p, int from, unsigned messages)
{
    static uint8_t bytes[10000];

    for (unsigned i = 0; i < messages; i++)
        CHECK("taken",
              pair_send(p, from, (uint16_t)(i % 4), 53, bytes_of(bytes, sizeof bytes)) == ERR_OK);
}

TEST(shutdown_delivers_what_is_queued)
{
    for (int both = 0; both < 2; both++) {
        struct sctp_pair p;

        CHECK("up", up(&p, 1));
        queue_some(&p, 0, 40);
        queue_some(&p, 1, 40);
        sctp_shutdown(p.side[0].sctp, p.now);
        if (both)
            sctp_shutdown(p.side[1].sctp, p.now);
        CHECK("nothing more is taken",
              pair_send(&p, 0, 0, 53, bytes_of("x", 1)) == ERR_WRONG_STATE);
        CHECK("closed", pair_run_until_closed(&p, p.now + 10 * SECOND));
        CHECK("cleanly", is_closed_by(&p, 0, SCTP_REASON_SHUTDOWN) &&
                             is_closed_by(&p, 1, SCTP_REASON_SHUTDOWN));
        CHECK("all arrived", pair_is_delivered(&p, 0) && pair_is_delivered(&p, 1));
        CHECK("no timer is left", pair_run(&p, p.now + SECOND));
        pair_deinit(&p);
    }
}

TEST(shutdown_survives_loss)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct sctp_pair p;

        CHECK("up", up(&p, seed));
        p.link.loss_ppm = 250000;
        p.link.jitter_us = 10 * MILLISECOND;
        queue_some(&p, 0, 5);
        queue_some(&p, 1, 5);
        sctp_shutdown(p.side[0].sctp, p.now);
        CHECK("closed", pair_run_until_closed(&p, p.now + 200 * SECOND));
        CHECK("cleanly", is_closed_by(&p, 0, SCTP_REASON_SHUTDOWN) &&
                             is_closed_by(&p, 1, SCTP_REASON_SHUTDOWN));
        CHECK("all arrived", pair_is_delivered(&p, 0) && pair_is_delivered(&p, 1));
        pair_deinit(&p);
    }
}

TEST(shutdown_before_up_waits_for_it)
{
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 3, &defaults));
    sctp_connect(p.side[0].sctp, p.now);
    queue_some(&p, 0, 3);
    sctp_shutdown(p.side[0].sctp, p.now);
    CHECK("closed", pair_run_until_closed(&p, p.now + 10 * SECOND));
    CHECK("cleanly", is_closed_by(&p, 0, SCTP_REASON_SHUTDOWN));
    CHECK("with all", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(unread_bytes_outlive_the_association)
{
    struct sctp_pair p;

    CHECK("up", up(&p, 4));
    p.side[1].is_reading = false;
    queue_some(&p, 0, 4);
    sctp_shutdown(p.side[0].sctp, p.now);
    CHECK("closed", pair_run_until_closed(&p, p.now + 10 * SECOND));
    CHECK("unread", !pair_is_delivered(&p, 0));
    pair_read(&p, 1);
    CHECK("read", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(an_unanswered_shutdown_gives_up)
{
    struct sctp_pair p;

    CHECK("up", up(&p, 5));
    p.is_cut = true;
    sctp_shutdown(p.side[0].sctp, p.now);
    CHECK("comes to rest", pair_run_until_closed(&p, p.now + 1000 * SECOND) || p.side[0].is_closed);
    CHECK("in time", is_closed_by(&p, 0, SCTP_REASON_TIMEOUT));
    pair_deinit(&p);
}

struct seen {
    uint8_t bytes[128];
    size_t len;
};

static bool see_abort(void *ctx, int from, struct bytes packet)
{
    struct seen *seen = ctx;

    (void)from;
    if (packet.data[12] == 6 && packet.len <= sizeof seen->bytes) {
        memcpy(seen->bytes, packet.data, packet.len);
        seen->len = packet.len;
    }
    return true;
}

TEST(abort_says_why)
{
    struct sctp_pair p;
    struct seen seen = { .len = 0 };

    CHECK("up", up(&p, 6));
    p.tap = see_abort;
    p.tap_ctx = &seen;
    queue_some(&p, 0, 10);
    sctp_abort(p.side[0].sctp, p.now, "Close called");
    CHECK("both closed", pair_run_until_closed(&p, p.now + SECOND));
    CHECK("we by ourselves", is_closed_by(&p, 0, SCTP_REASON_LOCAL_ABORT));
    CHECK("they by us", is_closed_by(&p, 1, SCTP_REASON_PEER_ABORT));
    CHECK("user-initiated abort", p.side[1].closed.cause_code == 12);
    CHECK("cause and text on the wire", seen.len == 12 + 4 + 4 + 12 &&
                                            memcmp(seen.bytes + 16, "\0\x0c\0\x10", 4) == 0 &&
                                            memcmp(seen.bytes + 20, "Close called", 12) == 0);
    CHECK("no timer is left", pair_run(&p, p.now + SECOND));
    pair_deinit(&p);
}

TEST(abort_in_every_state)
{
    for (int state = 0; state < 6; state++) {
        struct sctp_pair p;
        bool is_known = state > 1;

        CHECK("made", pair_init(&p, 7, &defaults));
        p.link.delay_us = 10 * MILLISECOND;
        if (state > 0)
            sctp_connect(p.side[0].sctp, p.now);
        if (state > 1)
            pair_run(&p, p.now + (usec)(state - 1) * 21 * MILLISECOND);
        if (state > 3)
            sctp_shutdown(p.side[0].sctp, p.now);
        if (state > 4)
            pair_run(&p, p.now + 5 * MILLISECOND);
        sctp_abort(p.side[0].sctp, p.now, NULL);
        sctp_abort(p.side[0].sctp, p.now, "twice");
        pair_run(&p, p.now + SECOND);
        CHECK("closed", is_closed_by(&p, 0, SCTP_REASON_LOCAL_ABORT));
        CHECK("heard of where there was somebody",
              !p.side[1].ups || !is_known || p.side[1].is_closed);
        CHECK("over", pair_send(&p, 0, 0, 53, bytes_of("x", 1)) == ERR_WRONG_STATE);
        CHECK("no timer is left", sctp_next_timeout(p.side[0].sctp) == USEC_NEVER);
        pair_deinit(&p);
    }
}

TEST(a_dead_path_is_noticed)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 8));
    CHECK("used", pair_transfer(&p, 0, 1, 10000, 1000, p.now + SECOND));
    p.is_cut = true;
    queue_some(&p, 0, 1);
    for (usec until = p.now + 300 * SECOND; !p.side[0].is_closed && p.now < until;)
        pair_run(&p, p.now += SECOND);
    CHECK("by the sender", is_closed_by(&p, 0, SCTP_REASON_TIMEOUT));
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("after ten retransmissions", info.timeouts == 11);
    pair_deinit(&p);
}

TEST(an_idle_dead_path_is_noticed_by_heartbeats)
{
    struct sctp_config cfg = { .heartbeat_us = 2 * SECOND, .retransmits_max = 3 };
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 9, &cfg));
    sctp_connect(p.side[0].sctp, p.now);
    CHECK("up", pair_run_until_up(&p, p.now + SECOND));
    pair_run(&p, p.now + 60 * SECOND);
    CHECK("both alive", !p.side[0].is_closed && !p.side[1].is_closed);
    CHECK("and measured", p.side[1].packets_out > 20);
    p.is_cut = true;
    CHECK("both notice", pair_run_until_closed(&p, p.now + 120 * SECOND));
    CHECK("why",
          is_closed_by(&p, 0, SCTP_REASON_TIMEOUT) && is_closed_by(&p, 1, SCTP_REASON_TIMEOUT));
    pair_deinit(&p);
}

TESTS(TEST_ROW(shutdown_delivers_what_is_queued), TEST_ROW(shutdown_survives_loss),
      TEST_ROW(shutdown_before_up_waits_for_it), TEST_ROW(unread_bytes_outlive_the_association),
      TEST_ROW(an_unanswered_shutdown_gives_up), TEST_ROW(abort_says_why),
      TEST_ROW(abort_in_every_state), TEST_ROW(a_dead_path_is_noticed),
      TEST_ROW(an_idle_dead_path_is_noticed_by_heartbeats))
