/* dtls.h: one DTLS 1.2 association (RFC 6347) over any datagram path, both certificates required
 * and checked against fingerprints that came by signaling.
 *
 *     IDLE --start--> HANDSHAKE --both Finished--> UP --close_notify, dtls_close--> CLOSED
 *                         '--alert, bad fingerprint, 12 flights unanswered--> FAILED
 *
 * Two parts with one face: `handshake` (OpenSSL behind memory BIOs) and `record` (sealing and
 * opening application data). Timers: flight (HANDSHAKE), by the caller's clock and round trip. */
#ifndef HAWSER_DTLS_H
#define HAWSER_DTLS_H

#include "core/base/err.h"
#include "core/base/out.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

#define DTLS_FINGERPRINT_BYTES 32   /* SHA-256 */
#define DTLS_HEAD              21   /* record header 13 + explicit nonce 8: room before a packet */
#define DTLS_TAIL              16   /* AEAD tag: room behind it */
#define DTLS_DATAGRAM_MAX      2048 /* longer ones are dropped, sealed data included */

/* A certificate with its private key (ECDSA P-256, self-signed). May serve many associations. */
struct dtls_identity;

/* `now_s` (seconds since 1970) dates the certificate. ERR_NOMEM, ERR_CRYPTO. */
int dtls_identity_new(struct dtls_identity **out, const struct rng *rng, int64_t now_s);
void dtls_identity_free(struct dtls_identity *id);
const uint8_t *dtls_identity_fingerprint(const struct dtls_identity *id);

struct dtls;

enum dtls_role { DTLS_CLIENT, DTLS_SERVER };

struct dtls_config {
    struct dtls_identity *identity; /* borrowed: must outlive the association */
    enum dtls_role role;
    uint8_t remote_fingerprint[DTLS_FINGERPRINT_BYTES];
    size_t mtu;         /* of a UDP payload; handshake flights are cut to it. 0: 1200 */
    usec rtt_us;        /* what ICE measured; 0 if unknown */
    size_t retries_max; /* flights resent before FAILED; 0: 12 */

    /* A client may seal data behind its own Finished, a round trip before the server's (RFC 7918,
     * whose conditions context.c keeps: ECDHE, AEAD, the certificate checked). Only towards a peer
     * that keeps such data until it has the keys, and whose replay window is ours: a hawser. */
    bool false_start;
};

enum dtls_reason {
    DTLS_REASON_NONE,
    DTLS_REASON_FINGERPRINT, /* the peer's certificate is not the signalled one */
    DTLS_REASON_ALERT,       /* the peer sent a fatal alert */
    DTLS_REASON_TIMEOUT,     /* flights unanswered */
    DTLS_REASON_PROTOCOL,    /* the handshake cannot go on */
    DTLS_REASON_CLOSE        /* the peer sent close_notify */
};

enum dtls_event_type {
    DTLS_EVENT_KEYS, /* data can be sealed; with false_start before UP, else together with it */
    DTLS_EVENT_UP,   /* the peer's Finished was right: what it sealed can be opened */
    DTLS_EVENT_CLOSED,
    DTLS_EVENT_FAILED
};

struct dtls_event {
    enum dtls_event_type type;
    enum dtls_reason reason;
};

/* ERR_NOMEM, ERR_CRYPTO; *out is NULL then. */
int dtls_new(struct dtls **out, const struct dtls_config *cfg, const struct rng *rng);

/* Wipes keys. NULL is fine. */
void dtls_free(struct dtls *d);

/* The client's first flight waits to be fetched, a server begins to listen. A path need not work
 * yet: nothing piles up, a flight that nobody fetches gives way to the next or its repetition. */
void dtls_start(struct dtls *d, usec now);

/* A new measurement from ICE: the flight timer is max(50 ms, 2 x rtt), doubled per resend; before
 * the first it is 250 ms. */
void dtls_set_rtt(struct dtls *d, usec rtt_us);

/* Offers a datagram (RFC 7983: first byte 20…63), borrowed until return. */
enum verdict dtls_input(struct dtls *d, usec now, struct bytes dgram);
void dtls_tick(struct dtls *d, usec now);

/* Handshake flights and alerts, as whole datagrams; the caller has set out's addresses. */
bool dtls_poll_output(struct dtls *d, struct out *out);

/* The flight that dtls_poll_output() gives datagrams of, or gave last: another number with each new
 * flight and each repetition; 0 before the first. Two flights never wait together. */
uint64_t dtls_flight(const struct dtls *d);
bool dtls_poll_event(struct dtls *d, struct dtls_event *ev);
usec dtls_next_timeout(const struct dtls *d);

/* The next decrypted packet of the datagrams put in; valid until the next non-const call.
 * Pull until false after each dtls_input(). */
bool dtls_poll_data(struct dtls *d, struct bytes *packet);

/* Seals every packet of the run where it lies. The run was filled with head = DTLS_HEAD and
 * tail = DTLS_TAIL; its datagrams, and so `segment`, may come out 8 bytes shorter. ERR_WRONG_STATE
 * before UP; ERR_CRYPTO, after which the run must not be sent. */
int dtls_seal(struct dtls *d, struct out *run);

/* The next poll_output gives close_notify, and the association is CLOSED; until then the last data
 * can be sealed. Harmless when not UP. */
void dtls_close(struct dtls *d);

bool dtls_is_up(const struct dtls *d);
bool dtls_can_seal(const struct dtls *d);
const struct verdicts *dtls_verdicts(const struct dtls *d);

#endif
