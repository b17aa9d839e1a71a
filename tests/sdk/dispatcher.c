/* dispatcher.c: the thread that runs the callbacks. */
#include "core/base/err.h"
#include "sdk/dispatcher.h"
#include "tests/check.h"

static int order[3], ran;

struct numbered {
    struct job job;
    int number;
};

static void run_numbered(struct job *job)
{
    order[ran++] = ((struct numbered *)job)->number;
}

TEST(jobs_run_in_their_order_also_at_the_end)
{
    struct numbered jobs[3];
    struct dispatcher *d;

    CHECK("made", dispatcher_new(&d) == ERR_OK);
    CHECK("not its thread", !dispatcher_is_current(d));
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct numbered){ .job = { .run = run_numbered }, .number = i };
        dispatcher_post(d, &jobs[i].job);
    }
    dispatcher_free(d);
    CHECK("all", ran == 3 && order[0] == 0 && order[1] == 1 && order[2] == 2);
}

TESTS(TEST_ROW(jobs_run_in_their_order_also_at_the_end))
