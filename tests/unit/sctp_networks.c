/* One association on networks of every kind, some of which change on the way: how much of what
 * could be it gets, what queue it makes, what it sends again and what of that needlessly. The table
 * that it prints is the one of docs/performance.md. */
#include "tests/check.h"
#include "tests/support/flows.h"

#define MS      MILLISECOND
#define MBIT(n) ((n)*UINT64_C(1000000))

struct network {
    const char *claim;
    struct link_config link;
    uint32_t ack_loss_ppm;
    usec ack_batch_us;
    uint64_t rate_after;               /* of the link, from the fifth second on; 0: no change */
    usec delay_after;                  /* likewise */
    bool is_told;                      /* of that change: it is another path */
    unsigned settle_s;                 /* before figures are taken, after five seconds */
    unsigned least_percent;            /* of what the payload could be, losses taken off */
    unsigned queue_p95_ms;             /* at most, before the bottleneck */
    unsigned resent_ppm, needless_ppm; /* of all chunks, at most; resent beside those dropped */
};

static const struct network networks[] = {
    { "100 Mbit/s, 100 ms",
      { .delay_us = 50 * MS, .rate_bps = MBIT(100), .queue_bytes_max = 1250000 },
      .settle_s = 5,
      .least_percent = 95,
      .queue_p95_ms = 40,
      .needless_ppm = 100 },
    { "the same, 1 % lost",
      { .delay_us = 50 * MS, .rate_bps = MBIT(100), .queue_bytes_max = 1250000, .loss_ppm = 10000 },
      .settle_s = 5,
      .least_percent = 90,
      .queue_p95_ms = 40,
      .needless_ppm = 500 },
    { "1 Gbit/s, 20 ms",
      { .delay_us = 10 * MS, .rate_bps = MBIT(1000), .queue_bytes_max = 2500000 },
      .least_percent = 90,
      .queue_p95_ms = 10,
      .needless_ppm = 100 },
    { "a queue of a tenth of the path",
      { .delay_us = 20 * MS, .rate_bps = MBIT(50), .queue_bytes_max = 25000 },
      .settle_s = 5,
      .least_percent = 90,
      .queue_p95_ms = 4,
      .needless_ppm = 500 },
    { "a queue of ten times the path",
      { .delay_us = 20 * MS, .rate_bps = MBIT(50), .queue_bytes_max = 2500000 },
      .settle_s = 5,
      .least_percent = 92,
      .queue_p95_ms = 25,
      .needless_ppm = 100 },
    { "policed, 50 ms worth may pass at once",
      { .delay_us = 20 * MS, .rate_bps = MBIT(20), .police_bytes = 125000 },
      .settle_s = 5,
      .least_percent = 85,
      .queue_p95_ms = 50,
      .needless_ppm = 500 },
    { "an uplink of 10 Mbit/s with a second of buffer",
      { .delay_us = 10 * MS, .rate_bps = MBIT(10), .queue_bytes_max = 1250000 },
      .settle_s = 5,
      .least_percent = 90,
      .queue_p95_ms = 20,
      .needless_ppm = 100 },
    { "an uplink of 1 Mbit/s with a second of buffer",
      { .delay_us = 20 * MS, .rate_bps = MBIT(1), .queue_bytes_max = 125000 },
      .settle_s = 10,
      .least_percent = 88,
      .queue_p95_ms = 110,
      .needless_ppm = 500 },
    { "a satellite, 600 ms",
      { .delay_us = 300 * MS, .rate_bps = MBIT(20), .queue_bytes_max = 750000 },
      .settle_s = 25,
      .least_percent = 85,
      .queue_p95_ms = 300,
      .needless_ppm = 500 },
    { "30 ms of jitter, nothing lost",
      { .delay_us = 20 * MS,
        .rate_bps = MBIT(20),
        .queue_bytes_max = 200000,
        .jitter_us = 30 * MS },
      .settle_s = 5,
      .least_percent = 85,
      .queue_p95_ms = 80,
      .needless_ppm = 1000 },
    { "one in a hundred overtaken by 5 ms",
      { .delay_us = 20 * MS,
        .rate_bps = MBIT(100),
        .queue_bytes_max = 500000,
        .reorder_ppm = 10000,
        .reorder_us = 5 * MS },
      .settle_s = 5,
      .least_percent = 90,
      .queue_p95_ms = 20,
      .needless_ppm = 200 },
    { "a tenth of the acknowledgements lost",
      { .delay_us = 20 * MS, .rate_bps = MBIT(100), .queue_bytes_max = 500000 },
      .ack_loss_ppm = 100000,
      .settle_s = 5,
      .least_percent = 92,
      .queue_p95_ms = 20,
      .needless_ppm = 500 },
    { "a radio that delivers every 20 ms",
      { .delay_us = 10 * MS,
        .rate_bps = MBIT(50),
        .queue_bytes_max = 250000,
        .jitter_us = 5 * MS,
        .batch_us = 20 * MS },
      .ack_batch_us = 20 * MS,
      .settle_s = 5,
      .least_percent = 80,
      .queue_p95_ms = 40,
      .needless_ppm = 500 },
    { "2 % lost, twenty in a row",
      { .delay_us = 20 * MS,
        .rate_bps = MBIT(50),
        .queue_bytes_max = 250000,
        .loss_ppm = 20000,
        .loss_run = 20 },
      .settle_s = 5,
      .least_percent = 70,
      .queue_p95_ms = 40,
      .needless_ppm = 500 },
    { "5 % lost, 3 % overtaken, 1 % twice, 30 ms of jitter",
      { .delay_us = 20 * MS,
        .rate_bps = MBIT(20),
        .queue_bytes_max = 200000,
        .loss_ppm = 50000,
        .reorder_ppm = 30000,
        .reorder_us = 5 * MS,
        .duplicate_ppm = 10000,
        .jitter_us = 30 * MS },
      .settle_s = 5,
      .least_percent = 60,
      .queue_p95_ms = 85,
      .needless_ppm = 10000 },
    { "40 Mbit/s become 20",
      { .delay_us = 20 * MS, .rate_bps = MBIT(40), .queue_bytes_max = 2000000 },
      .rate_after = MBIT(20),
      .settle_s = 4,
      .least_percent = 90,
      .queue_p95_ms = 40,
      .needless_ppm = 500 },
    { "20 Mbit/s become 40",
      { .delay_us = 20 * MS, .rate_bps = MBIT(20), .queue_bytes_max = 200000 },
      .rate_after = MBIT(40),
      .settle_s = 6,
      .least_percent = 90,
      .queue_p95_ms = 40,
      .needless_ppm = 500 },
    { "40 ms become 120",
      { .delay_us = 20 * MS, .rate_bps = MBIT(20), .queue_bytes_max = 300000 },
      .delay_after = 60 * MS,
      .settle_s = 15,
      .least_percent = 80,
      .queue_p95_ms = 80,
      .needless_ppm = 1000 },
    { "120 ms become 40",
      { .delay_us = 60 * MS, .rate_bps = MBIT(20), .queue_bytes_max = 300000 },
      .delay_after = 20 * MS,
      .settle_s = 5,
      .least_percent = 90,
      .queue_p95_ms = 40,
      .needless_ppm = 1000 },
    { "another path, narrower and longer",
      { .delay_us = 10 * MS, .rate_bps = MBIT(50), .queue_bytes_max = 250000 },
      .rate_after = MBIT(10),
      .delay_after = 30 * MS,
      .is_told = true,
      .settle_s = 3,
      .least_percent = 85,
      .queue_p95_ms = 60,
      .needless_ppm = 1000 },
    { "another path, wider and shorter",
      { .delay_us = 30 * MS, .rate_bps = MBIT(10), .queue_bytes_max = 250000 },
      .rate_after = MBIT(50),
      .delay_after = 10 * MS,
      .is_told = true,
      .settle_s = 3,
      .least_percent = 90,
      .queue_p95_ms = 20,
      .needless_ppm = 1000 },
};

static void change(struct flows *f, const struct network *n, struct link_config *link,
                   struct link_config *back)
{
    link->rate_bps = n->rate_after ? n->rate_after : link->rate_bps;
    link->delay_us = back->delay_us = n->delay_after ? n->delay_after : link->delay_us;
    flows_set_link(f, link, back);
    if (n->is_told)
        for (int end = 0; end < 2; end++)
            sctp_path_changed(f->flow[0].end[end], f->now, 2 * link->delay_us, 0, false);
}

struct figures {
    double share, resent, needless;
    usec queue_us;
};

/* Of five seconds: what of the link the payload has, and of all chunks what went again. */
static struct figures measure(struct flows *f, const struct link_config *link)
{
    struct sctp_info before, after;
    uint64_t received = flow_received(&f->flow[0]);
    double most = (double)link->rate_bps / 8 * 5 * FLOW_PAYLOAD * (1e6 - link->loss_ppm) / 1e6;
    double sent;

    sctp_get_info(f->flow[0].end[0], &before);
    flows_forget_queue(f);
    flows_run(f, f->now + 5 * SECOND);
    sctp_get_info(f->flow[0].end[0], &after);
    sent = (double)(after.data_chunks_sent - before.data_chunks_sent);
    return (struct figures){
        .share = (double)(flow_received(&f->flow[0]) - received) / most,
        .resent = (double)(after.retransmitted_chunks - before.retransmitted_chunks) / sent,
        .needless = (double)(after.spurious_chunks - before.spurious_chunks) / sent,
        .queue_us = flows_queue_us(f, 95),
    };
}

static struct figures run(const struct network *n)
{
    static const struct flow_config one = { .kind = FLOW_HAWSER };
    struct link_config link = n->link;
    struct link_config back = { .delay_us = link.delay_us,
                                .jitter_us = link.jitter_us,
                                .loss_ppm = n->ack_loss_ppm,
                                .batch_us = n->ack_batch_us };
    struct flows *f = flows_new(7, &link, &back, &one, 1);
    struct figures result;

    flows_run(f, f->now + 5 * SECOND);
    change(f, n, &link, &back);
    flows_run(f, f->now + n->settle_s * SECOND);
    result = measure(f, &link);
    flows_free(f);
    return result;
}

TEST(every_kind_of_network)
{
    print_message("%-52s %6s %9s %7s %9s\n", "", "share", "queue p95", "resent", "needless");
    for (size_t i = 0; i < COUNT(networks); i++) {
        const struct network *n = &networks[i];
        struct figures r = run(n);

        print_message("%-52s %6.3f %6lld ms %6.2f%% %8.3f%%\n", n->claim, r.share,
                      (long long)(r.queue_us / MS), 100 * r.resent, 100 * r.needless);
        CHECK(n->claim, 100 * r.share >= n->least_percent);
        CHECK("what waited behind a gap apart, no more than there is", r.share <= 1.2);
        CHECK("no queue of our own", r.queue_us <= n->queue_p95_ms * MS);
        CHECK("hardly anything again that has arrived", 1e6 * r.needless <= n->needless_ppm);
    }
}

TESTS(TEST_ROW(every_kind_of_network))
