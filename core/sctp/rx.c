/* DATA and I-DATA arrive: which TSNs are in, what may be kept, and when to say so. RFC 9260 §6.2.
 *
 * One bound holds whatever a peer sends: what streams' chains hold and what is parked never pass
 * rx_bytes_max together. Headers and slots count, so a million tiny messages fill the window just
 * as a few large ones do. */
#include "core/sctp/assoc.h"

void rx_init(struct sctp *s)
{
    tsn_set_init(&s->rx.beyond, GAPS_MAX);
    park_init(&s->rx.park, s->cfg.pool, rng_u64(s->rng));
}

void rx_start(struct sctp *s, uint32_t peer_initial_tsn)
{
    s->rx.cum_tsn = peer_initial_tsn - 1;
    s->rx.park.is_woven = s->offered & s->peer_extensions & INIT_I_DATA;
    s->rx.skip_steps = SKIP_STEPS_MAX;
    s->rx.told_rwnd = (uint32_t)s->cfg.rx_bytes_max;
}

void rx_deinit(struct sctp *s)
{
    tsn_set_deinit(&s->rx.beyond);
    park_deinit(&s->rx.park);
    part_deinit(s);
}

void rx_trim(struct sctp *s)
{
    if (s->rx.beyond.count == 0)
        tsn_set_deinit(&s->rx.beyond);
    if (s->rx.park.count == 0)
        park_deinit(&s->rx.park);
    part_deinit(s);
}

static bool is_received(const struct sctp *s, uint32_t tsn)
{
    return !tsn_before(s->rx.cum_tsn, tsn) || tsn_set_has(&s->rx.beyond, tsn);
}

static enum verdict note_duplicate(struct sctp *s, uint32_t tsn)
{
    if (s->rx.duplicate_count < DUPLICATES_MAX)
        s->rx.duplicates[s->rx.duplicate_count++] = tsn;
    s->info.duplicate_chunks++;
    s->rx.is_sack_due = true; /* the peer may have lost our SACK */
    return VERDICT_DUPLICATE;
}

/* Makes sure that note_received(tsn) cannot fail, before anything is delivered. */
static bool reserve_tsn(struct sctp *s, uint32_t tsn)
{
    if (tsn == s->rx.cum_tsn + 1)
        return true;
    if (tsn - s->rx.cum_tsn > TSN_WINDOW_MAX)
        return false;
    return tsn_set_add(&s->rx.beyond, tsn) == ERR_OK;
}

/* cum_tsn moves on through what had arrived beyond it. */
static void advance_cumulative(struct sctp *s, uint32_t tsn)
{
    if (tsn != s->rx.cum_tsn + 1)
        return;
    s->rx.cum_tsn = tsn;
    if (s->rx.beyond.count && s->rx.beyond.ranges[0].first == tsn + 1) {
        s->rx.cum_tsn = s->rx.beyond.ranges[0].last;
        tsn_set_drop_to(&s->rx.beyond, s->rx.cum_tsn);
    }
}

/* The same, whatever is still missing before it. */
void rx_advance_to(struct sctp *s, uint32_t tsn)
{
    tsn_set_drop_to(&s->rx.beyond, tsn);
    s->rx.cum_tsn = tsn - 1;
    advance_cumulative(s, tsn);
}

#define RX_RESERVE 4096 /* of the window: the longest chunk that could be parked, and some */

static size_t held_bytes(const struct sctp *s)
{
    return s->rx.unread_bytes + s->rx.park.bytes;
}

/* A part of the window is kept for the chunk everybody waits for, so that those who wait never keep
 * it out; once it is delivered, the application's reading makes room for the next. */
static bool is_room_for(const struct sctp *s, const struct data_chunk *d)
{
    size_t most = s->cfg.rx_bytes_max, half = most / 2;

    if (d->tsn != s->rx.cum_tsn + 1)
        most -= half < RX_RESERVE ? half : RX_RESERVE;
    return held_bytes(s) + d->payload.len + PARK_SLOT_COST <= most;
}

/* An eighth of the window is kept for what can be delivered at once: I-DATA's fragments may wait
 * for others that are sent much later. In DATA what waits does so for an earlier TSN. */
static bool may_wait(const struct sctp *s, const struct data_chunk *d)
{
    size_t most = s->cfg.rx_bytes_max - s->cfg.rx_bytes_max / 8;

    return !s->rx.park.is_woven || s->rx.park.bytes + d->payload.len + PARK_SLOT_COST <= most;
}

/* In DATA, with no gap and nobody amid a message, nothing can be waiting any more: what still does
 * has a place that never comes (a skipped SSN, a fragment without a beginning). */
static bool is_consistent(const struct sctp *s)
{
    if (s->rx.park.is_woven || s->rx.beyond.count || s->rx.is_pool_short)
        return true;
    return s->rx.open_count <= 1 && (s->rx.open_count == 1 || s->rx.park.count == 0);
}

static enum verdict park_chunk(struct sctp *s, usec now, struct stream *st,
                               const struct data_chunk *d)
{
    int err;

    if (!may_wait(s, d) || !reserve_tsn(s, d->tsn))
        return VERDICT_LIMIT;
    err = park_add(&s->rx.park, d, st->rx.lanes);
    if (err == ERR_OK) {
        advance_cumulative(s, d->tsn);
        return VERDICT_TAKEN;
    }
    if (err == ERR_INVALID) {
        assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "two chunks claim one place");
        return VERDICT_MALFORMED;
    }
    if (d->tsn != s->rx.cum_tsn + 1)
        tsn_set_remove(&s->rx.beyond, d->tsn);
    return VERDICT_LIMIT;
}

static enum verdict place_chunk(struct sctp *s, usec now, struct stream *st,
                                const struct data_chunk *d)
{
    enum delivery what;

    if (!is_room_for(s, d))
        return VERDICT_LIMIT;
    what = deliver_judge(s, st, d);
    if (what == MUST_WAIT)
        return park_chunk(s, now, st, d);
    if (what == DELIVERABLE || what == GIVEN_UP) {
        if (!reserve_tsn(s, d->tsn))
            return VERDICT_LIMIT;
        if (what == GIVEN_UP) {
            advance_cumulative(s, d->tsn);
            return VERDICT_TAKEN;
        }
        if (deliver(s, st, d)) {
            advance_cumulative(s, d->tsn);
            if (deliver_has_overrun(s, st, d))
                assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "fragments behind the last");
            else
                deliver_parked(s, now, st);
            return VERDICT_TAKEN;
        }
        if (d->tsn != s->rx.cum_tsn + 1)
            tsn_set_remove(&s->rx.beyond, d->tsn);
        return VERDICT_LIMIT;
    }
    assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "fragments overlap");
    return VERDICT_MALFORMED;
}

/* RFC 9260 §6.5: acknowledged and thrown away, and the peer is told. */
static enum verdict on_invalid_stream(struct sctp *s, const struct data_chunk *d)
{
    uint8_t info[4];
    struct wr w = wr_of(info, sizeof info);

    if (!reserve_tsn(s, d->tsn))
        return VERDICT_LIMIT;
    advance_cumulative(s, d->tsn);
    wr_u16(&w, d->stream);
    wr_u16(&w, 0);
    reply_error(s, CAUSE_INVALID_STREAM, wr_written(&w));
    return VERDICT_MALFORMED;
}

/* RFC 8260 §2.2.1: with I-DATA agreed there is no DATA. Without, I-DATA is a chunk unknown. */
static enum verdict refuse_kind(struct sctp *s, usec now, const struct chunk *c)
{
    if (s->rx.park.is_woven) {
        assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "I-DATA was agreed");
        return VERDICT_MALFORMED;
    }
    reply_error(s, CAUSE_UNRECOGNIZED_CHUNK, c->whole);
    return VERDICT_UNEXPECTED;
}

enum verdict on_data(struct sctp *s, usec now, const struct chunk *c)
{
    struct data_chunk d;
    struct stream *st;
    enum verdict verdict;
    bool had_gap = s->rx.beyond.count > 0;

    if (!assoc_may_receive_data(s))
        return VERDICT_UNEXPECTED;
    if ((c->type == CHUNK_I_DATA) != s->rx.park.is_woven)
        return refuse_kind(s, now, c);
    if (!(c->type == CHUNK_I_DATA ? i_data_decode(&d, c) : data_decode(&d, c)))
        return VERDICT_MALFORMED;
    if (d.payload.len == 0) {
        assoc_fail(s, now, CAUSE_NO_USER_DATA, "");
        return VERDICT_MALFORMED;
    }
    s->info.data_chunks_received++;
    if (d.flags & DATA_SACK_NOW)
        s->rx.is_sack_due = true;
    if (is_received(s, d.tsn))
        return note_duplicate(s, d.tsn);
    if (d.stream >= s->cfg.streams_max)
        return on_invalid_stream(s, &d);
    st = stream_get(s, d.stream);
    verdict = st ? place_chunk(s, now, st, &d) : VERDICT_LIMIT;
    if (had_gap || s->rx.beyond.count || verdict == VERDICT_LIMIT)
        s->rx.is_sack_due = true; /* §6.7: gaps are told at once, and so is a full window */
    if (!is_consistent(s))
        assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "a message that cannot be completed");
    return verdict;
}

void rx_after_packet(struct sctp *s, usec now)
{
    s->rx.has_forwarded = false;
    s->rx.skip_steps = SKIP_STEPS_MAX;
    if (!assoc_may_receive_data(s))
        return;
    s->rx.data_at = now;
    if (s->state == STATE_SHUTDOWN_SENT) { /* §9.2: answered by SHUTDOWN and a SACK */
        s->is_shutdown_due = true;
        s->t2_at = now + s->rto.rto_us;
        s->rx.is_sack_due = true;
    }
    if (++s->rx.unsacked_packets >= PACKETS_PER_SACK)
        s->rx.is_sack_due = true;
    if (!s->rx.is_sack_due && s->sack_at == USEC_NEVER)
        s->sack_at = now + SACK_DELAY_US;
    if (s->rx.is_pool_short && s->pool_retry_at == USEC_NEVER)
        s->pool_retry_at = now + POOL_RETRY_US;
}

void rx_retry(struct sctp *s, usec now)
{
    if (!s->rx.is_pool_short)
        return;
    s->rx.is_pool_short = false;
    for (size_t i = 0; i < s->streams_cap; i++)
        if (s->streams[i])
            deliver_parked(s, now, s->streams[i]);
}
