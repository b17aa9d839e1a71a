/* bio.h: the two ends of an SSL object as datagrams in memory.
 *
 * Reading gives the datagram offered by dtls_bio_offer() once and then asks to retry. Writing
 * queues a datagram. The BIO also holds OpenSSL's retransmission timer still: see
 * dtls_bio_expire().
 *
 * What is written after one dtls_bio_offer() is one flight, new or repeated. OpenSSL fills
 * datagrams with a new one but repeats it message by message, so records are joined here; and a
 * flight takes the place of one that nobody has fetched. */
#ifndef HAWSER_DTLS_BIO_H
#define HAWSER_DTLS_BIO_H

#include "core/base/bytes.h"
#include "core/dtls/queue.h"

#include <openssl/bio.h>

/* The longest flight is five messages of a few fragments each. */
#define DTLS_BIO_DATAGRAMS_MAX 32

/* ChangeCipherSpec and Finished take 75 bytes, in one datagram or two. */
#define DTLS_BIO_STEP_MAX 160

struct timeval;

struct dtls_bio {
    BIO *bio;              /* the SSL object's, for reading and writing */
    struct bytes input;    /* borrowed; empty once it was read */
    struct dtls_queue out; /* what waits to be sent */
    struct timeval *timer; /* OpenSSL's deadline while it waits for an answer, or NULL */
    size_t mtu;            /* what records are joined up to */
    uint64_t flight;       /* number of the one in `out`, or of the last that was */
    bool is_writing;       /* that flight may still grow */
    uint64_t timed;        /* how often the timer went from stopped to running */
    bool has_sealed;       /* a record was written in epoch 1 … */
    uint64_t sealed_nonce; /* … with this explicit nonce, the last one */

    /* What was written since dtls_bio_offer(), each datagram behind its length in two bytes: after
     * the handshake's last step, the last flight. */
    uint8_t step[DTLS_BIO_STEP_MAX];
    size_t step_len;
};

BIO_METHOD *dtls_bio_method_new(void);

/* False when the heap is exhausted. The BIO belongs to io until an SSL object takes it over. */
bool dtls_bio_init(struct dtls_bio *io, const BIO_METHOD *method, size_t mtu);
void dtls_bio_deinit(struct dtls_bio *io);

/* Lends a datagram, which may be empty, to the next read; a new flight may begin. */
void dtls_bio_offer(struct dtls_bio *io, struct bytes dgram);

/* Takes back what was not read. */
void dtls_bio_retract(struct dtls_bio *io);

/* Queues what was written since dtls_bio_offer() once more, as a flight of its own. */
void dtls_bio_repeat(struct dtls_bio *io);

/* Makes OpenSSL's timer look expired until it is next started. */
void dtls_bio_expire(struct dtls_bio *io);

#endif
