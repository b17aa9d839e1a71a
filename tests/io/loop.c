#include "io/loop.h"

#include "core/base/bytes.h"
#include "tests/io/blocker.h"

TEST(starts_and_stops)
{
    for (int i = 0; i < 20; i++)
        io_loop_free(blocker_loop());
    io_loop_free(NULL);
}

/* ---- tasks ---- */

#define POSTERS          4
#define POSTS_PER_POSTER 5000

struct poster {
    struct io_loop *loop;
    size_t sent, seen; /* seen: the loop's thread alone */
    bool is_in_order;
};

struct numbered {
    struct poster *poster;
    size_t number;
};

static struct numbered posts[POSTERS][POSTS_PER_POSTER];

static void on_numbered(void *ctx)
{
    struct numbered *n = ctx;

    n->poster->is_in_order &= n->number == n->poster->seen && io_loop_is_current(n->poster->loop);
    n->poster->seen++;
}

static void *post_all(void *ctx)
{
    struct poster *p = ctx;
    struct numbered *mine = posts[p->sent];

    for (size_t i = 0; i < POSTS_PER_POSTER; i++) {
        mine[i] = (struct numbered){ .poster = p, .number = i };
        while (io_loop_post(p->loop, on_numbered, &mine[i]) == ERR_LIMIT)
            sched_yield();
    }
    return NULL;
}

TEST(posts_of_many_threads_run_in_each_ones_order)
{
    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    struct io_loop *loop = blocker_loop();

    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){ .loop = loop, .sent = i, .is_in_order = true };
        pthread_create(&threads[i], NULL, post_all, &posters[i]);
    }
    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    io_loop_free(loop);
    for (size_t i = 0; i < POSTERS; i++) {
        CHECK("what was posted ran before the loop ended", posters[i].seen == POSTS_PER_POSTER);
        CHECK("on the loop's thread, in order", posters[i].is_in_order);
    }
}

static void count_run(void *ctx)
{
    ((struct blocker *)ctx)->runs++;
}

TEST(posts_are_bounded_and_wakes_merge)
{
    struct blocker b = { .gate = GATE_INIT };
    struct io_task task = { .fn = count_run, .ctx = &b }, other = task;
    struct io_loop *loop = blocker_loop();
    size_t posted = 0;

    blocker_post(&b, loop);
    while (io_loop_post(loop, count_run, &b) == ERR_OK)
        posted++;
    CHECK("at most so many wait", posted == IO_POSTS_MAX);
    for (int i = 0; i < 10; i++)
        io_loop_wake(loop, &task);
    io_loop_wake(loop, &other);
    io_loop_unwake(loop, &other);
    io_loop_unwake(loop, &other);
    blocker_let_go(&b);
    io_loop_free(loop);
    CHECK("ten wakes are one run, an unwake none", b.runs == posted + 1);
}

static void free_of_lock(void *ctx)
{
    *(bool *)ctx = true;
}

struct nested {
    struct io_loop *loop;
    bool inner, is_current;
};

static void nest(void *ctx)
{
    struct nested *n = ctx;

    n->is_current = io_loop_is_current(n->loop);
    io_loop_run(n->loop, free_of_lock, &n->inner);
}

TEST(run_waits_and_may_nest)
{
    struct nested n = { .loop = blocker_loop() };

    CHECK("not on the test's thread", !io_loop_is_current(n.loop));
    io_loop_run(n.loop, nest, &n);
    CHECK("ran there", n.is_current);
    CHECK("ran within", n.inner);
    io_loop_free(n.loop);
}

static void *release_later(void *ctx)
{
    struct io_loop *loop = ctx;

    io_loop_release(loop);
    return NULL;
}

TEST(free_waits_for_holds)
{
    struct io_loop *loop = blocker_loop();
    pthread_t thread;

    io_loop_hold(loop);
    pthread_create(&thread, NULL, release_later, loop);
    io_loop_free(loop);
    pthread_join(thread, NULL);
}

/* ---- timers ---- */

#define TIMERS 200

struct timed {
    struct io_timer timer;
    struct timed_set *set;
    usec at;
    bool has_fired;
};

struct timed_set {
    struct gate gate;
    struct io_loop *loop;
    struct timed timed[TIMERS];
    size_t fired, expected, out_of_order, early;
    usec last_at;
};

static void on_timer(void *ctx)
{
    struct timed *t = ctx;
    struct timed_set *set = t->set;

    gate_lock(&set->gate);
    set->fired++;
    set->early += io_now() < t->at;
    set->out_of_order += t->at < set->last_at || t->has_fired;
    set->last_at = t->at;
    t->has_fired = true;
    gate_unlock(&set->gate);
}

/* Every third is stopped, every fifth moved, forward or back. */
static void set_timers(void *ctx)
{
    struct timed_set *set = ctx;
    usec now = io_now();

    for (size_t i = 0; i < TIMERS; i++) {
        struct timed *t = &set->timed[i];

        CHECK("room", io_timer_init(&t->timer, set->loop, on_timer, t) == ERR_OK);
        t->set = set;
        t->at = now + (usec)(i * 7919 % 50) * MILLISECOND;
        io_timer_set(&t->timer, t->at);
    }
    for (size_t i = 0; i < TIMERS; i++) {
        struct timed *t = &set->timed[i];

        if (i % 5 == 0) {
            t->at = now + (usec)(i * 104729 % 50) * MILLISECOND + 500;
            io_timer_set(&t->timer, t->at);
        }
        if (i % 3 == 0)
            i % 2 ? io_timer_stop(&t->timer) : io_timer_set(&t->timer, USEC_NEVER);
        else
            set->expected++;
    }
}

static void end_timers(void *ctx)
{
    struct timed_set *set = ctx;

    for (size_t i = 0; i < TIMERS; i++) {
        io_timer_deinit(&set->timed[i].timer);
        io_timer_deinit(&set->timed[i].timer);
    }
}

TEST(timers_fire_in_order_and_never_early)
{
    static struct timed_set set = { .gate = GATE_INIT };

    set.loop = blocker_loop();
    io_loop_run(set.loop, set_timers, &set);
    CHECK("all but the stopped fire", GATE_WAIT(&set.gate, set.fired == set.expected));
    io_loop_run(set.loop, end_timers, &set);
    CHECK("none early", set.early == 0);
    CHECK("in order, each once", set.out_of_order == 0);
    io_loop_free(set.loop);
}

struct rearm {
    struct gate gate;
    struct io_loop *loop;
    struct io_timer timer;
    size_t left;
};

static void on_rearm(void *ctx)
{
    struct rearm *r = ctx;

    gate_lock(&r->gate);
    if (--r->left)
        io_timer_set(&r->timer, 0); /* always past */
    gate_unlock(&r->gate);
}

static void start_rearm(void *ctx)
{
    struct rearm *r = ctx;

    CHECK("room", io_timer_init(&r->timer, r->loop, on_rearm, r) == ERR_OK);
    io_timer_set(&r->timer, io_now() - SECOND);
}

static void end_rearm(void *ctx)
{
    io_timer_deinit(&((struct rearm *)ctx)->timer);
}

TEST(a_timer_may_set_itself_again_without_starving_tasks)
{
    struct rearm r = { .gate = GATE_INIT, .loop = blocker_loop(), .left = SIZE_MAX };
    bool has_run = false;

    io_loop_run(r.loop, start_rearm, &r);
    io_loop_run(r.loop, free_of_lock, &has_run);
    CHECK("a task runs between", has_run);
    gate_lock(&r.gate);
    r.left = 3;
    gate_unlock(&r.gate);
    CHECK("fires until it does not set itself", GATE_WAIT(&r.gate, r.left == 0));
    io_loop_run(r.loop, end_rearm, &r);
    io_loop_free(r.loop);
}

/* ---- clocks and chance ---- */

TEST(clocks_and_chance)
{
    struct rng rng = io_rng();
    usec before = io_now();
    uint8_t a[64] = { 0 }, b[64] = { 0 };

    CHECK("monotonic", io_now() >= before);
    CHECK("this century", io_wall_s() > 1577836800);
    rng_fill(&rng, a, sizeof a);
    rng_fill(&rng, b, sizeof b);
    CHECK("not the same twice", !bytes_equal(bytes_of(a, sizeof a), bytes_of(b, sizeof b)));
}

TESTS(TEST_ROW(starts_and_stops), TEST_ROW(posts_of_many_threads_run_in_each_ones_order),
      TEST_ROW(posts_are_bounded_and_wakes_merge), TEST_ROW(run_waits_and_may_nest),
      TEST_ROW(free_waits_for_holds), TEST_ROW(timers_fire_in_order_and_never_early),
      TEST_ROW(a_timer_may_set_itself_again_without_starving_tasks), TEST_ROW(clocks_and_chance))
