/* SHUTDOWN and ABORT. RFC 9260 §9. */
#include "core/sctp/assoc.h"

enum verdict on_abort(struct sctp *s, usec now, const struct chunk *c)
{
    struct rd r = rd_of(c->body);
    struct param cause;

    if (s->state == STATE_CLOSED || s->state == STATE_ENDED)
        return VERDICT_UNEXPECTED;
    assoc_end(s, now, SCTP_REASON_PEER_ABORT, param_read(&r, &cause) ? cause.type : 0);
    return VERDICT_TAKEN;
}

void sctp_abort(struct sctp *s, usec now, const char *reason)
{
    bool is_known = s->state != STATE_CLOSED && s->state != STATE_COOKIE_WAIT;

    if (s->state == STATE_ENDED)
        return;
    assoc_fail(s, now, CAUSE_USER_ABORT, reason ? reason : "");
    s->is_abort_due = is_known; /* before INIT ACK there is nobody to tell */
    s->reason = SCTP_REASON_LOCAL_ABORT;
}

void closing_encode_abort(struct sctp *s, struct wr *w)
{
    size_t at = chunk_begin(w, CHUNK_ABORT, s->is_abort_reflected ? FLAG_TAG_REFLECTED : 0);

    if (s->abort_cause)
        param_encode(w, s->abort_cause, bytes_of_string(s->abort_text));
    chunk_end(w, at);
}

static bool is_all_acknowledged(const struct sctp *s)
{
    return s->tx.base_tsn == s->tx.next_tsn && s->tx.queued_bytes == 0;
}

void closing_advance(struct sctp *s, usec now)
{
    if (!is_all_acknowledged(s))
        return;
    if (s->state == STATE_SHUTDOWN_PENDING)
        assoc_enter(s, STATE_SHUTDOWN_SENT, now);
    else if (s->state == STATE_SHUTDOWN_RECEIVED)
        assoc_enter(s, STATE_SHUTDOWN_ACK_SENT, now);
}

void sctp_shutdown(struct sctp *s, usec now)
{
    if (s->state == STATE_CLOSED) {
        assoc_end(s, now, SCTP_REASON_SHUTDOWN, 0);
    } else if (s->state == STATE_COOKIE_WAIT || s->state == STATE_COOKIE_ECHOED) {
        s->is_wanting_shutdown = true;
    } else if (s->state == STATE_UP) {
        assoc_enter(s, STATE_SHUTDOWN_PENDING, now);
        closing_advance(s, now);
    }
}

enum verdict on_shutdown(struct sctp *s, usec now, const struct chunk *c)
{
    struct rd r = rd_of(c->body);
    uint32_t cum_tsn = rd_u32(&r);

    if (!r.ok)
        return VERDICT_MALFORMED;
    if (s->state < STATE_UP || s->state == STATE_ENDED || s->state == STATE_SHUTDOWN_ACK_SENT)
        return VERDICT_UNEXPECTED;
    if (!ack_cumulative(s, now, cum_tsn))
        return VERDICT_MALFORMED;
    if (s->state == STATE_SHUTDOWN_SENT) /* both at once: §9.2 */
        assoc_enter(s, STATE_SHUTDOWN_ACK_SENT, now);
    else if (s->state == STATE_UP || s->state == STATE_SHUTDOWN_PENDING)
        assoc_enter(s, STATE_SHUTDOWN_RECEIVED, now);
    closing_advance(s, now);
    return VERDICT_TAKEN;
}

static void reply_complete(struct sctp *s, uint32_t tag, uint8_t flags)
{
    uint8_t chunk[CHUNK_HEADER_LEN];
    struct wr w = wr_of(chunk, sizeof chunk);

    chunk_end(&w, chunk_begin(&w, CHUNK_SHUTDOWN_COMPLETE, flags));
    reply_add(s, tag, REPLY_ALONE, wr_written(&w));
}

/* Also after the end: our SHUTDOWN COMPLETE may have been lost (§8.4, 5). */
enum verdict on_shutdown_ack(struct sctp *s, usec now, const struct chunk *c)
{
    (void)c;
    if (s->state < STATE_UP)
        return VERDICT_UNEXPECTED;
    if (s->state == STATE_SHUTDOWN_SENT || s->state == STATE_SHUTDOWN_ACK_SENT)
        assoc_end(s, now, SCTP_REASON_SHUTDOWN, 0);
    else if (s->state != STATE_ENDED || s->reason != SCTP_REASON_SHUTDOWN)
        return VERDICT_UNEXPECTED;
    reply_complete(s, s->peer_tag, 0);
    return VERDICT_TAKEN;
}

enum verdict on_shutdown_complete(struct sctp *s, usec now, const struct chunk *c)
{
    (void)c;
    if (s->state != STATE_SHUTDOWN_ACK_SENT)
        return VERDICT_UNEXPECTED;
    assoc_end(s, now, SCTP_REASON_SHUTDOWN, 0);
    return VERDICT_TAKEN;
}
