/* What an association makes of paths of every kind, in virtual time: a rate, a queue before it, a
 * delay, and losses that have nothing to do with us. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/check.h"
#include "tests/net/model/link.h"
#include "tests/support/rng.h"

enum { A, B, STREAM = 5, POOL_BLOCKS = 16384, LINK_PACKETS = 65536, UDP_IP_BYTES = 28 };

struct world {
    struct sctp *sctp[2];
    struct pool *pool;
    struct link *link[2]; /* by sender */
    struct rng rng;
    uint64_t seed;
    usec now;
    struct out out;
    uint8_t buf[OUT_BYTES_MAX];
    uint64_t received;
    size_t queue_most; /* bytes under way from A at once, after the beginning */
};

static void send_out(struct world *w, int from)
{
    static const struct addr nobody = { .family = ADDR_IPV4 };

    out_reset(&w->out);
    while (sctp_poll_output(w->sctp[from], w->now, &w->out)) {
        for (size_t i = 0; i < w->out.count; i++)
            (void)link_input(w->link[from], w->now, &nobody, &nobody, out_datagram(&w->out, i));
        out_reset(&w->out);
    }
}

static void refill(struct world *w)
{
    static const uint8_t some[16384];

    while (sctp_send(w->sctp[A], w->now, STREAM, 53, bytes_of(some, sizeof some)) == ERR_OK)
        continue;
}

static void read_all(struct world *w)
{
    struct sctp_event ev;
    struct sctp_piece piece;

    for (int end = 0; end < 2; end++)
        while (sctp_poll_event(w->sctp[end], &ev))
            continue;
    while (sctp_recv(w->sctp[B], STREAM, &piece)) {
        w->received += piece.data.len;
        sctp_consume(w->sctp[B], w->now, STREAM, piece.data.len);
    }
}

static void deliver(struct world *w)
{
    struct link_packet p;

    for (int from = 0; from < 2; from++)
        while (link_poll_output(w->link[from], w->now, &p))
            (void)sctp_input(w->sctp[!from], w->now, p.dgram);
}

static usec next_at(const struct world *w)
{
    usec at = USEC_NEVER;

    for (int end = 0; end < 2; end++) {
        at = usec_min(at, sctp_next_timeout(w->sctp[end]));
        at = usec_min(at, link_next_timeout(w->link[end]));
    }
    return at;
}

static void run(struct world *w, usec until, bool is_bulk)
{
    while (w->now < until) {
        if (is_bulk)
            refill(w);
        send_out(w, A);
        send_out(w, B);
        if (w->queue_most < link_held(w->link[A]))
            w->queue_most = link_held(w->link[A]);
        w->now = usec_min(usec_max(next_at(w), w->now), until);
        deliver(w);
        sctp_tick(w->sctp[A], w->now);
        sctp_tick(w->sctp[B], w->now);
        read_all(w);
    }
}

static void open(struct world *w, const struct link_config *there)
{
    struct sctp_config cfg = { .tx_bytes_max = 16 << 20,
                               .stream_tx_bytes_max = 16 << 20,
                               .rx_bytes_max = 16 << 20 };
    struct link_config back = { .delay_us = there->delay_us,
                                .jitter_us = there->jitter_us,
                                .loss_ppm = there->loss_ppm };

    memset(w, 0, sizeof *w);
    w->seed = 5;
    w->rng = test_rng(&w->seed);
    w->now = SECOND;
    out_init(&w->out, w->buf, sizeof w->buf);
    assert(pool_new(&w->pool, POOL_BLOCKS) == ERR_OK);
    cfg.pool = w->pool;
    assert(link_new(&w->link[A], there, LINK_PACKETS, &w->rng) == ERR_OK);
    assert(link_new(&w->link[B], &back, LINK_PACKETS, &w->rng) == ERR_OK);
    for (int end = 0; end < 2; end++)
        assert(sctp_new(&w->sctp[end], &cfg, &w->rng) == ERR_OK);
    assert(sctp_connect(w->sctp[A], w->now) == ERR_OK);
    run(w, w->now + 20 * SECOND, false);
    assert(sctp_is_up(w->sctp[A]));
}

static void drop(struct world *w)
{
    for (int end = 0; end < 2; end++) {
        sctp_free(w->sctp[end]);
        link_free(w->link[end]);
    }
    pool_free(w->pool);
}

static const struct {
    const char *claim;
    struct link_config link;
    unsigned least_percent;   /* of what the payload could be, after ten seconds */
    unsigned resent_most_ppm; /* beyond what was lost */
} rows[] = {
    { "a good long path is full",
      { .delay_us = 50 * MILLISECOND, .rate_bps = 100000000, .queue_bytes_max = 1250000 },
      95,
      1000 },
    { "one lost in a hundred makes no difference",
      { .delay_us = 50 * MILLISECOND,
        .rate_bps = 100000000,
        .queue_bytes_max = 1250000,
        .loss_ppm = 10000 },
      90,
      2000 },
    { "a gigabit at twenty milliseconds",
      { .delay_us = 10 * MILLISECOND, .rate_bps = 1000000000, .queue_bytes_max = 2500000 },
      90,
      1000 },
    { "a queue of a tenth of the path",
      { .delay_us = 20 * MILLISECOND, .rate_bps = 50000000, .queue_bytes_max = 25000 },
      80,
      30000 },
    { "losses, jitter, overtaking and doubles",
      { .delay_us = 20 * MILLISECOND,
        .rate_bps = 20000000,
        .queue_bytes_max = 200000,
        .loss_ppm = 50000,
        .reorder_ppm = 30000,
        .reorder_us = 5 * MILLISECOND,
        .duplicate_ppm = 10000,
        .jitter_us = 30 * MILLISECOND },
      60,
      20000 },
    { "an uplink with a second of buffer",
      { .delay_us = 10 * MILLISECOND, .rate_bps = 10000000, .queue_bytes_max = 1250000 },
      90,
      1000 },
};

TEST(shares)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct world w;
        struct sctp_info before, after;
        uint64_t start, could, packet;
        usec took = 10 * SECOND;

        open(&w, &rows[i].link);
        run(&w, w.now + 10 * SECOND, true);
        start = w.received;
        w.queue_most = 0;
        sctp_get_info(w.sctp[A], &before);
        run(&w, w.now + took, true);
        sctp_get_info(w.sctp[A], &after);
        packet = 1160;
        could = rows[i].link.rate_bps / 8 * (uint64_t)took / SECOND * (packet - 28) /
                (packet + UDP_IP_BYTES);
        could = could / 1000000 * (1000000 - rows[i].link.loss_ppm);
        print_message("%s: %.3f of what could be, %.4f sent again, %zu packets under way at most, "
                      "srtt %lld\n",
                      rows[i].claim, (double)(w.received - start) / (double)could,
                      (double)(after.retransmitted_chunks - before.retransmitted_chunks) /
                          (double)(after.data_chunks_sent - before.data_chunks_sent),
                      w.queue_most, (long long)after.srtt_us);
        CHECK(rows[i].claim, (w.received - start) * 100 >= could * rows[i].least_percent);
        drop(&w);
    }
}

TESTS(TEST_ROW(shares))
