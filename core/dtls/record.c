/* record.c: application data through the SSL object, into and out of buffers that exist already. */
#include "core/dtls/record.h"

#include "core/dtls/wire.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#define LENGTH_BYTES 2  /* before each packet in rx; a record's overhead is more than that */
#define WINDOW       64 /* OpenSSL's replay window */

/* Counts one record in, if it is whole and what we know. */
static bool scan_record(struct rd *r, struct dtls_scan *scan)
{
    uint8_t type = rd_u8(r);
    uint16_t version = rd_u16(r), epoch = rd_u16(r);
    uint64_t sequence = rd_uint(r, 6);

    rd_skip(r, rd_u16(r));
    if (!r->ok || (version != DTLS_VERSION_1_2 && version != DTLS_VERSION_1_0) ||
        type < DTLS_CONTENT_CHANGE_CIPHER_SPEC || type > DTLS_CONTENT_DATA ||
        (type == DTLS_CONTENT_DATA && epoch == 0))
        return false;
    if (scan->count++ == 0) {
        scan->first_type = type;
        scan->epoch = epoch;
        scan->sequence = sequence;
    }
    scan->sealed_count += epoch > 0;
    return true;
}

bool dtls_scan(struct bytes dgram, struct dtls_scan *scan)
{
    struct rd r = rd_of(dgram);

    *scan = (struct dtls_scan){ 0 };
    while (rd_left(&r) && scan_record(&r, scan))
        scan->whole = bytes_of(dgram.data, (size_t)(r.p - dgram.data));
    return scan->count > 0;
}

void dtls_record_init(struct dtls_record *r, SSL *ssl, struct dtls_bio *io)
{
    *r = (struct dtls_record){ .ssl = ssl, .io = io };
}

void dtls_record_deinit(struct dtls_record *r)
{
    OPENSSL_cleanse(r->rx, sizeof r->rx);
}

/* OpenSSL drops what it has seen before without a word; this is only to count it rightly. */
static bool was_seen(const struct dtls_record *r, uint64_t sequence)
{
    if (sequence > r->top)
        return false;
    return r->top - sequence >= WINDOW || r->seen >> (r->top - sequence) & 1;
}

static void note_seen(struct dtls_record *r, uint64_t sequence)
{
    if (sequence > r->top) {
        r->seen = sequence - r->top < WINDOW ? r->seen << (sequence - r->top) : 0;
        r->top = sequence;
    }
    if (r->top - sequence < WINDOW)
        r->seen |= UINT64_C(1) << (r->top - sequence);
}

/* One packet out of the SSL object into rx; false when it wants another datagram, or ended. */
static bool read_packet(struct dtls_record *r)
{
    struct wr w = wr_of(r->rx + r->rx_len, sizeof r->rx - r->rx_len);
    int got, error;

    wr_u16(&w, 0);
    if (wr_left(&w) == 0)
        return false;
    got = SSL_read(r->ssl, w.data + w.len, (int)wr_left(&w));
    if (got > 0) {
        wr_patch_u16(&w, 0, (uint16_t)got);
        r->rx_len += LENGTH_BYTES + (size_t)got;
        return true;
    }
    error = SSL_get_error(r->ssl, got);
    if (error == SSL_ERROR_ZERO_RETURN)
        r->state = DTLS_RECORD_CLOSED;
    else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        r->state = DTLS_RECORD_ALERT;
    return false;
}

enum verdict dtls_record_open(struct dtls_record *r, const struct dtls_scan *scan)
{
    uint64_t sent_before = r->io->datagrams_sent;
    size_t len_before;

    if (r->rx_at == r->rx_len)
        r->rx_at = r->rx_len = 0;
    if (scan->whole.len > sizeof r->rx - r->rx_len)
        return VERDICT_LIMIT;
    len_before = r->rx_len;
    ERR_clear_error();
    dtls_bio_offer(r->io, scan->whole);
    while (read_packet(r))
        continue;
    dtls_bio_retract(r->io);
    ERR_clear_error();
    if (r->rx_len == len_before && r->state == DTLS_RECORD_OPEN &&
        r->io->datagrams_sent == sent_before)
        return scan->epoch && was_seen(r, scan->sequence) ? VERDICT_DUPLICATE : VERDICT_FORGED;
    if (scan->epoch)
        note_seen(r, scan->sequence);
    return VERDICT_TAKEN;
}

bool dtls_record_next(struct dtls_record *r, struct bytes *packet)
{
    struct rd rx = rd_of(bytes_of(r->rx + r->rx_at, r->rx_len - r->rx_at));

    *packet = rd_bytes(&rx, rd_u16(&rx));
    if (!rx.ok)
        return false;
    r->rx_at += LENGTH_BYTES + packet->len;
    return true;
}

/* Seals datagram i so that it begins at `at`, which is where it lies or, when records turn out
 * shorter than the room left for them (CHACHA20 has no explicit nonce), before that. Returns the
 * sealed length, 0 on failure. */
static size_t seal_one(struct dtls_record *r, const struct out *run, size_t i, size_t at)
{
    struct bytes dgram = out_datagram(run, i);
    size_t len = dgram.len - run->head - run->tail;
    struct wr sink = wr_of(run->buf + at, (size_t)(dgram.data + dgram.len - (run->buf + at)));
    int written;

    r->io->sink = &sink;
    written = SSL_write(r->ssl, dgram.data + run->head, (int)len);
    r->io->sink = NULL;
    return written > 0 && (size_t)written == len ? wr_written(&sink).len : 0;
}

int dtls_record_seal(struct dtls_record *r, struct out *run)
{
    size_t at = 0, segment = 0;

    assert(run->head == DTLS_HEAD && run->tail == DTLS_TAIL);
    ERR_clear_error();
    for (size_t i = 0; i < run->count; i++) {
        size_t len = seal_one(r, run, i, at);

        if (len == 0) {
            ERR_clear_error();
            return ERR_CRYPTO;
        }
        if (i == 0)
            segment = len;
        at += len;
    }
    run->segment = segment;
    run->len = at;
    return ERR_OK;
}
