#include "sdk/ring.h"

#include <stdatomic.h>

#include "hawser/hawser.h"
#include "io/thread.h"
#include "sdk/ring_parts.h"
#include "sdk/wait.h"

/* ---- Room ------------------------------------------------------------------------------------ */

/* Channels 1, 3 and 5 carry media and files. */
static bool is_large(unsigned channel)
{
    return channel == 1 || channel == 3 || channel == 5;
}

/* What the small channels can need altogether, which a large one must leave; and, once it is beyond
 * what one message needs, as much for each of the large ones. */
enum {
    SMALL_BLOCKS = 5 * (RING_SMALL_MAX / (int)POOL_BLOCK_DATA + 2),
    FLOOR_BLOCKS = 3 * (RING_MESSAGE_MAX / (int)POOL_BLOCK_DATA + 2)
};

/* The bytes in all rings of the process. Threads that add at the same moment may overstep the limit
 * by what each adds, which its own ring bounds. */
static atomic_size_t held;

void rings_count(size_t len)
{
    atomic_fetch_add_explicit(&held, len, memory_order_relaxed);
}

void rings_uncount(size_t len)
{
    atomic_fetch_sub_explicit(&held, len, memory_order_relaxed);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t beyond(size_t limit, size_t len)
{
    return limit > len ? limit - len : 0;
}

/* Beyond its floor a ring grows only while the process has room. One that stopped there goes on
 * when it has been drained itself, so nobody needs to be told of room elsewhere. */
static size_t room_of_process(size_t weight)
{
    size_t all = atomic_load_explicit(&held, memory_order_relaxed);

    return most(beyond(RINGS_MAX, all), beyond(RING_FLOOR, weight));
}

/* Bytes that leave so many blocks of the pool free. */
static size_t room_beside(const struct rings *r, enum ring_way way, size_t reserve)
{
    return beyond(RING_POOL_BLOCKS, pool_used(r->pool[way]) + reserve) * POOL_BLOCK_DATA;
}

static size_t room_of_pool(const struct rings *r, enum ring_way way, unsigned channel)
{
    size_t weight = ring_weight(&r->ring[way][channel]), floor;

    if (!is_large(channel))
        return room_beside(r, way, 0);
    floor = least(beyond(RING_MESSAGE_MAX, weight), room_beside(r, way, SMALL_BLOCKS));
    return most(room_beside(r, way, SMALL_BLOCKS + FLOOR_BLOCKS), floor);
}

size_t ring_limit(const struct rings *r, enum ring_way way, unsigned channel)
{
    if (way == RING_RX) /* there credit says how much comes */
        return is_large(channel) ? RING_LARGE_MAX : RING_SMALL_MAX;
    return is_large(channel) ? least(RING_LARGE_MAX, most(r->window, RING_LARGE_MIN))
                             : least(RING_SMALL_MAX, most(r->window, RING_FLOOR));
}

size_t ring_room(const struct rings *r, enum ring_way way, unsigned channel)
{
    size_t weight = ring_weight(&r->ring[way][channel]);
    size_t room = beyond(ring_limit(r, way, channel), weight);

    return least(least(room, room_of_pool(r, way, channel)), room_of_process(weight));
}

bool ring_has_emptied(const struct rings *r, enum ring_way way, unsigned channel)
{
    return ring_weight(&r->ring[way][channel]) <= ring_limit(r, way, channel) / 2;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static struct ring *ring_number(struct rings *r, unsigned i)
{
    return &r->ring[i / RING_CHANNELS][i % RING_CHANNELS];
}

int rings_init(struct rings *r, const struct ring_handler *h)
{
    unsigned conds = 0;

    *r = (struct rings){ .handler = *h };
    pthread_mutex_init(&r->lock, NULL);
    if (pool_new(&r->pool[RING_TX], RING_POOL_BLOCKS) == ERR_OK &&
        pool_new(&r->pool[RING_RX], RING_POOL_BLOCKS) == ERR_OK)
        for (; conds < 2 * RING_CHANNELS; conds++) {
            struct ring *ring = ring_number(r, conds);

            chain_init(&ring->chain, r->pool[conds / RING_CHANNELS]);
            chain_init(&ring->parts, r->pool[conds / RING_CHANNELS]);
            if (thread_cond_init(&ring->moved))
                break;
        }
    if (conds == 2 * RING_CHANNELS)
        return ERR_OK;
    while (conds-- > 0)
        pthread_cond_destroy(&ring_number(r, conds)->moved);
    pool_free(r->pool[RING_TX]);
    pool_free(r->pool[RING_RX]);
    pthread_mutex_destroy(&r->lock);
    return ERR_NOMEM;
}

static void empty(struct ring *ring)
{
    rings_uncount(ring->chain.len + ring->parts.len);
    chain_deinit(&ring->chain);
    chain_deinit(&ring->parts);
    ring->first.len = ring->ended.len = 0;
    ring->loose = 0;
}

void rings_deinit(struct rings *r)
{
    for (unsigned i = 0; i < 2 * RING_CHANNELS; i++) {
        empty(ring_number(r, i));
        pthread_cond_destroy(&ring_number(r, i)->moved);
    }
    pool_free(r->pool[RING_TX]);
    pool_free(r->pool[RING_RX]);
    pthread_mutex_destroy(&r->lock);
}

static void tell(struct ring *ring)
{
    if (ring->waiting)
        pthread_cond_broadcast(&ring->moved);
}

static void tell_all(struct rings *r)
{
    for (unsigned i = 0; i < 2 * RING_CHANNELS; i++)
        tell(ring_number(r, i));
}

/* ---- To send --------------------------------------------------------------------------------- */

void rings_set_window(struct rings *r, size_t bytes)
{
    pthread_mutex_lock(&r->lock);
    r->window = bytes;
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

bool rings_tx_begin(struct rings *r, unsigned channel, struct ring_front *front)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    const struct ring_part *first;

    pthread_mutex_lock(&r->lock);
    if (tx->chain.len == 0) {
        pthread_mutex_unlock(&r->lock);
        return false;
    }
    tx->len_before = tx->chain.len;
    *front = (struct ring_front){ .chain = &tx->chain, .len = tx->loose };
    first = ring_first(tx);
    if (first) {
        front->len = first->len;
        front->is_message = first->is_message;
        front->accepted_at = first->accepted_at;
    }
    return true;
}

void rings_tx_end(struct rings *r, unsigned channel)
{
    struct ring *tx = &r->ring[RING_TX][channel];
    size_t len = tx->len_before - tx->chain.len;
    uint8_t bit = (uint8_t)(1u << channel);

    ring_taken(tx, len);
    rings_uncount(len);
    if (ring_has_emptied(r, RING_TX, channel))
        r->untold[RING_TX] |= bit;
    if (tx->chain.len == 0)
        r->tx_filled &= (uint8_t)~bit;
    if (r->is_starved[RING_TX] && pool_used(r->pool[RING_TX]) < RING_POOL_BLOCKS / 2) {
        r->is_starved[RING_TX] = false;
        tell_all(r);
    }
    pthread_mutex_unlock(&r->lock);
}

/* ---- Received -------------------------------------------------------------------------------- */

static void set_by_message(struct rings *r, uint8_t bit)
{
    if (!(r->by_message & bit))
        r->untold[RING_RX] |= bit; /* rings_recv() has nothing to wait for any more */
    r->by_message |= bit;
}

void rings_set_by_message(struct rings *r, unsigned channel)
{
    pthread_mutex_lock(&r->lock);
    set_by_message(r, (uint8_t)(1u << channel));
    pthread_mutex_unlock(&r->lock);
}

void rings_set_lossy(struct rings *r, unsigned channel)
{
    pthread_mutex_lock(&r->lock);
    set_by_message(r, (uint8_t)(1u << channel));
    r->lossy |= (uint8_t)(1u << channel);
    pthread_mutex_unlock(&r->lock);
}

/* False: there is no whole one. */
static bool drop_oldest(struct rings *r, unsigned channel)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    const struct ring_part *first = ring_first(rx);
    size_t len = first ? first->len : 0;

    if (!first)
        return false;
    chain_drop(&rx->chain, len);
    ring_taken(rx, len);
    rings_uncount(len);
    rx->dropped++;
    return true;
}

/* An unfinished message has always room up to the longest there is, as far as the pool goes:
 * whoever waits for whole messages could not make any. */
static size_t room_to_receive(struct rings *r, unsigned channel)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    size_t room = ring_room(r, RING_RX, channel);
    size_t cut = beyond(RING_MESSAGE_MAX, rx->loose);

    if (!ring_settle(rx))
        return 0;
    if (room < cut && !ring_first(rx))
        room = most(room, least(cut, room_beside(r, RING_RX, 0)));
    return least(room, cut);
}

static bool is_lossy(const struct rings *r, unsigned channel)
{
    return r->lossy >> channel & 1;
}

bool rings_rx_begin(struct rings *r, unsigned channel, struct ring_space *space)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    size_t room;

    pthread_mutex_lock(&r->lock);
    room = room_to_receive(r, channel);
    while (room < RING_FLOOR && is_lossy(r, channel) && drop_oldest(r, channel))
        room = room_to_receive(r, channel);
    if (room == 0) {
        r->held_back |= (uint8_t)(1u << channel);
        if (ring_weight(rx) < ring_limit(r, RING_RX, channel))
            r->is_starved[RING_RX] = true;
        pthread_mutex_unlock(&r->lock);
        return false;
    }
    rx->len_before = rx->chain.len;
    *space = (struct ring_space){ .chain = &rx->chain, .room = room };
    return true;
}

void rings_rx_end(struct rings *r, unsigned channel, bool ends)
{
    struct ring *rx = &r->ring[RING_RX][channel];
    size_t len = rx->chain.len - rx->len_before;

    rings_count(len);
    rx->loose += len;
    if (rx->loose && (ends || rx->loose >= RING_MESSAGE_MAX))
        ring_end_message(rx);
    if (r->is_discarding)
        empty(rx);
    else if (len > 0)
        r->untold[RING_RX] |= (uint8_t)(1u << channel);
    pthread_mutex_unlock(&r->lock);
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

/* ---- Both ways ------------------------------------------------------------------------------- */

void rings_trim(struct rings *r)
{
    pthread_mutex_lock(&r->lock);
    for (unsigned way = 0; way < 2; way++)
        if (pool_used(r->pool[way]) == 0)
            pool_trim(r->pool[way]);
    pthread_mutex_unlock(&r->lock);
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
    for (unsigned i = 0; i < 2 * RING_CHANNELS; i++)
        if (r->untold[i / RING_CHANNELS] >> i % RING_CHANNELS & 1 && ring_number(r, i)->waiting)
            waited |= (uint16_t)(1u << i);
    r->untold[RING_TX] = r->untold[RING_RX] = 0;
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; waited; i++, waited >>= 1)
        if (waited & 1)
            pthread_cond_broadcast(&ring_number(r, i)->moved);
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
                                .dropped = r->ring[RING_RX][channel].dropped,
                                .unsent = r->ring[RING_TX][channel].chain.len,
                                .unread = r->ring[RING_RX][channel].chain.len,
                                .free = ring_room(r, RING_TX, channel) };
    pthread_mutex_unlock(&r->lock);
}
