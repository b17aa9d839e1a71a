/* HEARTBEAT: is an idle peer still there, and how far away? RFC 9260 §8.3. */
#include "core/sctp/assoc.h"

enum { INFO_LEN = 16 }; /* {sent at 8, nonce 8}, which nobody but us interprets */

/* The pause counts from the last sign of life in either direction that data gave. */
void heartbeat_postpone(struct sctp *s, usec now)
{
    s->heartbeat_at = usec_after(now, s->cfg.heartbeat_us);
}

enum verdict on_heartbeat(struct sctp *s, usec now, const struct chunk *c)
{
    uint8_t chunk[REPLY_BYTES_MAX / 2];
    struct wr w = wr_of(chunk, sizeof chunk);
    size_t at = chunk_begin(&w, CHUNK_HEARTBEAT_ACK, 0);

    (void)now;
    if (s->state < STATE_COOKIE_ECHOED || s->state == STATE_ENDED)
        return VERDICT_UNEXPECTED;
    wr_bytes(&w, c->body);
    chunk_end(&w, at);
    if (!w.ok || w.len > s->cc.packet_bytes - COMMON_HEADER_LEN)
        return VERDICT_LIMIT;
    return reply_add(s, s->peer_tag, 0, wr_written(&w)) ? VERDICT_TAKEN : VERDICT_LIMIT;
}

void heartbeat_encode(struct sctp *s, usec now, struct wr *w)
{
    uint8_t info[INFO_LEN];
    struct wr iw = wr_of(info, sizeof info);
    size_t at = chunk_begin(w, CHUNK_HEARTBEAT, 0);

    s->heartbeat_nonce = rng_u64(s->rng) | 1;
    wr_u64(&iw, (uint64_t)now);
    wr_u64(&iw, s->heartbeat_nonce);
    param_encode(w, PARAM_HEARTBEAT_INFO, wr_written(&iw));
    chunk_end(w, at);
    s->is_heartbeat_due = false;
    s->heartbeat_lost_at = now + s->rto.rto_us;
}

enum verdict on_heartbeat_ack(struct sctp *s, usec now, const struct chunk *c)
{
    struct rd r = rd_of(c->body);
    struct param p;
    struct rd info;
    usec sent_at;

    if (!param_read(&r, &p) || p.type != PARAM_HEARTBEAT_INFO)
        return VERDICT_MALFORMED;
    if (p.body.len != INFO_LEN)
        return pmtu_on_answer(s, now, p.body);
    info = rd_of(p.body);
    sent_at = (usec)rd_u64(&info);
    if (!s->heartbeat_nonce || rd_u64(&info) != s->heartbeat_nonce || !info.ok)
        return VERDICT_UNEXPECTED;
    s->heartbeat_nonce = 0;
    s->heartbeat_lost_at = USEC_NEVER;
    s->errors = 0;
    rto_add_sample(&s->rto, now - sent_at);
    heartbeat_postpone(s, now);
    return VERDICT_TAKEN;
}

void sctp_trim(struct sctp *s)
{
    tx_trim(s);
    rx_trim(s);
}

void heartbeat_tick(struct sctp *s, usec now)
{
    if (now >= s->heartbeat_lost_at) {
        s->heartbeat_lost_at = USEC_NEVER;
        s->heartbeat_nonce = 0;
        rto_back_off(&s->rto);
        if (!assoc_count_error(s, now))
            return;
    }
    if (now >= s->heartbeat_at) {
        /* While data is out its own timer watches the peer. */
        s->is_heartbeat_due = s->state == STATE_UP && s->tx.base_tsn == s->tx.next_tsn;
        sctp_trim(s);
        heartbeat_postpone(s, now);
    }
}
