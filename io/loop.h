/* loop.h: the network thread, its clock, its timers, and the way in from other threads.
 *
 * One thread runs a libuv loop. Everything of io/ but the calls marked [any thread] belongs to that
 * thread while it has its turn: always, except while it sleeps. Meanwhile another may take the turn
 * as a guest (io_loop_try_enter()) and is then as good as the loop's thread. Work for the thread
 * itself arrives as tasks, in the order they were posted; many posts cost one wake-up. */
#ifndef HAWSER_IO_LOOP_H
#define HAWSER_IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

#define IO_POSTS_MAX 1024 /* waiting at once; io_loop_wake() and io_loop_run() are not counted */

struct io_loop;

/* [any thread] Starts the thread. ERR_NOMEM, ERR_LIMIT (threads or descriptors). */
int io_loop_new(struct io_loop **out);

/* [any thread but the loop's] Runs what was posted, waits for holds to end (below), stops and joins
 * the thread. Sockets and timers must be closed before, and guests gone. NULL is fine. */
void io_loop_free(struct io_loop *loop);

/* [any thread] Does this thread have the loop's turn, as its own or as a guest? */
bool io_loop_is_current(const struct io_loop *loop);

typedef void io_fn(void *ctx);

/* [any thread] Runs fn(ctx) on the loop's thread, soon, never within this call. ERR_LIMIT: too many
 * are waiting; nothing was kept. Posts made by one thread run in their order. */
int io_loop_post(struct io_loop *loop, io_fn *fn, void *ctx);

/* [any thread] Runs fn(ctx) on the loop's thread and returns when it has; at once if this is that
 * thread. Cannot fail. Do not hold a lock that the loop's thread may want. */
void io_loop_run(struct io_loop *loop, io_fn *fn, void *ctx);

/* A task that its owner keeps, for signals that merge: "this ring has something". */
struct io_task {
    io_fn *fn;
    void *ctx;
    struct io_task *next; /* the loop's */
    bool is_queued;       /* the loop's */
};

/* [any thread] Queues the task unless it already waits. It may be queued again from when fn begins.
 * Cannot fail. */
void io_loop_wake(struct io_loop *loop, struct io_task *task);

/* [any thread] Takes the task back if it waits. Whoever has the turn may rely on it: it will not
 * run after this nor is it running, not even behind another thread's turn. The caller holds no lock
 * that the task wants. */
void io_loop_unwake(struct io_loop *loop, struct io_task *task);

/* [any thread] Takes the turn, unless the loop's thread has or wants it, or another guest has it:
 * then false, at once. From here to io_loop_leave() the caller may do what only the loop's thread
 * may, and should be as quick. It must hold no lock that anything there may want, and is not to
 * wait for anything. The loop's thread is woken for what the guest leaves it to do. */
bool io_loop_try_enter(struct io_loop *loop);
void io_loop_leave(struct io_loop *loop);

/* Of a guest, in place of io_loop_leave(): runs the loop, while its thread rests, until
 * is_done(ctx), asked in the turn whenever the loop has run, or `until`. A caller that waits for an
 * answer so has it without being woken by another thread. What other guests bring about does not
 * make it ask. Soon afterwards, unless there is a stand-in again, the thread goes on: meanwhile
 * nobody watches descriptors and deadlines nor runs what is posted, for IO_REST_US at most. */
#define IO_REST_US 500
void io_loop_stand_in(struct io_loop *loop, bool (*is_done)(void *ctx), void *ctx, usec until);

/* So many more connections than before may be found dead when they are written to: while there are
 * any, guests keep SIGPIPE from the program. */
void io_loop_count_connections(struct io_loop *loop, int more);

/* Runs the task when the turn ends, on the thread that has it, once: for waking threads that will
 * want the turn themselves. What it needs must outlive the turn. */
void io_loop_after(struct io_loop *loop, struct io_task *task);

/* [any thread] io_loop_free() waits until every hold is released: for threads that post here. */
void io_loop_hold(struct io_loop *loop);
void io_loop_release(struct io_loop *loop);

/* The libuv loop, as void * to keep uv.h out of here: for the other files of io/. */
void *io_loop_uv(struct io_loop *loop);

/* The buffer that the loop's sockets share, zeroed and made on the first call; for io/udp.c, which
 * always asks for the same length. NULL: no memory. */
void *io_loop_scratch(struct io_loop *loop, size_t len);

/* One deadline. Setting it again only moves it in a heap: no system call, no allocation. */
struct io_timer {
    struct io_loop *loop;
    io_fn *fn;
    void *ctx;
    usec at;
    size_t slot; /* in the loop's heap; SIZE_MAX while not set */
};

/* Room in the heap is reserved here, so that setting cannot fail. ERR_NOMEM. */
int io_timer_init(struct io_timer *t, struct io_loop *loop, io_fn *fn, void *ctx);

/* Fires once, not before `at`, and on an idle machine some 50 us after it (the kernel's slack); a
 * time that is past fires in the next round. USEC_NEVER is stop. */
void io_timer_set(struct io_timer *t, usec at);
void io_timer_stop(struct io_timer *t);

/* After this fn is not called. A timer of zeroes, or one already deinitialised, is fine. */
void io_timer_deinit(struct io_timer *t);

/* [any thread] Microseconds of CLOCK_MONOTONIC: what the core calls now. */
usec io_now(void);

/* [any thread] Seconds since 1970 of the wall clock, which may step. */
int64_t io_wall_s(void);

/* [any thread] The operating system's chance, through OpenSSL; aborts where there is none. */
struct rng io_rng(void);

#endif
