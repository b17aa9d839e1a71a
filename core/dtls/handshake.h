/* handshake.h: the OpenSSL object, its flights and the timer that repeats them. RFC 6347 §4.2. */
#ifndef HAWSER_DTLS_HANDSHAKE_H
#define HAWSER_DTLS_HANDSHAKE_H

#include "core/dtls/bio.h"
#include "core/dtls/context.h"
#include "core/dtls/dtls.h"

struct dtls_handshake {
    SSL *ssl;
    struct dtls_bio io;
    struct dtls_peer peer;
    usec rtt_us;      /* 0: unknown */
    usec interval_us; /* from the last sending to resend_at */
    usec resend_at;   /* USEC_NEVER when nothing waits for an answer */
    uint64_t timed;   /* the flight the timer is for: io.timed */
    size_t resends, resends_max;
    enum dtls_reason reason; /* of DTLS_STEP_FAILED */
};

enum dtls_step { DTLS_STEP_WAITING, DTLS_STEP_DONE, DTLS_STEP_FAILED };

/* ERR_NOMEM. Call _deinit in any case. */
int dtls_handshake_init(struct dtls_handshake *h, const struct dtls_config *cfg);
void dtls_handshake_deinit(struct dtls_handshake *h);

/* Frees the SSL object and all it holds; what waits to be sent stays. After DTLS_STEP_DONE. */
void dtls_handshake_end(struct dtls_handshake *h);

/* Goes as far as the datagram allows; an empty one makes a client send its first flight. */
enum dtls_step dtls_handshake_input(struct dtls_handshake *h, usec now, struct bytes dgram);

/* Repeats the flight if it is due. */
enum dtls_step dtls_handshake_tick(struct dtls_handshake *h, usec now);
void dtls_handshake_set_rtt(struct dtls_handshake *h, usec rtt_us);

#endif
