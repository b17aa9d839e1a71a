/* What an association makes of paths of every kind, in virtual time: a rate, a queue before it, a
 * delay, and losses that have nothing to do with us. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/check.h"
#include "tests/net/model/link.h"
#include "tests/support/sctp_duo.h"

enum { A, B, STREAM = 5, POOL_BLOCKS = 16384, LINK_PACKETS = 65536 };
enum { PACKET_BYTES = 1160, PAYLOAD_BYTES = 1132, UDP_IP_BYTES = 28 }; /* SCTP's, and under it */

struct world {
    struct sctp_duo two;
    struct link *link[2]; /* by sender */
    uint64_t received;
};

static void send_out(struct world *w, int from)
{
    static const struct addr nobody = { .family = ADDR_IPV4 };

    out_reset(&w->two.out);
    while (sctp_poll_output(w->two.sctp[from], w->two.now, &w->two.out)) {
        for (size_t i = 0; i < w->two.out.count; i++)
            (void)link_input(w->link[from], w->two.now, &nobody, &nobody,
                             out_datagram(&w->two.out, i));
        out_reset(&w->two.out);
    }
}

static void refill(struct world *w)
{
    static const uint8_t some[16384];

    while (sctp_send(w->two.sctp[A], w->two.now, STREAM, 53, bytes_of(some, sizeof some)) == ERR_OK)
        continue;
}

static void read_all(struct world *w)
{
    struct sctp_event ev;
    struct sctp_piece piece;

    for (int end = 0; end < 2; end++)
        while (sctp_poll_event(w->two.sctp[end], &ev))
            continue;
    while (sctp_recv(w->two.sctp[B], STREAM, &piece)) {
        w->received += piece.data.len;
        sctp_consume(w->two.sctp[B], w->two.now, STREAM, piece.data.len);
    }
}

static void deliver(struct world *w)
{
    struct link_packet p;

    for (int from = 0; from < 2; from++)
        while (link_poll_output(w->link[from], w->two.now, &p))
            (void)sctp_input(w->two.sctp[!from], w->two.now, p.dgram);
}

static usec next_at(const struct world *w)
{
    usec at = USEC_NEVER;

    for (int end = 0; end < 2; end++) {
        at = usec_min(at, sctp_next_timeout(w->two.sctp[end]));
        at = usec_min(at, link_next_timeout(w->link[end]));
    }
    return at;
}

static void run(struct world *w, usec until)
{
    while (w->two.now < until) {
        refill(w);
        send_out(w, A);
        send_out(w, B);
        w->two.now = usec_min(usec_max(next_at(w), w->two.now), until);
        deliver(w);
        sctp_tick(w->two.sctp[A], w->two.now);
        sctp_tick(w->two.sctp[B], w->two.now);
        read_all(w);
    }
}

static void open(struct world *w, const struct link_config *there)
{
    static const struct sctp_config cfg = { .tx_bytes_max = 16 << 20,
                                            .stream_tx_bytes_max = 16 << 20,
                                            .rx_bytes_max = 16 << 20 };
    struct link_config back = { .delay_us = there->delay_us,
                                .jitter_us = there->jitter_us,
                                .loss_ppm = there->loss_ppm };

    memset(w, 0, sizeof *w);
    duo_init(&w->two, 5, POOL_BLOCKS);
    assert(link_new(&w->link[A], there, LINK_PACKETS, &w->two.rng) == ERR_OK);
    assert(link_new(&w->link[B], &back, LINK_PACKETS, &w->two.rng) == ERR_OK);
    duo_make_both(&w->two, &cfg);
    assert(sctp_connect(w->two.sctp[A], w->two.now) == ERR_OK);
    run(w, w->two.now + 5 * SECOND);
    assert(sctp_is_up(w->two.sctp[A]));
}

static void drop(struct world *w)
{
    duo_deinit(&w->two);
    link_free(w->link[A]);
    link_free(w->link[B]);
}

static const struct {
    const char *claim;
    struct link_config link;
    unsigned least_percent;     /* of what the payload could be, losses taken off */
    unsigned spurious_most_ppm; /* of all chunks: sent again though they had arrived */
    unsigned queue_most_ms;     /* mean round trip beyond that of the empty path */
} rows[] = {
    { "a good long path is full",
      { .delay_us = 50 * MILLISECOND, .rate_bps = 100000000, .queue_bytes_max = 1250000 },
      95,
      1000,
      25 },
    { "one lost in a hundred makes no difference",
      { .delay_us = 50 * MILLISECOND,
        .rate_bps = 100000000,
        .queue_bytes_max = 1250000,
        .loss_ppm = 10000 },
      95,
      1000,
      25 },
    /* A microsecond is the model's least: it lets 1 Gbit/s be 1.05. */
    { "a gigabit at twenty milliseconds",
      { .delay_us = 10 * MILLISECOND, .rate_bps = 1000000000, .queue_bytes_max = 2500000 },
      95,
      1000,
      10 },
    { "a queue of a tenth of the path",
      { .delay_us = 20 * MILLISECOND, .rate_bps = 50000000, .queue_bytes_max = 25000 },
      90,
      1000,
      5 },
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
      20000,
      60 },
    { "an uplink with a second of buffer",
      { .delay_us = 10 * MILLISECOND, .rate_bps = 10000000, .queue_bytes_max = 1250000 },
      90,
      1000,
      20 },
};

struct figures {
    uint64_t received, sent, resent, dropped;
};

static struct figures read_figures(const struct world *w)
{
    const struct link_counts *c = link_counts(w->link[A]);
    struct sctp_info info;

    sctp_get_info(w->two.sctp[A], &info);
    return (struct figures){ .received = w->received,
                             .sent = info.data_chunks_sent,
                             .resent = info.retransmitted_chunks,
                             .dropped = c->lost + c->over_queue };
}

static double share_of(const struct link_config *link, uint64_t received, usec took)
{
    double bytes = (double)link->rate_bps / 8 * (double)took / SECOND;
    double payload = (double)PAYLOAD_BYTES / (PACKET_BYTES + UDP_IP_BYTES);

    return (double)received / (bytes * payload * (1000000 - link->loss_ppm) / 1000000);
}

TEST(paths)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct world w;
        struct figures before, after;
        struct sctp_info info;
        double share, spurious;
        usec queue;

        open(&w, &rows[i].link);
        run(&w, w.two.now + 5 * SECOND);
        before = read_figures(&w);
        run(&w, w.two.now + 5 * SECOND);
        after = read_figures(&w);
        sctp_get_info(w.two.sctp[A], &info);
        share = share_of(&rows[i].link, after.received - before.received, 5 * SECOND);
        spurious =
            ((double)(after.resent - before.resent) - (double)(after.dropped - before.dropped)) /
            (double)(after.sent - before.sent);
        queue = info.srtt_us - 2 * rows[i].link.delay_us;
        print_message("%s: %.3f of what could be, %.4f needlessly, %lld ms of queue\n",
                      rows[i].claim, share, spurious, (long long)(queue / MILLISECOND));
        CHECK(rows[i].claim, share * 100 >= rows[i].least_percent);
        CHECK("hardly anything is sent again that has arrived",
              spurious * 1000000 <= rows[i].spurious_most_ppm);
        CHECK("no queue of our own", queue <= rows[i].queue_most_ms * MILLISECOND);
        drop(&w);
    }
}

TESTS(TEST_ROW(paths))
