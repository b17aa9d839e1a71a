/* Changes of a network namespace of our own, told of once a flurry. */
#include "io/netwatch.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/io/gate.h"

struct watching {
    struct gate gate;
    struct io_loop *loop;
    struct netwatch *watch;
    int err;
    size_t calls, elsewhere;
};

static void on_change(void *ctx)
{
    struct watching *w = ctx;

    gate_lock(&w->gate);
    w->calls++;
    w->elsewhere += !io_loop_is_current(w->loop);
    gate_unlock(&w->gate);
}

static void open_watch(void *ctx)
{
    struct watching *w = ctx;

    w->err = netwatch_new(&w->watch, w->loop, on_change, w);
}

static void close_watch(void *ctx)
{
    struct watching *w = ctx;

    netwatch_free(w->watch);
    netwatch_free(NULL);
}

/* Runs these lines of ip's, all in one process. */
static bool ip(const char *lines)
{
    FILE *f = popen("ip -batch -", "w");

    return f && fputs(lines, f) >= 0 && pclose(f) == 0;
}

#define ADDRESS(n) "addr add 192.0.2." #n "/32 dev lo\n"
#define REMOVED(n) "addr del 192.0.2." #n "/32 dev lo\n"

static const struct {
    const char *claim, *lines;
} rows[] = {
    { "an interface that comes up", "link set lo up\n" },
    { "addresses that come",
      ADDRESS(1) ADDRESS(2) ADDRESS(3) ADDRESS(4) ADDRESS(5) ADDRESS(6) ADDRESS(7) ADDRESS(8) },
    { "addresses that go",
      REMOVED(1) REMOVED(2) REMOVED(3) REMOVED(4) REMOVED(5) REMOVED(6) REMOVED(7) },
    { "a route", "route add 198.51.100.0/24 dev lo\n" },
    { "an interface that goes down", "link set lo down\n" },
};

static void watch_changes(struct watching *w)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t before;

        gate_lock(&w->gate);
        before = w->calls;
        gate_unlock(&w->gate);
        CHECK(rows[i].claim, ip(rows[i].lines));
        CHECK(rows[i].claim, GATE_WAIT(&w->gate, w->calls > before));
    }
}

TEST(changes_are_told_of)
{
    struct watching w = { .gate = GATE_INIT };

    CHECK("a loop", io_loop_new(&w.loop) == ERR_OK);
    io_loop_run(w.loop, open_watch, &w);
    CHECK("it opens", w.err == ERR_OK);
    if (w.watch)
        watch_changes(&w);
    io_loop_run(w.loop, close_watch, &w);
    CHECK("on the loop's thread", w.elsewhere == 0);
    io_loop_free(w.loop);
}

static void change_and_close(void *ctx)
{
    struct watching *w = ctx;

    CHECK("a change", ip("link set lo up\n"));
    netwatch_free(w->watch);
}

TEST(nothing_after_its_end)
{
    struct watching w = { .gate = GATE_INIT };

    CHECK("a loop", io_loop_new(&w.loop) == ERR_OK);
    io_loop_run(w.loop, open_watch, &w);
    io_loop_run(w.loop, change_and_close, &w);
    io_loop_free(w.loop);
    CHECK("silent", w.calls == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST_ROW(changes_are_told_of),
                                        TEST_ROW(nothing_after_its_end) };

    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return 77; /* no namespace of our own is to be had: skipped */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
