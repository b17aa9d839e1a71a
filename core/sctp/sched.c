/* Which stream sends next: the most urgent class that has something; within it a circle of streams
 * that take turns of as many bytes as their weights allow (deficit round robin). With I-DATA there
 * is a choice at every chunk, otherwise only between messages, for the fragments of one have
 * consecutive TSNs (RFC 9260 §6.9). */
#include "core/sctp/assoc.h"

#define TURN_BYTES 4096 /* times the weight */

static int turn_of(const struct stream *st)
{
    return st->tx.weight * TURN_BYTES;
}

/* tx.ready[class] is the stream served last; the one behind it is next. */
void sched_add(struct sctp *s, struct stream *st)
{
    struct stream **last = &s->tx.ready[st->tx.class];

    if (st->tx.ready_next)
        return;
    st->tx.turn_left = turn_of(st);
    if (*last) {
        st->tx.ready_next = (*last)->tx.ready_next;
        (*last)->tx.ready_next = st;
    } else {
        st->tx.ready_next = st;
    }
    s->tx.ready_classes |= (uint16_t)(1u << st->tx.class);
    *last = st; /* the newcomer waits for a whole turn of the others */
}

/* The one before it in the circle takes its place there. */
static void take_out(struct sctp *s, struct stream *st)
{
    struct stream **last = &s->tx.ready[st->tx.class], *before = *last;

    while (before->tx.ready_next != st)
        before = before->tx.ready_next;
    before->tx.ready_next = st->tx.ready_next;
    if (*last == st)
        *last = before == st ? NULL : before;
    if (!*last)
        s->tx.ready_classes &= (uint16_t) ~(1u << st->tx.class);
    st->tx.ready_next = NULL;
}

void sched_remove(struct sctp *s, struct stream *st)
{
    if (s->tx.current == st)
        s->tx.current = NULL;
    if (st->tx.ready_next)
        take_out(s, st);
}

bool sched_is_empty(const struct sctp *s)
{
    return !s->tx.current && !s->tx.ready_classes;
}

struct stream *sched_next(struct sctp *s)
{
    if (s->tx.current || !s->tx.ready_classes)
        return s->tx.current;
    return s->tx.ready[__builtin_ctz(s->tx.ready_classes)]->tx.ready_next;
}

/* The first in the circle gives way until there is one whose turn is not used up: a long message
 * may have cost several. */
static void end_turn(struct stream **last)
{
    struct stream *first = (*last)->tx.ready_next;

    while (first->tx.turn_left <= 0) {
        first->tx.turn_left += turn_of(first);
        *last = first;
        first = first->tx.ready_next;
    }
}

/* st is the stream sched_next() named: a chunk of it has gone, and another may be next. */
void sched_done(struct sctp *s, struct stream *st, size_t len, bool may_change)
{
    st->tx.turn_left -= (int)len;
    s->tx.current = may_change ? NULL : st;
    if (!may_change)
        return;
    if (!st->tx.unsent)
        take_out(s, st);
    else
        end_turn(&s->tx.ready[st->tx.class]);
}

int sctp_set_stream_priority(struct sctp *s, uint16_t id, unsigned class, unsigned weight)
{
    struct stream *st;
    bool is_ready;

    if (id >= s->cfg.streams_max || class >= SCTP_CLASSES || weight < 1 || weight > SCTP_WEIGHT_MAX)
        return ERR_INVALID;
    st = stream_get(s, id);
    if (!st)
        return ERR_NOMEM;
    is_ready = st->tx.ready_next != NULL;
    if (is_ready)
        take_out(s, st);
    st->tx.class = (uint8_t) class;
    st->tx.weight = (uint8_t)weight;
    if (is_ready)
        sched_add(s, st);
    return ERR_OK;
}
