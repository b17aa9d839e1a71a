/* loop_internal.h: what the files of the loop share.
 *
 *     loop.c     turns: who may run the loop's callbacks when; life
 *     task.c     what other threads bring
 *     timer.c    deadlines */
#ifndef HAWSER_IO_LOOP_INTERNAL_H
#define HAWSER_IO_LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <uv.h>

#include "io/loop.h"

/* A post waits here; taking one gives its task away for free. */
struct post {
    struct io_task task;
    struct io_loop *loop;
    io_fn *fn;
    void *ctx;
    struct post *next_free;
};

struct tasks {
    struct io_task *first, *last;
    size_t count;
};

/* What is to be done behind a turn that has ended, on the stack of the thread that had it. */
struct ending {
    struct tasks left;
    const struct io_task *running; /* may be gone */
    pthread_t thread;
    struct ending *next;
};

struct io_loop {
    pthread_t thread;

    /* Held by whoever runs callbacks: the thread, but while it sleeps, or a guest. Guards what
     * follows, up to the queue, and whatever belongs to the loop's thread. */
    pthread_mutex_t turn;
    atomic_int turn_wanted; /* by so many: the thread, a stand-in; guests stay out */
    uv_loop_t uv;
    struct tasks after; /* until the turn ends */
    struct io_timer **heap;
    size_t timer_count, timers_reserved, heap_cap;
    usec awake_at;   /* until when the thread means to sleep */
    int connections; /* io_loop_count_connections() */
    void *scratch;

    pthread_mutex_t queue; /* guards what follows; taken last */
    uv_async_t wake;
    struct tasks tasks;
    struct post *posts, *free_posts;
    size_t posts_used; /* entries of posts that were ever taken */
    size_t holds;
    bool is_asleep; /* whoever runs the loop has seen all tasks, and needs a wake-up to see more */
    bool is_stopping, is_closed;
    bool is_watching;       /* the thread waits for descriptors */
    bool has_stand_in;      /* a guest does, in its place */
    usec stood_in_at;       /* when the last one left */
    pthread_cond_t alone;   /* there is none, and none will come back soon */
    struct ending *endings; /* of turns whose tasks are being worked off */
    pthread_cond_t ended;   /* one of these has run */
};

/* task.c, with the queue's lock: NULL if there is none; wakes whoever runs the loop, if asleep. */
void tasks_append(struct tasks *list, struct io_task *task);
struct io_task *tasks_take_first(struct tasks *list);
void loop_rouse(struct io_loop *loop);

/* Runs those that wait, in the turn and without that lock. */
void tasks_run(struct io_loop *loop);

/* timer.c: the least deadline; USEC_NEVER if none. */
usec timers_next(const struct io_loop *loop);

/* Fires what is due. */
void timers_fire(struct io_loop *loop);

#endif
