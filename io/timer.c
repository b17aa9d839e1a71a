/* timer.c: deadlines in a binary heap, the least first. */
#include <assert.h>
#include <stdlib.h>

#include "io/loop_internal.h"

static void put_timer(struct io_loop *loop, size_t slot, struct io_timer *t)
{
    loop->heap[slot] = t;
    t->slot = slot;
}

static void sift_up(struct io_loop *loop, size_t slot, struct io_timer *t)
{
    while (slot > 0 && loop->heap[(slot - 1) / 2]->at > t->at) {
        put_timer(loop, slot, loop->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    put_timer(loop, slot, t);
}

static void sift_down(struct io_loop *loop, size_t slot, struct io_timer *t)
{
    for (;;) {
        size_t child = 2 * slot + 1;

        if (child + 1 < loop->timer_count && loop->heap[child + 1]->at < loop->heap[child]->at)
            child++;
        if (child >= loop->timer_count || loop->heap[child]->at >= t->at)
            break;
        put_timer(loop, slot, loop->heap[child]);
        slot = child;
    }
    put_timer(loop, slot, t);
}

int io_timer_init(struct io_timer *t, struct io_loop *loop, io_fn *fn, void *ctx)
{
    *t = (struct io_timer){ .slot = SIZE_MAX };
    if (loop->timers_reserved == loop->heap_cap) {
        size_t cap = loop->heap_cap ? 2 * loop->heap_cap : 16;
        struct io_timer **bigger = realloc(loop->heap, cap * sizeof(struct io_timer *));

        if (!bigger)
            return ERR_NOMEM;
        loop->heap = bigger;
        loop->heap_cap = cap;
    }
    loop->timers_reserved++;
    *t = (struct io_timer){ .loop = loop, .fn = fn, .ctx = ctx, .slot = SIZE_MAX };
    return ERR_OK;
}

void io_timer_stop(struct io_timer *t)
{
    struct io_loop *loop = t->loop;
    struct io_timer *moved;
    size_t slot = t->slot;

    if (slot == SIZE_MAX)
        return;
    t->slot = SIZE_MAX;
    moved = loop->heap[--loop->timer_count];
    if (moved == t)
        return;
    if (slot > 0 && loop->heap[(slot - 1) / 2]->at > moved->at)
        sift_up(loop, slot, moved);
    else
        sift_down(loop, slot, moved);
}

void io_timer_set(struct io_timer *t, usec at)
{
    usec before = t->at;

    assert(io_loop_is_current(t->loop));
    if (at == USEC_NEVER) {
        io_timer_stop(t);
        return;
    }
    t->at = at;
    if (t->slot == SIZE_MAX)
        sift_up(t->loop, t->loop->timer_count++, t);
    else if (at < before)
        sift_up(t->loop, t->slot, t);
    else if (at > before)
        sift_down(t->loop, t->slot, t);
}

void io_timer_deinit(struct io_timer *t)
{
    if (!t->loop)
        return;
    io_timer_stop(t);
    t->loop->timers_reserved--;
    t->loop = NULL;
}

usec timers_next(const struct io_loop *loop)
{
    return loop->timer_count ? loop->heap[0]->at : USEC_NEVER;
}

void timers_fire(struct io_loop *loop)
{
    usec now = io_now();

    /* One that sets itself to the past again waits for the next round: sockets have their turn. */
    for (size_t n = loop->timer_count; n && timers_next(loop) <= now; n--) {
        struct io_timer *due = loop->heap[0];

        io_timer_stop(due);
        due->fn(due->ctx);
    }
}
