/* ring_parts.h: what the files of the rings share. All with the lock held, but for the copying.
 *
 *     ring.c        life, how much there is room for, the network thread's side
 *     ring_calls.c  the application's calls
 *     ring_parts.c  where messages begin and end */
#ifndef HAWSER_SDK_RING_PARTS_H
#define HAWSER_SDK_RING_PARTS_H

#include "sdk/ring.h"

/* ---- ring_parts.c ---------------------------------------------------------------------------- */

/* What the ring takes of its limit: its bytes, and what is noted of them. */
size_t ring_weight(const struct ring *ring);

/* The first part; NULL: there are only loose bytes, if any. */
const struct ring_part *ring_first(struct ring *ring);

/* n bytes have been taken from the front of the chain. */
void ring_taken(struct ring *ring, size_t n);

/* The loose bytes are a message now. False: there is no room to note it, and until there is, no
 * more may come. */
void ring_end_message(struct ring *ring);
bool ring_settle(struct ring *ring);

/* Notes a message of `len` bytes that come next, behind the loose ones. False: no room, nothing has
 * changed. */
bool ring_begin_message(struct ring *ring, size_t len, usec accepted_at);

/* ---- ring.c ---------------------------------------------------------------------------------- */

/* How many more bytes of the application the ring may hold now. */
size_t ring_room(const struct rings *r, enum ring_way way, unsigned channel);
size_t ring_limit(const struct rings *r, enum ring_way way, unsigned channel);

/* Half of it is free. Less is not worth waking anybody for: each block that leaves would wake a
 * thread for the sake of 4 KiB. */
bool ring_has_emptied(const struct rings *r, enum ring_way way, unsigned channel);

/* Bytes in all rings of the process became more, or fewer. */
void rings_count(size_t len);
void rings_uncount(size_t len);

#endif
