/* The peer gives messages up: FORWARD-TSN (RFC 3758 §3.6) and I-FORWARD-TSN (RFC 8260 §2.3).
 *
 * What such a chunk costs is bounded however far it jumps. One is looked at in a packet; received
 * TSNs that it passes are visited once and are past then; and a search for messages that it gives
 * up takes so many steps for each packet, the rest waiting for the next packets. */
#include "core/sctp/assoc.h"

/* RFC 3758 in DATA: fragments of a message that has a hole are found by their TSNs. */
static void drop_run(struct sctp *s, uint32_t first, uint32_t last)
{
    for (uint32_t tsn = first; !tsn_before(last, tsn); tsn++) {
        uint32_t slot = park_find(&s->rx.park, 0, tsn);
        struct data_chunk d;

        if (!slot)
            continue;
        d = park_get(&s->rx.park, slot);
        park_remove(&s->rx.park, slot, stream_find(s, d.stream)->rx.lanes);
    }
}

/* The range has a hole before it, and one behind it if it ends before `point`: what does not both
 * begin and end within it goes, unless its end may still come. */
static void drop_partial(struct sctp *s, struct tsn_range range, uint32_t point)
{
    uint32_t last = tsn_min(range.last, point), from = range.first;
    bool has_begun = false, is_amid = true;

    for (uint32_t tsn = range.first; !tsn_before(last, tsn); tsn++) {
        uint32_t slot = park_find(&s->rx.park, 0, tsn);
        uint8_t flags = slot ? park_get(&s->rx.park, slot).flags : DATA_BEGINS | DATA_ENDS;

        if (flags & DATA_BEGINS) {
            if (is_amid && tsn != from)
                drop_run(s, from, tsn - 1);
            from = tsn;
            has_begun = is_amid = true;
        }
        if (!(flags & DATA_ENDS))
            continue;
        if (!has_begun)
            drop_run(s, from, tsn);
        has_begun = is_amid = false;
        from = tsn + 1;
    }
    if (is_amid && (!has_begun || tsn_before(range.last, point)))
        drop_run(s, from, last);
}

static void drop_partials(struct sctp *s, uint32_t point)
{
    for (size_t i = 0; s->rx.park.count && i < s->rx.beyond.count; i++) {
        struct tsn_range range = s->rx.beyond.ranges[i];

        if (tsn_before(point, range.first))
            break;
        drop_partial(s, range, point);
    }
}

/* What is parked has arrived, and waits for a block only. */
static void give_up_open(struct sctp *s, uint32_t point)
{
    for (size_t i = 0; s->rx.open_count && i < s->streams_cap; i++) {
        struct stream *st = s->streams[i];

        if (st && st->rx.is_open && !tsn_before(point, st->rx.next_place) &&
            !park_find(&s->rx.park, 0, st->rx.next_place))
            deliver_give_up(s, st);
    }
}

/* The ordered message that is being read moves `due` on itself, at its end. And whether one that
 * waits has all its fragments is, in DATA, found by one after the other: too much for each of those
 * of another message that is being read, behind which it is soon enough. */
static bool is_too_early(const struct sctp *s, const struct stream *st, enum park_kind kind)
{
    bool is_in_order = st->rx.kind == PARK_ORDERED && kind == PARK_ORDERED;

    return st->rx.is_open && (is_in_order || (!s->rx.park.is_woven && st->rx.lanes[kind].count));
}

/* Moves `due` over one number, or over those that nothing is parked of. False: not now. */
static bool skip_one(struct sctp *s, struct stream *st, enum park_kind kind)
{
    struct park_lane *lane = &st->rx.lanes[kind];
    uint32_t due = st->rx.due[kind], next = due + 1, to = st->rx.skip_to[kind];
    uint32_t message = park_find_message(&s->rx.park, st->id, kind, due);

    s->rx.skip_steps--;
    if (st->rx.is_open && st->rx.kind == kind && st->rx.number == due) {
        /* unordered: nothing behind it waits for its end */
    } else if (message && park_is_whole(&s->rx.park, message)) {
        if (kind == PARK_ORDERED)
            return false; /* has its turn before those behind it are skipped */
    } else if (message) {
        park_drop(&s->rx.park, message, st->rx.lanes);
    } else {
        next = park_least(&s->rx.park, lane, due);
        s->rx.skip_steps -= lane->count < s->rx.skip_steps ? lane->count : s->rx.skip_steps;
        if (deliver_ahead(s, st, kind, next) < 0 ||
            deliver_ahead(s, st, kind, next) > deliver_ahead(s, st, kind, to))
            next = to + 1;
    }
    deliver_advance(s, st, kind, next);
    return true;
}

void forward_advance(struct sctp *s, struct stream *st)
{
    for (int k = 0; k < PARK_KINDS; k++) {
        enum park_kind kind = (enum park_kind)k;

        while (st->rx.is_skipping[kind]) {
            if (deliver_ahead(s, st, kind, st->rx.skip_to[kind]) < 0) {
                st->rx.is_skipping[kind] = false;
            } else if (is_too_early(s, st, kind)) {
                break;
            } else if (st->rx.lanes[kind].count == 0) {
                deliver_advance(s, st, kind, st->rx.skip_to[kind] + 1);
            } else if (s->rx.skip_steps == 0 || !skip_one(s, st, kind)) {
                break;
            }
        }
    }
}

/* A stream that lost messages before the first one came must know of it. False: no memory. */
static bool make_streams(struct sctp *s, struct forward_chunk f)
{
    struct forward_skip k;

    while (forward_next(&f, &k))
        if (k.stream < s->cfg.streams_max && !stream_get(s, k.stream))
            return false;
    return true;
}

static void skip(struct sctp *s, const struct forward_skip *k)
{
    enum park_kind kind = k->is_unordered ? PARK_UNORDERED : PARK_ORDERED;
    struct stream *st = stream_find(s, k->stream);
    bool is_woven = s->rx.park.is_woven; /* in DATA TSNs have told what is given up */

    if (!st || deliver_ahead(s, st, kind, k->ssn) < 0)
        return;
    if (is_woven && st->rx.is_open && st->rx.kind == kind &&
        deliver_ahead(s, st, kind, k->ssn) >= deliver_ahead(s, st, kind, st->rx.number))
        deliver_give_up(s, st);
    if (!st->rx.is_skipping[kind] ||
        deliver_ahead(s, st, kind, k->ssn) > deliver_ahead(s, st, kind, st->rx.skip_to[kind]))
        st->rx.skip_to[kind] = k->ssn;
    st->rx.is_skipping[kind] = true;
    forward_advance(s, st);
}

/* RFC 8260 §2.3.1: each kind of data has its own. Without agreement both are unknown chunks. */
static enum verdict refuse(struct sctp *s, usec now, const struct chunk *c)
{
    if (sctp_has(s, SCTP_FORWARD_TSN)) {
        assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "the other FORWARD-TSN was agreed");
        return VERDICT_MALFORMED;
    }
    reply_error(s, CAUSE_UNRECOGNIZED_CHUNK, c->whole);
    return VERDICT_TAKEN;
}

enum verdict on_forward(struct sctp *s, usec now, const struct chunk *c)
{
    bool is_woven = s->rx.park.is_woven;
    struct forward_chunk f;
    struct forward_skip k;

    if (!forward_decode(&f, c))
        return VERDICT_MALFORMED;
    if (!assoc_may_receive_data(s) || s->rx.has_forwarded)
        return VERDICT_UNEXPECTED;
    if (!sctp_has(s, SCTP_FORWARD_TSN) || f.is_interleaved != is_woven)
        return refuse(s, now, c);
    s->rx.has_forwarded = s->rx.is_sack_due = true;
    if (tsn_before(f.cum_tsn, s->rx.cum_tsn))
        return VERDICT_DUPLICATE; /* our SACK may have been lost */
    if (!make_streams(s, f))
        return VERDICT_LIMIT; /* the peer repeats it */
    if (!is_woven) {
        drop_partials(s, f.cum_tsn);
        give_up_open(s, f.cum_tsn);
    }
    while (forward_next(&f, &k))
        skip(s, &k);
    if (f.cum_tsn != s->rx.cum_tsn) /* or there were too many streams for one chunk */
        rx_advance_to(s, f.cum_tsn);
    for (size_t i = 0; i < s->streams_cap && s->state != STATE_ENDED; i++)
        if (s->streams[i])
            deliver_parked(s, now, s->streams[i]);
    return VERDICT_TAKEN;
}
