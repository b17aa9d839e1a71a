/* Windows, limits, streams' resets, changes of path: what a well-behaved pair meets. */
#include "core/sctp/sctp.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults;

static bool up(struct sctp_pair *p, uint64_t seed, const struct sctp_config *cfg)
{
    return pair_connect(p, seed, cfg, 5 * MILLISECOND);
}

static int fill(struct sctp_pair *p, uint16_t stream, size_t len)
{
    static uint8_t bytes[262144];
    int sent = 0;

    while (pair_send(p, 0, stream, 53, bytes_of(bytes, len)) == ERR_OK)
        sent++;
    return sent;
}

TEST(a_reader_who_pauses_stops_the_sender)
{
    struct sctp_config cfg = { .rx_bytes_max = 100000, .heartbeat_us = USEC_NEVER };
    struct sctp_pair p;
    struct sctp_info there;

    CHECK("up", up(&p, 1, &cfg));
    p.side[1].is_reading = false;
    CHECK("queued", fill(&p, 0, 10000) > 90);
    pair_run(&p, p.now + 300 * SECOND);
    sctp_get_info(p.side[1].sctp, &there);
    CHECK("no more than the window", there.unread_bytes <= 100000);
    CHECK("nearly all of it", there.unread_bytes > 95000);
    CHECK("probes do not end the association", !p.side[0].is_closed);
    p.side[1].is_reading = true;
    usec from = p.now;
    pair_read(&p, 1);
    while (!pair_is_delivered(&p, 0) && p.now < from + 10 * SECOND)
        pair_run(&p, p.now += MILLISECOND);
    CHECK("it goes on at once, not at the next probe", p.now - from < 2 * SECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(a_window_update_that_is_lost_is_probed_for)
{
    struct sctp_config cfg = { .rx_bytes_max = 50000, .heartbeat_us = USEC_NEVER };
    struct sctp_pair p;

    CHECK("up", up(&p, 2, &cfg));
    p.side[1].is_reading = false;
    fill(&p, 0, 10000);
    pair_run(&p, p.now + 20 * SECOND);
    p.is_cut = true;
    pair_read(&p, 1);
    pair_drain(&p);
    p.is_cut = false;
    p.side[1].is_reading = true;
    pair_run(&p, p.now + 60 * SECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(one_unread_stream_does_not_stop_another_within_the_window)
{
    struct sctp_pair p;
    struct sctp_piece piece;
    size_t got = 0;

    CHECK("up", up(&p, 3, &defaults));
    p.side[1].is_reading = false;
    fill(&p, 1, 100000);
    pair_run(&p, p.now + 5 * SECOND);
    CHECK("taken", pair_send(&p, 0, 2, 53, bytes_of("command", 7)) == ERR_OK);
    pair_run(&p, p.now + SECOND);
    while (sctp_recv(p.side[1].sctp, 2, &piece)) {
        got += piece.data.len;
        sctp_consume(p.side[1].sctp, p.now, 2, piece.data.len);
    }
    CHECK("read past the other", got == 7);
    pair_deinit(&p);
}

TEST(a_lost_chunk_of_one_stream_does_not_delay_another)
{
    struct sctp_pair p;

    CHECK("up", up(&p, 4, &defaults));
    p.is_cut = true;
    pair_send(&p, 0, 1, 53, bytes_of("lost", 4));
    pair_drain(&p);
    p.is_cut = false;
    pair_send(&p, 0, 2, 53, bytes_of("first", 5));
    pair_run(&p, p.now + 6 * MILLISECOND);
    CHECK("there", p.side[1].received[2].messages == 1);
    CHECK("not yet", p.side[1].received[1].messages == 0);
    pair_run(&p, p.now + SECOND);
    CHECK("both", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(limits_of_what_may_be_queued)
{
    struct sctp_config cfg = { .tx_bytes_max = 400000, .stream_tx_bytes_max = 300000 };
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 5, &cfg));
    CHECK("as much as one stream may", sctp_send_room(p.side[0].sctp, 0) == 262144);
    CHECK("taken", pair_send(&p, 0, 0, 53, bytes_of((uint8_t[1]){ 7 }, 1)) == ERR_OK);
    CHECK("filled", fill(&p, 0, 1000) == 292);
    CHECK("that much room", sctp_send_room(p.side[0].sctp, 0) < 1000);
    CHECK("so many bytes", sctp_stream_unacked_bytes(p.side[0].sctp, 0) == 292001);
    CHECK("the rest to others", fill(&p, 1, 1000) == 98);
    CHECK("in all", sctp_unacked_bytes(p.side[0].sctp) == 292001 + 98000);
    CHECK("empty", pair_send(&p, 0, 2, 53, bytes_of(NULL, 0)) == ERR_INVALID);
    CHECK("no such stream", pair_send(&p, 0, 1024, 53, bytes_of("x", 1)) == ERR_INVALID);
    CHECK("one stream less", sctp_set_stream_limit(p.side[0].sctp, 3, 100) == ERR_OK);
    CHECK("too long for it",
          pair_send(&p, 0, 3, 53, bytes_of((uint8_t[100]){ 0 }, 93)) == ERR_INVALID);
    CHECK("no such stream", sctp_set_stream_limit(p.side[0].sctp, 1024, 100) == ERR_INVALID);
    sctp_connect(p.side[0].sctp, p.now);
    pair_run(&p, p.now + 10 * SECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    CHECK("two were told of room", p.side[0].writables == 2);
    pair_deinit(&p);
}

TEST(a_pool_run_dry_recovers)
{
    struct sctp_pair p;
    struct block *taken[4096];
    size_t count = 0;

    CHECK("up", up(&p, 6, &defaults));
    while (count < COUNT(taken) && (taken[count] = pool_get(p.side[0].pool)))
        count++;
    CHECK("no room", pair_send(&p, 0, 0, 53, bytes_of("x", 1)) == ERR_LIMIT);
    CHECK("and none said", sctp_send_room(p.side[0].sctp, 0) == 0);
    pair_send(&p, 1, 0, 53, bytes_of("y", 1));
    pair_run(&p, p.now + SECOND);
    CHECK("nothing can come in", !pair_is_delivered(&p, 1));
    while (count)
        pool_put(p.side[0].pool, taken[--count]);
    pair_run(&p, p.now + 5 * SECOND);
    CHECK("told of room", p.side[0].writables == 1);
    CHECK("comes in", pair_is_delivered(&p, 1));
    CHECK("goes out", pair_send(&p, 0, 0, 53, bytes_of("x", 1)) == ERR_OK);
    pair_run(&p, p.now + SECOND);
    CHECK("arrives", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(streams_are_reset)
{
    struct sctp_pair p;

    CHECK("up", up(&p, 7, &defaults));
    p.link.loss_ppm = 100000;
    for (int round = 1; round <= 10; round++) {
        for (uint16_t id = 0; id < 5; id++) {
            CHECK("sent", pair_send(&p, 0, id, 53, bytes_of("before", 6)) == ERR_OK);
            CHECK("asked", sctp_reset_stream(p.side[0].sctp, p.now, id) == ERR_OK);
            CHECK("once", sctp_reset_stream(p.side[0].sctp, p.now, id) == ERR_LIMIT);
            CHECK("not now", pair_send(&p, 0, id, 53, bytes_of("x", 1)) == ERR_LIMIT);
        }
        pair_run(&p, p.now + 20 * SECOND);
        CHECK("told once each", p.side[1].resets == 5u * (unsigned)round);
        CHECK("and the sender of room", p.side[0].writables == 5u * (unsigned)round);
        CHECK("after all had arrived", pair_is_delivered(&p, 0));
    }
    CHECK("used again", pair_transfer(&p, 0, 5, 20000, 100, p.now + 60 * SECOND));
    pair_deinit(&p);
}

TEST(a_path_changes)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 8, &defaults));
    fill(&p, 0, 60000);
    pair_run(&p, p.now + 15 * MILLISECOND);
    for (int i = 0; i < 2; i++)
        sctp_path_changed(p.side[i].sctp, p.now, 80 * MILLISECOND, 600, false);
    p.link.delay_us = 40 * MILLISECOND;
    p.largest_packet = 0;
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("ten packets", info.cwnd_bytes == 6000);
    CHECK("the new round trip", info.srtt_us == 80 * MILLISECOND);
    pair_run(&p, p.now + 30 * SECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("without a timeout", info.timeouts == 0);
    pair_deinit(&p);
}

TEST(a_narrower_path_still_passes_what_was_cut_before)
{
    struct sctp_pair p;

    CHECK("up", up(&p, 9, &defaults));
    fill(&p, 0, 5000);
    p.is_cut = true;
    pair_drain(&p);
    p.is_cut = false;
    sctp_path_changed(p.side[0].sctp, p.now, 0, 500, true);
    pair_run(&p, p.now + 60 * SECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(runs_are_of_equal_packets)
{
    struct sctp_pair p;
    static uint8_t buf[OUT_BYTES_MAX];
    struct out out;

    CHECK("up", up(&p, 10, &defaults));
    fill(&p, 0, 200000);
    out_init(&out, buf, sizeof buf);
    CHECK("a run", sctp_poll_output(p.side[0].sctp, p.now, &out));
    CHECK("of the initial window, filled to its end", out.count == 11);
    CHECK("all as long as can be", out.segment == 1160 && out.len == 11 * 1160u);
    pair_deinit(&p);
}

TEST(an_idle_association_holds_little)
{
    struct sctp_config cfg = { .heartbeat_us = 5 * SECOND };
    struct sctp_pair p;

    CHECK("up", up(&p, 12, &cfg));
    for (int round = 0; round < 3; round++) {
        p.link.loss_ppm = 10000;
        CHECK("used", pair_transfer(&p, 0, 8, 2 << 20, 16384, p.now + 100 * SECOND));
        p.link.loss_ppm = 0;
        pair_run(&p, p.now + 12 * SECOND);
        CHECK("no block", pool_used(p.side[0].pool) == 0 && pool_used(p.side[1].pool) == 0);
    }
    CHECK("alive", !p.side[0].is_closed && !p.side[1].is_closed);
    pair_deinit(&p);
}

TEST(the_handshake_measures_the_path)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("made", pair_init(&p, 13, &defaults));
    p.link.delay_us = 40 * MILLISECOND;
    sctp_connect(p.side[0].sctp, p.now);
    CHECK("up", pair_run_until_up(&p, p.now + SECOND));
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("one round trip", info.srtt_us == 80 * MILLISECOND);
    CHECK("from two samples", info.rto_us == 80 * MILLISECOND + 4 * 30 * MILLISECOND);
    pair_deinit(&p);
}

TEST(a_lost_tail_does_not_wait_for_a_timeout)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 14, &defaults));
    CHECK("used", pair_transfer(&p, 0, 1, 20000, 2000, p.now + SECOND));
    p.is_cut = true;
    pair_send(&p, 0, 1, 53, bytes_of("last", 4));
    pair_drain(&p);
    p.is_cut = false;
    pair_run(&p, p.now + 60 * MILLISECOND);
    CHECK("there", pair_is_delivered(&p, 0));
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("without a timeout", info.timeouts == 0 && info.retransmitted_chunks == 1);
    pair_deinit(&p);
}

TEST(after_an_outage_the_backlog_goes_out_in_slow_start)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 15, &defaults));
    fill(&p, 0, 100000);
    pair_run(&p, p.now + 45 * MILLISECOND);
    p.is_cut = true;
    pair_run(&p, p.now + 300 * MILLISECOND);
    p.is_cut = false;
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("a timeout", info.timeouts == 1 && info.cwnd_bytes == 1160);
    CHECK("much is left", sctp_unacked_bytes(p.side[0].sctp) > 500000);
    pair_run(&p, p.now + 1500 * MILLISECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

struct nth {
    int left;
};

static bool drop_nth(void *ctx, int from, struct bytes packet)
{
    struct nth *n = ctx;

    (void)packet;
    return from != 0 || n->left-- != 0;
}

TEST(one_lost_packet_is_sent_again_within_a_round_trip)
{
    static const uint8_t bytes[1100];

    for (int lost = 0; lost < 8; lost++) {
        struct sctp_pair p;
        struct sctp_info before, info;
        struct nth nth = { lost };

        CHECK("made", pair_init(&p, 16, &defaults));
        p.link.delay_us = 50 * MILLISECOND;
        sctp_connect(p.side[0].sctp, p.now);
        CHECK("up", pair_run_until_up(&p, p.now + SECOND));
        CHECK("used", pair_transfer(&p, 0, 1, 60000, 2000, p.now + 20 * SECOND));
        pair_run(&p, p.now + 150 * MILLISECOND);
        sctp_get_info(p.side[0].sctp, &before);
        p.tap = drop_nth;
        p.tap_ctx = &nth;
        for (int i = 0; i < 15; i++)
            pair_send(&p, 0, 2, 53, bytes_of(bytes, sizeof bytes));
        pair_run(&p, p.now + 175 * MILLISECOND); /* pacing spreads the last five */
        CHECK("there after little more than one and a half", pair_is_delivered(&p, 0));
        pair_run(&p, p.now + 76 * MILLISECOND);
        sctp_get_info(p.side[0].sctp, &info);
        CHECK("fast", info.fast_retransmits == before.fast_retransmits + 1);
        CHECK("once", info.retransmitted_chunks == before.retransmitted_chunks + 1);
        CHECK("no timeout", info.timeouts == 0);
        pair_deinit(&p);
    }
}

TEST(a_window_unused_before_grows_after_a_timeout)
{
    struct sctp_pair p;

    CHECK("up", up(&p, 17, &defaults));
    p.link.delay_us = 50 * MILLISECOND;
    CHECK("used", pair_transfer(&p, 0, 1, 200000, 20000, p.now + 20 * SECOND));
    p.is_cut = true;
    for (int i = 0; i < 25; i++)
        pair_send(&p, 0, 2, 53, bytes_of((uint8_t[1100]){ 1 }, 1100));
    pair_run(&p, p.now + 450 * MILLISECOND);
    p.is_cut = false;
    pair_run(&p, p.now + 1500 * MILLISECOND);
    CHECK("twenty-five packets in a few round trips", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(overtaking_on_a_new_path_is_not_loss)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 18, &defaults));
    p.link.delay_us = 60 * MILLISECOND;
    CHECK("used", pair_transfer(&p, 0, 1, 60000, 2000, p.now + 20 * SECOND));
    fill(&p, 0, 20000);
    pair_drain(&p);
    p.link.delay_us = 5 * MILLISECOND;
    for (int i = 0; i < 2; i++)
        sctp_path_changed(p.side[i].sctp, p.now, 10 * MILLISECOND, 1160, false);
    CHECK("more is sent", pair_send(&p, 0, 1, 53, bytes_of("x", 1)) == ERR_OK);
    pair_run(&p, p.now + 10 * SECOND);
    CHECK("all arrived", pair_is_delivered(&p, 0));
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("nothing was taken for lost", info.fast_retransmits == 0 && info.timeouts == 0);
    pair_deinit(&p);
}

TEST(a_path_that_reorders_is_learned)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 19, &defaults));
    p.link.jitter_us = 6 * MILLISECOND;
    CHECK("through", pair_transfer(&p, 0, 4, 1 << 20, 16384, p.now + 100 * SECOND));
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("with few retransmissions", info.retransmitted_chunks < 40);
    pair_deinit(&p);
}

TEST(a_round_trip_grown_beyond_the_timeout_is_learned)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up(&p, 20, &defaults));
    CHECK("used", pair_transfer(&p, 0, 1, 20000, 2000, p.now + SECOND));
    p.link.delay_us = 300 * MILLISECOND;
    for (int i = 0; i < 20; i++) {
        pair_send(&p, 0, 1, 53, bytes_of("x", 1));
        pair_run(&p, p.now + 3 * SECOND);
    }
    sctp_get_info(p.side[0].sctp, &info);
    CHECK("a few timeouts for nothing", info.timeouts > 0 && info.timeouts < 5);
    CHECK("then it is known", info.srtt_us > 400 * MILLISECOND);
    pair_deinit(&p);
}

static void exchange(bool *is_through)
{
    struct sctp_config cfg = { .streams_max = 64 };
    struct sctp_pair p;

    *is_through = false;
    if (pair_init(&p, 11, &cfg)) {
        sctp_connect(p.side[0].sctp, p.now);
        p.link.loss_ppm = 30000;
        *is_through = pair_transfer(&p, 0, 4, 60000, 9000, p.now + 200 * SECOND) &&
                      pair_transfer(&p, 1, 4, 60000, 9000, p.now + 200 * SECOND);
        sctp_shutdown(p.side[0].sctp, p.now);
        *is_through &= pair_run_until_closed(&p, p.now + 200 * SECOND);
    }
    pair_deinit(&p);
}

/* The wire's own packets are allocated too, so only failures inside calls matter: the wire stops
 * on its own. What must hold is that all goes on, or is refused, and nothing leaks. */
TEST(every_allocation_may_fail)
{
    size_t failed = 0;

    ALLOC_FAIL_EACH {
        bool is_through;

        exchange(&is_through);
        failed += !is_through;
    }
    CHECK("only the first ones are needed to begin", failed < 12);
}

TESTS(TEST_ROW(a_reader_who_pauses_stops_the_sender),
      TEST_ROW(a_window_update_that_is_lost_is_probed_for),
      TEST_ROW(one_unread_stream_does_not_stop_another_within_the_window),
      TEST_ROW(a_lost_chunk_of_one_stream_does_not_delay_another),
      TEST_ROW(limits_of_what_may_be_queued), TEST_ROW(a_pool_run_dry_recovers),
      TEST_ROW(streams_are_reset), TEST_ROW(a_path_changes),
      TEST_ROW(a_narrower_path_still_passes_what_was_cut_before),
      TEST_ROW(runs_are_of_equal_packets), TEST_ROW(an_idle_association_holds_little),
      TEST_ROW(the_handshake_measures_the_path), TEST_ROW(a_lost_tail_does_not_wait_for_a_timeout),
      TEST_ROW(one_lost_packet_is_sent_again_within_a_round_trip),
      TEST_ROW(a_window_unused_before_grows_after_a_timeout),
      TEST_ROW(overtaking_on_a_new_path_is_not_loss), TEST_ROW(a_path_that_reorders_is_learned),
      TEST_ROW(a_round_trip_grown_beyond_the_timeout_is_learned),
      TEST_ROW(after_an_outage_the_backlog_goes_out_in_slow_start),
      TEST_ROW(every_allocation_may_fail))
