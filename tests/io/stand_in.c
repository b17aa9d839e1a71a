/* stand_in.c: guests who run the loop in its thread's place. */
#include <sched.h>
#include <signal.h>

#include "io/udp.h"
#include "tests/io/blocker.h"

static void do_nothing(void *ctx)
{
    (void)ctx;
}

struct turns {
    struct io_loop *loop;
    size_t count; /* whoever has the turn */
};

static void count_turn(void *ctx)
{
    ((struct turns *)ctx)->count++;
}

static void on_fired(void *ctx)
{
    struct blocker *b = ctx;

    gate_lock(&b->gate);
    b->runs++;
    gate_unlock(&b->gate);
}

static void on_drained(void *ctx, struct udp *u)
{
    (void)ctx, (void)u;
}

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
        blocker_enter(a->loop);
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

    blocker_enter(a.loop);
    CHECK("room", !io_timer_init(&within, a.loop, on_fired, &b) &&
                      !io_timer_init(&behind, a.loop, on_fired, &b));
    until = io_now() + 20 * MILLISECOND;
    io_timer_set(&within, io_now() + MILLISECOND);
    io_timer_set(&behind, until + MILLISECOND);
    io_loop_stand_in(a.loop, has_come, &a, until);
    CHECK("as long as that", io_now() >= until);
    CHECK("deadlines meanwhile, and afterwards", GATE_WAIT(&b.gate, b.runs == 2));
    blocker_enter(a.loop);
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

    blocker_enter(b->answer.loop);
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
    blocker_enter(b->answer.loop);
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
    blocker_enter(b->answer.loop);
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
        blocker_enter(b.answer.loop);
        udp_close(b.udp);
        io_loop_leave(b.answer.loop);
    }
    blocker_enter(b.answer.loop);
    io_timer_deinit(&b.timer);
    io_loop_leave(b.answer.loop);
    io_loop_free(b.answer.loop);
}

#define GUESTS 3
#define TALKS  2000

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
        blocker_enter(t->loop);
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

    blocker_enter(loop);
    io_loop_leave(loop);
}

TEST(a_stand_in_stays_masked)
{
    struct answer a = { .loop = blocker_loop() };
    struct io_task task = { .fn = be_another_guest, .ctx = a.loop };
    sigset_t blocked;

    blocker_enter(a.loop);
    io_loop_count_connections(a.loop, 1);
    io_loop_after(a.loop, &task);
    CHECK("posted", io_loop_post(a.loop, look_at_mask, &a) == ERR_OK);
    io_loop_stand_in(a.loop, has_come, &a, USEC_NEVER);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    CHECK("as before", sigismember(&blocked, SIGPIPE) == 0);
    blocker_enter(a.loop);
    io_loop_count_connections(a.loop, -1);
    io_loop_leave(a.loop);
    io_loop_free(a.loop);
}

TESTS(TEST_ROW(a_stand_in_runs_what_comes), TEST_ROW(a_stand_in_stays_no_longer_than_it_said),
      TEST_ROW(what_a_guest_brings_wakes_who_stands_in), TEST_ROW(many_stand_in_while_others_ask),
      TEST_ROW(who_need_not_wait_keeps_nobody_waiting), TEST_ROW(a_stand_in_stays_masked))
