/* The application's side of sending: sctp_send() and what limits it. */
#include "core/sctp/assoc.h"

enum { RECORD = sizeof(struct tx_message) };

/* Space of a stream and of the association, records included. */
static size_t space_left(const struct sctp *s, const struct stream *st)
{
    size_t used = st ? st->tx.chain.len + st->tx.messages.len : 0;
    size_t limit = st ? st->tx.limit : s->cfg.stream_tx_bytes_max;
    size_t own = used < limit ? limit - used : 0;
    size_t all = s->cfg.tx_bytes_max - s->tx.queued_bytes;

    return own < all ? own : all;
}

static size_t tail_room(const struct chain *c)
{
    return c->last ? POOL_BLOCK_DATA - c->last->end : 0;
}

/* For payload, beside the record of one more message. */
static size_t pool_space(const struct sctp *s, const struct stream *st)
{
    size_t blocks = pool_limit(s->cfg.pool) - pool_used(s->cfg.pool);

    if (!st || tail_room(&st->tx.messages) == 0) {
        if (blocks == 0)
            return 0;
        blocks--;
    }
    return blocks * POOL_BLOCK_DATA + (st ? tail_room(&st->tx.chain) : 0);
}

static bool is_open(const struct sctp *s)
{
    return s->state <= STATE_UP && !s->is_wanting_shutdown;
}

/* A stream being reset takes nothing until the peer has agreed. */
static size_t room_of(const struct sctp *s, const struct stream *st)
{
    size_t space = space_left(s, st), blocks = pool_space(s, st);

    if (st && st->tx.reset != RESET_NONE)
        return 0;
    space = space > RECORD ? space - RECORD : 0;
    space = space < blocks ? space : blocks;
    return space < s->cfg.message_bytes_max ? space : s->cfg.message_bytes_max;
}

size_t sctp_send_room(const struct sctp *s, uint16_t stream)
{
    return is_open(s) && stream < s->out_streams ? room_of(s, stream_find(s, stream)) : 0;
}

static void note_waiter(struct sctp *s, usec now, struct stream *st, size_t wanted)
{
    bool is_pool_short = pool_space(s, st) < wanted || space_left(s, st) >= wanted + RECORD;

    if (st->tx.wanted == 0) {
        st->tx.waiter_next = s->tx.waiters;
        s->tx.waiters = st;
    }
    st->tx.wanted = wanted;
    if (is_pool_short && s->pool_retry_at == USEC_NEVER)
        s->pool_retry_at = now + POOL_RETRY_US;
}

void place_advance(struct place *p, size_t len)
{
    for (;;) {
        size_t n = p->block->end - p->at;

        if (len < n || !p->block->next) {
            p->at += (uint32_t)len;
            return; /* behind the last byte there is: what is appended will be there or beyond */
        }
        len -= n;
        p->block = p->block->next;
        p->at = p->block->start;
    }
}

/* Something was appended to c, which p had come to the end of, or which had been empty. */
static void find_unsent(const struct chain *c, struct place *p, bool was_empty)
{
    if (was_empty)
        *p = (struct place){ c->first, c->first->start };
    place_advance(p, 0);
}

/* The place behind the last byte. */
static struct place end_of(const struct chain *c)
{
    return (struct place){ c->last, c->last ? c->last->end : 0 };
}

/* What comes behind `from`, which end_of() told; a chain may have been empty then. */
static void cut_tail(struct chain *c, struct place from, size_t len)
{
    if (!from.block)
        from = (struct place){ c->first, c->first->start };
    queue_cut(c, &from, len);
}

/* b is empty, and others are not: p, where it was, goes to what is next to it. */
static void unlink_empty(struct chain *c, struct block *b, struct place *p)
{
    struct block *before = c->first;

    if (before == b) {
        c->first = b->next;
        *p = (struct place){ b->next, b->next->start };
        pool_put(c->pool, b);
        return;
    }
    while (before->next != b)
        before = before->next;
    before->next = b->next;
    if (c->last == b)
        c->last = before;
    *p = (struct place){ before, before->end };
    place_advance(p, 0);
    pool_put(c->pool, b);
}

/* Removes len bytes that begin at p, which is then where those behind them are. */
void queue_cut(struct chain *c, struct place *p, size_t len)
{
    struct block *b = p->block;
    size_t n = b->end - p->at < len ? b->end - p->at : len;

    c->len -= len;
    memmove(b->data + p->at, b->data + p->at + n, b->end - p->at - n);
    b->end -= (uint32_t)n;
    for (len -= n; len; len -= n) {
        struct block *next = b->next;

        n = next->end - next->start < len ? next->end - next->start : len;
        next->start += (uint32_t)n;
        if (next->start < next->end)
            continue;
        b->next = next->next;
        if (!b->next)
            c->last = b;
        pool_put(c->pool, next);
    }
    if (c->len == 0)
        chain_drop(c, 0);
    else if (b->start == b->end)
        unlink_empty(c, b, p);
    else
        place_advance(p, 0);
}

/* Where a message's bytes come from: a chain, or else memory. */
struct source {
    struct chain *chain;
    struct bytes bytes;
};

/* Gives the last len bytes of c, which begin at p, back to the front of the chain they came from.
 * False: no memory for that either. */
static bool give_back(struct chain *from, const struct chain *c, struct place p, size_t len)
{
    struct chain again;
    bool is_whole = true;

    chain_init(&again, from->pool);
    if (!p.block)
        p = (struct place){ c->first, c->first->start };
    while (len && is_whole) {
        size_t n = p.block->end - p.at < len ? p.block->end - p.at : len;

        is_whole = chain_append_all(&again, bytes_of(p.block->data + p.at, n)) == ERR_OK;
        len -= n;
        p.block = p.block->next;
        p.at = p.block ? p.block->start : 0;
    }
    if (!is_whole)
        chain_drop(&again, again.len);
    chain_move(&again, from);
    *from = again;
    return is_whole;
}

/* Whether as many blocks can be had as taking over needs at worst: one for each. */
static bool is_pool_wide_enough(const struct sctp *s, const struct chain *from, size_t len)
{
    size_t free_blocks = pool_limit(s->cfg.pool) - pool_used(s->cfg.pool);

    for (const struct block *b = from->first; len; b = b->next) {
        size_t n = b->end - b->start;

        if (free_blocks-- == 0)
            return false;
        len -= n < len ? n : len;
    }
    return true;
}

/* All or nothing. What cannot be given back where it came from is the end: a message would have
 * lost its beginning. */
static int append_payload(struct sctp *s, usec now, struct stream *st, const struct source *from,
                          size_t len)
{
    struct chain *c = &st->tx.chain;
    struct place end = end_of(c);
    size_t went;

    if (!from->chain)
        return chain_append_all(c, from->bytes);
    if (!is_pool_wide_enough(s, from->chain, len))
        return ERR_LIMIT;
    went = chain_take_over(c, from->chain, len);
    if (went == len)
        return ERR_OK;
    if (went && !give_back(from->chain, c, end, went))
        assoc_end(s, now, SCTP_REASON_NOMEM, 0);
    if (went)
        cut_tail(c, end, went);
    return ERR_LIMIT;
}

static struct tx_message record_of(const struct sctp_message *m, size_t len)
{
    return (struct tx_message){
        .give_up_at = m->give_up_at,
        .len = (uint32_t)len,
        .ppid = m->ppid,
        .retransmits_max = m->retransmits_max < TX_RETRANSMITS_ANY ? (uint16_t)m->retransmits_max
                                                                   : TX_RETRANSMITS_ANY,
        .is_unordered = m->is_unordered,
    };
}

static int enqueue(struct sctp *s, usec now, struct stream *st, const struct sctp_message *m,
                   const struct source *from, size_t len)
{
    struct tx_message record = record_of(m, len);
    struct place end = end_of(&st->tx.messages);
    bool had_none = st->tx.messages.len == 0, was_empty = st->tx.chain.len == 0;

    if (chain_append_all(&st->tx.messages, bytes_of(&record, RECORD)) != ERR_OK)
        return ERR_LIMIT;
    if (append_payload(s, now, st, from, len) != ERR_OK) {
        cut_tail(&st->tx.messages, end, RECORD);
        return ERR_LIMIT;
    }
    find_unsent(&st->tx.messages, &st->tx.next_message, had_none);
    find_unsent(&st->tx.chain, &st->tx.next, was_empty);
    st->tx.unsent += len;
    st->tx.payload += len;
    s->tx.queued_bytes += RECORD + len;
    s->tx.payload_bytes += len;
    sched_add(s, st);
    abandon_note(s, st);
    return ERR_OK;
}

static int send_from(struct sctp *s, usec now, const struct sctp_message *m,
                     const struct source *from, size_t len)
{
    struct stream *st;

    if (!is_open(s))
        return ERR_WRONG_STATE;
    if (len == 0 || len > s->cfg.message_bytes_max || m->stream >= s->out_streams)
        return ERR_INVALID;
    st = stream_get(s, m->stream);
    if (!st)
        return ERR_NOMEM;
    if (len + RECORD > st->tx.limit)
        return ERR_INVALID;
    if (len <= room_of(s, st) && enqueue(s, now, st, m, from, len) == ERR_OK)
        return ERR_OK;
    note_waiter(s, now, st, len);
    return ERR_LIMIT;
}

int sctp_send_message(struct sctp *s, usec now, const struct sctp_message *m, struct bytes message)
{
    return send_from(s, now, m, &(struct source){ .bytes = message }, message.len);
}

int sctp_send_chain(struct sctp *s, usec now, const struct sctp_message *m, struct chain *from,
                    size_t len)
{
    if (len > from->len)
        return ERR_INVALID;
    return send_from(s, now, m, &(struct source){ .chain = from }, len);
}

int sctp_send(struct sctp *s, usec now, uint16_t stream, uint32_t ppid, struct bytes message)
{
    return sctp_send_message(s, now,
                             &(struct sctp_message){ .stream = stream,
                                                     .ppid = ppid,
                                                     .give_up_at = USEC_NEVER,
                                                     .retransmits_max = SCTP_RETRANSMITS_ANY },
                             message);
}

/* Tells those that waited and now have the room they lacked. */
void queue_wake_waiters(struct sctp *s)
{
    struct stream **at = &s->tx.waiters;

    while (*at) {
        struct stream *st = *at;

        if (room_of(s, st) < st->tx.wanted) {
            at = &st->tx.waiter_next;
            continue;
        }
        *at = st->tx.waiter_next;
        st->tx.wanted = 0;
        stream_tell(s, st, SCTP_EVENT_WRITABLE);
    }
}

/* Blocks come back to a shared pool without a word, so whoever lacks one looks again. */
void queue_pool_tick(struct sctp *s, usec now)
{
    if (now < s->pool_retry_at)
        return;
    s->pool_retry_at = USEC_NEVER;
    rx_retry(s, now);
    queue_wake_waiters(s);
    if (s->tx.waiters || s->rx.is_pool_short)
        s->pool_retry_at = now + POOL_RETRY_US;
}

void queue_release(struct sctp *s, struct stream *st, const struct tx_chunk *c)
{
    chain_drop(&st->tx.chain, c->len);
    st->tx.payload -= c->len;
    s->tx.payload_bytes -= c->len;
    s->tx.queued_bytes -= c->len;
    if (!(c->flags & DATA_ENDS))
        return;
    chain_drop(&st->tx.messages, RECORD);
    s->tx.queued_bytes -= RECORD;
}

int sctp_set_stream_limit(struct sctp *s, uint16_t stream, size_t tx_bytes_max)
{
    struct stream *st;

    if (stream >= s->cfg.streams_max || tx_bytes_max <= RECORD)
        return ERR_INVALID;
    st = stream_get(s, stream);
    if (!st)
        return ERR_NOMEM;
    st->tx.limit =
        tx_bytes_max < s->cfg.stream_tx_bytes_max ? tx_bytes_max : s->cfg.stream_tx_bytes_max;
    return ERR_OK;
}

size_t sctp_stream_unacked_bytes(const struct sctp *s, uint16_t stream)
{
    const struct stream *st = stream_find(s, stream);

    return st ? st->tx.payload : 0;
}

uint64_t sctp_stream_given_up(const struct sctp *s, uint16_t stream)
{
    const struct stream *st = stream_find(s, stream);

    return st ? st->tx.given_up : 0;
}

size_t sctp_stream_unsent_bytes(const struct sctp *s, uint16_t stream)
{
    const struct stream *st = stream_find(s, stream);

    return st ? st->tx.unsent : 0;
}

size_t sctp_window_bytes(const struct sctp *s)
{
    return s->cc.cwnd_bytes;
}

size_t sctp_unacked_bytes(const struct sctp *s)
{
    return s->tx.payload_bytes;
}
