/* blocker.h: a loop, a guest of it, and a task that holds it up until the test lets it go on. */
#ifndef HAWSER_TESTS_IO_BLOCKER_H
#define HAWSER_TESTS_IO_BLOCKER_H

#include <sched.h>
#include <stddef.h>

#include "io/loop.h"
#include "tests/check.h"
#include "tests/io/gate.h"

struct blocker {
    struct gate gate;
    bool is_in, may_go; /* under the gate */
    size_t runs;        /* for the test's use */
};

static inline struct io_loop *blocker_loop(void)
{
    struct io_loop *loop = NULL;

    CHECK("the loop starts", io_loop_new(&loop) == ERR_OK);
    return loop;
}

static inline void blocker_enter(struct io_loop *loop)
{
    while (!io_loop_try_enter(loop))
        sched_yield();
}

/* The task. */
static inline void blocker_block(void *ctx)
{
    struct blocker *b = ctx;

    gate_lock(&b->gate);
    b->is_in = true;
    gate_unlock(&b->gate);
    CHECK("let go", GATE_WAIT(&b->gate, b->may_go));
}

/* The loop is busy when this returns. */
static inline void blocker_post(struct blocker *b, struct io_loop *loop)
{
    CHECK("posted", io_loop_post(loop, blocker_block, b) == ERR_OK);
    CHECK("the loop is busy", GATE_WAIT(&b->gate, b->is_in));
}

static inline void blocker_let_go(struct blocker *b)
{
    gate_lock(&b->gate);
    b->may_go = true;
    gate_unlock(&b->gate);
}

#endif
