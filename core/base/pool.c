#include "core/base/pool.h"

#include <assert.h>
#include <stdlib.h>

_Static_assert(sizeof(struct block) == POOL_BLOCK_BYTES, "a block is a page");

struct pool {
    struct block *free;
    size_t used, held, limit; /* out now; taken from the heap; most that may be taken */
    struct pool_group *group; /* NULL: none */
    unsigned surplus;         /* blocks that came back to more idle ones than are needed */
};

static void hold(struct pool *p)
{
    p->held++;
    if (p->group)
        p->group->held++;
}

static void let_go(struct pool *p)
{
    p->held--;
    if (p->group)
        p->group->held--;
}

int pool_new(struct pool **out, size_t blocks_max)
{
    struct pool *p = *out = calloc(1, sizeof *p);

    if (!p)
        return ERR_NOMEM;
    p->limit = blocks_max;
    return ERR_OK;
}

void pool_join(struct pool *p, struct pool_group *group)
{
    assert(p->held == 0);
    p->group = group;
}

void pool_trim(struct pool *p)
{
    while (p->free) {
        struct block *b = p->free;

        p->free = b->next;
        let_go(p);
        free(b);
    }
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    assert(p->used == 0);
    pool_trim(p);
    free(p);
}

struct block *pool_get(struct pool *p)
{
    struct block *b = p->free;

    if (b) {
        p->free = b->next;
    } else {
        if (p->held >= pool_limit(p) || !(b = malloc(sizeof *b)))
            return NULL;
        hold(p);
    }
    p->used++;
    b->next = NULL;
    b->start = b->end = 0;
    return b;
}

/* Idle blocks go back to the heap once they outnumber those in use by a margin, one of so many that
 * come back: a flow that swings meets the allocator seldom, and what a burst leaves pool_trim()
 * gives back. */
enum { POOL_IDLE_MARGIN = 64, POOL_KEEP_OF = 16 };

static bool has_idle_enough(const struct pool *p)
{
    return p->held - p->used > p->used + POOL_IDLE_MARGIN;
}

/* Others of the group may need what this one keeps. */
static bool is_crowded(const struct pool *p)
{
    return p->group && p->group->held > p->group->limit / 2;
}

static void give_back(struct pool *p, struct block *b)
{
    if (has_idle_enough(p) && (is_crowded(p) || ++p->surplus % POOL_KEEP_OF == 0)) {
        let_go(p);
        free(b);
        return;
    }
    b->next = p->free;
    p->free = b;
}

void pool_put(struct pool *p, struct block *b)
{
    assert(p->used > 0);
    p->used--;
    give_back(p, b);
}

/* A block in use in `from` is one in use in `to` from now on. False: `to` is at its limit. */
static bool pool_hand_over(struct pool *to, struct pool *from)
{
    struct block *spare = to->free;

    if (to == from)
        return true;
    if (!spare && to->held >= pool_limit(to))
        return false;
    to->used++;
    from->used--;
    if (!spare) {
        hold(to);
        let_go(from);
        return true;
    }
    to->free = spare->next;
    give_back(from, spare);
    return true;
}

size_t pool_used(const struct pool *p)
{
    return p->used;
}

size_t pool_held(const struct pool *p)
{
    return p->held;
}

size_t pool_limit(const struct pool *p)
{
    const struct pool_group *g = p->group;
    size_t all = g ? g->held : 0, most;

    if (!g)
        return p->limit;
    most = p->held + (all < g->limit ? g->limit - all : 0);
    if (most < g->floor)
        most = g->floor;
    return most < p->limit ? most : p->limit;
}

void chain_init(struct chain *c, struct pool *pool)
{
    *c = (struct chain){ .pool = pool };
}

void chain_deinit(struct chain *c)
{
    chain_drop(c, c->len);
}

static void link_last(struct chain *c, struct block *b)
{
    if (c->last)
        c->last->next = b;
    else
        c->first = b;
    c->last = b;
}

static bool chain_grow(struct chain *c)
{
    struct block *b = pool_get(c->pool);

    if (!b)
        return false;
    link_last(c, b);
    return true;
}

size_t chain_append(struct chain *c, struct bytes b)
{
    size_t done = 0;

    while (done < b.len) {
        if ((!c->last || c->last->end == POOL_BLOCK_DATA) && !chain_grow(c))
            break;
        struct block *last = c->last;
        size_t room = POOL_BLOCK_DATA - last->end, n = b.len - done < room ? b.len - done : room;

        memcpy(last->data + last->end, b.data + done, n);
        last->end += (uint32_t)n;
        done += n;
    }
    c->len += done;
    return done;
}

size_t chain_extend(struct chain *c, size_t len)
{
    size_t done = 0;

    while (done < len && chain_grow(c)) {
        size_t left = len - done;

        c->last->end = (uint32_t)(left < POOL_BLOCK_DATA ? left : POOL_BLOCK_DATA);
        done += c->last->end;
    }
    c->len += done;
    return done;
}

/* Cuts the chain back to what it was when `last` ended at `end`. */
static void chain_truncate(struct chain *c, struct block *last, uint32_t end, size_t len)
{
    struct block *b = last ? last->next : c->first;

    while (b) {
        struct block *next = b->next;

        pool_put(c->pool, b);
        b = next;
    }
    c->last = last;
    c->len = len;
    if (last) {
        last->next = NULL;
        last->end = end;
    } else {
        c->first = NULL;
    }
}

int chain_append_both(struct chain *c, struct bytes header, struct bytes body)
{
    struct block *last = c->last;
    uint32_t end = last ? last->end : 0;
    size_t len = c->len;

    if (chain_append(c, header) == header.len && chain_append(c, body) == body.len)
        return ERR_OK;
    chain_truncate(c, last, end, len);
    return ERR_LIMIT;
}

int chain_append_all(struct chain *c, struct bytes b)
{
    return chain_append_both(c, b, bytes_of(NULL, 0));
}

struct bytes chain_peek(const struct chain *c)
{
    if (!c->first)
        return bytes_of(NULL, 0);
    return bytes_of(c->first->data + c->first->start, c->first->end - c->first->start);
}

size_t chain_copy(const struct chain *c, size_t at, void *out, size_t cap)
{
    size_t done = 0;

    for (const struct block *b = c->first; b && done < cap; b = b->next) {
        size_t have = b->end - b->start;

        if (at >= have) {
            at -= have;
            continue;
        }
        size_t n = have - at < cap - done ? have - at : cap - done;

        memcpy((uint8_t *)out + done, b->data + b->start + at, n);
        done += n;
        at = 0;
    }
    return done;
}

void chain_drop(struct chain *c, size_t len)
{
    assert(len <= c->len);
    c->len -= len;
    while (len > 0 || (c->first && c->len == 0)) {
        struct block *b = c->first;
        size_t have = b->end - b->start;

        if (len < have) {
            b->start += (uint32_t)len;
            return;
        }
        len -= have;
        c->first = b->next;
        if (!c->first)
            c->last = NULL;
        pool_put(c->pool, b);
    }
}

size_t chain_take(struct chain *c, void *out, size_t cap)
{
    size_t len = chain_copy(c, 0, out, cap);

    chain_drop(c, len);
    return len;
}

void chain_move(struct chain *to, struct chain *from)
{
    assert(to->pool == from->pool);
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->len += from->len;
    chain_init(from, from->pool);
}

/* The first block of `from` with all that is in it, as it is. */
static bool take_over_block(struct chain *to, struct chain *from)
{
    struct block *b = from->first;
    size_t len = b->end - b->start;

    if (!pool_hand_over(to->pool, from->pool))
        return false;
    from->first = b->next;
    if (!from->first)
        from->last = NULL;
    from->len -= len;
    b->next = NULL;
    link_last(to, b);
    to->len += len;
    return true;
}

void chain_split(struct chain *to, struct chain *from, size_t len)
{
    assert(to->pool == from->pool && len <= from->len);
    while (len > 0) {
        assert(chain_peek(from).len <= len);
        len -= chain_peek(from).len;
        (void)take_over_block(to, from); /* within one pool it cannot fail */
    }
}

size_t chain_take_over(struct chain *to, struct chain *from, size_t len)
{
    size_t left = len;

    assert(len <= from->len && to != from);
    while (left > 0) {
        struct bytes front = chain_peek(from);
        size_t want = front.len < left ? front.len : left, done;

        if (front.len == want && want >= POOL_BLOCK_DATA / 2) {
            if (!take_over_block(to, from))
                break;
            left -= want;
            continue;
        }
        done = chain_append(to, bytes_of(front.data, want));
        chain_drop(from, done);
        left -= done;
        if (done < want)
            break;
    }
    return len - left;
}
