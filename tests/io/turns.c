/* turns.c: the loop's thread and guests, one at a time. */
#include <sched.h>

#include "io/udp.h"
#include "tests/io/blocker.h"

static void do_nothing(void *ctx)
{
    (void)ctx;
}

#define GUESTS      3
#define GUEST_TURNS 3000

struct turns {
    struct io_loop *loop;
    size_t count; /* whoever has the turn */
    struct io_task task;
};

static void count_turn(void *ctx)
{
    ((struct turns *)ctx)->count++;
}

static void *be_guest(void *ctx)
{
    struct turns *t = ctx;

    for (size_t left = GUEST_TURNS; left;) {
        if (!io_loop_try_enter(t->loop)) {
            sched_yield();
            continue;
        }
        CHECK("as good as the loop's thread", io_loop_is_current(t->loop));
        count_turn(t);
        left--;
        io_loop_leave(t->loop);
    }
    return NULL;
}

TEST(guests_and_the_thread_take_turns)
{
    struct turns t = { .loop = blocker_loop() };
    pthread_t threads[GUESTS];

    for (size_t i = 0; i < GUESTS; i++)
        pthread_create(&threads[i], NULL, be_guest, &t);
    for (size_t i = 0; i < GUEST_TURNS; i++)
        io_loop_run(t.loop, count_turn, &t);
    for (size_t i = 0; i < GUESTS; i++)
        pthread_join(threads[i], NULL);
    io_loop_free(t.loop);
    CHECK("one at a time", t.count == (GUESTS + 1) * GUEST_TURNS);
}

static void enter_again(void *ctx)
{
    struct turns *t = ctx;

    t->count += io_loop_try_enter(t->loop);
}

TEST(no_guest_while_something_runs)
{
    struct blocker b = { .gate = GATE_INIT };
    struct turns t = { .loop = blocker_loop() };

    blocker_post(&b, t.loop);
    CHECK("not now", !io_loop_try_enter(t.loop));
    blocker_let_go(&b);
    io_loop_run(t.loop, enter_again, &t);
    CHECK("nor within a turn", t.count == 0);
    while (!io_loop_try_enter(t.loop))
        sched_yield();
    enter_again(&t);
    CHECK("nor a guest's", t.count == 0);
    io_loop_leave(t.loop);
    io_loop_free(t.loop);
}

static void on_fired(void *ctx)
{
    struct blocker *b = ctx;

    gate_lock(&b->gate);
    b->runs++;
    gate_unlock(&b->gate);
}

TEST(what_a_guest_sets_wakes_the_thread)
{
    struct blocker b = { .gate = GATE_INIT };
    struct io_loop *loop = blocker_loop();
    struct io_timer late, soon;

    blocker_enter(loop);
    CHECK("room",
          !io_timer_init(&late, loop, on_fired, &b) && !io_timer_init(&soon, loop, on_fired, &b));
    io_timer_set(&late, io_now() + 60 * MINUTE);
    io_loop_leave(loop);
    io_loop_run(loop, do_nothing, NULL); /* it sleeps for an hour now */
    blocker_enter(loop);
    io_timer_set(&soon, io_now() + MILLISECOND);
    io_loop_leave(loop);
    CHECK("fires", GATE_WAIT(&b.gate, b.runs == 1));
    blocker_enter(loop);
    io_timer_deinit(&late);
    io_timer_deinit(&soon);
    io_loop_leave(loop);
    io_loop_free(loop);
}

static void on_datagram(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                        uint8_t *data, size_t len)
{
    (void)u, (void)local, (void)from, (void)data, (void)len;
    on_fired(ctx);
}

static void on_drained(void *ctx, struct udp *u)
{
    (void)ctx, (void)u;
}

TEST(what_a_guest_opens_and_closes_is_seen_to)
{
    struct blocker b = { .gate = GATE_INIT };
    const struct udp_handler handler = { .datagram = on_datagram,
                                         .drained = on_drained,
                                         .ctx = &b };
    struct io_loop *loop = blocker_loop();
    uint8_t datagram[] = "x";
    struct addr loopback;
    struct out run;
    struct udp *u;

    CHECK("an address", addr_parse_ip(&loopback, "127.0.0.1", 0));
    for (size_t i = 1; i <= 20; i++) {
        blocker_enter(loop);
        CHECK("opened", udp_open(&u, loop, &loopback, &handler) == ERR_OK);
        out_init(&run, datagram, sizeof datagram);
        out_add(&run, 1);
        run.to = *udp_local(u);
        udp_send(u, &run);
        io_loop_leave(loop);
        CHECK("arrives", GATE_WAIT(&b.gate, b.runs == i));
        blocker_enter(loop);
        udp_close(u);
        io_loop_leave(loop);
    }
    io_loop_free(loop);
}

static void come_in(void *ctx)
{
    struct turns *t = ctx;

    t->count++;
    CHECK("the turn has ended", !io_loop_is_current(t->loop));
    if (io_loop_try_enter(t->loop)) /* the other may have it by now */
        io_loop_leave(t->loop);
}

static void ask_for_after(void *ctx)
{
    struct turns *t = ctx;

    io_loop_after(t->loop, &t->task);
    io_loop_after(t->loop, &t->task);
    CHECK("not within the turn", t->count == 0);
}

static void take_back_after(void *ctx)
{
    struct turns *t = ctx;

    io_loop_after(t->loop, &t->task);
    io_loop_unwake(t->loop, &t->task);
}

TEST(after_a_turn_the_loop_is_free)
{
    struct turns t = { .loop = blocker_loop() }, guest = { .loop = t.loop }, none = t;

    t.task = (struct io_task){ .fn = come_in, .ctx = &t };
    guest.task = (struct io_task){ .fn = come_in, .ctx = &guest };
    none.task = (struct io_task){ .fn = come_in, .ctx = &none };
    io_loop_run(t.loop, ask_for_after, &t);
    io_loop_run(t.loop, take_back_after, &none);
    blocker_enter(t.loop);
    ask_for_after(&guest);
    io_loop_leave(t.loop);
    CHECK("the guest's own, at once", guest.count == 1);
    io_loop_free(t.loop);
    CHECK("once, though asked for twice", t.count == 1);
    CHECK("not if it was taken back", none.count == 0);
}

static void ask_for_two(void *ctx)
{
    struct turns *two = ctx;

    io_loop_after(two[0].loop, &two[0].task);
    io_loop_after(two[0].loop, &two[1].task);
}

struct taking {
    struct io_loop *loop;
    struct io_task *task;
    struct blocker *blocker;
};

/* What the task needs may be freed behind io_loop_unwake(). */
static void *take_back_as_guest(void *ctx)
{
    struct taking *t = ctx;

    blocker_enter(t->loop);
    io_loop_unwake(t->loop, t->task);
    gate_lock(&t->blocker->gate);
    t->blocker->runs++;
    gate_unlock(&t->blocker->gate);
    io_loop_leave(t->loop);
    return NULL;
}

/* Until another guest has the turn, or has had it. */
static size_t wait_for_guest(struct io_loop *loop, struct blocker *b)
{
    size_t runs = 0;

    while (!runs && io_loop_try_enter(loop)) {
        io_loop_leave(loop);
        gate_lock(&b->gate);
        runs = b->runs;
        gate_unlock(&b->gate);
    }
    return runs;
}

/* One thread's turn is over, and it is amid what was to be done behind it; another has the turn. */
TEST(what_is_taken_back_does_not_run_behind_an_earlier_turn)
{
    struct blocker b = { .gate = GATE_INIT };
    struct turns two[2] = { { .loop = blocker_loop() } };
    struct taking taking = { .loop = two[0].loop, .task = &two[0].task, .blocker = &b };
    pthread_t thread;
    size_t taken;

    two[0].task = (struct io_task){ .fn = blocker_block, .ctx = &b };
    two[1].task = (struct io_task){ .fn = count_turn, .ctx = &two[1] };
    io_loop_run(two[0].loop, ask_for_two, two);
    CHECK("the first runs", GATE_WAIT(&b.gate, b.is_in));
    blocker_enter(two[0].loop);
    io_loop_unwake(two[0].loop, &two[1].task);
    io_loop_leave(two[0].loop);
    pthread_create(&thread, NULL, take_back_as_guest, &taking);
    taken = wait_for_guest(two[0].loop, &b);
    blocker_let_go(&b);
    pthread_join(thread, NULL);
    io_loop_free(two[0].loop);
    CHECK("one that runs is waited for", taken == 0);
    CHECK("one that does not never will", two[1].count == 0);
}

TESTS(TEST_ROW(guests_and_the_thread_take_turns), TEST_ROW(no_guest_while_something_runs),
      TEST_ROW(what_a_guest_sets_wakes_the_thread),
      TEST_ROW(what_a_guest_opens_and_closes_is_seen_to), TEST_ROW(after_a_turn_the_loop_is_free),
      TEST_ROW(what_is_taken_back_does_not_run_behind_an_earlier_turn))
