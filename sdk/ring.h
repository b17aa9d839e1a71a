/* ring.h: where the calls of the application meet the network thread: for each channel the bytes
 * accepted for sending and the bytes received. [any thread, under the rings' own lock]
 *
 * A ring is a chain of blocks from one of two pools of the session, so what waits to be sent never
 * takes the room of what arrives. A call that waits sleeps on its channel's condition and holds no
 * lock. Small channels are never starved: the large ones leave them a reserve of each pool. */
#ifndef HAWSER_SDK_RING_H
#define HAWSER_SDK_RING_H

#include <pthread.h>

#include "core/base/pool.h"
#include "core/base/usec.h"

#define RING_CHANNELS    8
#define RING_LARGE_MAX   (4 * 1024 * 1024)  /* bytes each way of channels 1, 3 and 5 */
#define RING_SMALL_MAX   (256 * 1024)       /* of the others */
#define RING_POOL_BLOCKS 2048               /* 8 MiB each way of a session */
#define RING_FLOOR       (64 * 1024)        /* what a ring may hold whatever the others do */
#define RINGS_MAX        (64 * 1024 * 1024) /* all rings of the process, floors aside */

/* Both are called without the lock. wake: there is something for the network thread, soon. filled:
 * `len` bytes have just come into an empty ring; the caller may see to them itself. */
struct ring_handler {
    void (*wake)(void *ctx);
    void (*filled)(void *ctx, size_t len);
    void *ctx;
};

enum ring_way { RING_TX, RING_RX };

struct ring {
    struct chain chain;
    pthread_cond_t moved; /* room came (tx), or bytes or the end did (rx) */
    unsigned waiting;     /* calls asleep on it */
    uint64_t total;       /* bytes of the application that went through */
};

struct rings {
    pthread_mutex_t lock;
    struct pool *pool[2];               /* by way */
    struct ring ring[2][RING_CHANNELS]; /* by way and channel */
    bool is_starved[2];                 /* a pool had no block: whoever gives one back tells all */
    bool is_ended, is_discarding;       /* over; and what arrived is not wanted any more */
    int end;                            /* the code of the end */
    uint8_t tx_filled;                  /* bit i: channel i has bytes to send */
    uint8_t untold[2]; /* by way; bit i: rings_tell() has to wake channel i's calls */
    uint8_t held_back; /* bit i: the core holds bytes of channel i for want of room */
    struct ring_handler handler;
};

/* ERR_NOMEM; then nothing is left to deinit. */
int rings_init(struct rings *r, const struct ring_handler *h);
void rings_deinit(struct rings *r);

/* ---- The application's calls: bytes, or a code of hawser.h ----------------------------------- */

int rings_send(struct rings *r, unsigned channel, struct bytes data, int timeout_ms);
int rings_recv(struct rings *r, unsigned channel, void *out, size_t cap, int timeout_ms);
int rings_end_code(struct rings *r); /* 0 while alive */

struct ring_fill {
    uint64_t sent, received;
    size_t unsent, unread, free;
};
void rings_get_fill(struct rings *r, unsigned channel, struct ring_fill *fill);

/* ---- The network thread's -------------------------------------------------------------------- */

/* Copies the first bytes to send; they are there until rings_tx_drop(). */
size_t rings_tx_copy(struct rings *r, unsigned channel, void *out, size_t cap);
void rings_tx_drop(struct rings *r, unsigned channel, size_t len);
uint8_t rings_tx_filled(struct rings *r); /* bit i: channel i has bytes to send */

/* Hands over what arrived and returns how much there was room for. If not for all, wake() is called
 * when there is room again. */
size_t rings_rx_push(struct rings *r, unsigned channel, struct bytes data);

/* Wakes the calls that wait for what was pushed and dropped since the last time: once for all.
 * rings_is_untold(): there are such. */
bool rings_is_untold(struct rings *r);
void rings_tell(struct rings *r);

/* Nothing of this channel is held back any more. */
void rings_rx_none_left(struct rings *r, unsigned channel);

/* The session is over; only the first code counts. held_back: channels of which more is to come.
 * discard: calls return the code at once, whatever is unread. */
void rings_end(struct rings *r, int code, uint8_t held_back, bool discard);

#endif
