#include "io/loop.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

#include "io/loop_internal.h"
#include "io/thread.h"

/* Whose turn this thread has. */
static _Thread_local const struct io_loop *current;

bool io_loop_is_current(const struct io_loop *loop)
{
    return current == loop;
}

void io_loop_hold(struct io_loop *loop)
{
    pthread_mutex_lock(&loop->queue);
    loop->holds++;
    pthread_mutex_unlock(&loop->queue);
}

void io_loop_release(struct io_loop *loop)
{
    pthread_mutex_lock(&loop->queue);
    assert(loop->holds > 0);
    loop->holds--;
    if (loop->is_stopping)
        loop_rouse(loop); /* under the lock: the handle closes under it too */
    pthread_mutex_unlock(&loop->queue);
}

/* ---- Turns ----------------------------------------------------------------------------------- */

void io_loop_after(struct io_loop *loop, struct io_task *task)
{
    assert(io_loop_is_current(loop));
    pthread_mutex_lock(&loop->queue);
    if (!task->is_queued)
        tasks_append(&loop->after, task);
    pthread_mutex_unlock(&loop->queue);
}

/* The next task behind the turn; one without fn behind the last. */
static struct io_task next_after(struct io_loop *loop, struct ending *e)
{
    struct ending **at = &loop->endings;
    struct io_task next = { .fn = NULL };
    bool was_running = e->running != NULL;

    pthread_mutex_lock(&loop->queue);
    e->running = tasks_take_first(&e->left);
    if (e->running) {
        next = *e->running; /* it may be gone once fn has run */
    } else {
        while (*at != e)
            at = &(*at)->next;
        *at = e->next;
    }
    if (was_running)
        pthread_cond_broadcast(&loop->ended);
    pthread_mutex_unlock(&loop->queue);
    return next;
}

/* Ends the turn and does what was to be done behind it: a thread that is woken so finds the loop
 * free. Meanwhile a guest may ask for the same again: each counts as done before it begins. */
static void end_turn(struct io_loop *loop)
{
    struct ending e = { .left = loop->after, .thread = pthread_self() };
    bool has_any = e.left.count > 0;
    struct io_task task;

    if (has_any) {
        pthread_mutex_lock(&loop->queue);
        loop->after = (struct tasks){ 0 };
        e.next = loop->endings;
        /* cppcheck-suppress autoVariables ; next_after() takes it out before we return */
        loop->endings = &e;
        pthread_mutex_unlock(&loop->queue);
    }
    current = NULL;
    pthread_mutex_unlock(&loop->turn);
    while (has_any && (task = next_after(loop, &e)).fn)
        task.fn(task.ctx);
}

/* The loop's thread, and who stands in for it, go before guests, however many there are. */
static void begin_turn(struct io_loop *loop)
{
    if (pthread_mutex_trylock(&loop->turn)) {
        atomic_fetch_add(&loop->turn_wanted, 1);
        pthread_mutex_lock(&loop->turn);
        atomic_fetch_sub(&loop->turn_wanted, 1);
    }
    current = loop;
}

static _Thread_local struct {
    bool is_one, has_masked;
    sigset_t before;
} guest;

static void mask_if_needed(const struct io_loop *loop)
{
    if (!guest.is_one || guest.has_masked || !loop->connections)
        return;
    guest.has_masked = true;
    thread_begin_guest(&guest.before);
}

static void be_guest(const struct io_loop *loop)
{
    guest.is_one = true;
    mask_if_needed(loop);
}

void io_loop_count_connections(struct io_loop *loop, int more)
{
    loop->connections += more;
    mask_if_needed(loop);
}

bool io_loop_try_enter(struct io_loop *loop)
{
    if (current || atomic_load_explicit(&loop->turn_wanted, memory_order_relaxed) ||
        pthread_mutex_trylock(&loop->turn))
        return false;
    current = loop;
    be_guest(loop);
    return true;
}

/* uv_backend_timeout() of 0 says that libuv wants to be run: a descriptor is to be watched
 * otherwise than before, or a handle was closed. */
void io_loop_leave(struct io_loop *loop)
{
    bool is_sooner = timers_next(loop) < loop->awake_at || uv_backend_timeout(&loop->uv) == 0;

    end_turn(loop);
    guest.is_one = false;
    if (guest.has_masked)
        thread_end_guest(&guest.before);
    guest.has_masked = false;
    if (!is_sooner)
        return;
    pthread_mutex_lock(&loop->queue);
    loop_rouse(loop);
    pthread_mutex_unlock(&loop->queue);
}

/* With the queue's lock. */
static bool may_close(const struct io_loop *loop)
{
    return loop->is_stopping && !loop->is_closed && !loop->holds && !loop->tasks.count;
}

/* Until when there is nothing to do, unless somebody brings it, but not after `until`. 0: there is
 * something. */
static usec time_to_wake(struct io_loop *loop, usec until)
{
    bool has_work = uv_backend_timeout(&loop->uv) == 0;

    pthread_mutex_lock(&loop->queue);
    loop->is_asleep = !loop->tasks.count && !may_close(loop);
    has_work |= !loop->is_asleep;
    pthread_mutex_unlock(&loop->queue);
    loop->awake_at = usec_min(timers_next(loop), until);
    return has_work ? 0 : loop->awake_at;
}

/* libuv only says what it waits for, so that we can wait for it without the lock. What was done
 * behind the turn has taken its time: how long is known only now. */
static void watch(struct io_loop *loop, usec at)
{
    usec wait = at ? usec_clamp(at - io_now(), 0, 24 * (60 * MINUTE)) : 0;
    struct pollfd events = { .fd = uv_backend_fd(&loop->uv), .events = POLLIN };
    struct timespec most = { .tv_sec = (time_t)(wait / SECOND),
                             .tv_nsec = (long)(wait % SECOND * 1000) };

    if (wait)
        (void)ppoll(&events, 1, &most, NULL); /* whatever it says, the next round looks again */
}

static void note_awake(struct io_loop *loop)
{
    pthread_mutex_lock(&loop->queue);
    loop->is_asleep = false;
    pthread_mutex_unlock(&loop->queue);
}

static void close_if_done(struct io_loop *loop)
{
    pthread_mutex_lock(&loop->queue);
    if (may_close(loop)) {
        loop->is_closed = true;
        uv_close((uv_handle_t *)&loop->wake, NULL);
    }
    pthread_mutex_unlock(&loop->queue);
}

static bool run_round(struct io_loop *loop)
{
    tasks_run(loop);
    timers_fire(loop);
    close_if_done(loop);
    return uv_run(&loop->uv, UV_RUN_NOWAIT);
}

/* ---- Stand-ins ------------------------------------------------------------------------------- */

static void set_watching(struct io_loop *loop, bool is_watching)
{
    pthread_mutex_lock(&loop->queue);
    loop->is_watching = is_watching;
    pthread_mutex_unlock(&loop->queue);
}

/* The thread's, while somebody else runs the loop, or did a moment ago and may again. */
static void rest(struct io_loop *loop)
{
    usec until;

    pthread_mutex_lock(&loop->queue);
    loop->is_watching = false;
    while (loop->has_stand_in || io_now() < loop->stood_in_at + IO_REST_US) {
        struct timespec when;

        until = (loop->has_stand_in ? io_now() : loop->stood_in_at) + IO_REST_US;
        when = (struct timespec){ .tv_sec = (time_t)(until / SECOND),
                                  .tv_nsec = (long)(until % SECOND * 1000) };
        (void)pthread_cond_timedwait(&loop->alone, &loop->queue, &when);
    }
    pthread_mutex_unlock(&loop->queue);
}

/* With the turn. False: a stand-in came first. It sleeps by what it knows, and is woken for what is
 * posted if is_asleep: neither may change behind its back. */
static bool note_thread_awake(struct io_loop *loop)
{
    bool is_alone;

    pthread_mutex_lock(&loop->queue);
    is_alone = !loop->has_stand_in;
    if (is_alone)
        loop->is_asleep = false;
    pthread_mutex_unlock(&loop->queue);
    return is_alone;
}

/* The thread's, unless somebody stands in for it. */
static void begin_own_turn(struct io_loop *loop)
{
    begin_turn(loop);
    while (!note_thread_awake(loop)) {
        end_turn(loop);
        rest(loop);
        begin_turn(loop);
    }
}

/* Gives the turn to whoever wants it until a descriptor or a deadline needs the thread. */
static void sleep_and_wake(struct io_loop *loop)
{
    usec at = time_to_wake(loop, USEC_NEVER);

    set_watching(loop, true);
    end_turn(loop);
    watch(loop, at);
    rest(loop);
    begin_own_turn(loop);
}

static bool begin_standing_in(struct io_loop *loop)
{
    bool is_free;

    pthread_mutex_lock(&loop->queue);
    is_free = !loop->has_stand_in && !loop->is_stopping;
    loop->has_stand_in |= is_free;
    pthread_mutex_unlock(&loop->queue);
    return is_free;
}

/* With the turn. A thread that rests goes on by itself, unless it is to do so at once; one that
 * watches does so no longer than it meant to when it began. */
static void end_standing_in(struct io_loop *loop, bool is_done)
{
    pthread_mutex_lock(&loop->queue);
    loop->has_stand_in = false;
    loop->stood_in_at = is_done ? io_now() : INT64_MIN / 2;
    if (loop->is_watching)
        uv_async_send(&loop->wake);
    else if (!is_done)
        pthread_cond_signal(&loop->alone);
    pthread_mutex_unlock(&loop->queue);
}

/* Behind the turn this thread may have been another guest, and others may have made connections. */
static void stand_in_once(struct io_loop *loop, usec until)
{
    usec at = time_to_wake(loop, until);

    end_turn(loop);
    watch(loop, at);
    begin_turn(loop);
    be_guest(loop);
    note_awake(loop);
    (void)run_round(loop);
}

/* Who need not wait leaves the thread alone: it would rest, and nobody had run anything for it. */
void io_loop_stand_in(struct io_loop *loop, bool (*is_done)(void *ctx), void *ctx, usec until)
{
    bool has_come = is_done(ctx);

    if (!has_come && io_now() < until && begin_standing_in(loop)) {
        do
            stand_in_once(loop, until);
        while (!(has_come = is_done(ctx)) && io_now() < until);
        end_standing_in(loop, has_come);
    }
    io_loop_leave(loop);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void *thread_main(void *ctx)
{
    struct io_loop *loop = ctx;

    begin_own_turn(loop);
    while (run_round(loop))
        sleep_and_wake(loop);
    end_turn(loop);
    return NULL;
}

/* Only wakes: what there is to do is found in each round. */
static void on_wake(uv_async_t *wake)
{
    (void)wake;
}

static int init_handles(struct io_loop *loop)
{
    if (uv_loop_init(&loop->uv))
        return ERR_LIMIT;
    if (!uv_async_init(&loop->uv, &loop->wake, on_wake))
        return ERR_OK;
    uv_loop_close(&loop->uv);
    return ERR_LIMIT;
}

static void free_memory(struct io_loop *loop)
{
    pthread_cond_destroy(&loop->alone);
    pthread_cond_destroy(&loop->ended);
    pthread_mutex_destroy(&loop->queue);
    pthread_mutex_destroy(&loop->turn);
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
    if (thread_cond_init(&loop->alone)) {
        free(loop);
        *out = NULL;
        return ERR_NOMEM;
    }
    pthread_cond_init(&loop->ended, NULL);
    pthread_mutex_init(&loop->turn, NULL);
    pthread_mutex_init(&loop->queue, NULL);
    loop->awake_at = USEC_NEVER;
    loop->stood_in_at = INT64_MIN / 2;
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
        thread_main(loop); /* here it only closes the handles */
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
    pthread_mutex_lock(&loop->queue);
    loop->is_stopping = true;
    loop_rouse(loop);
    pthread_mutex_unlock(&loop->queue);
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
