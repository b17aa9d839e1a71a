/* From a chunk to its stream's reader: order within a stream, and payload of a message as it comes.
 * DATA's fragments follow each other by TSN, I-DATA's by FSN; both are a "place" here. */
#include "core/sctp/assoc.h"

#include <assert.h>

/* How far `number` lies ahead of what `kind` is at: message identifiers have 32 bits, SSNs 16. */
int32_t deliver_ahead(const struct sctp *s, const struct stream *st, enum park_kind kind,
                      uint32_t number)
{
    uint32_t distance = number - st->rx.due[kind];

    return s->rx.park.is_woven ? (int32_t)distance : (int16_t)distance;
}

static enum park_kind kind_of(const struct data_chunk *d)
{
    return d->flags & DATA_UNORDERED ? PARK_UNORDERED : PARK_ORDERED;
}

static bool is_of_open_message(const struct stream *st, const struct data_chunk *d)
{
    return st->rx.is_open && kind_of(d) == st->rx.kind && d->ssn == st->rx.number;
}

/* RFC 8260 §2.2: every fragment tells its message, and its place in it. A number that has passed
 * can only be that of a message given up, of which a fragment is still on its way behind another
 * stream's. */
static enum delivery judge_woven(const struct sctp *s, const struct stream *st,
                                 const struct data_chunk *d)
{
    bool begins = d->flags & DATA_BEGINS, is_ordered = kind_of(d) == PARK_ORDERED;

    if (!begins && d->fsn == 0)
        return BREAKS_RULES;
    if (is_of_open_message(st, d)) {
        if (begins || d->fsn < st->rx.next_place)
            return BREAKS_RULES;
        return d->fsn == st->rx.next_place ? DELIVERABLE : MUST_WAIT;
    }
    if (deliver_ahead(s, st, kind_of(d), d->ssn) < 0)
        return begins ? BREAKS_RULES : GIVEN_UP;
    if (st->rx.is_open || !begins || (is_ordered && d->ssn != st->rx.due[PARK_ORDERED]))
        return MUST_WAIT;
    return DELIVERABLE;
}

/* While a message is open only its next fragment may follow, for a reader gets messages whole and
 * one after the other; otherwise the next ordered message, or any unordered one. */
enum delivery deliver_judge(const struct sctp *s, const struct stream *st,
                            const struct data_chunk *d)
{
    bool begins = d->flags & DATA_BEGINS, is_ordered = kind_of(d) == PARK_ORDERED;

    if (s->rx.park.is_woven)
        return judge_woven(s, st, d);
    if (st->rx.is_open) {
        if (d->tsn != st->rx.next_place)
            return MUST_WAIT;
        if (begins || kind_of(d) != st->rx.kind || (is_ordered && d->ssn != st->rx.number))
            return BREAKS_RULES;
        return DELIVERABLE;
    }
    return begins && (!is_ordered || d->ssn == st->rx.due[PARK_ORDERED]) ? DELIVERABLE : MUST_WAIT;
}

void deliver_advance(struct sctp *s, struct stream *st, enum park_kind kind, uint32_t number)
{
    st->rx.due[kind] = s->rx.park.is_woven ? number : (uint16_t)number;
}

static void close_message(struct sctp *s, struct stream *st)
{
    st->rx.is_open = false;
    s->rx.open_count--;
    if (st->rx.kind == PARK_ORDERED)
        deliver_advance(s, st, PARK_ORDERED, st->rx.number + 1);
}

bool deliver(struct sctp *s, struct stream *st, const struct data_chunk *d)
{
    if (!st->rx.is_open && !inbox_begin(s, st, d->ppid))
        return false;
    if (!inbox_grow(s, st, d->payload))
        return false;
    if (!st->rx.is_open) {
        st->rx.is_open = true;
        s->rx.open_count++;
        st->rx.kind = (uint8_t)kind_of(d);
        st->rx.number = d->ssn;
    }
    st->rx.next_place = park_place(&s->rx.park, d) + 1;
    if (d->flags & DATA_ENDS) {
        inbox_end(s, st);
        close_message(s, st);
    }
    return true;
}

/* What is parked of the message that is open. */
static uint32_t open_message(const struct sctp *s, const struct stream *st)
{
    if (!s->rx.park.is_woven || s->rx.park.count == 0)
        return 0;
    return park_find_message(&s->rx.park, st->id, st->rx.kind, st->rx.number);
}

void deliver_give_up(struct sctp *s, struct stream *st)
{
    uint32_t message = open_message(s, st);

    if (message)
        park_drop(&s->rx.park, message, st->rx.lanes);
    inbox_cut(s, st);
    close_message(s, st);
}

/* Usually nothing is parked, or only of other streams. */
static bool may_have_parked(const struct sctp *s, const struct stream *st)
{
    return s->rx.park.count && (st->rx.is_open || st->rx.lanes[PARK_ORDERED].count ||
                                st->rx.lanes[PARK_UNORDERED].count);
}

static uint32_t next_slot(const struct sctp *s, const struct stream *st)
{
    const struct park *p = &s->rx.park;
    uint32_t message;

    if (!may_have_parked(s, st))
        return 0;
    if (st->rx.is_open) {
        message = open_message(s, st);
        return p->is_woven && !message ? 0 : park_find(p, message, st->rx.next_place);
    }
    message = park_find_message(p, st->id, PARK_ORDERED, st->rx.due[PARK_ORDERED]);
    if (park_first(p, message))
        return park_first(p, message);
    return park_first(p, st->rx.lanes[PARK_UNORDERED].begun.first);
}

/* Whether fragments are parked behind the end of the message that this chunk ended. */
bool deliver_has_overrun(const struct sctp *s, const struct stream *st, const struct data_chunk *d)
{
    return s->rx.park.is_woven && s->rx.park.count && d->flags & DATA_ENDS &&
           park_find_message(&s->rx.park, st->id, kind_of(d), d->ssn);
}

/* An unordered message that was whole stays when I-FORWARD-TSN names a later one: its number has
 * passed since it was parked, and it begins all the same. */
static bool is_next(const struct sctp *s, const struct stream *st, const struct data_chunk *d)
{
    if (s->rx.park.is_woven && !st->rx.is_open && d->flags & DATA_UNORDERED)
        return d->flags & DATA_BEGINS;
    return deliver_judge(s, st, d) == DELIVERABLE;
}

/* The next fragment of the open message was passed by a FORWARD-TSN while what is there of it
 * waited for its turn. */
static bool is_stranded(const struct sctp *s, const struct stream *st)
{
    return st->rx.is_open && !s->rx.park.is_woven && !tsn_before(s->rx.cum_tsn, st->rx.next_place);
}

/* What has become deliverable now that something before it has. */
void deliver_parked(struct sctp *s, usec now, struct stream *st)
{
    struct park *p = &s->rx.park;

    for (;;) {
        struct data_chunk d;
        uint32_t slot;

        forward_advance(s, st);
        slot = next_slot(s, st);
        if (!slot && is_stranded(s, st)) {
            deliver_give_up(s, st);
            continue;
        }
        if (!slot)
            return;
        d = park_get(p, slot);
        if (d.stream != st->id || !is_next(s, st, &d)) {
            assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "fragments of two messages mixed");
            return;
        }
        if (!deliver(s, st, &d)) {
            s->rx.is_pool_short = true;
            return;
        }
        park_remove(p, slot, st->rx.lanes);
        if (deliver_has_overrun(s, st, &d)) {
            assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "fragments behind the last");
            return;
        }
    }
}

/* RFC 6525 §5.2.2, RFC 8260 §2.4: numbering begins anew. What has arrived of a message that never
 * will be whole says so. */
void deliver_reset(struct sctp *s, struct stream *st)
{
    if (st->rx.is_open)
        deliver_give_up(s, st);
    for (int kind = 0; kind < PARK_KINDS; kind++) {
        park_drop_lane(&s->rx.park, (enum park_kind)kind, st->rx.lanes);
        st->rx.due[kind] = 0;
        st->rx.is_skipping[kind] = false;
    }
}
