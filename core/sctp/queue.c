/* The application's side of sending: sctp_send() and what limits it. */
#include "core/sctp/assoc.h"

/* Space of a stream and of the association, headers included. */
static size_t space_left(const struct sctp *s, const struct stream *st)
{
    size_t used = st ? st->tx.chain.len : 0;
    size_t limit = st ? st->tx.limit : s->cfg.stream_tx_bytes_max;
    size_t own = used < limit ? limit - used : 0;
    size_t all = s->cfg.tx_bytes_max - s->tx.queued_bytes;

    return own < all ? own : all;
}

static size_t pool_space(const struct sctp *s, const struct stream *st)
{
    const struct block *last = st ? st->tx.chain.last : NULL;
    size_t blocks = pool_limit(s->cfg.pool) - pool_used(s->cfg.pool);

    return blocks * POOL_BLOCK_DATA + (last ? POOL_BLOCK_DATA - last->end : 0);
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
    space = space < blocks ? space : blocks;
    space = space > MESSAGE_HEADER_LEN ? space - MESSAGE_HEADER_LEN : 0;
    return space < s->cfg.message_bytes_max ? space : s->cfg.message_bytes_max;
}

size_t sctp_send_room(const struct sctp *s, uint16_t stream)
{
    return is_open(s) && stream < s->out_streams ? room_of(s, stream_find(s, stream)) : 0;
}

static void note_waiter(struct sctp *s, usec now, struct stream *st, size_t wanted)
{
    if (st->tx.wanted == 0) {
        st->tx.waiter_next = s->tx.waiters;
        s->tx.waiters = st;
    }
    st->tx.wanted = wanted;
    if (s->pool_retry_at == USEC_NEVER && pool_space(s, st) < wanted + MESSAGE_HEADER_LEN)
        s->pool_retry_at = now + POOL_RETRY_US;
}

/* The first unsent byte: where the chain begins, or in the block behind one that was full. */
static void find_unsent(struct stream *st, bool was_empty)
{
    if (was_empty) {
        st->tx.block = st->tx.chain.first;
        st->tx.at = st->tx.block->start;
    } else if (st->tx.at == POOL_BLOCK_DATA && st->tx.block->next) {
        st->tx.block = st->tx.block->next;
        st->tx.at = 0;
    }
}

static int enqueue(struct sctp *s, struct stream *st, uint32_t ppid, struct bytes message)
{
    uint8_t header[MESSAGE_HEADER_LEN];
    struct wr w = wr_of(header, sizeof header);
    bool was_empty = st->tx.chain.len == 0;
    size_t len = sizeof header + message.len;

    wr_u32(&w, (uint32_t)message.len);
    wr_u32(&w, ppid);
    if (chain_append_both(&st->tx.chain, wr_written(&w), message) != ERR_OK)
        return ERR_LIMIT;
    find_unsent(st, was_empty);
    st->tx.unsent += len;
    st->tx.payload += message.len;
    s->tx.queued_bytes += len;
    s->tx.payload_bytes += message.len;
    sched_add(s, st);
    return ERR_OK;
}

int sctp_send(struct sctp *s, usec now, uint16_t stream, uint32_t ppid, struct bytes message)
{
    struct stream *st;

    if (!is_open(s))
        return ERR_WRONG_STATE;
    if (message.len == 0 || message.len > s->cfg.message_bytes_max || stream >= s->out_streams)
        return ERR_INVALID;
    st = stream_get(s, stream);
    if (!st)
        return ERR_NOMEM;
    if (message.len + MESSAGE_HEADER_LEN > st->tx.limit)
        return ERR_INVALID;
    if (message.len <= room_of(s, st) && enqueue(s, st, ppid, message) == ERR_OK)
        return ERR_OK;
    note_waiter(s, now, st, message.len);
    return ERR_LIMIT;
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
    size_t bytes = c->len + (c->flags & DATA_BEGINS ? (size_t)MESSAGE_HEADER_LEN : 0);

    chain_drop(&st->tx.chain, bytes);
    st->tx.payload -= c->len;
    s->tx.queued_bytes -= bytes;
    s->tx.payload_bytes -= c->len;
}

int sctp_set_stream_limit(struct sctp *s, uint16_t stream, size_t tx_bytes_max)
{
    struct stream *st;

    if (stream >= s->cfg.streams_max || tx_bytes_max <= MESSAGE_HEADER_LEN)
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

size_t sctp_unacked_bytes(const struct sctp *s)
{
    return s->tx.payload_bytes;
}
