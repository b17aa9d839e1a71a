/* record.h: sealing and opening application data once a handshake is done. RFC 6347 §4.1.
 *
 * For now through the SSL object; the face is that of a record layer of its own, with keys, an
 * epoch and a replay window, which seals and opens where the bytes lie. */
#ifndef HAWSER_DTLS_RECORD_H
#define HAWSER_DTLS_RECORD_H

#include "core/dtls/bio.h"
#include "core/dtls/dtls.h"

#include <openssl/ssl.h>

/* What the headers of a datagram's records say, before anything is opened. */
struct dtls_scan {
    struct bytes whole;  /* the datagram up to the first record that is cut short or unknown */
    size_t count;        /* of records */
    size_t sealed_count; /* of those, in an epoch above 0 */
    uint8_t first_type;  /* enum dtls_content */
    uint16_t epoch;      /* of the first record */
    uint64_t sequence;
};

/* False unless the datagram begins with a whole record of DTLS 1.0 or 1.2; data in the clear counts
 * as unknown. aiortc cuts a flight every 1500 bytes wherever that is, so the rest may be amiss. */
bool dtls_scan(struct bytes dgram, struct dtls_scan *scan);

enum dtls_record_state { DTLS_RECORD_OPEN, DTLS_RECORD_CLOSED, DTLS_RECORD_ALERT };

struct dtls_record {
    SSL *ssl;            /* borrowed, like io */
    struct dtls_bio *io; /* the SSL object's ends */
    enum dtls_record_state state;
    uint64_t top, seen;            /* highest sequence number taken; bit n: top - n */
    size_t rx_len, rx_at;          /* written to rx; already pulled */
    uint8_t rx[DTLS_DATAGRAM_MAX]; /* packets, each behind its length in two bytes */
};

void dtls_record_init(struct dtls_record *r, SSL *ssl, struct dtls_bio *io);

/* Wipes what was decrypted. */
void dtls_record_deinit(struct dtls_record *r);

/* Opens every record of a scanned datagram. An empty one: what came together with the handshake's
 * last flight. VERDICT_LIMIT while packets of earlier datagrams are in the way. */
enum verdict dtls_record_open(struct dtls_record *r, const struct dtls_scan *scan);

/* The next packet, valid until the next call. False when there is none. */
bool dtls_record_next(struct dtls_record *r, struct bytes *packet);

/* As dtls_seal(). */
int dtls_record_seal(struct dtls_record *r, struct out *run);

#endif
