/* Our SCTP against usrsctp, the stack of Firefox of old and of most native WebRTC libraries, in
 * virtual time: it runs without threads, and gettimeofday() is ours. Both roles, eight streams
 * echoed and hashed, over good and bad links, and every way to end. */
#include <sys/time.h>

#include <errno.h>
#include <stdlib.h>

#define sctp_event usrsctp_event_subscription /* the same name in both headers */
#include <usrsctp.h>
#undef sctp_event

#include "core/sctp/sctp.h"
#include "tests/check.h"
#include "tests/support/rng.h"

enum {
    STREAMS = 8,
    STREAM_BYTES = 1 << 20,
    MESSAGE_MAX = 16384,
    WIRE_MAX = 4096,
    PACKET_MAX = 2048
};

static usec now = 1000 * SECOND;

/* The one symbol of this program that usrsctp is to see; both have functions named sctp_. */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv,
                                                        void *restrict tz)
{
    (void)tz;
    tv->tv_sec = now / SECOND;
    tv->tv_usec = now % SECOND;
    return 0;
}

struct link {
    usec delay_us, jitter_us;
    uint32_t loss_ppm, duplicate_ppm;
};

struct packet {
    usec at;
    bool is_for_us;
    size_t len;
    uint8_t bytes[PACKET_MAX];
};

struct echo {
    uint8_t bytes[2 * MESSAGE_MAX];
    size_t len;
    bool is_whole;
    uint16_t stream;
    uint32_t ppid; /* network order, as usrsctp has it */
};

struct bench {
    struct link link;
    struct packet *wire[WIRE_MAX]; /* by time of arrival */
    size_t wire_count;
    uint64_t seed;
    struct rng rng;
    struct pool *pool;
    struct sctp *ours;
    struct socket *theirs, *listener;
    struct echo echo;
    bool is_up, is_closed, is_reset, is_their_end;
    struct sctp_event closed;
    size_t sent[STREAMS], received[STREAMS];
    uint64_t sent_hash[STREAMS], received_hash[STREAMS];
};

static void wire_put(struct bench *b, bool is_for_us, struct bytes bytes)
{
    usec jitter = b->link.jitter_us;
    struct packet *p;
    size_t i = b->wire_count;

    if (bytes.len > PACKET_MAX || b->wire_count == WIRE_MAX || !(p = malloc(sizeof *p)))
        return;
    p->is_for_us = is_for_us;
    p->at = now + b->link.delay_us + (jitter ? rng_below(&b->rng, (uint32_t)jitter) : 0);
    p->len = bytes.len;
    memcpy(p->bytes, bytes.data, bytes.len);
    for (b->wire_count++; i > 0 && b->wire[i - 1]->at > p->at; i--)
        b->wire[i] = b->wire[i - 1];
    b->wire[i] = p;
}

static void wire_send(struct bench *b, bool is_for_us, struct bytes packet)
{
    if (rng_below(&b->rng, 1000000) < b->link.loss_ppm)
        return;
    wire_put(b, is_for_us, packet);
    if (rng_below(&b->rng, 1000000) < b->link.duplicate_ppm)
        wire_put(b, is_for_us, packet);
}

static int on_their_output(void *addr, void *data, size_t len, uint8_t tos, uint8_t set_df)
{
    (void)tos;
    (void)set_df;
    wire_send(addr, true, bytes_of(data, len));
    return 0;
}

static void hash(uint64_t *h, struct bytes b)
{
    for (size_t i = 0; i < b.len; i++)
        *h = (*h ^ b.data[i]) * 0x100000001b3;
}

static void read_ours(struct bench *b, uint16_t stream)
{
    struct sctp_piece piece;

    while (sctp_recv(b->ours, stream, &piece)) {
        hash(&b->received_hash[stream], piece.data);
        b->received[stream] += piece.data.len;
        sctp_consume(b->ours, now, stream, piece.data.len);
    }
}

static void drain_ours(struct bench *b)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct out out;
    struct sctp_event ev;

    for (;;) {
        out_init(&out, buf, sizeof buf);
        if (sctp_poll_output(b->ours, now, &out)) {
            for (size_t i = 0; i < out.count; i++)
                wire_send(b, false, out_datagram(&out, i));
        } else if (sctp_poll_event(b->ours, &ev)) {
            b->is_up |= ev.type == SCTP_EVENT_UP;
            b->is_reset |= ev.type == SCTP_EVENT_RESET;
            if (ev.type == SCTP_EVENT_READABLE)
                read_ours(b, ev.stream);
            if (ev.type == SCTP_EVENT_CLOSED) {
                b->is_closed = true;
                b->closed = ev;
            }
        } else {
            return;
        }
    }
}

/* Keeps the message for later if usrsctp has no room. */
static bool send_echo(struct bench *b)
{
    struct sctp_sndinfo info = { .snd_sid = b->echo.stream, .snd_ppid = b->echo.ppid };

    if (!b->echo.is_whole)
        return true;
    if (usrsctp_sendv(b->theirs, b->echo.bytes, b->echo.len, NULL, 0, &info, sizeof info,
                      SCTP_SENDV_SNDINFO, 0) < 0)
        return false;
    b->echo.is_whole = false;
    b->echo.len = 0;
    return true;
}

static void drain_theirs(struct bench *b)
{
    if (!b->theirs && b->listener)
        b->theirs = usrsctp_accept(b->listener, NULL, NULL);
    while (b->theirs && !b->is_their_end && send_echo(b)) {
        struct sctp_rcvinfo info = { 0 };
        socklen_t from_len = 0, info_len = sizeof info;
        unsigned type = 0;
        int flags = 0;
        ssize_t n = usrsctp_recvv(b->theirs, b->echo.bytes + b->echo.len,
                                  sizeof b->echo.bytes - b->echo.len, NULL, &from_len, &info,
                                  &info_len, &type, &flags);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN))
            return;
        if (n <= 0) {
            b->is_their_end = true;
            return;
        }
        b->echo.len += (size_t)n;
        b->echo.stream = info.rcv_sid;
        b->echo.ppid = info.rcv_ppid;
        b->echo.is_whole = flags & MSG_EOR;
    }
}

static void arrive(struct bench *b, struct packet *p)
{
    if (p->is_for_us) {
        sctp_input(b->ours, now, bytes_of(p->bytes, p->len));
        drain_ours(b);
    } else {
        usrsctp_conninput(b, p->bytes, p->len, 0);
    }
    free(p);
}

/* One millisecond. What is sent meanwhile arrives later, for no link is that fast. */
static void step(struct bench *b)
{
    size_t due = 0;
    struct packet *arrived[WIRE_MAX];

    now += MILLISECOND;
    while (due < b->wire_count && b->wire[due]->at <= now)
        due++;
    memcpy(arrived, b->wire, due * sizeof *arrived);
    b->wire_count -= due;
    memmove(b->wire, b->wire + due, b->wire_count * sizeof *arrived);
    for (size_t i = 0; i < due; i++)
        arrive(b, arrived[i]);
    usrsctp_handle_timers(1);
    sctp_tick(b->ours, now);
    drain_ours(b);
    drain_theirs(b);
}

static struct sockaddr_conn address_of(struct bench *b)
{
    return (struct sockaddr_conn){
        .sconn_family = AF_CONN,
        .sconn_port = htons(5000),
        .sconn_addr = b,
    };
}

static struct socket *make_socket(struct bench *b)
{
    struct socket *so = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    struct sctp_initmsg init = { .sinit_num_ostreams = 64, .sinit_max_instreams = 64 };
    struct sctp_assoc_value resets = {
        .assoc_id = SCTP_ALL_ASSOC,
        .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ,
    };
    struct sockaddr_conn local = address_of(b);
    int on = 1, size = 1 << 20;

    if (!so || usrsctp_set_non_blocking(so, 1) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets) <
            0 ||
        usrsctp_setsockopt(so, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0 ||
        usrsctp_setsockopt(so, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0 ||
        usrsctp_bind(so, (struct sockaddr *)&local, sizeof local) < 0)
        return NULL;
    return so;
}

enum { WE_CONNECT = 1, THEY_CONNECT = 2 };

static bool bench_init(struct bench *b, uint64_t seed, const struct link *link, int who)
{
    struct sctp_config cfg = { 0 };
    struct sockaddr_conn remote;

    *b = (struct bench){ .link = *link, .seed = seed };
    b->rng = test_rng(&b->seed);
    remote = address_of(b);
    usrsctp_register_address(b);
    if (pool_new(&b->pool, 8192) != ERR_OK)
        return false;
    cfg.pool = b->pool;
    if (sctp_new(&b->ours, &cfg, &b->rng) != ERR_OK)
        return false;
    if (who & THEY_CONNECT) {
        b->theirs = make_socket(b);
        if (!b->theirs ||
            (usrsctp_connect(b->theirs, (struct sockaddr *)&remote, sizeof remote) < 0 &&
             errno != EINPROGRESS))
            return false;
    } else {
        b->listener = make_socket(b);
        if (!b->listener || usrsctp_listen(b->listener, 1) < 0)
            return false;
    }
    if (who & WE_CONNECT)
        sctp_connect(b->ours, now);
    drain_ours(b);
    return true;
}

static void bench_deinit(struct bench *b)
{
    if (b->theirs)
        usrsctp_close(b->theirs);
    if (b->listener)
        usrsctp_close(b->listener);
    for (int i = 0; i < 100; i++)
        step(b);
    usrsctp_deregister_address(b);
    sctp_free(b->ours);
    pool_free(b->pool);
    for (size_t i = 0; i < b->wire_count; i++)
        free(b->wire[i]);
}

static bool run_until(struct bench *b, const bool *flag, usec span)
{
    for (usec until = now + span; !*flag && now < until;)
        step(b);
    return *flag;
}

static bool is_echoed(const struct bench *b, size_t bytes)
{
    for (size_t i = 0; i < STREAMS; i++)
        if (b->sent[i] < bytes || b->received[i] != b->sent[i] ||
            b->received_hash[i] != b->sent_hash[i])
            return false;
    return true;
}

static bool echo_all(struct bench *b, size_t bytes, usec span)
{
    static uint8_t message[MESSAGE_MAX];

    rng_fill(&b->rng, message, sizeof message);
    for (usec until = now + span; now < until && !b->is_closed && !is_echoed(b, bytes);) {
        for (uint16_t id = 0; id < STREAMS; id++) {
            size_t len = 1 + rng_below(&b->rng, MESSAGE_MAX);

            message[0] = (uint8_t)(message[0] + 1);
            if (b->sent[id] < bytes &&
                sctp_send(b->ours, now, id, 53, bytes_of(message, len)) == ERR_OK) {
                hash(&b->sent_hash[id], bytes_of(message, len));
                b->sent[id] += len;
            }
        }
        step(b);
    }
    return is_echoed(b, bytes);
}

static const struct link good = { .delay_us = 5000 };
static const struct {
    const char *claim;
    int who;
    size_t bytes;
    struct link link;
} rows[] = {
    { "we connect", WE_CONNECT, STREAM_BYTES, { .delay_us = 5000 } },
    { "they connect", THEY_CONNECT, STREAM_BYTES, { .delay_us = 5000 } },
    { "both connect", WE_CONNECT | THEY_CONNECT, STREAM_BYTES, { .delay_us = 5000 } },
    { "1% loss", WE_CONNECT, STREAM_BYTES, { .delay_us = 5000, .loss_ppm = 10000 } },
    { "1% loss, they connect", THEY_CONNECT, STREAM_BYTES, { 5000, 0, 10000, 0 } },
    { "5% loss", WE_CONNECT, STREAM_BYTES / 8, { .delay_us = 5000, .loss_ppm = 50000 } },
    { "reordering", THEY_CONNECT, STREAM_BYTES, { .delay_us = 5000, .jitter_us = 4000 } },
    { "duplicates", WE_CONNECT, STREAM_BYTES, { .delay_us = 5000, .duplicate_ppm = 200000 } },
    { "everything at once",
      WE_CONNECT | THEY_CONNECT,
      STREAM_BYTES / 8,
      { 10000, 10000, 30000, 50000 } },
};

/* HAWSER_INTEROP_MIB, as for the other foreign peers: so many times the bytes of the rows. */
static size_t mebibytes(void)
{
    const char *text = getenv("HAWSER_INTEROP_MIB");
    unsigned long mib = text ? strtoul(text, NULL, 10) : 1;

    return mib ? mib : 1;
}

TEST(eight_streams_are_echoed)
{
    size_t mib = mebibytes();

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bench b;

        CHECK(rows[i].claim, bench_init(&b, i + 1, &rows[i].link, rows[i].who));
        CHECK(rows[i].claim, run_until(&b, &b.is_up, 60 * SECOND));
        CHECK(rows[i].claim, echo_all(&b, rows[i].bytes * mib, (usec)mib * 600 * SECOND));
        CHECK("nothing but good packets", !b.is_closed);
        sctp_shutdown(b.ours, now);
        CHECK(rows[i].claim, run_until(&b, &b.is_closed, 60 * SECOND));
        CHECK("cleanly", b.closed.reason == SCTP_REASON_SHUTDOWN);
        CHECK("and they saw it", run_until(&b, &b.is_their_end, 60 * SECOND));
        bench_deinit(&b);
    }
}

/* The two are connected and have exchanged something. */
static void meet(struct bench *b, uint64_t seed, int who)
{
    CHECK("made", bench_init(b, seed, &good, who));
    CHECK("up", run_until(b, &b->is_up, 10 * SECOND));
    CHECK("used", echo_all(b, 1000, 60 * SECOND));
}

TEST(they_shut_down)
{
    struct bench b;

    meet(&b, 21, WE_CONNECT);
    usrsctp_shutdown(b.theirs, SHUT_WR);
    CHECK("closed", run_until(&b, &b.is_closed, 10 * SECOND));
    CHECK("cleanly", b.closed.reason == SCTP_REASON_SHUTDOWN);
    bench_deinit(&b);
}

TEST(they_abort)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    struct bench b;

    meet(&b, 22, THEY_CONNECT);
    usrsctp_setsockopt(b.theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    usrsctp_close(b.theirs);
    b.theirs = NULL;
    CHECK("closed", run_until(&b, &b.is_closed, 10 * SECOND));
    CHECK("by the peer", b.closed.reason == SCTP_REASON_PEER_ABORT);
    bench_deinit(&b);
}

TEST(we_abort)
{
    struct bench b;

    meet(&b, 23, WE_CONNECT);
    sctp_abort(b.ours, now, "enough");
    CHECK("they saw it", run_until(&b, &b.is_their_end, SECOND));
    CHECK("ours closed", b.is_closed && b.closed.reason == SCTP_REASON_LOCAL_ABORT);
    bench_deinit(&b);
}

static void reset_theirs(struct bench *b, uint16_t stream)
{
    size_t len = sizeof(struct sctp_reset_streams) + sizeof stream;
    struct sctp_reset_streams *ask = calloc(1, len);

    if (!ask)
        return;
    ask->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    ask->srs_number_streams = 1;
    ask->srs_stream_list[0] = stream;
    CHECK("asked", usrsctp_setsockopt(b->theirs, IPPROTO_SCTP, SCTP_RESET_STREAMS, ask,
                                      (socklen_t)len) == 0);
    free(ask);
}

TEST(streams_are_reset_both_ways)
{
    struct bench b;

    meet(&b, 24, WE_CONNECT);
    reset_theirs(&b, 3);
    CHECK("told", run_until(&b, &b.is_reset, 10 * SECOND));
    CHECK("ours", sctp_reset_stream(b.ours, now, 3) == ERR_OK);
    for (int i = 0; i < 100; i++)
        step(&b);
    CHECK("used again from SSN 0", echo_all(&b, 20000, 60 * SECOND));
    bench_deinit(&b);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ROW(eight_streams_are_echoed),
        TEST_ROW(they_shut_down),
        TEST_ROW(they_abort),
        TEST_ROW(we_abort),
        TEST_ROW(streams_are_reset_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    int failed;

    usrsctp_init_nothreads(0, on_their_output, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    failed = run_all();
    usrsctp_finish();
    return failed;
}
