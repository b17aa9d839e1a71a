/* turns.c: the loop's thread and guests, one at a time. */
#include <sched.h>
#include <signal.h>

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

static void enter_as_guest(struct io_loop *loop)
{
    while (!io_loop_try_enter(loop))
        sched_yield();
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

    enter_as_guest(loop);
    CHECK("room",
          !io_timer_init(&late, loop, on_fired, &b) && !io_timer_init(&soon, loop, on_fired, &b));
    io_timer_set(&late, io_now() + 60 * MINUTE);
    io_loop_leave(loop);
    io_loop_run(loop, do_nothing, NULL); /* it sleeps for an hour now */
    enter_as_guest(loop);
    io_timer_set(&soon, io_now() + MILLISECOND);
    io_loop_leave(loop);
    CHECK("fires", GATE_WAIT(&b.gate, b.runs == 1));
    enter_as_guest(loop);
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
        enter_as_guest(loop);
        CHECK("opened", udp_open(&u, loop, &loopback, &handler) == ERR_OK);
        out_init(&run, datagram, sizeof datagram);
        out_add(&run, 1);
        run.to = *udp_local(u);
        udp_send(u, &run);
        io_loop_leave(loop);
        CHECK("arrives", GATE_WAIT(&b.gate, b.runs == i));
        enter_as_guest(loop);
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
    enter_as_guest(t.loop);
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

    enter_as_guest(t->loop);
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
    enter_as_guest(two[0].loop);
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

/* ---- In the thread's place ------------------------------------------------------------------- */

struct answer {
    struct io_loop *loop;
    pthread_t runner; /* who ran `come` */
    bool has_come;
};

static void come(void *ctx)
{
    struct answer *a = ctx;

    a->runner = pthread_self();
    a->has_come = true;
}

static bool has_come(void *ctx)
{
    struct answer *a = ctx;

    CHECK("asked in the turn", io_loop_is_current(a->loop));
    return a->has_come;
}

static void *bring(void *ctx)
{
    struct answer *a = ctx;

    CHECK("posted", io_loop_post(a->loop, come, a) == ERR_OK);
    return NULL;
}

/* Also while the loop's thread only starts, or has rested long enough. */
static void stand_in_for_answers(struct answer *a)
{
    pthread_t thread;

    for (int i = 0; i < 5; i++) {
        a->has_come = false;
        enter_as_guest(a->loop);
        pthread_create(&thread, NULL, bring, a);
        io_loop_stand_in(a->loop, has_come, a, USEC_NEVER);
        CHECK("had", a->has_come && !io_loop_is_current(a->loop));
        CHECK("without another thread", pthread_equal(a->runner, pthread_self()));
        pthread_join(thread, NULL);
    }
}

TEST(a_stand_in_runs_what_comes)
{
    for (int i = 0; i < 40; i++) {
        struct answer a = { .loop = blocker_loop() };

        stand_in_for_answers(&a);
        io_loop_run(a.loop, come, &a);
        CHECK("then the loop's own thread goes on", !pthread_equal(a.runner, pthread_self()));
        io_loop_free(a.loop);
    }
}

TEST(a_stand_in_stays_no_longer_than_it_said)
{
    struct blocker b = { .gate = GATE_INIT };
    struct answer a = { .loop = blocker_loop() };
    struct io_timer within, behind;
    usec until;

    enter_as_guest(a.loop);
    CHECK("room", !io_timer_init(&within, a.loop, on_fired, &b) &&
                      !io_timer_init(&behind, a.loop, on_fired, &b));
    until = io_now() + 20 * MILLISECOND;
    io_timer_set(&within, io_now() + MILLISECOND);
    io_timer_set(&behind, until + MILLISECOND);
    io_loop_stand_in(a.loop, has_come, &a, until);
    CHECK("as long as that", io_now() >= until);
    CHECK("deadlines meanwhile, and afterwards", GATE_WAIT(&b.gate, b.runs == 2));
    enter_as_guest(a.loop);
    io_timer_deinit(&within);
    io_timer_deinit(&behind);
    io_loop_leave(a.loop);
    io_loop_free(a.loop);
}

/* Both as a guest, while another sleeps in the thread's place. */
struct bringing {
    struct answer answer;
    struct io_timer timer;
    struct udp *udp;
};

static void *set_a_deadline(void *ctx)
{
    struct bringing *b = ctx;

    enter_as_guest(b->answer.loop);
    io_timer_set(&b->timer, io_now() + MILLISECOND);
    io_loop_leave(b->answer.loop);
    return NULL;
}

static void on_answer(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                      uint8_t *data, size_t len)
{
    (void)u, (void)local, (void)from, (void)data, (void)len;
    come(ctx);
}

static void *open_a_socket(void *ctx)
{
    struct bringing *b = ctx;
    const struct udp_handler handler = { .datagram = on_answer,
                                         .drained = on_drained,
                                         .ctx = &b->answer };
    uint8_t datagram[] = "x";
    struct addr loopback;
    struct out run;

    CHECK("an address", addr_parse_ip(&loopback, "127.0.0.1", 0));
    enter_as_guest(b->answer.loop);
    CHECK("opened", udp_open(&b->udp, b->answer.loop, &loopback, &handler) == ERR_OK);
    out_init(&run, datagram, sizeof datagram);
    out_add(&run, 1);
    run.to = *udp_local(b->udp);
    udp_send(b->udp, &run);
    io_loop_leave(b->answer.loop);
    return NULL;
}

static void stand_in_while(struct bringing *b, void *(*other)(void *ctx))
{
    pthread_t thread;

    b->answer.has_come = false;
    enter_as_guest(b->answer.loop);
    if (!b->timer.loop)
        CHECK("room", !io_timer_init(&b->timer, b->answer.loop, come, &b->answer));
    pthread_create(&thread, NULL, other, b);
    io_loop_stand_in(b->answer.loop, has_come, &b->answer, USEC_NEVER);
    CHECK("had", b->answer.has_come);
    pthread_join(thread, NULL);
}

TEST(what_a_guest_brings_wakes_who_stands_in)
{
    struct bringing b = { .answer.loop = blocker_loop() };

    for (int i = 0; i < 20; i++) {
        stand_in_while(&b, set_a_deadline);
        stand_in_while(&b, open_a_socket);
        enter_as_guest(b.answer.loop);
        udp_close(b.udp);
        io_loop_leave(b.answer.loop);
    }
    enter_as_guest(b.answer.loop);
    io_timer_deinit(&b.timer);
    io_loop_leave(b.answer.loop);
    io_loop_free(b.answer.loop);
}

#define TALKS 2000

static void *stand_in_often(void *ctx)
{
    struct answer *a = ctx;

    for (int left = TALKS; left;) {
        if (!io_loop_try_enter(a->loop)) {
            sched_yield();
            continue;
        }
        io_loop_stand_in(a->loop, has_come, a, io_now() + left % 3 * 20);
        left--;
    }
    return NULL;
}

TEST(many_stand_in_while_others_ask)
{
    struct answer a = { .loop = blocker_loop() };
    struct turns t = { .loop = a.loop };
    pthread_t threads[GUESTS];

    for (size_t i = 0; i < GUESTS; i++)
        pthread_create(&threads[i], NULL, stand_in_often, &a);
    for (size_t i = 0; i < TALKS; i++)
        io_loop_run(a.loop, count_turn, &t);
    for (size_t i = 0; i < GUESTS; i++)
        pthread_join(threads[i], NULL);
    io_loop_free(a.loop);
    CHECK("nobody was left waiting", t.count == TALKS);
}

#define HASTY_TALKS 200000

static bool is_so(void *ctx)
{
    (void)ctx;
    return true;
}

/* Posts something, and stands in for what is there already until it has run. */
static bool talk_hastily(struct turns *t)
{
    bool has_run = false;

    t->count = 0;
    CHECK("posted", io_loop_post(t->loop, count_turn, t) == ERR_OK);
    for (int left = HASTY_TALKS; left && !has_run; left--) {
        enter_as_guest(t->loop);
        has_run = t->count > 0;
        io_loop_stand_in(t->loop, is_so, NULL, USEC_NEVER);
    }
    return has_run;
}

TEST(who_need_not_wait_keeps_nobody_waiting)
{
    struct turns t = { .loop = blocker_loop() };

    for (int i = 0; i < 100; i++)
        io_loop_run(t.loop, do_nothing, NULL); /* it has begun, and sleeps whenever it can */
    for (int i = 0; i < 20; i++)
        CHECK("the thread goes on", talk_hastily(&t));
    io_loop_free(t.loop);
}

static void look_at_mask(void *ctx)
{
    sigset_t blocked;

    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    CHECK("no SIGPIPE here", sigismember(&blocked, SIGPIPE) == 1);
    come(ctx);
}

static void be_another_guest(void *ctx)
{
    struct io_loop *loop = ctx;

    enter_as_guest(loop);
    io_loop_leave(loop);
}

TEST(a_stand_in_stays_masked)
{
    struct answer a = { .loop = blocker_loop() };
    struct io_task task = { .fn = be_another_guest, .ctx = a.loop };
    sigset_t blocked;

    enter_as_guest(a.loop);
    io_loop_count_connections(a.loop, 1);
    io_loop_after(a.loop, &task);
    CHECK("posted", io_loop_post(a.loop, look_at_mask, &a) == ERR_OK);
    io_loop_stand_in(a.loop, has_come, &a, USEC_NEVER);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    CHECK("as before", sigismember(&blocked, SIGPIPE) == 0);
    enter_as_guest(a.loop);
    io_loop_count_connections(a.loop, -1);
    io_loop_leave(a.loop);
    io_loop_free(a.loop);
}

TESTS(TEST_ROW(guests_and_the_thread_take_turns), TEST_ROW(no_guest_while_something_runs),
      TEST_ROW(what_a_guest_sets_wakes_the_thread),
      TEST_ROW(what_a_guest_opens_and_closes_is_seen_to), TEST_ROW(after_a_turn_the_loop_is_free),
      TEST_ROW(what_is_taken_back_does_not_run_behind_an_earlier_turn),
      TEST_ROW(a_stand_in_runs_what_comes), TEST_ROW(a_stand_in_stays_no_longer_than_it_said),
      TEST_ROW(what_a_guest_brings_wakes_who_stands_in), TEST_ROW(many_stand_in_while_others_ask),
      TEST_ROW(who_need_not_wait_keeps_nobody_waiting), TEST_ROW(a_stand_in_stays_masked))
