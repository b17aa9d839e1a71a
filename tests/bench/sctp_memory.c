/* Two associations back to back in memory: what SCTP alone costs, without DTLS and sockets.
 *
 *     bench-sctp_memory [MEBIBYTES [MESSAGE_BYTES [LOSS_PPM]]]
 *
 * One thread does the work of both ends; the protocol's clock is the packet count, so that the
 * figures do not depend on how long the machine took. Prints one line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/sctp/sctp.h"
#include "tests/support/rng.h"

enum { STREAMS = 8, QUEUE_MAX = 1 << 14, PACKET_MAX = 1400 };

struct packet {
    size_t len;
    uint8_t bytes[PACKET_MAX];
};

struct end {
    struct sctp *sctp;
    uint64_t received;
    bool is_up;
};

static struct end ends[2];
static struct packet *queue[2]; /* towards each end */
static size_t queue_first[2], queue_count[2];
static usec now = SECOND;
static uint32_t loss_ppm;
static uint64_t seed = 1;
static struct rng rng;

static void send_run(int from, const struct out *out)
{
    int to = !from;

    for (size_t i = 0; i < out->count; i++) {
        struct bytes d = out_datagram(out, i);
        struct packet *p = &queue[to][(queue_first[to] + queue_count[to]) % QUEUE_MAX];

        if (queue_count[to] == QUEUE_MAX || (loss_ppm && rng_below(&rng, 1000000) < loss_ppm))
            continue;
        p->len = d.len;
        memcpy(p->bytes, d.data, d.len);
        queue_count[to]++;
    }
}

static void read_all(struct end *e, uint16_t stream)
{
    struct sctp_piece piece;

    while (sctp_recv(e->sctp, stream, &piece)) {
        e->received += piece.data.len;
        sctp_consume(e->sctp, now, stream, piece.data.len);
    }
}

static void drain(int i)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct end *e = &ends[i];
    struct sctp_event ev;
    struct out out;

    for (;;) {
        out_init(&out, buf, sizeof buf);
        if (sctp_poll_output(e->sctp, now, &out)) {
            send_run(i, &out);
        } else if (sctp_poll_event(e->sctp, &ev)) {
            e->is_up |= ev.type == SCTP_EVENT_UP;
            if (ev.type == SCTP_EVENT_READABLE)
                read_all(e, ev.stream);
        } else {
            return;
        }
    }
}

/* Up to a run of packets is taken in before anything is answered, as recvmmsg() would bring it. */
static bool take_run(int i)
{
    size_t n = queue_count[i] < OUT_DATAGRAMS_MAX ? queue_count[i] : OUT_DATAGRAMS_MAX;

    for (size_t k = 0; k < n; k++) {
        struct packet *p = &queue[i][queue_first[i]];

        queue_first[i] = (queue_first[i] + 1) % QUEUE_MAX;
        queue_count[i]--;
        now += 1;
        sctp_input(ends[i].sctp, now, bytes_of(p->bytes, p->len));
    }
    drain(i);
    return n > 0;
}

static void step(void)
{
    bool has_moved = take_run(1);

    has_moved |= take_run(0);
    if (!has_moved)
        now = usec_max(now,
                       usec_min(sctp_next_timeout(ends[0].sctp), sctp_next_timeout(ends[1].sctp)));
    for (int i = 0; i < 2; i++) {
        sctp_tick(ends[i].sctp, now);
        drain(i);
    }
}

static double seconds(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(uint64_t total, size_t message_bytes)
{
    uint8_t *message = calloc(1, message_bytes);
    uint64_t sent = 0;

    while (message && ends[1].received < total) {
        for (uint16_t id = 0; id < STREAMS; id++)
            while (sent < total &&
                   sctp_send(ends[0].sctp, now, id, 53, bytes_of(message, message_bytes)) == ERR_OK)
                sent += message_bytes;
        drain(0);
        step();
    }
    free(message);
}

int main(int argc, char **argv)
{
    uint64_t total = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1024) << 20;
    size_t message_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 16384;
    struct sctp_config cfg = { .packet_bytes_max = 1160 };
    struct sctp_info info;
    double from, took;

    loss_ppm = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    rng = test_rng(&seed);
    if (pool_new(&cfg.pool, 1 << 14) != ERR_OK)
        return 1;
    for (int i = 0; i < 2; i++) {
        queue[i] = malloc(QUEUE_MAX * sizeof *queue[i]);
        if (!queue[i] || sctp_new(&ends[i].sctp, &cfg, &rng) != ERR_OK)
            return 1;
    }
    sctp_connect(ends[0].sctp, now);
    drain(0);
    while (!ends[0].is_up)
        step();
    from = seconds(CLOCK_PROCESS_CPUTIME_ID);
    run(total, message_bytes);
    took = seconds(CLOCK_PROCESS_CPUTIME_ID) - from;
    sctp_get_info(ends[0].sctp, &info);
    printf("%.2f Gbit/s, %.3f CPU s per GB both ends, %.3f virtual s, %llu packets, "
           "%llu chunks again, %llu timeouts\n",
           (double)ends[1].received * 8 / took / 1e9, took / ((double)ends[1].received / 1e9),
           (double)(now - SECOND) / SECOND, (unsigned long long)info.sent_packets,
           (unsigned long long)info.retransmitted_chunks, (unsigned long long)info.timeouts);
    for (int i = 0; i < 2; i++) {
        sctp_free(ends[i].sctp);
        free(queue[i]);
    }
    pool_free(cfg.pool);
    return 0;
}
