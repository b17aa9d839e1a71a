/* What is taken for lost and what not, what was needless and is taken back, and what a model of the
 * path learns from an application that has little to say. */
#include "tests/check.h"
#include "tests/support/flows.h"

#define MS      MILLISECOND
#define MBIT(n) ((n)*UINT64_C(1000000))

static struct flows *begin(const struct link_config *link, const struct link_config *back,
                           uint64_t rate_bps)
{
    const struct flow_config one = { .kind = FLOW_HAWSER, .rate_bps = rate_bps };

    return flows_new(3, link, back, &one, 1);
}

static struct sctp_info info_of(const struct flows *f)
{
    struct sctp_info info;

    sctp_get_info(f->flow[0].end[0], &info);
    return info;
}

/* Bits of payload in a second, of the next `span`. */
static uint64_t rate_in(struct flows *f, usec span)
{
    uint64_t before = flow_received(&f->flow[0]);

    flows_run(f, f->now + span);
    return (flow_received(&f->flow[0]) - before) * 8 * SECOND / (uint64_t)span;
}

/* Later than a quarter of the round trip, which is waited for at first. */
TEST(how_late_packets_are_is_learned)
{
    const struct link_config link = { .delay_us = 20 * MS,
                                      .rate_bps = MBIT(20),
                                      .queue_bytes_max = 100000,
                                      .reorder_ppm = 20000,
                                      .reorder_us = 25 * MS };
    struct flows *f = begin(&link, NULL, 0);
    struct sctp_info early, late;

    flows_run(f, f->now + 3 * SECOND);
    early = info_of(f);
    flows_run(f, f->now + 5 * SECOND);
    late = info_of(f);
    CHECK("at first some go again", early.spurious_chunks > 0);
    CHECK("soon none", late.spurious_chunks - early.spurious_chunks <
                           (late.data_chunks_sent - early.data_chunks_sent) / 1000);
    flows_free(f);
}

/* A seventh of everything, and so of what is sent again: no loss waits for T3. */
TEST(what_is_lost_again_goes_again)
{
    const struct link_config link = {
        .delay_us = 20 * MS, .rate_bps = MBIT(10), .queue_bytes_max = 100000, .loss_ppm = 150000
    };
    struct flows *f = begin(&link, NULL, 0);
    struct sctp_info info;

    flows_run(f, f->now + 10 * SECOND);
    info = info_of(f);
    CHECK("often", info.retransmitted_chunks > 1000);
    CHECK("hardly by T3", info.timeouts <= 2);
    CHECK("as many as were lost", info.retransmitted_chunks <= info.lost_chunks);
    CHECK("hardly any needlessly", info.spurious_chunks * 100 < info.retransmitted_chunks);
    flows_free(f);
}

/* The network holds everything for a while and then lets it go. */
TEST(a_timeout_that_was_needless_is_undone)
{
    const struct link_config link = { .delay_us = 20 * MS,
                                      .rate_bps = MBIT(20),
                                      .queue_bytes_max = 100000 };
    struct link_config slow = link, back = { .delay_us = 20 * MS };
    struct flows *f = begin(&link, NULL, 0);
    struct sctp_info before, after;

    flows_run(f, f->now + 5 * SECOND);
    before = info_of(f);
    slow.delay_us = 400 * MS;
    flows_set_link(f, &slow, &back);
    flows_run(f, f->now + 500 * MS);
    after = info_of(f);
    CHECK("T3 has expired", after.timeouts > before.timeouts);
    CHECK("what it sent again was a part of what was out",
          after.retransmitted_chunks - before.retransmitted_chunks <= 60);
    CHECK("and the window is what it was", 2 * after.cwnd_bytes > before.cwnd_bytes);
    flows_free(f);
}

static const struct link_config fast = { .delay_us = 20 * MS,
                                         .rate_bps = MBIT(100),
                                         .queue_bytes_max = 1000000 };

TEST(a_camera_that_is_asked_for_a_file)
{
    struct flows *f = begin(&fast, NULL, MBIT(2));

    flows_run(f, f->now + 6 * SECOND);
    CHECK("it is the one that holds back", info_of(f).is_app_limited);
    f->flow[0].cfg.rate_bps = 0;
    flows_run(f, f->now + 12 * 40 * MS);
    CHECK("a dozen round trips later the path is full", rate_in(f, 500 * MS) > MBIT(85));
    flows_free(f);
}

TEST(saying_little_unlearns_nothing)
{
    struct flows *f = begin(&fast, NULL, 0);
    uint64_t knew;

    flows_run(f, f->now + 5 * SECOND);
    knew = info_of(f).delivery_rate;
    f->flow[0].cfg.rate_bps = MBIT(2);
    flows_run(f, f->now + 30 * SECOND);
    CHECK("half a minute later it is known how fast the path is",
          info_of(f).delivery_rate * 10 >= knew * 9);
    CHECK("and how long", info_of(f).min_rtt_us < 42 * MS);
    f->flow[0].cfg.rate_bps = 0;
    flows_run(f, f->now + 2 * 40 * MS);
    CHECK("so that two round trips suffice", rate_in(f, 200 * MS) > MBIT(85));
    flows_free(f);
}

/* STARTUP may fill it, and not for long. */
TEST(a_deep_buffer_is_soon_empty)
{
    const struct link_config link = { .delay_us = 15 * MS,
                                      .rate_bps = MBIT(10),
                                      .queue_bytes_max = 1250000 };
    struct flows *f = begin(&link, NULL, 0);

    flows_run(f, f->now + 600 * MS);
    flows_forget_queue(f);
    flows_run(f, f->now + 20 * SECOND);
    CHECK("hardly ever a queue", flows_queue_us(f, 95) <= 25 * MS);
    CHECK("never a long one", flows_queue_us(f, 100) <= 80 * MS);
    flows_free(f);
}

TESTS(TEST_ROW(how_late_packets_are_is_learned), TEST_ROW(what_is_lost_again_goes_again),
      TEST_ROW(a_timeout_that_was_needless_is_undone), TEST_ROW(a_camera_that_is_asked_for_a_file),
      TEST_ROW(saying_little_unlearns_nothing), TEST_ROW(a_deep_buffer_is_soon_empty))
