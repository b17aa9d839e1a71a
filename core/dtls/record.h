/* record.h: sealing and opening records once a handshake is done. RFC 6347 §4.1, RFC 5288 (GCM),
 * RFC 7905 (CHACHA20).
 *
 * The SSL object is not needed any more: the keys are here. No nonce is used twice under a key,
 * though OpenSSL has sealed records with it too: docs/security.md has the argument. */
#ifndef HAWSER_DTLS_RECORD_H
#define HAWSER_DTLS_RECORD_H

#include "core/dtls/keys.h"
#include "core/dtls/window.h"

/* Our first sequence number. OpenSSL's, in the epoch we share, stay below: they begin at 0 with its
 * Finished, and a handshake repeats that 12 times at most. Well within a window, for a Finished may
 * be repeated behind our first data (RFC 7918). */
#define DTLS_RECORD_FIRST 256

/* What the headers of a datagram's records say, before anything is opened. */
struct dtls_scan {
    struct bytes whole;  /* the datagram up to the first record that is cut short or unknown */
    struct bytes flight; /* of that, what comes before the first record of data */
    size_t count;        /* of records */
    size_t sealed_count; /* of those in the flight, in an epoch above 0 */
    uint8_t first_type;  /* enum dtls_content */
};

/* False unless the datagram begins with a whole record of DTLS 1.0 or 1.2; data in the clear counts
 * as unknown. aiortc cuts a flight every 1500 bytes wherever that is, so the rest may be amiss. */
bool dtls_scan(struct bytes dgram, struct dtls_scan *scan);

enum dtls_record_state { DTLS_RECORD_OPEN, DTLS_RECORD_CLOSED, DTLS_RECORD_ALERT };

struct dtls_record {
    enum dtls_record_state state;
    bool is_gcm;
    bool has_asked;          /* a sealed record of the handshake came: its last flight again */
    EVP_CIPHER_CTX *tx, *rx; /* with their keys */
    uint8_t tx_iv[DTLS_NONCE_BYTES], rx_iv[DTLS_NONCE_BYTES];
    uint64_t tx_sequence; /* of the next record */
    uint64_t tx_nonce;    /* GCM: explicit part of the next record's nonce */
    struct dtls_window window;
    size_t packet_len, packet_at;       /* written to packets; already pulled */
    uint8_t packets[DTLS_DATAGRAM_MAX]; /* each behind its length in two bytes */
};

/* tx_nonce: the explicit nonce of a record that OpenSSL sealed with the same key, its latest. The
 * keys may be wiped afterwards. ERR_NOMEM, ERR_CRYPTO. Call _deinit in any case. */
int dtls_record_init(struct dtls_record *r, const struct dtls_keys *keys, uint64_t tx_nonce);

/* Wipes what was decrypted, and the keys. Fine on zeroes. */
void dtls_record_deinit(struct dtls_record *r);

/* Opens every record of a scanned datagram. VERDICT_LIMIT while packets of earlier datagrams are in
 * the way. */
enum verdict dtls_record_open(struct dtls_record *r, const struct dtls_scan *scan);

/* The next packet, valid until the next call. False when there is none. */
bool dtls_record_next(struct dtls_record *r, struct bytes *packet);

/* As dtls_seal(). */
int dtls_record_seal(struct dtls_record *r, struct out *run);

/* A sealed close_notify, DTLS_CLOSE_NOTIFY_MAX bytes at most; returns its length, 0 on failure. */
#define DTLS_CLOSE_NOTIFY_MAX (DTLS_HEAD + 2 + DTLS_TAIL)
size_t dtls_record_seal_close(struct dtls_record *r, uint8_t out[DTLS_CLOSE_NOTIFY_MAX]);

#endif
