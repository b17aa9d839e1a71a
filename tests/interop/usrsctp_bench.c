#include "tests/interop/usrsctp_bench.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/support/rng.h"

#define FAREWELL_US (10 * SECOND)

usec now = 1000 * SECOND;

static const struct terms all = { "all extensions", 0, true, true };
const struct terms *terms = &all;

/* Its header leaves this one out. */
#ifndef SCTP_INTERLEAVING_SUPPORTED
#define SCTP_INTERLEAVING_SUPPORTED 0x00001206
#endif

/* The one symbol of this program that usrsctp is to see; both have functions named sctp_. */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv,
                                                        void *restrict tz)
{
    (void)tz;
    tv->tv_sec = now / SECOND;
    tv->tv_usec = now % SECOND;
    return 0;
}

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

static void count_chunks(unsigned *of_type, struct bytes packet)
{
    struct rd r = rd_of(packet);
    struct chunk c;

    rd_skip(&r, COMMON_HEADER_LEN);
    while (chunk_read(&r, &c))
        of_type[c.type]++;
}

static void wire_send(struct bench *b, bool is_for_us, struct bytes packet)
{
    count_chunks(b->chunks[is_for_us], packet);
    if (rng_below(&b->rng, 1000000) < b->link.loss_ppm)
        return;
    wire_put(b, is_for_us, packet);
    if (rng_below(&b->rng, 1000000) < b->link.duplicate_ppm)
        wire_put(b, is_for_us, packet);
}

int on_their_output(void *addr, void *data, size_t len, uint8_t tos, uint8_t set_df)
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
        b->last_ppid = piece.ppid;
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
    struct echo *e = b->echo_waiting < 0 ? NULL : &b->echo[b->echo_waiting];
    struct sctp_sndinfo info = { 0 };

    if (!e)
        return true;
    info.snd_sid = (uint16_t)b->echo_waiting;
    info.snd_ppid = e->ppid;
    if (usrsctp_sendv(b->theirs, e->bytes, e->len, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO,
                      0) < 0)
        return false;
    b->echo_waiting = -1;
    e->len = 0;
    return true;
}

/* Pieces of messages of several streams may alternate. */
static void keep_piece(struct bench *b, struct bytes piece, const struct sctp_rcvinfo *info,
                       bool ends)
{
    struct echo *e = &b->echo[info->rcv_sid % STREAMS];

    if (e->len + piece.len <= sizeof e->bytes)
        memcpy(e->bytes + e->len, piece.data, piece.len);
    e->len += piece.len;
    e->ppid = info->rcv_ppid;
    if (ends)
        b->echo_waiting = info->rcv_sid % STREAMS;
}

static void drain_theirs(struct bench *b)
{
    if (!b->theirs && b->listener)
        b->theirs = usrsctp_accept(b->listener, NULL, NULL);
    while (b->theirs && !b->is_their_end && send_echo(b)) {
        struct sctp_rcvinfo info = { 0 };
        socklen_t from_len = 0, info_len = sizeof info;
        static uint8_t piece[MESSAGE_MAX];
        unsigned type = 0;
        int flags = 0;
        ssize_t n = usrsctp_recvv(b->theirs, piece, sizeof piece, NULL, &from_len, &info, &info_len,
                                  &type, &flags);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN))
            return;
        if (n <= 0) {
            b->is_their_end = true;
            return;
        }
        keep_piece(b, bytes_of(piece, (size_t)n), &info, flags & MSG_EOR);
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
void bench_step(struct bench *b)
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
    struct sctp_assoc_value interleaves = { SCTP_FUTURE_ASSOC, terms->they_interleave };
    struct sctp_assoc_value gives_up = { SCTP_FUTURE_ASSOC, terms->they_give_up };
    struct sockaddr_conn local = address_of(b);
    int on = 1, size = 1 << 20, of_all_streams = 2;

    if (!so || usrsctp_set_non_blocking(so, 1) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets) <
            0 ||
        usrsctp_setsockopt(so, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0 ||
        usrsctp_setsockopt(so, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, &of_all_streams,
                           sizeof of_all_streams) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_INTERLEAVING_SUPPORTED, &interleaves,
                           sizeof interleaves) < 0 ||
        usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_PR_SUPPORTED, &gives_up, sizeof gives_up) < 0 ||
        usrsctp_bind(so, (struct sockaddr *)&local, sizeof local) < 0)
        return NULL;
    return so;
}

bool bench_init(struct bench *b, uint64_t seed, const struct link *link, int who)
{
    struct sctp_config cfg = { .without = terms->without };
    struct sockaddr_conn remote;

    *b = (struct bench){ .link = *link, .seed = seed, .echo_waiting = -1 };
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

void bench_deinit(struct bench *b)
{
    if (b->theirs)
        usrsctp_close(b->theirs);
    if (b->listener)
        usrsctp_close(b->listener);
    /* A farewell that was lost is repeated by a timer; an association that still waited for it
     * would meet the next one of the same ports. */
    for (usec until = now + FAREWELL_US; now < until;)
        bench_step(b);
    usrsctp_deregister_address(b);
    sctp_free(b->ours);
    pool_free(b->pool);
    for (size_t i = 0; i < b->wire_count; i++)
        free(b->wire[i]);
}

bool bench_run_until(struct bench *b, const bool *flag, usec span)
{
    for (usec until = now + span; !*flag && now < until;)
        bench_step(b);
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

bool bench_echo_all(struct bench *b, size_t bytes, usec span)
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
        bench_step(b);
    }
    return is_echoed(b, bytes);
}
