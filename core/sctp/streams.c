/* Streams, made when first used, and the events that concern one. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

struct stream *stream_find(const struct sctp *s, uint16_t id)
{
    return id < s->streams_cap ? s->streams[id] : NULL;
}

static bool grow_table(struct sctp *s, uint16_t id)
{
    size_t cap = s->streams_cap ? s->streams_cap : 16;
    struct stream **table;

    while (cap <= id)
        cap *= 2;
    if (cap == s->streams_cap)
        return true;
    table = realloc(s->streams, cap * sizeof *table);
    if (!table)
        return false;
    for (size_t i = s->streams_cap; i < cap; i++)
        table[i] = NULL;
    s->streams = table;
    s->streams_cap = cap;
    return true;
}

struct stream *stream_get(struct sctp *s, uint16_t id)
{
    struct stream *st = stream_find(s, id);

    if (st)
        return st;
    if (!grow_table(s, id) || !(st = calloc(1, sizeof *st)))
        return NULL;
    st->id = id;
    st->tx.limit = s->cfg.stream_tx_bytes_max;
    st->tx.class = SCTP_CLASS_USUAL;
    st->tx.weight = 1;
    chain_init(&st->tx.chain, s->cfg.pool);
    chain_init(&st->tx.messages, s->cfg.pool);
    chain_init(&st->rx.chain, s->cfg.pool);
    chain_init(&st->rx.messages, s->cfg.pool);
    s->streams[id] = st;
    return st;
}

void streams_free(struct sctp *s)
{
    for (size_t i = 0; i < s->streams_cap; i++) {
        struct stream *st = s->streams[i];

        if (st) {
            chain_deinit(&st->tx.chain);
            chain_deinit(&st->tx.messages);
            chain_deinit(&st->rx.chain);
            chain_deinit(&st->rx.messages);
            free(st);
        }
    }
    free(s->streams);
}

/* A bit per kind of event and stream: however much happens untold, this takes no more memory. */
void stream_tell(struct sctp *s, struct stream *st, enum sctp_event_type type)
{
    st->events |= (uint8_t)(1u << type);
    if (st->is_event_listed)
        return;
    st->is_event_listed = true;
    st->event_next = NULL;
    if (s->events_last)
        s->events_last->event_next = st;
    else
        s->events_first = st;
    s->events_last = st;
}

/* In the order a reader wants them: what came before the reset is told before it. */
static bool take_stream_event(struct stream *st, struct sctp_event *ev)
{
    static const enum sctp_event_type order[] = { SCTP_EVENT_READABLE, SCTP_EVENT_WRITABLE,
                                                  SCTP_EVENT_RESET };

    for (size_t i = 0; i < COUNT(order); i++)
        if (st->events & 1u << order[i]) {
            st->events &= (uint8_t) ~(1u << order[i]);
            *ev = (struct sctp_event){ .type = order[i], .stream = st->id };
            return true;
        }
    return false;
}

bool sctp_poll_event(struct sctp *s, struct sctp_event *ev)
{
    if (s->is_up_untold) {
        s->is_up_untold = false;
        *ev = (struct sctp_event){ .type = SCTP_EVENT_UP };
        return true;
    }
    while (s->events_first) {
        struct stream *st = s->events_first;

        if (take_stream_event(st, ev))
            return true;
        st->is_event_listed = false;
        s->events_first = st->event_next;
        if (!s->events_first)
            s->events_last = NULL;
    }
    if (s->is_closed_untold) {
        s->is_closed_untold = false;
        *ev = (struct sctp_event){
            .type = SCTP_EVENT_CLOSED,
            .reason = s->reason,
            .cause_code = s->cause_code,
        };
        return true;
    }
    return false;
}
