#include "core/sctp/park.h"

#include <assert.h>
#include <stdlib.h>

/* next_hashed: in its bucket, or among the free. */
struct park_slot {
    struct block *block; /* block->start counts the chunks still in it, block->end its fill */
    uint32_t at;         /* in block->data */
    uint32_t next_hashed;
    uint32_t next, previous; /* of the same message */
    uint32_t message;        /* 0: DATA that continues one */
    uint32_t tsn, ppid, ssn, fsn;
    uint16_t stream, len;
    uint8_t flags;
};

struct park_message {
    uint32_t next_hashed;
    uint32_t next, previous; /* in its lane */
    struct park_list slots;
    uint32_t number, count;
    uint32_t last;  /* place of the fragment that ends it, or the highest seen */
    uint32_t first; /* slot of the first fragment, or 0 */
    uint16_t stream;
    uint8_t kind;
    bool has_end;
};

void park_init(struct park *p, struct pool *pool, uint64_t key)
{
    *p = (struct park){ .pool = pool, .key = key | 1, .is_woven = p->is_woven };
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
    free(p->messages);
    free(p->slot_heads);
    free(p->message_heads);
    park_init(p, p->pool, p->key);
}

static struct park_slot *slot_at(const struct park *p, uint32_t slot)
{
    return &p->slots[slot - 1];
}

static struct park_message *message_at(const struct park *p, uint32_t message)
{
    return &p->messages[message - 1];
}

uint32_t park_place(const struct park *p, const struct data_chunk *d)
{
    return p->is_woven ? d->fsn : d->tsn;
}

static uint32_t slot_place(const struct park *p, const struct park_slot *s)
{
    return p->is_woven ? s->fsn : s->tsn;
}

/* In DATA a TSN is enough, whatever message it belongs to. */
static uint32_t slot_owner(const struct park *p, const struct park_slot *s)
{
    return p->is_woven ? s->message : 0;
}

/* Multiplicative hashing: the upper bits of the product are the good ones. */
static uint32_t bucket(const struct park *p, uint32_t a, uint32_t b)
{
    uint64_t mixed = ((uint64_t)a << 32 | b) * p->key;

    mixed ^= mixed >> 29;
    mixed *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32) & (p->cap - 1);
}

static uint32_t *slot_bucket(const struct park *p, uint32_t owner, uint32_t place)
{
    return &p->slot_heads[bucket(p, owner, place)];
}

static uint32_t *message_bucket(const struct park *p, uint16_t stream, unsigned kind,
                                uint32_t number)
{
    return &p->message_heads[bucket(p, (uint32_t)stream << 1 | kind, number)];
}

static void hash_slot(struct park *p, uint32_t slot)
{
    struct park_slot *s = slot_at(p, slot);
    uint32_t *head = slot_bucket(p, slot_owner(p, s), slot_place(p, s));

    s->next_hashed = *head;
    *head = slot;
}

static void hash_message(struct park *p, uint32_t message)
{
    struct park_message *m = message_at(p, message);
    uint32_t *head = message_bucket(p, m->stream, m->kind, m->number);

    m->next_hashed = *head;
    *head = message;
}

uint32_t park_find(const struct park *p, uint32_t message, uint32_t place)
{
    uint32_t owner = p->is_woven ? message : 0;
    uint32_t slot = p->cap ? *slot_bucket(p, owner, place) : 0;

    while (slot &&
           (slot_place(p, slot_at(p, slot)) != place || slot_owner(p, slot_at(p, slot)) != owner))
        slot = slot_at(p, slot)->next_hashed;
    return slot;
}

uint32_t park_find_message(const struct park *p, uint16_t stream, enum park_kind kind,
                           uint32_t number)
{
    uint32_t message = p->cap ? *message_bucket(p, stream, kind, number) : 0;

    while (message) {
        const struct park_message *m = message_at(p, message);

        if (m->number == number && m->stream == stream && m->kind == kind)
            break;
        message = m->next_hashed;
    }
    return message;
}

/* What lies in the old tables is hashed anew into longer ones. */
static void rehash(struct park *p, uint32_t had)
{
    for (uint32_t i = 1; i <= had; i++) {
        if (slot_at(p, i)->block)
            hash_slot(p, i);
        if (message_at(p, i)->count)
            hash_message(p, i);
    }
    for (uint32_t i = p->cap; i > had; i--) {
        *slot_at(p, i) = (struct park_slot){ .next_hashed = p->free_slots };
        *message_at(p, i) = (struct park_message){ .next_hashed = p->free_messages };
        p->free_slots = p->free_messages = i;
    }
}

/* There are never more messages than slots, so that one that is needed is there. */
static int grow(struct park *p)
{
    uint32_t cap = p->cap ? 2 * p->cap : PARK_SLOTS_MIN, had = p->cap;
    uint32_t *heads[2] = { NULL, NULL };
    void *grown;

    if (p->cap == PARK_SLOTS_MAX)
        return ERR_LIMIT;
    if (!(grown = realloc(p->slots, cap * sizeof *p->slots)))
        return ERR_NOMEM;
    p->slots = grown;
    if (!(grown = realloc(p->messages, cap * sizeof *p->messages)))
        return ERR_NOMEM;
    p->messages = grown;
    heads[0] = calloc(cap, sizeof *heads[0]);
    heads[1] = calloc(cap, sizeof *heads[1]);
    if (!heads[0] || !heads[1]) {
        free(heads[0]);
        free(heads[1]);
        return ERR_NOMEM;
    }
    free(p->slot_heads);
    free(p->message_heads);
    p->slot_heads = heads[0];
    p->message_heads = heads[1];
    p->cap = cap;
    rehash(p, had);
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

/* Puts a message into a list, in front of another one or at the end. */
static void list_put(struct park *p, struct park_list *l, uint32_t message, uint32_t before)
{
    struct park_message *m = message_at(p, message);

    m->next = before;
    m->previous = before ? message_at(p, before)->previous : l->last;
    *(m->previous ? &message_at(p, m->previous)->next : &l->first) = message;
    *(before ? &message_at(p, before)->previous : &l->last) = message;
}

static void list_take(struct park *p, struct park_list *l, uint32_t message)
{
    const struct park_message *m = message_at(p, message);

    *(m->previous ? &message_at(p, m->previous)->next : &l->first) = m->next;
    *(m->next ? &message_at(p, m->next)->previous : &l->last) = m->previous;
}

static struct park_list *list_of(const struct park_message *m, struct park_lane *lane)
{
    return m->first ? &lane->begun : &lane->headless;
}

static uint32_t begin_message(struct park *p, const struct data_chunk *d, enum park_kind kind,
                              uint32_t number, struct park_lane *lane)
{
    uint32_t message = p->free_messages;
    struct park_message *m = message_at(p, message);

    p->free_messages = m->next_hashed;
    *m = (struct park_message){ .number = number, .stream = d->stream, .kind = (uint8_t)kind };
    hash_message(p, message);
    list_put(p, &lane->headless, message, 0);
    lane->count++;
    return message;
}

static void end_message(struct park *p, uint32_t message, struct park_lane *lane)
{
    struct park_message *m = message_at(p, message);
    uint32_t *at = message_bucket(p, m->stream, m->kind, m->number);

    while (*at != message)
        at = &message_at(p, *at)->next_hashed;
    *at = m->next_hashed;
    list_take(p, list_of(m, lane), message);
    lane->count--;
    *m = (struct park_message){ .next_hashed = p->free_messages };
    p->free_messages = message;
}

/* In DATA the fragments behind the first are not the message's own. */
static bool is_whole_woven(const struct park_message *m)
{
    return m->first && m->has_end && m->count == m->last + 1;
}

/* Adds a slot to its message, which moves on in its lane if that is its first fragment or the one
 * it lacked. */
static void join(struct park *p, uint32_t message, uint32_t slot, struct park_lane *lane)
{
    struct park_message *m = message_at(p, message);
    struct park_slot *s = slot_at(p, slot);
    uint32_t place = slot_place(p, s);

    s->message = message;
    s->previous = m->slots.last;
    *(m->slots.last ? &slot_at(p, m->slots.last)->next : &m->slots.first) = slot;
    m->slots.last = slot;
    list_take(p, list_of(m, lane), message);
    if (m->count++ == 0 || place > m->last)
        m->last = place;
    m->has_end |= (s->flags & DATA_ENDS) != 0;
    if (s->flags & DATA_BEGINS)
        m->first = slot;
    list_put(p, list_of(m, lane), message,
             m->kind == PARK_UNORDERED && p->is_woven && is_whole_woven(m) ? lane->begun.first : 0);
}

static void leave(struct park *p, uint32_t slot, struct park_lane lanes[PARK_KINDS])
{
    const struct park_slot *s = slot_at(p, slot);
    struct park_message *m = message_at(p, s->message);
    struct park_lane *lane = &lanes[m->kind];

    *(s->previous ? &slot_at(p, s->previous)->next : &m->slots.first) = s->next;
    *(s->next ? &slot_at(p, s->next)->previous : &m->slots.last) = s->previous;
    if (m->first == slot) {
        list_take(p, &lane->begun, s->message);
        m->first = 0;
        list_put(p, &lane->headless, s->message, 0);
    }
    if (--m->count == 0)
        end_message(p, s->message, lane);
}

/* Whether the message may have this fragment: no other there, nothing behind its end. */
static bool is_fitting(const struct park *p, uint32_t message, const struct data_chunk *d)
{
    uint32_t place = park_place(p, d);
    const struct park_message *m;
    bool ends = d->flags & DATA_ENDS;

    if (park_find(p, message, place))
        return false;
    if (!message)
        return true;
    m = message_at(p, message);
    if (!p->is_woven)
        return false; /* a DATA message begins once */
    return !(m->has_end && (ends || place > m->last)) && !(ends && place < m->last);
}

static uint32_t take_slot(struct park *p, const struct data_chunk *d)
{
    uint32_t slot = p->free_slots;
    struct park_slot *s = slot_at(p, slot);

    p->free_slots = s->next_hashed;
    *s = (struct park_slot){
        .block = p->filling,
        .at = p->filling->end,
        .tsn = d->tsn,
        .ppid = d->ppid,
        .stream = d->stream,
        .ssn = d->ssn,
        .fsn = d->fsn,
        .flags = d->flags,
        .len = (uint16_t)d->payload.len,
    };
    memcpy(s->block->data + s->at, d->payload.data, d->payload.len);
    s->block->end += (uint32_t)d->payload.len;
    s->block->start++;
    p->count++;
    p->bytes += d->payload.len + PARK_SLOT_COST;
    return slot;
}

int park_add(struct park *p, const struct data_chunk *d, struct park_lane lanes[PARK_KINDS])
{
    enum park_kind kind = d->flags & DATA_UNORDERED ? PARK_UNORDERED : PARK_ORDERED;
    uint32_t number = !p->is_woven && kind == PARK_UNORDERED ? d->tsn : d->ssn;
    bool has_message = p->is_woven || d->flags & DATA_BEGINS;
    uint32_t message = has_message ? park_find_message(p, d->stream, kind, number) : 0;
    uint32_t slot;
    int err;

    if (!is_fitting(p, message, d))
        return ERR_INVALID;
    if (d->payload.len > POOL_BLOCK_DATA)
        return ERR_LIMIT; /* more than four packets of a usual size: must come again, in order */
    if (!p->free_slots && (err = grow(p)) != ERR_OK)
        return err;
    if (!take_room(p, d->payload.len))
        return ERR_LIMIT;
    slot = take_slot(p, d);
    if (has_message && !message)
        message = begin_message(p, d, kind, number, &lanes[kind]);
    if (message)
        join(p, message, slot, &lanes[kind]);
    hash_slot(p, slot);
    return ERR_OK;
}

uint32_t park_first(const struct park *p, uint32_t message)
{
    return message ? message_at(p, message)->first : 0;
}

uint32_t park_number(const struct park *p, uint32_t message)
{
    return message_at(p, message)->number;
}

bool park_is_whole(const struct park *p, uint32_t message)
{
    uint32_t slot = park_first(p, message);

    if (p->is_woven)
        return is_whole_woven(message_at(p, message));
    while (slot && !(slot_at(p, slot)->flags & DATA_ENDS))
        slot = park_find(p, 0, slot_at(p, slot)->tsn + 1);
    return slot != 0;
}

static uint32_t least_in(const struct park *p, const struct park_list *l, uint32_t from,
                         uint32_t least)
{
    for (uint32_t i = l->first; i; i = message_at(p, i)->next) {
        uint32_t ahead = message_at(p, i)->number - from;

        if (!p->is_woven)
            ahead &= 0xffff;
        if (ahead < least)
            least = ahead;
    }
    return least;
}

uint32_t park_least(const struct park *p, const struct park_lane *lane, uint32_t from)
{
    uint32_t least = least_in(p, &lane->headless, from, UINT32_MAX);

    return from + least_in(p, &lane->begun, from, least);
}

struct data_chunk park_get(const struct park *p, uint32_t slot)
{
    const struct park_slot *s = slot_at(p, slot);

    return (struct data_chunk){
        .flags = s->flags,
        .stream = s->stream,
        .ssn = s->ssn,
        .tsn = s->tsn,
        .ppid = s->ppid,
        .fsn = s->fsn,
        .payload = bytes_of(s->block->data + s->at, s->len),
    };
}

void park_remove(struct park *p, uint32_t slot, struct park_lane lanes[PARK_KINDS])
{
    struct park_slot *s = slot_at(p, slot);
    uint32_t *at = slot_bucket(p, slot_owner(p, s), slot_place(p, s));

    while (*at != slot)
        at = &slot_at(p, *at)->next_hashed;
    *at = s->next_hashed;
    if (s->message)
        leave(p, slot, lanes);
    p->count--;
    p->bytes -= (size_t)s->len + PARK_SLOT_COST;
    if (--s->block->start == 0)
        put_block(p, s->block);
    *s = (struct park_slot){ .next_hashed = p->free_slots };
    p->free_slots = slot;
}

void park_drop(struct park *p, uint32_t message, struct park_lane lanes[PARK_KINDS])
{
    uint32_t slot = message_at(p, message)->slots.first, next;

    for (; slot; slot = next) {
        const struct park_slot *s = slot_at(p, slot);

        if (p->is_woven)
            next = s->next;
        else
            next = s->flags & DATA_ENDS ? 0 : park_find(p, 0, s->tsn + 1);
        park_remove(p, slot, lanes);
    }
}

void park_drop_lane(struct park *p, enum park_kind kind, struct park_lane lanes[PARK_KINDS])
{
    while (lanes[kind].begun.first)
        park_drop(p, lanes[kind].begun.first, lanes);
    while (lanes[kind].headless.first)
        park_drop(p, lanes[kind].headless.first, lanes);
}
