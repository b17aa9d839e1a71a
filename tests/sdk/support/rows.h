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

static void run_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int code = rows[i].provoke();

        if (code != rows[i].code)
            print_error("%s: %d, not %d\n", rows[i].claim, code, rows[i].code);
        CHECK(rows[i].claim, code == rows[i].code);
    }
}

#endif
