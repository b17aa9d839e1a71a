/* What each client may publish, on a clock of the test's. */
#include "apps/mosquitto/rate.h"

#include "core/base/bytes.h"
#include "tests/check.h"

static const char alice[] = "hw1aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                  bob[] = "hw1bbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/* How many of `tries` messages pass; *logged counts the lines. */
static int publish(struct rate *r, const char *id, int64_t now_ms, int tries, int *logged)
{
    int passed = 0;

    for (int i = 0; i < tries; i++) {
        enum rate_answer answer = rate_take(r, id, now_ms);

        passed += answer == RATE_WITHIN;
        *logged += answer == RATE_BEYOND_LOG;
    }
    return passed;
}

/* Twenty a second. Each row begins where the one before ended. */
static const struct {
    const char *claim, *id;
    int64_t now_ms;
    int tries, passed, logged;
} rows[] = {
    { "a burst", alice, 0, 100, 100, 0 },
    { "no more, and a line", alice, 0, 50, 0, 1 },
    { "another client has its own", bob, 0, 100, 100, 0 },
    { "not yet", alice, 49, 1, 0, 0 },
    { "one more", alice, 50, 2, 1, 0 },
    { "twenty in a second", alice, 1050, 50, 20, 0 },
    { "full after five", alice, 6050, 150, 100, 0 },
    { "not fuller after a day", alice, 86400000, 150, 100, 1 },
    { "a minute later it is said again", alice, 86460000, 102, 100, 1 },
    { "not before", alice, 86519999, 102, 100, 0 },
};

TEST(messages_by_time)
{
    struct rate r;

    CHECK("made", rate_init(&r, 20));
    for (size_t i = 0; i < COUNT(rows); i++) {
        int logged = 0;

        CHECK(rows[i].claim,
              publish(&r, rows[i].id, rows[i].now_ms, rows[i].tries, &logged) == rows[i].passed);
        CHECK(rows[i].claim, logged == rows[i].logged);
    }
    rate_deinit(&r);
}

TEST(no_limit)
{
    struct rate r;
    int logged = 0;

    CHECK("made", rate_init(&r, 0));
    CHECK("all", publish(&r, alice, 0, 100000, &logged) == 100000);
    rate_leave(&r, alice, 0);
    CHECK("nothing is kept", r.count == 0 && logged == 0);
    rate_deinit(&r);
}

TEST(who_leaves_is_forgotten_once_nothing_is_owed)
{
    struct rate r;
    int logged = 0;

    CHECK("made", rate_init(&r, 20));
    publish(&r, alice, 0, 101, &logged);
    publish(&r, bob, 0, 1, &logged);
    rate_leave(&r, alice, 10);
    rate_leave(&r, bob, 10);
    CHECK("both owe", r.count == 2);
    CHECK("coming again helps nobody", publish(&r, alice, 20, 10, &logged) == 0);
    rate_leave(&r, bob, 60);
    CHECK("one has left", r.count == 1);
    rate_leave(&r, alice, 30000);
    CHECK("a minute of silence", r.count == 1);
    rate_leave(&r, alice, 60000);
    CHECK("both have", r.count == 0);
    publish(&r, alice, 70000, 50, &logged);
    publish(&r, bob, 80000, 1, &logged);
    CHECK("or as another comes", r.count == 1);
    rate_deinit(&r);
}

static const char *id_number(int i)
{
    static char id[32];

    snprintf(id, sizeof id, "hw1%028d", i);
    return id;
}

TEST(a_crowd_is_bounded_and_frees_nobody_who_floods)
{
    struct rate r;
    int logged = 0, passed = 0;

    CHECK("made", rate_init(&r, 20));
    CHECK("floods", publish(&r, id_number(777777), 0, 200, &logged) == 100);
    for (int i = 0; i < 3 * RATE_BUCKETS_MAX; i++)
        passed += publish(&r, id_number(i * 7919 % 1000003), 1, 2, &logged);
    CHECK("each is heard", passed == 6 * RATE_BUCKETS_MAX);
    CHECK("bounded", r.count == RATE_BUCKETS_MAX);
    CHECK("still beyond", publish(&r, id_number(777777), 2, 10, &logged) == 0);
    for (size_t i = 0; i < RATE_BUCKETS_MAX; i++)
        rate_take(&r, alice, 100000000 + (int64_t)i);
    CHECK("all of them are forgotten in time", r.count == 1);
    rate_deinit(&r);
}

TESTS(TEST_ROW(messages_by_time), TEST_ROW(no_limit),
      TEST_ROW(who_leaves_is_forgotten_once_nothing_is_owed),
      TEST_ROW(a_crowd_is_bounded_and_frees_nobody_who_floods))
