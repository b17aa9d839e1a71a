#include "sdk/ring.h"

#include <stdatomic.h>

#include "hawser/hawser.h"
#include "sdk/wait.h"

/* Channels 1, 3 and 5 carry media and files. */
static size_t limit_of(unsigned channel)
{
    return channel == 1 || channel == 3 || channel == 5 ? RING_LARGE_MAX : RING_SMALL_MAX;
}

/* What the small channels can need altogether, which a large one must leave; and, once it is beyond
 * its own floor, the floors of the large ones. */
enum {
    SMALL_BLOCKS = 5 * (RING_SMALL_MAX / (int)POOL_BLOCK_DATA + 2),
    FLOOR_BLOCKS = 3 * (RING_FLOOR / (int)POOL_BLOCK_DATA + 2)
};

/* The bytes in all rings of the process. Threads that add at the same moment may overstep the limit
 * by what each adds, which its own ring bounds. */
static atomic_size_t held;

/* Beyond its floor a ring grows only while the process has room. One that stopped there goes on
 * when it has been drained itself, so nobody needs to be told of room elsewhere. */
static size_t room_of_process(size_t len)
{
    size_t all = atomic_load_explicit(&held, memory_order_relaxed);
    size_t spare = all < RINGS_MAX ? RINGS_MAX - all : 0;
    size_t floor = len < RING_FLOOR ? RING_FLOOR - len : 0;

    return spare > floor ? spare : floor;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes that leave so many blocks of the pool free. */
static size_t room_beside(const struct rings *r, enum ring_way way, size_t reserve)
{
    size_t taken = pool_used(r->pool[way]) + reserve;

    return taken < RING_POOL_BLOCKS ? (RING_POOL_BLOCKS - taken) * POOL_BLOCK_DATA : 0;
}

static size_t room_of_pool(const struct rings *r, enum ring_way way, unsigned channel)
{
    size_t len = r->ring[way][channel].chain.len, above, floor;

    if (limit_of(channel) != RING_LARGE_MAX)
        return room_beside(r, way, 0);
    above = room_beside(r, way, SMALL_BLOCKS + FLOOR_BLOCKS);
    floor = least(len < RING_FLOOR ? RING_FLOOR - len : 0, room_beside(r, way, SMALL_BLOCKS));
    return above > floor ? above : floor;
}

static size_t room_of(const struct rings *r, enum ring_way way, unsigned channel)
{
    size_t len = r->ring[way][channel].chain.len, limit = limit_of(channel);
    size_t room = limit > len ? limit - len : 0;

    return least(least(room, room_of_pool(r, way, channel)), room_of_process(len));
}

static size_t append(struct rings *r, enum ring_way way, unsigned channel, struct bytes b)
{
    struct chain *c = &r->ring[way][channel].chain;
    size_t room = room_of(r, way, channel), done;

    done = chain_append(c, bytes_of(b.data, least(b.len, room)));
    atomic_fetch_add_explicit(&held, done, memory_order_relaxed);
    if (done < b.len && c->len < limit_of(channel))
        r->is_starved[way] = true;
    return done;
}

static void gone(size_t len)
{
    atomic_fetch_sub_explicit(&held, len, memory_order_relaxed);
}

static void tell(struct ring *ring)
{
    if (ring->waiting)
        pthread_cond_broadcast(&ring->moved);
}

static void tell_all(struct rings *r)
{
    for (unsigned i = 0; i < 2 * RING_CHANNELS; i++)
        tell(&r->ring[i / RING_CHANNELS][i % RING_CHANNELS]);
}

/* Half of the ring must be free before anybody is woken: otherwise each block that leaves would
 * wake a thread for the sake of 4 KiB. */
static bool has_emptied(const struct rings *r, enum ring_way way, unsigned channel)
{
    return r->ring[way][channel].chain.len <= limit_of(channel) / 2;
}

static void init_ring(struct ring *ring, struct pool *pool)
{
    chain_init(&ring->chain, pool);
}

int rings_init(struct rings *r, const struct ring_handler *h)
{
    unsigned conds = 0;

    *r = (struct rings){ .handler = *h };
    pthread_mutex_init(&r->lock, NULL);
    if (pool_new(&r->pool[RING_TX], RING_POOL_BLOCKS) == ERR_OK &&
        pool_new(&r->pool[RING_RX], RING_POOL_BLOCKS) == ERR_OK)
        for (; conds < 2 * RING_CHANNELS; conds++) {
            struct ring *ring = &r->ring[conds / RING_CHANNELS][conds % RING_CHANNELS];

            init_ring(ring, r->pool[conds / RING_CHANNELS]);
            if (cond_init(&ring->moved))
                break;
        }
    if (conds == 2 * RING_CHANNELS)
        return ERR_OK;
    while (conds-- > 0)
        pthread_cond_destroy(&r->ring[conds / RING_CHANNELS][conds % RING_CHANNELS].moved);
    pool_free(r->pool[RING_TX]);
    pool_free(r->pool[RING_RX]);
    pthread_mutex_destroy(&r->lock);
    return ERR_NOMEM;
}

void rings_deinit(struct rings *r)
{
    for (unsigned i = 0; i < 2 * RING_CHANNELS; i++) {
        struct ring *ring = &r->ring[i / RING_CHANNELS][i % RING_CHANNELS];

        gone(ring->chain.len);
        chain_deinit(&ring->chain);
        pthread_cond_destroy(&ring->moved);
    }
    pool_free(r->pool[RING_TX]);
    pool_free(r->pool[RING_RX]);
    pthread_mutex_destroy(&r->lock);
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

/* Takes what fits, and unlocks for the wake-up that an empty ring needs. */
static size_t send_some(struct rings *r, unsigned channel, struct bytes data)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    bool was_empty = tx->chain.len == 0;
    size_t len = append(r, RING_TX, channel, data);

    tx->total += len;
    if (len > 0)
        r->tx_filled |= (uint8_t)(1u << channel);
    if (len > 0 && was_empty) {
        pthread_mutex_unlock(&r->lock);
        r->handler.filled(r->handler.ctx, len);
        pthread_mutex_lock(&r->lock);
    }
    return len;
}

int rings_send(struct rings *r, unsigned channel, struct bytes data, int timeout_ms)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    usec until = timeout_ms > 0 ? deadline_of(timeout_ms) : USEC_NEVER;
    bool in_time = timeout_ms != 0;
    size_t done = 0;
    int code;

    pthread_mutex_lock(&r->lock);
    while (!r->is_ended) {
        done += send_some(r, channel, bytes_of(data.data + done, data.len - done));
        if (done == data.len || !in_time || r->is_ended)
            break;
        in_time = sleep_on(r, tx, until);
    }
    code = r->is_ended ? r->end : data.len > 0 ? HAWSER_ERR_TIMEOUT : HAWSER_ERR_OK;
    pthread_mutex_unlock(&r->lock);
    return done > 0 ? (int)done : code;
}

/* After bytes were taken: whether the network thread must go on filling this ring. */
static bool rx_wants_more(struct rings *r, unsigned channel)
{
    if (r->is_starved[RING_RX] && pool_used(r->pool[RING_RX]) < RING_POOL_BLOCKS / 2) {
        r->is_starved[RING_RX] = false;
        return r->held_back != 0;
    }
    return r->held_back >> channel & 1 && has_emptied(r, RING_RX, channel);
}

int rings_recv(struct rings *r, unsigned channel, void *out, size_t cap, int timeout_ms)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    usec until = timeout_ms > 0 ? deadline_of(timeout_ms) : USEC_NEVER;
    bool in_time = timeout_ms != 0, wants_more = false;
    size_t done = 0;
    int code = HAWSER_ERR_TIMEOUT;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        if (r->is_discarding)
            break;
        if (rx->chain.len > 0 || cap == 0)
            break;
        if ((r->is_ended && !(r->held_back >> channel & 1)) || !in_time)
            break;
        in_time = sleep_on(r, rx, until);
    }
    if (!r->is_discarding)
        done = chain_take(&rx->chain, out, cap);
    gone(done);
    if (r->is_ended && (r->is_discarding || !(r->held_back >> channel & 1)))
        code = r->end;
    else if (cap == 0)
        code = HAWSER_ERR_OK;
    rx->total += done;
    wants_more = done > 0 && rx_wants_more(r, channel);
    pthread_mutex_unlock(&r->lock);
    if (wants_more)
        r->handler.wake(r->handler.ctx);
    return done > 0 ? (int)done : code;
}

int rings_end_code(struct rings *r)
{
    int code;

    pthread_mutex_lock(&r->lock);
    code = r->is_ended ? r->end : HAWSER_ERR_OK;
    pthread_mutex_unlock(&r->lock);
    return code;
}

void rings_get_fill(struct rings *r, unsigned channel, struct ring_fill *fill)
{
    pthread_mutex_lock(&r->lock);
    *fill = (struct ring_fill){ .sent = r->ring[RING_TX][channel].total,
                                .received = r->ring[RING_RX][channel].total,
                                .unsent = r->ring[RING_TX][channel].chain.len,
                                .unread = r->ring[RING_RX][channel].chain.len,
                                .free = room_of(r, RING_TX, channel) };
    pthread_mutex_unlock(&r->lock);
}

size_t rings_tx_copy(struct rings *r, unsigned channel, void *out, size_t cap)
{
    size_t len;

    pthread_mutex_lock(&r->lock);
    len = chain_copy(&r->ring[RING_TX][channel].chain, 0, out, cap);
    pthread_mutex_unlock(&r->lock);
    return len;
}

void rings_tx_drop(struct rings *r, unsigned channel, size_t len)
{
    struct ring *tx = &r->ring[RING_TX][channel];

    pthread_mutex_lock(&r->lock);
    chain_drop(&tx->chain, len);
    gone(len);
    if (has_emptied(r, RING_TX, channel))
        r->untold[RING_TX] |= (uint8_t)(1u << channel);
    if (tx->chain.len == 0)
        r->tx_filled &= (uint8_t) ~(1u << channel);
    if (r->is_starved[RING_TX] && pool_used(r->pool[RING_TX]) < RING_POOL_BLOCKS / 2) {
        r->is_starved[RING_TX] = false;
        tell_all(r);
    }
    pthread_mutex_unlock(&r->lock);
}

uint8_t rings_tx_filled(struct rings *r)
{
    uint8_t filled;

    pthread_mutex_lock(&r->lock);
    filled = r->tx_filled;
    pthread_mutex_unlock(&r->lock);
    return filled;
}

size_t rings_rx_push(struct rings *r, unsigned channel, struct bytes data)
{
    size_t len;

    pthread_mutex_lock(&r->lock);
    len = r->is_discarding ? data.len : append(r, RING_RX, channel, data);
    if (len < data.len)
        r->held_back |= (uint8_t)(1u << channel);
    if (len > 0)
        r->untold[RING_RX] |= (uint8_t)(1u << channel);
    pthread_mutex_unlock(&r->lock);
    return len;
}

bool rings_is_untold(struct rings *r)
{
    bool is_untold;

    pthread_mutex_lock(&r->lock);
    is_untold = r->untold[RING_TX] | r->untold[RING_RX];
    pthread_mutex_unlock(&r->lock);
    return is_untold;
}

/* Those who wait are woken without the lock, which they want first of all. */
void rings_tell(struct rings *r)
{
    uint16_t waited = 0;

    pthread_mutex_lock(&r->lock);
    for (unsigned i = 0; i < 2 * RING_CHANNELS; i++) {
        const struct ring *ring = &r->ring[i / RING_CHANNELS][i % RING_CHANNELS];

        if (r->untold[i / RING_CHANNELS] >> i % RING_CHANNELS & 1 && ring->waiting)
            waited |= (uint16_t)(1u << i);
    }
    r->untold[RING_TX] = r->untold[RING_RX] = 0;
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; waited; i++, waited >>= 1)
        if (waited & 1)
            pthread_cond_broadcast(&r->ring[i / RING_CHANNELS][i % RING_CHANNELS].moved);
}

void rings_rx_none_left(struct rings *r, unsigned channel)
{
    pthread_mutex_lock(&r->lock);
    if (r->held_back >> channel & 1) {
        r->held_back &= (uint8_t) ~(1u << channel);
        tell(&r->ring[RING_RX][channel]);
    }
    pthread_mutex_unlock(&r->lock);
}

void rings_end(struct rings *r, int code, uint8_t held_back, bool discard)
{
    pthread_mutex_lock(&r->lock);
    if (!r->is_ended) {
        r->is_ended = true;
        r->end = code;
    }
    if (discard)
        r->is_discarding = true;
    r->held_back |= held_back;
    tell_all(r);
    pthread_mutex_unlock(&r->lock);
}
