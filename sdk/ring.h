/* ring.h: where the calls of the application meet the network thread: for each channel the bytes
 * accepted for sending and the bytes received. [any thread, under the rings' own lock]
 *
 * A ring is a chain of blocks from one of two pools of the session, so what waits to be sent never
 * takes the room of what arrives. Blocks are filled and emptied by the calls without the lock, and
 * change hands with the core without being copied. Beside the bytes lies where messages end; bytes
 * sent as a stream are one part of any length. A call that waits sleeps on its channel's condition
 * and holds no lock. Small channels are never starved: the large ones leave them a reserve of each
 * pool. */
#ifndef HAWSER_SDK_RING_H
#define HAWSER_SDK_RING_H

#include <pthread.h>

#include "core/base/pool.h"
#include "core/base/usec.h"

#define RING_CHANNELS    8
#define RING_LARGE_MAX   (4 * 1024 * 1024)  /* bytes each way of channels 1, 3 and 5 */
#define RING_LARGE_MIN   (256 * 1024)       /* to send, however narrow the path */
#define RING_SMALL_MAX   (256 * 1024)       /* of the others */
#define RING_POOL_BLOCKS 2048               /* 8 MiB each way of a session */
#define RING_FLOOR       (64 * 1024)        /* what a ring may hold whatever the others do */
#define RING_MESSAGE_MAX (256 * 1024)       /* a longer one arrives as several of this length */
#define RINGS_MAX        (64 * 1024 * 1024) /* all rings of the process, floors aside */

/* All are called without the lock. wake: there is something for the network thread, soon. filled:
 * `len` bytes have just come into an empty ring; the caller may see to them itself. idle: it
 * waits for is_done(what), no longer than `until`, and may do so in its own way; it is asked again
 * afterwards, and otherwise waits to be woken. */
struct ring_handler {
    void (*wake)(void *ctx);
    void (*filled)(void *ctx, size_t len);
    void (*idle)(void *ctx, bool (*is_done)(void *what), void *what, usec until);
    void *ctx;
};

enum ring_way { RING_TX, RING_RX };

/* Some of a ring's bytes in a row. */
struct ring_part {
    usec accepted_at; /* of a message to send */
    uint32_t len;
    bool is_message; /* to its end, or what is left of it */
};

struct ring {
    struct chain chain;
    struct chain parts;     /* each a struct ring_part, of these bytes but the first and the last */
    struct ring_part first; /* len 0: none */
    struct ring_part ended; /* the last, if there was no block for it in parts; len 0: none */
    size_t loose;           /* behind them: of the stream (tx), of a message without its end (rx) */
    size_t reserved;        /* bytes that calls are copying in just now */
    size_t len_before;      /* when the network thread began to take or to give */
    pthread_cond_t moved;   /* room came (tx), or bytes or the end did (rx) */
    unsigned waiting;       /* calls asleep on it */
    uint64_t total, dropped; /* bytes of the application that went through; messages that did not */
};

struct rings {
    pthread_mutex_t lock;
    struct pool *pool[2];               /* by way */
    struct ring ring[2][RING_CHANNELS]; /* by way and channel */
    size_t window;                      /* what a ring to send holds at most now */
    bool is_starved[2];                 /* a pool had no block: whoever gives one back tells all */
    bool is_ended, is_discarding;       /* over; and what arrived is not wanted any more */
    int end;                            /* the code of the end */
    uint8_t lossy;                      /* bit i: what arrives on channel i may be lost */
    uint8_t by_message;                 /* bit i: rings_recv() has nothing to do with channel i */
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

/* A message of at most RING_MESSAGE_MAX bytes goes whole or, within the time, not at all
 * (HAWSER_ERR_TIMEOUT). HAWSER_ERR_INVALID: empty or longer. */
int rings_send_message(struct rings *r, unsigned channel, struct bytes message, int timeout_ms);

/* The oldest message that is there to its end, or what rings_recv() has left of it. One that is
 * longer than `cap` stays: HAWSER_ERR_INVALID, and *len tells its length. */
int rings_recv_message(struct rings *r, unsigned channel, void *out, size_t cap, size_t *len,
                       int timeout_ms);

/* From now on rings_recv() is HAWSER_ERR_INVALID on this channel, also where it waits. */
void rings_set_by_message(struct rings *r, unsigned channel);

/* The same, and a full ring of this channel loses its oldest unread messages and takes new ones. */
void rings_set_lossy(struct rings *r, unsigned channel);

struct ring_fill {
    uint64_t sent, received;
    uint64_t dropped; /* messages lost by rings_set_lossy() */
    size_t unsent, unread, free;
};
void rings_get_fill(struct rings *r, unsigned channel, struct ring_fill *fill);

/* ---- The network thread's -------------------------------------------------------------------- */

/* What a ring to send holds at most, between its limit and RING_FLOOR (of channels 1, 3 and 5
 * RING_LARGE_MIN): nothing until told otherwise. */
void rings_set_window(struct rings *r, size_t bytes);

/* Empty rings give their blocks back to the heap. */
void rings_trim(struct rings *r);

uint8_t rings_tx_filled(struct rings *r); /* bit i: channel i has bytes to send */

/* The first bytes to send, `len` of which may be taken from the front of `chain`: of the stream, or
 * all of a message. Locks until rings_tx_end(), unless there are none: then false. */
struct ring_front {
    struct chain *chain;
    size_t len;
    bool is_message;
    usec accepted_at;
};
bool rings_tx_begin(struct rings *r, unsigned channel, struct ring_front *front);
void rings_tx_end(struct rings *r, unsigned channel);

/* Where what arrived goes, at most `room` bytes behind the others. Locks until rings_rx_end(),
 * unless there is no room: then false, and wake() is called when there is. `ends`: the last byte
 * put there was a message's last. */
struct ring_space {
    struct chain *chain;
    size_t room;
};
bool rings_rx_begin(struct rings *r, unsigned channel, struct ring_space *space);
void rings_rx_end(struct rings *r, unsigned channel, bool ends);

/* Wakes the calls that wait for what came and went since the last time: once for all.
 * rings_is_untold(): there are such. */
bool rings_is_untold(struct rings *r);
void rings_tell(struct rings *r);

/* Nothing of this channel is held back any more. */
void rings_rx_none_left(struct rings *r, unsigned channel);

/* The session is over; only the first code counts. held_back: channels of which more is to come.
 * discard: calls return the code at once, whatever is unread. */
void rings_end(struct rings *r, int code, uint8_t held_back, bool discard);

#endif
