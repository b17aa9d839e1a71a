/* rings.h: a session's rings by themselves, and the loop's part of them. */
#ifndef HAWSER_TESTS_SDK_SUPPORT_RINGS_H
#define HAWSER_TESTS_SDK_SUPPORT_RINGS_H

#include <stdatomic.h>
#include <string.h>

#include "hawser/hawser.h"
#include "sdk/ring.h"
#include "tests/check.h"

static atomic_uint wakes; /* counted on the threads of both ends */

static inline void count_wake(void *ctx)
{
    (void)ctx;
    wakes++;
}

static inline void count_filled(void *ctx, size_t len)
{
    (void)len;
    count_wake(ctx);
}

static inline void stay(void *ctx, bool (*is_done)(void *what), void *what, usec until)
{
    (void)ctx;
    (void)is_done;
    (void)what;
    (void)until;
}

static const struct ring_handler counting = { .wake = count_wake,
                                              .filled = count_filled,
                                              .idle = stay };

/* As large as they ever get. */
static inline int init(struct rings *r)
{
    int err = rings_init(r, &counting);

    if (!err)
        rings_set_window(r, SIZE_MAX);
    return err;
}

/* The loop's part. */
static inline size_t tx_copy(struct rings *r, unsigned channel, void *out, size_t cap)
{
    struct ring_front front;
    size_t len;

    if (!rings_tx_begin(r, channel, &front))
        return 0;
    len = chain_copy(front.chain, 0, out, cap < front.len ? cap : front.len);
    rings_tx_end(r, channel);
    return len;
}

static inline void tx_drop(struct rings *r, unsigned channel, size_t len)
{
    struct ring_front front;

    if (len == 0 || !rings_tx_begin(r, channel, &front))
        return;
    CHECK("there", len <= front.len);
    chain_drop(front.chain, len);
    rings_tx_end(r, channel);
}

/* As pieces of messages whose ends have not come, each as far as there is room. */
static inline size_t rx_push(struct rings *r, unsigned channel, struct bytes b)
{
    struct ring_space space;
    size_t done = 0, len;

    while (done < b.len && rings_rx_begin(r, channel, &space)) {
        len = b.len - done < space.room ? b.len - done : space.room;
        done += chain_append(space.chain, bytes_of(b.data + done, len));
        rings_rx_end(r, channel, false);
    }
    return done;
}

#endif
