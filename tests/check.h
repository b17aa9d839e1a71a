/* check.h: the only way to fail. CHECK records its claim and goes on; the test fails at its end.
 *
 *     TEST(name) { CHECK("the claim", condition); }
 *     TESTS(TEST_ROW(name), ...)     -- makes main() */
#ifndef HAWSER_TESTS_CHECK_H
#define HAWSER_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static unsigned check_failures;

#define CHECK(claim, condition)                                                                  \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            check_failures++;                                                                    \
            print_error("%s:%d: not so: %s\n    %s\n", __FILE__, __LINE__, (claim), #condition); \
        }                                                                                        \
    } while (0)

#define TEST(name)                           \
    static void name##_body(void);           \
    static void name(void **state)           \
    {                                        \
        (void)state;                         \
        check_failures = 0;                  \
        name##_body();                       \
        assert_int_equal(check_failures, 0); \
    }                                        \
    static void name##_body(void)

#define TEST_ROW(name) cmocka_unit_test(name)

/* With the set-up and tear-down of the whole group, which cmocka calls with its state. */
#define TESTS_BETWEEN(set_up, tear_down, ...)                    \
    int main(void)                                               \
    {                                                            \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };       \
                                                                 \
        return cmocka_run_group_tests(tests, set_up, tear_down); \
    }

#define TESTS(...) TESTS_BETWEEN(NULL, NULL, __VA_ARGS__)

#endif
