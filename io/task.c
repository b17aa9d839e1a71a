/* task.c: what other threads bring to the loop. */
#include <assert.h>
#include <stdlib.h>

#include "io/loop_internal.h"

void tasks_append(struct tasks *list, struct io_task *task)
{
    task->next = NULL;
    task->is_queued = true;
    if (list->last)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
    list->count++;
}

struct io_task *tasks_take_first(struct tasks *list)
{
    struct io_task *task = list->first;

    if (!task)
        return NULL;
    list->first = task->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    task->is_queued = false;
    return task;
}

/* A thread that is not asleep looks at everything again before it is. */
void loop_rouse(struct io_loop *loop)
{
    if (!loop->is_asleep)
        return;
    loop->is_asleep = false;
    uv_async_send(&loop->wake);
}

static void enqueue(struct io_loop *loop, struct io_task *task)
{
    assert(!loop->is_closed);
    tasks_append(&loop->tasks, task);
    loop_rouse(loop);
}

void io_loop_wake(struct io_loop *loop, struct io_task *task)
{
    pthread_mutex_lock(&loop->queue);
    if (!task->is_queued)
        enqueue(loop, task);
    pthread_mutex_unlock(&loop->queue);
}

static bool remove_from(struct tasks *list, struct io_task *task)
{
    struct io_task *before = NULL, *t = list->first;

    for (; t && t != task; t = t->next)
        before = t;
    if (!t)
        return false;
    if (before)
        before->next = task->next;
    else
        list->first = task->next;
    if (list->last == task)
        list->last = before;
    list->count--;
    task->is_queued = false;
    return true;
}

/* With the turn and the queue's lock: the task waits for the end of this turn, or is one of those
 * that a thread is working off behind its own. */
static void take_back_after(struct io_loop *loop, struct io_task *task)
{
    bool is_found = remove_from(&loop->after, task);

    for (struct ending *e = loop->endings; e && !is_found; e = e->next)
        is_found = remove_from(&e->left, task);
}

/* Another thread, whose turn is over, is running it. */
static bool is_run_after(const struct io_loop *loop, const struct io_task *task)
{
    const struct ending *e = loop->endings;

    while (e && (e->running != task || pthread_equal(e->thread, pthread_self())))
        e = e->next;
    return e != NULL;
}

void io_loop_unwake(struct io_loop *loop, struct io_task *task)
{
    pthread_mutex_lock(&loop->queue);
    if (task->is_queued && !remove_from(&loop->tasks, task) && io_loop_is_current(loop))
        take_back_after(loop, task);
    while (io_loop_is_current(loop) && is_run_after(loop, task))
        pthread_cond_wait(&loop->ended, &loop->queue);
    pthread_mutex_unlock(&loop->queue);
}

/* Those that come meanwhile wait for the next round: sockets and timers have their turn. */
void tasks_run(struct io_loop *loop)
{
    struct io_task *task, taken;

    pthread_mutex_lock(&loop->queue);
    for (size_t left = loop->tasks.count; left && (task = tasks_take_first(&loop->tasks)); left--) {
        taken = *task; /* task may be gone once fn runs */
        pthread_mutex_unlock(&loop->queue);
        taken.fn(taken.ctx);
        pthread_mutex_lock(&loop->queue);
    }
    pthread_mutex_unlock(&loop->queue);
}

static void run_post(void *ctx)
{
    struct post *post = ctx, taken = *post;

    pthread_mutex_lock(&taken.loop->queue);
    post->next_free = taken.loop->free_posts;
    taken.loop->free_posts = post;
    pthread_mutex_unlock(&taken.loop->queue);
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

    pthread_mutex_lock(&loop->queue);
    post = take_post(loop);
    if (post) {
        *post = (struct post){ .loop = loop, .fn = fn, .ctx = ctx };
        post->task.fn = run_post;
        post->task.ctx = post;
        enqueue(loop, &post->task);
    }
    pthread_mutex_unlock(&loop->queue);
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
