/* Which stream sends next: a circle of those that have something, one message each in turn. Only
 * between messages is there a choice, for the fragments of one have consecutive TSNs
 * (RFC 9260 §6.9). */
#include "core/sctp/assoc.h"

/* tx.ready is the stream served last; the one behind it is next. */
void sched_add(struct sctp *s, struct stream *st)
{
    if (st->tx.ready_next)
        return;
    if (s->tx.ready) {
        st->tx.ready_next = s->tx.ready->tx.ready_next;
        s->tx.ready->tx.ready_next = st;
    } else {
        st->tx.ready_next = st;
    }
    s->tx.ready = st; /* the newcomer waits for a whole turn */
}

bool sched_is_empty(const struct sctp *s)
{
    return !s->tx.ready;
}

struct stream *sched_next(struct sctp *s)
{
    if (s->tx.current)
        return s->tx.current;
    return s->tx.ready ? s->tx.ready->tx.ready_next : NULL;
}

/* st is the stream sched_next() named: a chunk of it has gone. */
void sched_done(struct sctp *s, struct stream *st, bool message_ended)
{
    s->tx.current = message_ended ? NULL : st;
    if (!message_ended)
        return;
    if (st->tx.unsent) {
        s->tx.ready = st;
        return;
    }
    if (s->tx.ready == st)
        s->tx.ready = NULL; /* it was alone */
    else
        s->tx.ready->tx.ready_next = st->tx.ready_next;
    st->tx.ready_next = NULL;
}
