/* SACK arrives: what has left the network, and what that allows. RFC 9260 §6.2.1.
 *
 * What a gap block has reported stays acknowledged, whatever later ones say: so each TSN is worked
 * on once, not with every SACK of a peer that says now this, now that. T3 finds out who really
 * dropped what it had reported (deviations.md, S18). */
#include "core/sctp/assoc.h"

struct pass {
    struct sctp *s;
    usec now;
    size_t bytes;   /* newly acknowledged */
    size_t by_path; /* of those, sent by the path of now */
    bool has_once;  /* something among them was sent but once */
};

/* The peer need not have it: we told it not to wait. So it says nothing of the path. */
static void ack_given_up(struct pass *p, uint32_t tsn, struct tx_chunk *c)
{
    if (tsn == p->s->tx.rtt_tsn)
        p->s->tx.is_timing = false;
    if (c->state == TX_IN_FLIGHT)
        tx_leave_flight(p->s, c);
    p->s->tx.lost_count -= c->state == TX_LOST;
    c->state = TX_ACKED;
    p->bytes += tx_chunk_bytes(c);
}

static void ack_one(struct pass *p, uint32_t tsn, struct tx_chunk *c)
{
    struct sctp *s = p->s;
    bool is_first_copy = false;

    if (c->state == TX_ACKED)
        return;
    if (abandon_is_told(s, tsn)) {
        ack_given_up(p, tsn, c);
        return;
    }
    if (c->state == TX_IN_FLIGHT) {
        is_first_copy = needless_is_first_copy(s, p->now, tsn, c);
        tx_leave_flight(s, c);
    } else if (c->state == TX_LOST) {
        s->tx.lost_count--;
        needless_note_lost_acked(s, c);
    }
    c->state = TX_ACKED;
    if (!tx_is_of_old_path(s, c))
        throughput_note_acked(s, p->now, c, is_first_copy);
    if (!is_first_copy)
        loss_note_acked(s, p->now, c);
    pmtu_note_acked(s, p->now, c);
    p->has_once |= !c->is_retransmitted;
    p->bytes += tx_chunk_bytes(c);
    p->by_path += tx_is_of_old_path(s, c) ? 0 : tx_chunk_bytes(c);
    if (s->tx.is_timing && tsn == s->tx.rtt_tsn) {
        s->tx.is_timing = false;
        rto_add_sample(&s->rto, p->now - c->sent_at);
        s->tx.probe_rtts = PROBE_RTTS_LEAST;
    }
}

static void advance_base(struct pass *p, uint32_t cum_tsn)
{
    struct sctp *s = p->s;

    while (s->tx.base_tsn != cum_tsn + 1) {
        struct tx_chunk *c = tx_chunk_at(s, s->tx.base_tsn);

        ack_one(p, s->tx.base_tsn, c);
        if (tsn_before(s->tx.advanced_tsn, s->tx.base_tsn)) {
            queue_release(s, stream_find(s, c->stream), c);
            s->tx.advanced_tsn = s->tx.base_tsn;
        }
        s->tx.base_tsn++;
    }
    s->tx.resend_from = tsn_max(s->tx.resend_from, s->tx.base_tsn);
    s->tx.told_tsn = tsn_max(s->tx.told_tsn, cum_tsn);
    tsn_set_drop_to(&s->tx.sacked, cum_tsn);
}

static void on_newly_reported(void *ctx, struct tsn_range range)
{
    struct sctp *s = ctx;

    (void)tsn_set_append(&s->tx.fresh, range); /* what does not fit waits for the next SACK */
}

/* Blocks out of order end the list; those that do not fit our memory count as not reported. False:
 * a block names a TSN never sent. */
static bool read_gaps(struct sctp *s, const struct sack_chunk *sack, struct tsn_set *out)
{
    struct rd r = sack->gaps;
    uint32_t before = sack->cum_tsn;

    out->count = 0;
    for (unsigned i = 0; i < sack->gap_count; i++) {
        struct tsn_range range = { .first = sack->cum_tsn + rd_u16(&r) };

        range.last = sack->cum_tsn + rd_u16(&r);
        if (!tsn_before(range.last, s->tx.next_tsn))
            return false;
        if (!tsn_before(before, range.first) || tsn_before(range.last, range.first) ||
            tsn_set_append(out, range) != ERR_OK)
            break;
        before = range.last;
    }
    return true;
}

static void ack_gaps(struct pass *p)
{
    struct sctp *s = p->s;

    s->tx.fresh.count = 0;
    tsn_set_difference(&s->tx.reported, &s->tx.sacked, s, on_newly_reported);
    for (size_t i = 0; i < s->tx.fresh.count; i++) {
        struct tsn_range range = s->tx.fresh.ranges[i];

        if (tsn_set_add_range(&s->tx.sacked, range) != ERR_OK)
            continue; /* not remembered, so not acknowledged */
        for (uint32_t tsn = range.first; tsn != range.last + 1; tsn++)
            ack_one(p, tsn, tx_chunk_at(s, tsn));
    }
}

/* The window opened again while one chunk probes it: that one was not lost to congestion. */
static void learn_window(struct sctp *s, uint32_t a_rwnd)
{
    bool was_shut = s->tx.peer_rwnd < s->cc.packet_bytes;
    bool is_shut = a_rwnd < s->cc.packet_bytes;
    bool is_probing = s->tx.next_tsn - s->tx.base_tsn == 1;

    s->tx.peer_rwnd = a_rwnd;
    if (is_shut)
        s->errors = 0; /* §6.1 A: a peer that answers probes is alive */
    if (was_shut && !is_shut && is_probing && tx_chunk_at(s, s->tx.base_tsn)->state == TX_IN_FLIGHT)
        loss_mark(s, s->tx.base_tsn, tx_chunk_at(s, s->tx.base_tsn));
}

static void tell_congestion_control(struct pass *p)
{
    struct sctp *s = p->s;
    struct cc_sample sample = {
        .acked = p->by_path,
        .flight = s->tx.flight_bytes - s->tx.old_flight_bytes,
        .is_limited = s->tx.is_cwnd_limited,
    };

    throughput_take(s, p->now, &sample);
    s->cc.ops->on_ack(&s->cc, p->now, &sample);
}

static void after_ack(struct pass *p, bool has_advanced)
{
    struct sctp *s = p->s;

    if (p->bytes) {
        s->errors = 0;
        s->tx.is_backed_off = s->tx.has_resumed = false;
        if (p->has_once)
            rto_restore(&s->rto);
        heartbeat_postpone(s, p->now);
        if (s->tx.is_timeout_needless)
            needless_take_timeout_back(s);
        if (!s->tx.lost_count)
            s->tx.timeout_cwnd = 0; /* T3 was right: all had to go again */
        loss_detect(s, p->now);
    }
    if (p->by_path)
        tell_congestion_control(p);
    abandon_on_sack(s, p->now);
    if (s->tx.base_tsn == s->tx.next_tsn)
        s->t3_at = USEC_NEVER; /* §6.3.2 R2 */
    else if (has_advanced)
        loss_arm_t3(s, p->now); /* R3 */
    if (p->bytes) {
        s->tx.has_probed = false;
        loss_arm_probe(s, p->now);
    }
    if (has_advanced)
        queue_wake_waiters(s);
    reconfig_advance(s, p->now);
    closing_advance(s, p->now);
}

static bool is_never_sent(const struct sctp *s, uint32_t cum_tsn)
{
    return !tsn_before(cum_tsn, s->tx.next_tsn);
}

enum verdict on_sack(struct sctp *s, usec now, const struct chunk *c)
{
    struct sack_chunk sack;
    struct pass p = { .s = s, .now = now };
    bool has_advanced;

    if (!sack_decode(&sack, c->body))
        return VERDICT_MALFORMED;
    if (s->state < STATE_UP)
        return VERDICT_UNEXPECTED;
    if (tsn_before(sack.cum_tsn, s->tx.base_tsn - 1))
        return VERDICT_DUPLICATE; /* overtaken by a later one */
    if (is_never_sent(s, sack.cum_tsn) || !read_gaps(s, &sack, &s->tx.reported)) {
        assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "SACK of a TSN never sent");
        return VERDICT_MALFORMED;
    }
    if (sack.duplicate_count)
        needless_note_duplicates(s, sack.duplicates, sack.duplicate_count);
    has_advanced = sack.cum_tsn != s->tx.base_tsn - 1;
    advance_base(&p, sack.cum_tsn);
    ack_gaps(&p);
    learn_window(s, sack.a_rwnd);
    after_ack(&p, has_advanced);
    return VERDICT_TAKEN;
}

bool ack_cumulative(struct sctp *s, usec now, uint32_t cum_tsn)
{
    struct pass p = { .s = s, .now = now };
    bool has_advanced;

    if (tsn_before(cum_tsn, s->tx.base_tsn - 1))
        return true;
    if (is_never_sent(s, cum_tsn)) {
        assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "SHUTDOWN of a TSN never sent");
        return false;
    }
    has_advanced = cum_tsn != s->tx.base_tsn - 1;
    advance_base(&p, cum_tsn);
    after_ack(&p, has_advanced);
    return true;
}
