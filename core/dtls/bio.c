/* bio.c: a BIO_METHOD that keeps datagram boundaries, and the trick with the timer.
 *
 * OpenSSL decides by gettimeofday() whether a flight is due again, and asks on every read: after a
 * step of the wall clock it would resend at once, or never. But whenever it starts or stops the
 * timer it tells the BIO by BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT, with a pointer to the deadline it
 * keeps. We move that deadline out of reach, and into the past at the moment our own timer fires.
 * Since 3.2 the pointer is to a copy, so a build against that must not go through unnoticed. */
#include "core/dtls/bio.h"

#include "core/dtls/wire.h"

#include <limits.h>
#include <openssl/opensslv.h>
#include <sys/time.h>

#if OPENSSL_VERSION_NUMBER >= 0x30200000L
#error "the flight timer relies on OpenSSL 3.0 or 3.1"
#endif

#define FAR_AHEAD_S (INT64_C(1) << 40) /* some 35,000 years */

/* The record layer that goes on with OpenSSL's key must know where its nonces are (RFC 5288 §3). */
static void note_nonce(struct dtls_bio *io, struct bytes dgram)
{
    struct rd r = rd_of(dgram);

    while (rd_left(&r)) {
        uint16_t epoch;
        struct rd fragment;
        uint64_t nonce;

        rd_skip(&r, 1 + 2); /* type, version */
        epoch = rd_u16(&r);
        rd_skip(&r, 6); /* sequence number */
        fragment = rd_sub(&r, rd_u16(&r));
        nonce = rd_u64(&fragment);
        if (!epoch || !fragment.ok)
            continue;
        io->has_sealed = true;
        io->sealed_nonce = nonce;
    }
}

/* What is longer is no last flight. */
static void note_step(struct dtls_bio *io, struct bytes dgram)
{
    struct wr w = wr_of(io->step + io->step_len, sizeof io->step - io->step_len);

    wr_u16(&w, (uint16_t)dgram.len);
    wr_bytes(&w, dgram);
    if (w.ok)
        io->step_len += w.len;
}

static void begin_flight(struct dtls_bio *io)
{
    io->flight++;
    dtls_queue_deinit(&io->out);
}

/* Alerts are no flight: they go behind what waits. Where there is no room it is a datagram lost on
 * its way: the timers know what to do. */
static void queue_records(struct dtls_bio *io, struct bytes dgram)
{
    bool is_alert = dgram.len && dgram.data[0] == DTLS_CONTENT_ALERT;

    if (!is_alert && io->is_writing && dtls_queue_join(&io->out, dgram, io->mtu))
        return;
    if (!is_alert && !io->is_writing)
        begin_flight(io);
    io->is_writing |= !is_alert;
    (void)dtls_queue_add(&io->out, dgram);
}

static int on_write(BIO *bio, const char *data, int len)
{
    struct dtls_bio *io = BIO_get_data(bio);
    struct bytes dgram = bytes_of(data, len > 0 ? (size_t)len : 0);

    BIO_clear_retry_flags(bio);
    note_nonce(io, dgram);
    note_step(io, dgram);
    queue_records(io, dgram);
    return len;
}

static int on_read(BIO *bio, char *data, int cap)
{
    struct dtls_bio *io = BIO_get_data(bio);
    size_t len = io->input.len;

    BIO_clear_retry_flags(bio);
    if (len == 0 || cap <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (len > (size_t)cap)
        len = (size_t)cap; /* the rest of the datagram is lost, as with recv() */
    memcpy(data, io->input.data, len);
    io->input = bytes_of(NULL, 0);
    return (int)len;
}

static void on_timer(struct dtls_bio *io, struct timeval *deadline)
{
    if (deadline->tv_sec == 0 && deadline->tv_usec == 0) {
        io->timer = NULL;
        return;
    }
    if (!io->timer)
        io->timed++;
    io->timer = deadline;
    *deadline = (struct timeval){ .tv_sec = FAR_AHEAD_S };
}

static long on_ctrl(BIO *bio, int cmd, long number, void *pointer)
{
    (void)number;
    if (cmd == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT && pointer)
        on_timer(BIO_get_data(bio), pointer);
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

static int on_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *dtls_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "datagrams in memory");

    if (method && BIO_meth_set_write(method, on_write) && BIO_meth_set_read(method, on_read) &&
        BIO_meth_set_ctrl(method, on_ctrl) && BIO_meth_set_create(method, on_create))
        return method;
    BIO_meth_free(method);
    return NULL;
}

bool dtls_bio_init(struct dtls_bio *io, const BIO_METHOD *method, size_t mtu)
{
    *io = (struct dtls_bio){ .bio = BIO_new(method), .mtu = mtu };
    dtls_queue_init(&io->out, DTLS_BIO_DATAGRAMS_MAX);
    if (io->bio)
        BIO_set_data(io->bio, io);
    return io->bio;
}

void dtls_bio_deinit(struct dtls_bio *io)
{
    dtls_queue_deinit(&io->out);
}

void dtls_bio_offer(struct dtls_bio *io, struct bytes dgram)
{
    io->input = dgram;
    io->step_len = 0;
    io->is_writing = false;
}

void dtls_bio_retract(struct dtls_bio *io)
{
    io->input = bytes_of(NULL, 0);
}

void dtls_bio_repeat(struct dtls_bio *io)
{
    struct rd r = rd_of(bytes_of(io->step, io->step_len));

    if (rd_left(&r))
        begin_flight(io);
    while (rd_left(&r))
        (void)dtls_queue_add(&io->out, rd_bytes(&r, rd_u16(&r)));
}

void dtls_bio_expire(struct dtls_bio *io)
{
    if (io->timer)
        *io->timer = (struct timeval){ .tv_usec = 1 }; /* 0, 0 would mean stopped */
}
