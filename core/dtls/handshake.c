/* handshake.c: OpenSSL knows what a flight is and when its answer is complete; we know when it is
 * time to repeat it. */
#include "core/dtls/handshake.h"

#include "core/dtls/identity.h"

#include <openssl/err.h>

#define RESEND_BLIND_US (250 * MILLISECOND) /* while no round trip is known */
#define RESEND_MIN_US   (50 * MILLISECOND)
#define RESEND_MAX_US   (60 * SECOND) /* RFC 6347 §4.2.4.1 */

/* OpenSSL itself gives up after as many timeouts, and says so by a number that is not public. */
#define RESENDS_MAX 12

#define MTU_DEFAULT 1200
#define MTU_MIN     256  /* below it OpenSSL refuses to work */
#define MTU_MAX     4000 /* OpenSSL gathers a flight's datagram in 4096 bytes */

static size_t mtu_of(const struct dtls_config *cfg)
{
    if (cfg->mtu == 0)
        return MTU_DEFAULT;
    return cfg->mtu < MTU_MIN ? MTU_MIN : cfg->mtu > MTU_MAX ? MTU_MAX : cfg->mtu;
}

/* False when the heap is exhausted; the BIO is the SSL object's in any case. */
static bool set_up_ssl(struct dtls_handshake *h, const struct dtls_config *cfg)
{
    SSL_set_bio(h->ssl, h->io.bio, h->io.bio); /* takes the one reference over */
    if (cfg->role == DTLS_CLIENT)
        SSL_set_connect_state(h->ssl);
    else
        SSL_set_accept_state(h->ssl);
    /* The fragment sizes the write buffer: the record layer's limit, not a whole 16 KiB. */
    return SSL_set_app_data(h->ssl, &h->peer) && SSL_set_mtu(h->ssl, (long)mtu_of(cfg)) &&
           SSL_set_max_send_fragment(h->ssl, DTLS_DATAGRAM_MAX);
}

int dtls_handshake_init(struct dtls_handshake *h, const struct dtls_config *cfg)
{
    *h = (struct dtls_handshake){ .rtt_us = cfg->rtt_us, .resend_at = USEC_NEVER };
    memcpy(h->peer.fingerprint, cfg->remote_fingerprint, sizeof h->peer.fingerprint);
    h->resends_max =
        cfg->retries_max && cfg->retries_max < RESENDS_MAX ? cfg->retries_max : RESENDS_MAX;
    if (!dtls_bio_init(&h->io, cfg->identity->bio_method, mtu_of(cfg)))
        return ERR_NOMEM;
    h->ssl = SSL_new(cfg->identity->ctx);
    if (!h->ssl)
        BIO_free(h->io.bio);
    return h->ssl && set_up_ssl(h, cfg) ? ERR_OK : ERR_NOMEM;
}

void dtls_handshake_end(struct dtls_handshake *h)
{
    SSL_free(h->ssl); /* and the BIO */
    h->ssl = NULL;
    h->resend_at = USEC_NEVER;
}

void dtls_handshake_deinit(struct dtls_handshake *h)
{
    dtls_handshake_end(h);
    dtls_bio_deinit(&h->io);
}

/* A received alert is reported as an error whose reason is 1000 and the alert's number. */
static enum dtls_reason failure_reason(const struct dtls_handshake *h, int ssl_error)
{
    unsigned long error = ERR_peek_error();

    if (h->peer.is_other)
        return DTLS_REASON_FINGERPRINT;
    if (ssl_error == SSL_ERROR_ZERO_RETURN)
        return DTLS_REASON_CLOSE;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET)
        return DTLS_REASON_ALERT;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_READ_TIMEOUT_EXPIRED)
        return DTLS_REASON_TIMEOUT;
    return DTLS_REASON_PROTOCOL;
}

/* What a call's answer means; leaves the error queue empty. */
static enum dtls_step step_of(struct dtls_handshake *h, int answer)
{
    int ssl_error = answer > 0 ? SSL_ERROR_NONE : SSL_get_error(h->ssl, answer);
    enum dtls_step step = DTLS_STEP_WAITING;

    if (ssl_error == SSL_ERROR_NONE) {
        step = SSL_is_init_finished(h->ssl) ? DTLS_STEP_DONE : DTLS_STEP_WAITING;
    } else if (ssl_error != SSL_ERROR_WANT_READ && ssl_error != SSL_ERROR_WANT_WRITE) {
        step = DTLS_STEP_FAILED;
        h->reason = failure_reason(h, ssl_error);
    }
    ERR_clear_error();
    if (step != DTLS_STEP_WAITING)
        h->resend_at = USEC_NEVER;
    return step;
}

static usec first_interval(const struct dtls_handshake *h)
{
    if (h->rtt_us == 0)
        return RESEND_BLIND_US;
    return usec_clamp(2 * h->rtt_us, RESEND_MIN_US, RESEND_MAX_US);
}

/* A flight that is new starts the timer afresh; one that was answered stops it. */
static void follow_flight(struct dtls_handshake *h, usec now)
{
    if (!h->io.timer) {
        h->resend_at = USEC_NEVER;
    } else if (h->timed != h->io.timed) {
        h->timed = h->io.timed;
        h->resends = 0;
        h->interval_us = first_interval(h);
        h->resend_at = now + h->interval_us;
    }
}

enum dtls_step dtls_handshake_input(struct dtls_handshake *h, usec now, struct bytes dgram)
{
    enum dtls_step step;

    ERR_clear_error();
    dtls_bio_offer(&h->io, dgram);
    step = step_of(h, SSL_do_handshake(h->ssl));
    dtls_bio_retract(&h->io);
    if (step == DTLS_STEP_WAITING)
        follow_flight(h, now);
    return step;
}

enum dtls_step dtls_handshake_tick(struct dtls_handshake *h, usec now)
{
    long answer;

    if (now < h->resend_at)
        return DTLS_STEP_WAITING;
    if (h->resends == h->resends_max) {
        h->reason = DTLS_REASON_TIMEOUT;
        h->resend_at = USEC_NEVER;
        return DTLS_STEP_FAILED;
    }
    h->resends++;
    h->interval_us = usec_min(2 * h->interval_us, RESEND_MAX_US);
    h->resend_at = now + h->interval_us;
    ERR_clear_error();
    dtls_bio_offer(&h->io, bytes_of(NULL, 0));
    dtls_bio_expire(&h->io);
    answer = DTLSv1_handle_timeout(h->ssl);
    if (answer < 0)
        return step_of(h, (int)answer);
    ERR_clear_error();
    return DTLS_STEP_WAITING;
}

/* How often a flight was repeated while nothing was known of a path tells nothing about it: what
 * has waited for longer than it takes is due. */
void dtls_handshake_set_rtt(struct dtls_handshake *h, usec rtt_us)
{
    bool was_blind = h->rtt_us == 0;
    usec sent_at = h->resend_at - h->interval_us;

    h->rtt_us = rtt_us;
    if (h->resend_at == USEC_NEVER || (h->resends && !was_blind))
        return;
    h->interval_us = first_interval(h);
    h->resend_at = sent_at + h->interval_us;
}
