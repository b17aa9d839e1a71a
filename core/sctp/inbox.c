/* What a stream has for its reader: payload in one chain, and what is known of the messages it
 * belongs to beside it. The message being read and the one that grows are in the stream itself, so
 * that a stream with no more than two has no records at all. */
#include "core/sctp/assoc.h"

#include <assert.h>

static struct inbound *growing(struct stream *st)
{
    return st->rx.message_count > 1 ? &st->rx.newest : &st->rx.oldest;
}

/* A message begun without its payload, for want of a block, is used by the next try. */
bool inbox_begin(struct sctp *s, struct stream *st, uint32_t ppid)
{
    const struct inbound *newest = &st->rx.newest;

    if (!st->rx.is_reserved) {
        if (st->rx.message_count > 1 &&
            chain_append_all(&st->rx.messages, bytes_of(newest, sizeof *newest)) != ERR_OK)
            return false;
        st->rx.message_count++;
        s->rx.unread_bytes += INBOUND_COST;
    }
    *growing(st) = (struct inbound){ .ppid = ppid };
    st->rx.is_reserved = true;
    return true;
}

bool inbox_grow(struct sctp *s, struct stream *st, struct bytes payload)
{
    bool had_none = st->rx.payload == 0;

    if (chain_append_all(&st->rx.chain, payload) != ERR_OK)
        return false;
    st->rx.is_reserved = false;
    growing(st)->len += (uint32_t)payload.len;
    st->rx.payload += payload.len;
    s->rx.unread_bytes += payload.len;
    if (had_none)
        stream_tell(s, st, SCTP_EVENT_READABLE);
    return true;
}

void inbox_end(struct sctp *s, struct stream *st)
{
    growing(st)->flags |= INBOUND_ENDS;
    stream_tell(s, st, SCTP_EVENT_READABLE);
}

static void next_message(struct sctp *s, struct stream *st)
{
    s->rx.unread_bytes -= INBOUND_COST;
    if (--st->rx.message_count == 0)
        st->rx.oldest = (struct inbound){ 0 };
    else if (st->rx.messages.len)
        chain_take(&st->rx.messages, &st->rx.oldest, sizeof st->rx.oldest);
    else
        st->rx.oldest = st->rx.newest;
}

static void drop_front(struct sctp *s, struct stream *st, size_t len)
{
    chain_drop(&st->rx.chain, len);
    s->rx.unread_bytes -= len;
}

/* Takes the oldest message off when nothing of it is left to read, and those behind it that were
 * given up meanwhile. */
static void settle(struct sctp *s, struct stream *st)
{
    struct inbound *m = &st->rx.oldest;

    while (st->rx.message_count && m->flags & INBOUND_ENDS &&
           (m->flags & INBOUND_VOID || m->len == 0)) {
        drop_front(s, st, m->len);
        next_message(s, st);
    }
}

/* Nobody has seen anything of it: it never was. Behind others it stays until they are read, for
 * bytes leave a chain at its front only. Of one that is being read the reader is told. */
void inbox_cut(struct sctp *s, struct stream *st)
{
    struct inbound *m = growing(st);

    m->flags |= INBOUND_ENDS;
    if (m == &st->rx.oldest && m->flags & INBOUND_BEGUN) {
        m->flags |= INBOUND_CUT;
        stream_tell(s, st, SCTP_EVENT_READABLE);
        return;
    }
    m->flags |= INBOUND_VOID;
    st->rx.payload -= m->len;
    if (m == &st->rx.oldest)
        settle(s, st);
}

static bool has_something(const struct stream *st)
{
    const struct inbound *m = &st->rx.oldest;

    return st && st->rx.message_count && (m->len || m->flags & INBOUND_ENDS);
}

bool sctp_recv(const struct sctp *s, uint16_t stream, struct sctp_piece *piece)
{
    const struct stream *st = stream_find(s, stream);
    const struct inbound *m;
    struct bytes head;

    if (!st || !has_something(st))
        return false;
    m = &st->rx.oldest;
    head = chain_peek(&st->rx.chain);
    if (head.len > m->len)
        head.len = m->len;
    *piece = (struct sctp_piece){
        .data = head,
        .ppid = m->ppid,
        .begins = !(m->flags & INBOUND_BEGUN),
        .ends = m->flags & INBOUND_ENDS && head.len == m->len,
    };
    piece->is_cut = piece->ends && m->flags & INBOUND_CUT;
    return true;
}

static void note_taken(struct sctp *s, usec now, struct stream *st, size_t len)
{
    st->rx.oldest.flags |= INBOUND_BEGUN;
    st->rx.oldest.len -= (uint32_t)len;
    st->rx.payload -= len;
    s->rx.unread_bytes -= len;
    settle(s, st);
    rx_retry(s, now);
    sack_after_consume(s, now);
}

void sctp_consume(struct sctp *s, usec now, uint16_t stream, size_t len)
{
    struct stream *st = stream_find(s, stream);

    if (!st || !has_something(st) || (len == 0 && st->rx.oldest.len))
        return;
    assert(len <= st->rx.oldest.len);
    chain_drop(&st->rx.chain, len);
    note_taken(s, now, st, len);
}

bool sctp_recv_whole(const struct sctp *s, uint16_t stream, size_t *len)
{
    const struct stream *st = stream_find(s, stream);

    if (!st || !st->rx.message_count || !(st->rx.oldest.flags & INBOUND_ENDS))
        return false;
    *len = st->rx.oldest.len;
    return true;
}

size_t sctp_recv_chain(struct sctp *s, usec now, uint16_t stream, struct chain *to, size_t len,
                       bool *ends)
{
    struct stream *st = stream_find(s, stream);
    struct inbound *m;

    *ends = false;
    if (!st || !has_something(st))
        return 0;
    m = &st->rx.oldest;
    len = chain_take_over(to, &st->rx.chain, len < m->len ? len : m->len);
    *ends = m->flags & INBOUND_ENDS && len == m->len;
    if (len || *ends)
        note_taken(s, now, st, len);
    return len;
}

size_t sctp_stream_unread_bytes(const struct sctp *s, uint16_t stream)
{
    const struct stream *st = stream_find(s, stream);

    return st ? st->rx.payload : 0;
}
