/* park.h: DATA chunks that arrived before what must be delivered ahead of them.
 *
 * Payloads are packed into pool blocks in order of arrival; a block goes back when the last of its
 * chunks has left. A chunk is found by what it waits for: a continuing fragment by its TSN, the
 * first fragment of an ordered message by stream and SSN, that of an unordered one in its stream's
 * list. Hashing is keyed, so a peer cannot choose collisions. */
#ifndef HAWSER_SCTP_PARK_H
#define HAWSER_SCTP_PARK_H

#include "core/base/err.h"
#include "core/base/pool.h"
#include "core/sctp/chunk.h"

enum { PARK_SLOTS_MAX = 16384, PARK_SLOTS_MIN = 32, PARK_SLOT_COST = 64 };

struct park_slot;

/* Slots are named by index + 1, 0 for none, so that zeroed memory is an empty list. */
struct park_list {
    uint32_t first, last;
};

struct park {
    struct pool *pool; /* borrowed */
    struct park_slot *slots;
    uint32_t *heads; /* as many as slots */
    uint32_t cap, count, free;
    uint64_t key;          /* of the hash, odd */
    struct block *filling; /* the block that takes the next payload */
    size_t bytes;          /* payloads and PARK_SLOT_COST each */
};

void park_init(struct park *p, struct pool *pool, uint64_t key);
void park_deinit(struct park *p);

/* ERR_LIMIT, ERR_NOMEM: not now. ERR_INVALID: another chunk already claims that place. */
int park_add(struct park *p, const struct data_chunk *d, struct park_list *unordered);

/* The slot of a continuing fragment, or of the first fragment of an ordered message; 0: none. */
uint32_t park_find_fragment(const struct park *p, uint32_t tsn);
uint32_t park_find_message(const struct park *p, uint16_t stream, uint32_t ssn);

/* Its payload is valid until the slot is removed. */
struct data_chunk park_get(const struct park *p, uint32_t slot);

/* unordered: the list to unlink it from (it must be the first there), NULL if it is hashed. */
void park_remove(struct park *p, uint32_t slot, struct park_list *unordered);

#endif
