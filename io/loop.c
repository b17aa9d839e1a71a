#include "io/loop.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include <uv.h>

#include "io/thread.h"

/* A post waits here; taking one gives its task away for free. */
struct post {
    struct io_task task;
    struct io_loop *loop;
    io_fn *fn;
    void *ctx;
    struct post *next_free;
};

struct io_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick;
    uv_prepare_t arm;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows, up to the timers */
    struct io_task *first, *last;
    size_t task_count;
    struct post *posts, *free_posts;
    size_t posts_used; /* entries of posts that were ever taken */
    size_t holds;
    bool is_stopping, is_closed;

    struct io_timer **heap; /* the loop's thread alone, but for what its owner does before start */
    size_t timer_count, timers_reserved, heap_cap;
    usec armed_at; /* what tick is set to */
    void *scratch;
};

static _Thread_local const struct io_loop *current;

/* ---- tasks ---- */

static void append(struct io_loop *loop, struct io_task *task)
{
    assert(!loop->is_closed);
    task->next = NULL;
    task->is_queued = true;
    if (loop->last)
        loop->last->next = task;
    else
        loop->first = task;
    loop->last = task;
    /* A queue that was not empty is being worked on or has its wake-up under way. */
    if (loop->task_count++ == 0)
        uv_async_send(&loop->wake);
}

static struct io_task *take_first(struct io_loop *loop)
{
    struct io_task *task = loop->first;

    if (!task)
        return NULL;
    loop->first = task->next;
    if (!loop->first)
        loop->last = NULL;
    loop->task_count--;
    task->is_queued = false;
    return task;
}

void io_loop_wake(struct io_loop *loop, struct io_task *task)
{
    pthread_mutex_lock(&loop->lock);
    if (!task->is_queued)
        append(loop, task);
    pthread_mutex_unlock(&loop->lock);
}

void io_loop_unwake(struct io_loop *loop, struct io_task *task)
{
    struct io_task *before = NULL;

    pthread_mutex_lock(&loop->lock);
    if (task->is_queued) {
        for (struct io_task *t = loop->first; t != task; t = t->next)
            before = t;
        if (before)
            before->next = task->next;
        else
            loop->first = task->next;
        if (loop->last == task)
            loop->last = before;
        loop->task_count--;
        task->is_queued = false;
    }
    pthread_mutex_unlock(&loop->lock);
}

static void run_post(void *ctx)
{
    struct post *post = ctx, taken = *post;

    pthread_mutex_lock(&taken.loop->lock);
    post->next_free = taken.loop->free_posts;
    taken.loop->free_posts = post;
    pthread_mutex_unlock(&taken.loop->lock);
    taken.fn(taken.ctx);
}

static struct post *take_post(struct io_loop *loop)
{
    struct post *post = loop->free_posts;

    if (post)
        loop->free_posts = post->next_free;
    else if (loop->posts_used < IO_POSTS_MAX)
        post = &loop->posts[loop->posts_used++];
    return post;
}

int io_loop_post(struct io_loop *loop, io_fn *fn, void *ctx)
{
    struct post *post;

    pthread_mutex_lock(&loop->lock);
    post = take_post(loop);
    if (post) {
        *post = (struct post){ .loop = loop, .fn = fn, .ctx = ctx };
        post->task.fn = run_post;
        post->task.ctx = post;
        append(loop, &post->task);
    }
    pthread_mutex_unlock(&loop->lock);
    return post ? ERR_OK : ERR_LIMIT;
}

struct errand {
    io_fn *fn;
    void *ctx;
    uv_sem_t done;
};

static void run_errand(void *ctx)
{
    struct errand *e = ctx;

    e->fn(e->ctx);
    uv_sem_post(&e->done);
}

void io_loop_run(struct io_loop *loop, io_fn *fn, void *ctx)
{
    struct errand errand = { .fn = fn, .ctx = ctx };
    struct io_task task = { .fn = run_errand, .ctx = &errand };

    if (io_loop_is_current(loop)) {
        fn(ctx);
        return;
    }
    if (uv_sem_init(&errand.done, 0))
        abort(); /* only for an invalid count */
    io_loop_wake(loop, &task);
    uv_sem_wait(&errand.done);
    uv_sem_destroy(&errand.done);
}

bool io_loop_is_current(const struct io_loop *loop)
{
    return current == loop;
}

void io_loop_hold(struct io_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->holds++;
    pthread_mutex_unlock(&loop->lock);
}

void io_loop_release(struct io_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    assert(loop->holds > 0);
    loop->holds--;
    if (loop->is_stopping)
        uv_async_send(&loop->wake); /* under the lock: the handle closes under it too */
    pthread_mutex_unlock(&loop->lock);
}

/* ---- timers: a binary heap, least deadline first ---- */

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

static void on_tick(uv_timer_t *tick)
{
    struct io_loop *loop = tick->data;
    usec now = io_now();

    loop->armed_at = USEC_NEVER;
    /* One that sets itself to the past again waits for the next round: sockets have their turn. */
    for (size_t n = loop->timer_count; n && loop->timer_count && loop->heap[0]->at <= now; n--) {
        struct io_timer *due = loop->heap[0];

        io_timer_stop(due);
        due->fn(due->ctx);
    }
}

/* Before the loop sleeps: however often deadlines moved, libuv hears of the least one, once. */
static void on_arm(uv_prepare_t *arm)
{
    struct io_loop *loop = arm->data;
    usec at = loop->timer_count ? loop->heap[0]->at : USEC_NEVER;
    usec wait;

    if (at == loop->armed_at)
        return;
    loop->armed_at = at;
    if (at == USEC_NEVER) {
        uv_timer_stop(&loop->tick);
        return;
    }
    uv_update_time(&loop->uv);
    wait = usec_clamp(at - io_now(), 0, 24 * (60 * MINUTE));
    uv_timer_start(&loop->tick, on_tick, (uint64_t)((wait + MILLISECOND - 1) / MILLISECOND), 0);
}

/* ---- life ---- */

static void close_if_done(struct io_loop *loop)
{
    bool is_done;

    pthread_mutex_lock(&loop->lock);
    is_done = loop->is_stopping && !loop->is_closed && !loop->holds && !loop->task_count;
    if (is_done) {
        loop->is_closed = true;
        uv_close((uv_handle_t *)&loop->wake, NULL);
    }
    pthread_mutex_unlock(&loop->lock);
    if (!is_done)
        return;
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->arm, NULL);
}

static void on_wake(uv_async_t *wake)
{
    struct io_loop *loop = wake->data;
    struct io_task *task, taken;
    size_t left;

    pthread_mutex_lock(&loop->lock);
    /* Those that come meanwhile wait for the next round: sockets and timers have their turn. */
    for (left = loop->task_count; left && (task = take_first(loop)); left--) {
        taken = *task; /* task may be gone once fn runs */
        pthread_mutex_unlock(&loop->lock);
        taken.fn(taken.ctx);
        pthread_mutex_lock(&loop->lock);
    }
    if (loop->task_count)
        uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
    close_if_done(loop);
}

static void *thread_main(void *ctx)
{
    struct io_loop *loop = ctx;

    current = loop;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

static int init_handles(struct io_loop *loop)
{
    if (uv_loop_init(&loop->uv))
        return ERR_LIMIT;
    uv_timer_init(&loop->uv, &loop->tick);
    uv_prepare_init(&loop->uv, &loop->arm);
    loop->tick.data = loop->arm.data = loop->wake.data = loop;
    uv_prepare_start(&loop->arm, on_arm);
    if (!uv_async_init(&loop->uv, &loop->wake, on_wake)) {
        loop->wake.data = loop;
        return ERR_OK;
    }
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->arm, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    return ERR_LIMIT;
}

static void free_memory(struct io_loop *loop)
{
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    free(loop->posts);
    free(loop->scratch);
    free(loop);
}

int io_loop_new(struct io_loop **out)
{
    struct io_loop *loop = *out = calloc(1, sizeof *loop);
    int err = ERR_NOMEM;

    if (!loop)
        return ERR_NOMEM;
    pthread_mutex_init(&loop->lock, NULL);
    loop->armed_at = USEC_NEVER;
    loop->posts = calloc(IO_POSTS_MAX, sizeof *loop->posts);
    if (loop->posts)
        err = init_handles(loop);
    if (err) {
        free_memory(loop);
        *out = NULL;
        return err;
    }
    err = thread_start(&loop->thread, thread_main, loop, "hawser-net");
    if (err) {
        loop->is_stopping = true;
        close_if_done(loop);
        thread_main(loop); /* here it only closes the handles */
        current = NULL;
        uv_loop_close(&loop->uv);
        free_memory(loop);
        *out = NULL;
    }
    return err;
}

void io_loop_free(struct io_loop *loop)
{
    int left_open;

    if (!loop)
        return;
    assert(!io_loop_is_current(loop));
    pthread_mutex_lock(&loop->lock);
    loop->is_stopping = true;
    uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
    pthread_join(loop->thread, NULL);
    left_open = uv_loop_close(&loop->uv);
    assert(!left_open);
    (void)left_open;
    free_memory(loop);
}

void *io_loop_uv(struct io_loop *loop)
{
    return &loop->uv;
}

void *io_loop_scratch(struct io_loop *loop, size_t len)
{
    if (!loop->scratch)
        loop->scratch = calloc(1, len);
    return loop->scratch;
}
