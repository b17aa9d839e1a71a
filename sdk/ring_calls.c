/* ring_calls.c: the application's side of the rings. More than a little is copied without the lock:
 * into blocks that nobody sees yet, out of blocks that nobody sees any more. */
#include "hawser/hawser.h"
#include "io/loop.h"
#include "sdk/ring_parts.h"
#include "sdk/wait.h"

#define COPY_LITTLE 2048         /* under the lock: cheaper than to take it twice */
#define COPY_MAX    (128 * 1024) /* in one go: then the other side has something to do */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Sleeps until something moved on this ring. False: the time is up. */
static bool sleep_on(struct rings *r, struct ring *ring, usec until)
{
    bool in_time;

    ring->waiting++;
    in_time = cond_wait_until(&ring->moved, &r->lock, until);
    ring->waiting--;
    return in_time;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void fill(struct chain *c, const uint8_t *from)
{
    for (struct block *b = c->first; b; b = b->next) {
        memcpy(b->data, from, b->end);
        from += b->end;
    }
}

/* Unlocks while it copies. Returns how many bytes went; fewer than given if the pool is at its
 * limit. as_message: all or none, as a message accepted now. */
static size_t put(struct rings *r, unsigned channel, struct bytes data, bool as_message)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    struct chain own;
    size_t len;

    chain_init(&own, tx->chain.pool);
    len = chain_extend(&own, data.len);
    if (as_message && len < data.len) {
        chain_deinit(&own);
        return 0;
    }
    tx->reserved += len;
    if (len > COPY_LITTLE) {
        pthread_mutex_unlock(&r->lock);
        fill(&own, data.data);
        pthread_mutex_lock(&r->lock);
    } else {
        fill(&own, data.data);
    }
    tx->reserved -= len;
    if (r->is_ended || (as_message && !ring_begin_message(tx, len, io_now()))) {
        chain_deinit(&own);
        return 0;
    }
    chain_move(&tx->chain, &own);
    if (!as_message)
        tx->loose += len;
    rings_count(len);
    return len;
}

/* Without a block of its own: behind what is there. */
static size_t put_little(struct rings *r, unsigned channel, struct bytes data)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    size_t len = chain_append(&tx->chain, data);

    tx->loose += len;
    rings_count(len);
    return len;
}

/* `len` bytes came into the ring. Unlocks for what an empty one needs. */
static void after_put(struct rings *r, unsigned channel, size_t len, bool was_empty)
{
    r->ring[RING_TX][channel].total += len;
    r->tx_filled |= (uint8_t)(1u << channel);
    if (!was_empty)
        return;
    pthread_mutex_unlock(&r->lock);
    r->handler.filled(r->handler.ctx, len);
    pthread_mutex_lock(&r->lock);
}

static size_t send_some(struct rings *r, unsigned channel, struct bytes data)
{
    const struct ring *tx = &r->ring[RING_TX][channel];
    size_t room = ring_room(r, RING_TX, channel), want = least(data.len, COPY_MAX), len;
    struct bytes fits = bytes_of(data.data, least(want, room));
    bool was_empty;

    len = fits.len <= COPY_LITTLE ? put_little(r, channel, fits) : put(r, channel, fits, false);
    was_empty = tx->chain.len == len;
    if (len < want && !r->is_ended && ring_weight(tx) < ring_limit(r, RING_TX, channel))
        r->is_starved[RING_TX] = true;
    if (len > 0)
        after_put(r, channel, len, was_empty);
    return len;
}

int rings_send(struct rings *r, unsigned channel, struct bytes data, int timeout_ms)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    usec until = timeout_ms > 0 ? deadline_of(timeout_ms) : USEC_NEVER;
    bool in_time = timeout_ms != 0;
    size_t done = 0, some = 0;
    int code;

    pthread_mutex_lock(&r->lock);
    while (!r->is_ended) {
        some = send_some(r, channel, bytes_of(data.data + done, data.len - done));
        done += some;
        if (done == data.len || r->is_ended)
            break;
        if (some > 0)
            continue;
        if (!in_time)
            break;
        in_time = sleep_on(r, tx, until);
    }
    code = r->is_ended ? r->end : data.len > 0 ? HAWSER_ERR_TIMEOUT : HAWSER_ERR_OK;
    pthread_mutex_unlock(&r->lock);
    return done > 0 ? (int)done : code;
}

/* One message goes into an empty ring, however little that may hold now. */
static bool send_message(struct rings *r, unsigned channel, struct bytes message)
{
    const struct ring *tx = &r->ring[RING_TX][channel];
    bool is_done = false;

    if (ring_weight(tx) == 0 || ring_room(r, RING_TX, channel) >= message.len)
        is_done = put(r, channel, message, true) > 0;
    if (is_done)
        after_put(r, channel, message.len, tx->chain.len == message.len);
    else if (ring_weight(tx) < ring_limit(r, RING_TX, channel))
        r->is_starved[RING_TX] = true;
    return is_done;
}

int rings_send_message(struct rings *r, unsigned channel, struct bytes message, int timeout_ms)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    usec until = timeout_ms > 0 ? deadline_of(timeout_ms) : USEC_NEVER;
    bool in_time = timeout_ms != 0, is_done = false;
    int code;

    if (message.len == 0 || message.len > RING_MESSAGE_MAX)
        return HAWSER_ERR_INVALID;
    pthread_mutex_lock(&r->lock);
    while (!r->is_ended && !(is_done = send_message(r, channel, message)) && in_time)
        in_time = sleep_on(r, tx, until);
    code = r->is_ended ? r->end : HAWSER_ERR_TIMEOUT;
    pthread_mutex_unlock(&r->lock);
    return is_done ? (int)message.len : code;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Of the first `len` bytes, those in blocks that end among them. */
static size_t len_of_blocks(const struct chain *c, size_t len)
{
    size_t whole = 0;

    for (const struct block *b = c->first; b && whole + (b->end - b->start) <= len; b = b->next)
        whole += b->end - b->start;
    return whole;
}

/* Unlocks while it copies. len: no more than there is. */
static void take(struct rings *r, unsigned channel, uint8_t *out, size_t len)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    size_t whole = len > COPY_LITTLE ? len_of_blocks(&rx->chain, len) : 0;
    struct chain own;

    chain_init(&own, rx->chain.pool);
    chain_split(&own, &rx->chain, whole);
    (void)chain_take(&rx->chain, out + whole, len - whole);
    ring_taken(rx, len);
    rings_uncount(len);
    rx->total += len;
    if (whole == 0)
        return;
    pthread_mutex_unlock(&r->lock);
    (void)chain_copy(&own, 0, out, whole);
    pthread_mutex_lock(&r->lock);
    chain_deinit(&own);
}

/* After bytes were taken: whether the network thread must go on filling this ring. Of what is left
 * more than half may be the beginning of a message whose end is waited for. */
static bool wants_more(struct rings *r, unsigned channel)
{
    if (r->is_starved[RING_RX] && pool_used(r->pool[RING_RX]) < RING_POOL_BLOCKS / 2) {
        r->is_starved[RING_RX] = false;
        return r->held_back != 0;
    }
    return r->held_back >> channel & 1 &&
           (ring_has_emptied(r, RING_RX, channel) || !ring_first(&r->ring[RING_RX][channel]));
}

/* Nothing more can come: over, and the core holds nothing back. */
static bool is_over(const struct rings *r, unsigned channel)
{
    return r->is_discarding || (r->is_ended && !(r->held_back >> channel & 1));
}

/* What a call that got nothing says. */
static int code_of_none(const struct rings *r, unsigned channel)
{
    return is_over(r, channel) ? r->end : HAWSER_ERR_TIMEOUT;
}

/* How much can be taken now: of the stream, or of one whole message. */
static size_t readable(struct ring *rx, bool whole)
{
    const struct ring_part *first = whole ? ring_first(rx) : NULL;

    if (whole)
        return first ? first->len : 0;
    return rx->chain.len;
}

static bool is_by_message(const struct rings *r, unsigned channel)
{
    return r->by_message >> channel & 1;
}

/* What a call waits for. */
struct wanted {
    struct rings *rings;
    unsigned channel;
    bool whole; /* a message */
};

/* How much there is of it now. */
static size_t found(const struct wanted *w)
{
    struct rings *r = w->rings;

    if (r->is_discarding || (!w->whole && is_by_message(r, w->channel)))
        return 0;
    return readable(&r->ring[RING_RX][w->channel], w->whole);
}

/* Whether waiting is over, also for want of anything to wait for. */
static bool is_settled(const struct wanted *w)
{
    return found(w) > 0 || is_over(w->rings, w->channel) ||
           (!w->whole && is_by_message(w->rings, w->channel));
}

static bool is_done(void *what)
{
    struct wanted *w = what;
    bool is;

    pthread_mutex_lock(&w->rings->lock);
    is = is_settled(w);
    pthread_mutex_unlock(&w->rings->lock);
    return is;
}

/* Waits until there is something. 0: nothing came in time, or the end did, or the channel has
 * become one of messages alone. */
static size_t wait_for(struct rings *r, unsigned channel, bool whole, int timeout_ms)
{
    struct wanted w = { .rings = r, .channel = channel, .whole = whole };
    usec until = timeout_ms > 0 ? deadline_of(timeout_ms) : USEC_NEVER;
    bool in_time = timeout_ms != 0;

    if (in_time && !is_settled(&w)) {
        pthread_mutex_unlock(&r->lock);
        r->handler.idle(r->handler.ctx, is_done, &w, until);
        pthread_mutex_lock(&r->lock);
    }
    while (in_time && !is_settled(&w))
        in_time = sleep_on(r, &r->ring[RING_RX][channel], until);
    return found(&w);
}

static void unlock_and_wake(struct rings *r, unsigned channel, bool has_taken)
{
    bool is_wanted = has_taken && wants_more(r, channel);

    pthread_mutex_unlock(&r->lock);
    if (is_wanted)
        r->handler.wake(r->handler.ctx);
}

int rings_recv(struct rings *r, unsigned channel, void *out, size_t cap, int timeout_ms)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    size_t done = 0, len;
    int code;

    pthread_mutex_lock(&r->lock);
    len = cap ? wait_for(r, channel, false, timeout_ms) : 0;
    for (; len > 0 && done < cap; len = r->is_discarding ? 0 : rx->chain.len) {
        len = least(least(len, cap - done), COPY_MAX);
        take(r, channel, (uint8_t *)out + done, len);
        done += len;
    }
    code = cap || is_over(r, channel) ? code_of_none(r, channel) : HAWSER_ERR_OK;
    if (is_by_message(r, channel))
        code = HAWSER_ERR_INVALID;
    unlock_and_wake(r, channel, done > 0);
    return done > 0 ? (int)done : code;
}

int rings_recv_message(struct rings *r, unsigned channel, void *out, size_t cap, size_t *len,
                       int timeout_ms)
{
    int code;

    pthread_mutex_lock(&r->lock);
    *len = wait_for(r, channel, true, timeout_ms);
    code = *len == 0 ? code_of_none(r, channel) : *len > cap ? HAWSER_ERR_INVALID : (int)*len;
    if (code > 0)
        take(r, channel, out, *len);
    unlock_and_wake(r, channel, code > 0);
    return code;
}
