/* rows.h: tables of codes and what provokes them. */
#ifndef HAWSER_TESTS_SDK_ROWS_H
#define HAWSER_TESTS_SDK_ROWS_H

#include "core/base/bytes.h"
#include "tests/check.h"

struct row {
    const char *claim;
    int code;
    int (*provoke)(void);
};

static inline void check_code(const char *claim, int code, int expected)
{
    if (code != expected)
        print_error("%s: %d, not %d\n", claim, code, expected);
    CHECK(claim, code == expected);
}

static inline void run_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_code(rows[i].claim, rows[i].provoke(), rows[i].code);
}

#endif
