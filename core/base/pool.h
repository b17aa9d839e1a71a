/* pool.h: fixed blocks from a bounded pool, and chains of them that act as byte rings.
 *
 * A pool takes blocks from the heap as they are first needed and keeps them, up to its limit; after
 * that, taking and giving a block costs no allocation. A chain is a first-in first-out byte string
 * made of blocks; an empty chain holds none. Blocks can move from one chain to another without
 * being copied. Nothing here locks: one thread, or the owner's lock. */
#ifndef HAWSER_BASE_POOL_H
#define HAWSER_BASE_POOL_H

#include "core/base/bytes.h"
#include "core/base/err.h"

#define POOL_BLOCK_BYTES 4096 /* of payload and header together */

struct block {
    struct block *next;
    uint32_t start, end; /* the bytes in use: data[start] up to data[end] */
    uint8_t data[POOL_BLOCK_BYTES - sizeof(struct block *) - 2 * sizeof(uint32_t)];
};

#define POOL_BLOCK_DATA sizeof(((struct block *)0)->data)

struct pool;

/* Bounds pools together, also those of several threads: once they hold `limit` blocks, a pool of
 * theirs gets no more than `floor` until others have given theirs back. */
struct pool_group {
    size_t limit, floor;
    _Atomic size_t held; /* blocks, those of all its pools */
};

/* blocks_max bounds the heap this pool can ever hold. ERR_NOMEM. */
int pool_new(struct pool **out, size_t blocks_max);

/* Joins a pool that holds nothing yet to a group, which must outlive it. */
void pool_join(struct pool *p, struct pool_group *group);

/* Every block must have come back. NULL is fine. */
void pool_free(struct pool *p);

/* NULL when the limit is reached or the heap is exhausted. */
struct block *pool_get(struct pool *p);
void pool_put(struct pool *p, struct block *b);
size_t pool_used(const struct pool *p);  /* blocks out at this moment */
size_t pool_held(const struct pool *p);  /* those and the free ones: blocks taken from the heap */
size_t pool_limit(const struct pool *p); /* most that may be out, as its group stands now */

/* Gives the heap back what is not in use: for owners that have nothing to do for a while. */
void pool_trim(struct pool *p);

struct chain {
    struct pool *pool; /* borrowed */
    struct block *first, *last;
    size_t len; /* bytes */
};

void chain_init(struct chain *c, struct pool *pool);
void chain_deinit(struct chain *c); /* gives its blocks back */

/* Appends as many bytes as the pool allows and returns how many. */
size_t chain_append(struct chain *c, struct bytes b);

/* All or nothing: ERR_LIMIT leaves the chain as it was. */
int chain_append_all(struct chain *c, struct bytes b);

/* Both or neither: a header and what it describes. */
int chain_append_both(struct chain *c, struct bytes header, struct bytes body);

/* Appends blocks for len bytes, which the caller writes into them: data[0] to data[end] of each.
 * Returns for how many: fewer only at the pool's limit, or without memory. */
size_t chain_extend(struct chain *c, size_t len);

/* Any block may begin behind data[0] or end before its end: they move from chain to chain as they
 * are. */

/* The first contiguous bytes; empty if the chain is. Valid until the chain is next changed. */
struct bytes chain_peek(const struct chain *c);

/* Copies up to cap bytes from offset `at` without removing them; returns how many. */
size_t chain_copy(const struct chain *c, size_t at, void *out, size_t cap);

/* Drops len bytes from the front, len <= c->len. */
void chain_drop(struct chain *c, size_t len);

/* Copies and drops: returns how many bytes, at most cap. */
size_t chain_take(struct chain *c, void *out, size_t cap);

/* Moves all blocks of `from` behind those of `to`, copying nothing. Same pool. */
void chain_move(struct chain *to, struct chain *from);

/* The same for the blocks in front that hold len bytes; len must be where one ends. */
void chain_split(struct chain *to, struct chain *from, size_t len);

/* Moves the first len bytes of `from` behind those of `to`, also into another pool. Whole blocks go
 * without being copied, and for each a free one of the other pool comes back where it has any, so
 * that both pools go on without the heap; what lies in blocks less than half full is copied.
 * len <= from->len. Returns how many bytes went: fewer only if to's pool is at its limit, or the
 * heap is exhausted. */
size_t chain_take_over(struct chain *to, struct chain *from, size_t len);

#endif
