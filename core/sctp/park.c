#include "core/sctp/park.h"

#include <assert.h>
#include <stdlib.h>

struct park_slot {
    struct block *block; /* block->start counts the chunks still in it, block->end its fill */
    uint32_t at;         /* in block->data */
    uint32_t next;       /* in its bucket, in its stream's list, or among the free */
    uint32_t tsn, ppid, ssn;
    uint16_t stream, len;
    uint8_t flags;
};

void park_init(struct park *p, struct pool *pool, uint64_t key)
{
    *p = (struct park){ .pool = pool, .key = key | 1 };
}

static void put_block(struct park *p, struct block *b)
{
    if (p->filling == b)
        p->filling = NULL;
    pool_put(p->pool, b);
}

void park_deinit(struct park *p)
{
    for (uint32_t i = 0; i < p->cap; i++) {
        struct block *b = p->slots[i].block;

        if (b && --b->start == 0)
            put_block(p, b);
    }
    free(p->slots);
    free(p->heads);
    park_init(p, p->pool, p->key);
}

static bool is_hashed(uint8_t flags)
{
    return !(flags & DATA_UNORDERED && flags & DATA_BEGINS);
}

static uint64_t fragment_key(uint32_t tsn)
{
    return 1ull << 48 | tsn;
}

static uint64_t message_key(uint16_t stream, uint32_t ssn)
{
    return (uint64_t)stream << 32 | ssn;
}

static uint64_t key_of(uint8_t flags, uint32_t tsn, uint16_t stream, uint32_t ssn)
{
    return flags & DATA_BEGINS ? message_key(stream, ssn) : fragment_key(tsn);
}

static uint64_t slot_key(const struct park_slot *s)
{
    return key_of(s->flags, s->tsn, s->stream, s->ssn);
}

/* Multiplicative hashing: the upper bits of the product are the good ones. */
static uint32_t *bucket(const struct park *p, uint64_t key)
{
    uint64_t mixed = key * p->key;

    mixed ^= mixed >> 29;
    mixed *= 0x9e3779b97f4a7c15u;
    return &p->heads[(mixed >> 32) & (p->cap - 1)];
}

static void link_slot(struct park *p, uint32_t slot)
{
    struct park_slot *s = &p->slots[slot - 1];
    uint32_t *head = bucket(p, slot_key(s));

    s->next = *head;
    *head = slot;
}

static uint32_t find(const struct park *p, uint64_t key)
{
    uint32_t slot = p->cap ? *bucket(p, key) : 0;

    while (slot && slot_key(&p->slots[slot - 1]) != key)
        slot = p->slots[slot - 1].next;
    return slot;
}

static int grow(struct park *p)
{
    uint32_t cap = p->cap ? 2 * p->cap : PARK_SLOTS_MIN, had = p->cap;
    struct park_slot *slots;
    uint32_t *heads;

    if (p->cap == PARK_SLOTS_MAX)
        return ERR_LIMIT;
    heads = calloc(cap, sizeof *heads);
    slots = heads ? realloc(p->slots, cap * sizeof *slots) : NULL;
    if (!slots) {
        free(heads);
        return ERR_NOMEM;
    }
    free(p->heads);
    p->slots = slots;
    p->heads = heads;
    p->cap = cap;
    for (uint32_t i = 0; i < had; i++)
        if (slots[i].block && is_hashed(slots[i].flags))
            link_slot(p, i + 1);
    for (uint32_t i = cap; i > had; i--) {
        slots[i - 1] = (struct park_slot){ .next = p->free };
        p->free = i;
    }
    return ERR_OK;
}

/* The last quarter of the pool is kept for bytes in order, without which nothing parked can ever
 * move on. */
static bool take_room(struct park *p, size_t len)
{
    struct block *b = p->filling;

    if (b && POOL_BLOCK_DATA - b->end >= len)
        return true;
    if (pool_used(p->pool) >= pool_limit(p->pool) - pool_limit(p->pool) / 4)
        return false;
    b = pool_get(p->pool);
    if (!b)
        return false;
    p->filling = b; /* the one before stays until its last chunk leaves */
    return true;
}

int park_add(struct park *p, const struct data_chunk *d, struct park_list *unordered)
{
    struct park_slot *s;
    uint32_t slot;
    int err;

    if (is_hashed(d->flags) && find(p, key_of(d->flags, d->tsn, d->stream, d->ssn)))
        return ERR_INVALID;
    if (d->payload.len > POOL_BLOCK_DATA)
        return ERR_LIMIT; /* more than four packets of a usual size: must come again, in order */
    if (!p->free && (err = grow(p)) != ERR_OK)
        return err;
    if (!take_room(p, d->payload.len))
        return ERR_LIMIT;
    slot = p->free;
    s = &p->slots[slot - 1];
    p->free = s->next;
    *s = (struct park_slot){
        .block = p->filling,
        .at = p->filling->end,
        .tsn = d->tsn,
        .ppid = d->ppid,
        .stream = d->stream,
        .ssn = d->ssn,
        .flags = d->flags,
        .len = (uint16_t)d->payload.len,
    };
    memcpy(s->block->data + s->at, d->payload.data, d->payload.len);
    s->block->end += (uint32_t)d->payload.len;
    s->block->start++;
    p->count++;
    p->bytes += d->payload.len + PARK_SLOT_COST;
    if (is_hashed(d->flags)) {
        link_slot(p, slot);
    } else {
        if (unordered->last)
            p->slots[unordered->last - 1].next = slot;
        else
            unordered->first = slot;
        unordered->last = slot;
    }
    return ERR_OK;
}

uint32_t park_find_fragment(const struct park *p, uint32_t tsn)
{
    return find(p, fragment_key(tsn));
}

uint32_t park_find_message(const struct park *p, uint16_t stream, uint32_t ssn)
{
    return find(p, message_key(stream, ssn));
}

struct data_chunk park_get(const struct park *p, uint32_t slot)
{
    const struct park_slot *s = &p->slots[slot - 1];

    return (struct data_chunk){
        .flags = s->flags,
        .stream = s->stream,
        .ssn = s->ssn,
        .tsn = s->tsn,
        .ppid = s->ppid,
        .payload = bytes_of(s->block->data + s->at, s->len),
    };
}

static void unlink_hashed(struct park *p, uint32_t slot)
{
    uint32_t *at = bucket(p, slot_key(&p->slots[slot - 1]));

    while (*at != slot)
        at = &p->slots[*at - 1].next;
    *at = p->slots[slot - 1].next;
}

void park_remove(struct park *p, uint32_t slot, struct park_list *unordered)
{
    struct park_slot *s = &p->slots[slot - 1];

    if (unordered) {
        assert(unordered->first == slot);
        unordered->first = s->next;
        if (!s->next)
            unordered->last = 0;
    } else {
        unlink_hashed(p, slot);
    }
    p->count--;
    p->bytes -= (size_t)s->len + PARK_SLOT_COST;
    if (--s->block->start == 0)
        put_block(p, s->block);
    *s = (struct park_slot){ .next = p->free };
    p->free = slot;
}
