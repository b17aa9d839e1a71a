/* record.c: one AEAD operation a record, where it lies. */
#include "core/dtls/record.h"

#include "core/dtls/wire.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#define LENGTH_BYTES      2 /* before each packet in `packets`; a record's overhead is more */
#define EXPLICIT_BYTES    8
#define AAD_BYTES         13 /* RFC 5246 §6.2.3.3: epoch and sequence, type, version, length */
#define EPOCH             1  /* there is no renegotiation */
#define SEQUENCE_END      (UINT64_C(1) << 48)
#define ALERT_CLOSE       0 /* close_notify: RFC 5246 §7.2 */
#define ALERT_LEVEL_WARN  1
#define ALERT_LEVEL_FATAL 2

/* OpenSSL's records that may still come, Finished and alerts repeated, count on from the nonce that
 * was seen; ours begin so far ahead that neither reaches the other, round the 64 bits or not. */
#define NONCE_AHEAD (UINT64_C(1) << 32)

struct header {
    uint8_t type;
    uint16_t version, epoch;
    uint64_t sequence;
    struct bytes fragment;
};

static bool read_header(struct rd *r, struct header *h)
{
    h->type = rd_u8(r);
    h->version = rd_u16(r);
    h->epoch = rd_u16(r);
    h->sequence = rd_uint(r, 6);
    h->fragment = rd_bytes(r, rd_u16(r));
    return r->ok && (h->version == DTLS_VERSION_1_2 || h->version == DTLS_VERSION_1_0) &&
           h->type >= DTLS_CONTENT_CHANGE_CIPHER_SPEC && h->type <= DTLS_CONTENT_DATA &&
           (h->type != DTLS_CONTENT_DATA || h->epoch > 0);
}

bool dtls_scan(struct bytes dgram, struct dtls_scan *scan)
{
    struct rd r = rd_of(dgram);
    struct header h;
    bool has_data = false;

    *scan = (struct dtls_scan){ 0 };
    while (rd_left(&r) && read_header(&r, &h)) {
        scan->whole = bytes_of(dgram.data, (size_t)(r.p - dgram.data));
        if (scan->count++ == 0)
            scan->first_type = h.type;
        has_data |= h.type == DTLS_CONTENT_DATA;
        if (has_data)
            continue;
        scan->sealed_count += h.epoch > 0;
        scan->flight = scan->whole;
    }
    return scan->count > 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static EVP_CIPHER_CTX *new_cipher(const struct dtls_keys *keys, const struct dtls_key *key,
                                  int is_sealing)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx && EVP_CipherInit_ex(ctx, keys->cipher, NULL, key->key, NULL, is_sealing) > 0)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

int dtls_record_init(struct dtls_record *r, const struct dtls_keys *keys, uint64_t tx_nonce)
{
    memset(r, 0, sizeof *r);
    r->is_gcm = keys->is_gcm;
    r->tx_sequence = DTLS_RECORD_FIRST;
    r->tx_nonce = tx_nonce + NONCE_AHEAD;
    memcpy(r->tx_iv, keys->tx.iv, sizeof r->tx_iv);
    memcpy(r->rx_iv, keys->rx.iv, sizeof r->rx_iv);
    r->tx = new_cipher(keys, &keys->tx, 1);
    r->rx = new_cipher(keys, &keys->rx, 0);
    ERR_clear_error();
    return r->tx && r->rx ? ERR_OK : ERR_NOMEM;
}

void dtls_record_deinit(struct dtls_record *r)
{
    EVP_CIPHER_CTX_free(r->tx); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(r->rx);
    OPENSSL_cleanse(r, sizeof *r);
}

/* ---- One record ------------------------------------------------------------------------------ */

/* GCM: the salt, then what travels with the record. CHACHA20: the IV with epoch and sequence
 * number added in (RFC 7905 §2). */
static void make_nonce(uint8_t nonce[DTLS_NONCE_BYTES], const uint8_t iv[DTLS_NONCE_BYTES],
                       uint64_t number)
{
    struct wr w = wr_of(nonce + 4, 8);

    memcpy(nonce, iv, 4);
    wr_u64(&w, number);
    for (size_t i = 4; i < DTLS_NONCE_BYTES; i++)
        nonce[i] ^= iv[i]; /* zero for GCM */
}

static uint64_t epoch_and(uint64_t sequence)
{
    return (uint64_t)EPOCH << 48 | sequence;
}

static void make_aad(uint8_t aad[AAD_BYTES], uint8_t type, uint16_t version, uint64_t sequence,
                     size_t len)
{
    struct wr w = wr_of(aad, AAD_BYTES);

    wr_u64(&w, epoch_and(sequence));
    wr_u8(&w, type);
    wr_u16(&w, version);
    wr_u16(&w, (uint16_t)len);
}

/* Text of `len` bytes becomes a record at `at`, whose body begins where the text is. */
static bool seal_record(struct dtls_record *r, uint8_t type, uint8_t *at, uint8_t *text, size_t len)
{
    struct wr w = wr_of(at, DTLS_RECORD_HEADER + EXPLICIT_BYTES);
    uint8_t nonce[DTLS_NONCE_BYTES], aad[AAD_BYTES];
    size_t explicit_len = r->is_gcm ? EXPLICIT_BYTES : 0;
    int n;

    if (r->tx_sequence == SEQUENCE_END)
        return false;
    wr_u8(&w, type);
    wr_u16(&w, DTLS_VERSION_1_2);
    wr_u64(&w, epoch_and(r->tx_sequence));
    wr_u16(&w, (uint16_t)(explicit_len + len + DTLS_TAIL));
    if (r->is_gcm)
        wr_u64(&w, r->tx_nonce);
    make_nonce(nonce, r->tx_iv, r->is_gcm ? r->tx_nonce : epoch_and(r->tx_sequence));
    make_aad(aad, type, DTLS_VERSION_1_2, r->tx_sequence, len);
    r->tx_sequence++; /* also if what follows fails: a number is never used again */
    r->tx_nonce++;
    return EVP_CipherInit_ex(r->tx, NULL, NULL, NULL, nonce, 1) > 0 &&
           EVP_CipherUpdate(r->tx, NULL, &n, aad, sizeof aad) > 0 &&
           EVP_CipherUpdate(r->tx, text, &n, text, (int)len) > 0 &&
           EVP_CipherFinal_ex(r->tx, text + len, &n) > 0 &&
           EVP_CIPHER_CTX_ctrl(r->tx, EVP_CTRL_AEAD_GET_TAG, DTLS_TAIL, text + len) > 0;
}

/* The text goes to `out`, which has room for the fragment; returns its length, or -1: forged. */
static int open_record(struct dtls_record *r, const struct header *h, uint8_t *out)
{
    size_t explicit_len = r->is_gcm ? EXPLICIT_BYTES : 0;
    struct rd body = rd_of(h->fragment);
    uint64_t number = r->is_gcm ? rd_u64(&body) : epoch_and(h->sequence);
    uint8_t nonce[DTLS_NONCE_BYTES], aad[AAD_BYTES], tag[DTLS_TAIL];
    const OSSL_PARAM params[] = {
        { OSSL_CIPHER_PARAM_AEAD_TAG, OSSL_PARAM_OCTET_STRING, tag, sizeof tag, 0 }, OSSL_PARAM_END
    };
    size_t len;
    int n;

    if (h->fragment.len < explicit_len + DTLS_TAIL)
        return -1;
    len = rd_left(&body) - DTLS_TAIL;
    memcpy(tag, body.p + len, DTLS_TAIL);
    make_nonce(nonce, r->rx_iv, number);
    make_aad(aad, h->type, h->version, h->sequence, len);
    if (EVP_CipherInit_ex2(r->rx, NULL, NULL, nonce, 0, params) > 0 &&
        EVP_CipherUpdate(r->rx, NULL, &n, aad, sizeof aad) > 0 &&
        EVP_CipherUpdate(r->rx, out, &n, body.p, (int)len) > 0 &&
        EVP_CipherFinal_ex(r->rx, out + len, &n) > 0)
        return (int)len;
    OPENSSL_cleanse(out, len); /* RFC 5116 §2.2: nothing of it may be used */
    ERR_clear_error();         /* only here: it costs a sixth of what opening does */
    return -1;
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

static void on_alert(struct dtls_record *r, struct bytes alert)
{
    if (alert.len == 2 && alert.data[1] == ALERT_CLOSE)
        r->state = DTLS_RECORD_CLOSED;
    else if (alert.len == 2 && alert.data[0] == ALERT_LEVEL_FATAL)
        r->state = DTLS_RECORD_ALERT;
}

/* What was opened lies behind the packets. */
static void take_text(struct dtls_record *r, const struct header *h, size_t len)
{
    struct wr w = wr_of(r->packets + r->packet_len, LENGTH_BYTES);

    if (h->type == DTLS_CONTENT_ALERT) {
        on_alert(r, bytes_of(r->packets + r->packet_len + LENGTH_BYTES, len));
    } else if (h->type == DTLS_CONTENT_HANDSHAKE) {
        r->has_asked = true;
    } else if (h->type == DTLS_CONTENT_DATA && len > 0) {
        wr_u16(&w, (uint16_t)len);
        r->packet_len += LENGTH_BYTES + len;
    }
}

static enum verdict take_record(struct dtls_record *r, const struct header *h)
{
    int len;

    /* What is in the clear of a flight that is repeated proves nothing; its Finished is sealed. */
    if (h->epoch != EPOCH)
        return VERDICT_UNEXPECTED;
    if (dtls_window_has(&r->window, h->sequence))
        return VERDICT_DUPLICATE;
    len = open_record(r, h, r->packets + r->packet_len + LENGTH_BYTES);
    if (len < 0)
        return VERDICT_FORGED;
    dtls_window_add(&r->window, h->sequence);
    take_text(r, h, (size_t)len);
    return VERDICT_TAKEN;
}

enum verdict dtls_record_open(struct dtls_record *r, const struct dtls_scan *scan)
{
    struct rd rd = rd_of(scan->whole);
    enum verdict first = VERDICT_MALFORMED;
    struct header h;

    r->has_asked = false;
    if (r->packet_at == r->packet_len)
        r->packet_at = r->packet_len = 0;
    if (scan->whole.len > sizeof r->packets - r->packet_len)
        return VERDICT_LIMIT; /* a record is longer than its packet and the length before that */
    while (r->state == DTLS_RECORD_OPEN && rd_left(&rd) && read_header(&rd, &h)) {
        enum verdict verdict = take_record(r, &h);

        /* One good record makes a good datagram; otherwise the first one's fate is told. */
        if (verdict == VERDICT_TAKEN || first == VERDICT_MALFORMED)
            first = verdict;
    }
    return first;
}

bool dtls_record_next(struct dtls_record *r, struct bytes *packet)
{
    struct rd rd = rd_of(bytes_of(r->packets + r->packet_at, r->packet_len - r->packet_at));

    *packet = rd_bytes(&rd, rd_u16(&rd));
    if (!rd.ok)
        return false;
    r->packet_at += LENGTH_BYTES + packet->len;
    return true;
}

/* Seals datagram i so that it begins at `at`, which is where it lies or, as CHACHA20 has no
 * explicit nonce, before that. Returns the sealed length, 0 on failure. */
static size_t seal_datagram(struct dtls_record *r, const struct out *run, size_t i, size_t at)
{
    struct bytes dgram = out_datagram(run, i);
    size_t len = dgram.len - run->head - run->tail;
    size_t head = r->is_gcm ? DTLS_HEAD : DTLS_HEAD - EXPLICIT_BYTES;
    uint8_t *start = run->buf + at, *text = start + head;

    if (text != dgram.data + run->head)
        memmove(text, dgram.data + run->head, len);
    return seal_record(r, DTLS_CONTENT_DATA, start, text, len) ? head + len + DTLS_TAIL : 0;
}

int dtls_record_seal(struct dtls_record *r, struct out *run)
{
    size_t at = 0, segment = 0;

    assert(run->head == DTLS_HEAD && run->tail == DTLS_TAIL);
    for (size_t i = 0; i < run->count; i++) {
        size_t len = seal_datagram(r, run, i, at);

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

size_t dtls_record_seal_close(struct dtls_record *r, uint8_t out[DTLS_CLOSE_NOTIFY_MAX])
{
    size_t head = r->is_gcm ? DTLS_HEAD : DTLS_HEAD - EXPLICIT_BYTES;

    out[head] = ALERT_LEVEL_WARN;
    out[head + 1] = ALERT_CLOSE;
    return seal_record(r, DTLS_CONTENT_ALERT, out, out + head, 2) ? head + 2 + DTLS_TAIL : 0;
}
