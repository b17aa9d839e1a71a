/* park.h: DATA and I-DATA chunks that arrived before what must be delivered ahead of them.
 *
 * Payloads are packed into pool blocks in order of arrival; a block goes back when the last of its
 * chunks has left. What is parked belongs to messages: one is found by stream, kind and number, one
 * of its fragments by its place. In I-DATA (RFC 8260) every fragment names its message, and its
 * place is the FSN. In DATA only a first fragment does (an unordered one has its TSN for a number);
 * the others are found by their TSN alone. Hashing is keyed, so a peer cannot choose collisions. */
#ifndef HAWSER_SCTP_PARK_H
#define HAWSER_SCTP_PARK_H

#include "core/base/err.h"
#include "core/base/pool.h"
#include "core/sctp/chunk.h"

enum { PARK_SLOTS_MAX = 16384, PARK_SLOTS_MIN = 32, PARK_SLOT_COST = 104 };

struct park_slot;
struct park_message;

/* Slots and messages are named by index + 1, 0 for none, so that zeroed memory is an empty list. */
struct park_list {
    uint32_t first, last;
};

/* The parked messages of one stream and one kind. */
struct park_lane {
    struct park_list begun;    /* the first fragment is there; whole unordered ones before others */
    struct park_list headless; /* it is not */
    uint32_t count;            /* of both */
};

enum park_kind { PARK_ORDERED, PARK_UNORDERED, PARK_KINDS };

struct park {
    struct pool *pool; /* borrowed */
    bool is_woven;     /* chunks are I-DATA's; set while nothing is parked */
    struct park_slot *slots;
    struct park_message *messages;
    uint32_t *slot_heads, *message_heads; /* cap of each */
    uint32_t cap, count, free_slots, free_messages;
    uint64_t key;          /* of the hash, odd */
    struct block *filling; /* the block that takes the next payload */
    size_t bytes;          /* payloads and PARK_SLOT_COST each */
};

void park_init(struct park *p, struct pool *pool, uint64_t key);
void park_deinit(struct park *p);

/* Where a chunk stands in its message: consecutive numbers, in DATA the TSNs. */
uint32_t park_place(const struct park *p, const struct data_chunk *d);

/* lanes: the stream's two. ERR_LIMIT, ERR_NOMEM: not now. ERR_INVALID: another chunk already claims
 * that place, or it lies behind the end of its message. */
int park_add(struct park *p, const struct data_chunk *d, struct park_lane lanes[PARK_KINDS]);

/* 0: none. */
uint32_t park_find_message(const struct park *p, uint16_t stream, enum park_kind kind,
                           uint32_t number);

/* The slot of a fragment; message matters in I-DATA only. 0: none. */
uint32_t park_find(const struct park *p, uint32_t message, uint32_t place);
uint32_t park_first(const struct park *p, uint32_t message); /* its first fragment's */
uint32_t park_number(const struct park *p, uint32_t message);
bool park_is_whole(const struct park *p, uint32_t message);

/* The least number at or behind `from` in a lane; `from` - 1 if there is none. Looks at all. */
uint32_t park_least(const struct park *p, const struct park_lane *lane, uint32_t from);

/* Its payload is valid until the slot is removed. */
struct data_chunk park_get(const struct park *p, uint32_t slot);
void park_remove(struct park *p, uint32_t slot, struct park_lane lanes[PARK_KINDS]);

/* All there is of a message: in DATA, as far as its TSNs are consecutive. */
void park_drop(struct park *p, uint32_t message, struct park_lane lanes[PARK_KINDS]);

/* All that names this stream. */
void park_drop_lane(struct park *p, enum park_kind kind, struct park_lane lanes[PARK_KINDS]);

#endif
