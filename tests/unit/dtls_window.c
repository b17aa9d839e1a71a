#include "core/base/bytes.h"
#include "core/dtls/window.h"
#include "tests/check.h"

static const struct {
    const char *claim;
    size_t count;
    uint64_t taken[3], asked;
    bool has;
} rows[] = {
    { "nothing was taken", 0, { 0 }, 5, false },
    { "zero can be taken", 1, { 0 }, 0, true },
    { "what was taken", 1, { 7 }, 7, true },
    { "between two that were", 2, { 7, 9 }, 8, false },
    { "the oldest that can be told", 1, { DTLS_WINDOW }, 1, false },
    { "the last too old to tell", 1, { DTLS_WINDOW + 1 }, 1, true },
    { "far ahead, old bits are forgotten", 2, { 3, 3 + DTLS_WINDOW }, 2 + DTLS_WINDOW, false },
    { "a jump over many windows", 2, { 3, 1000000 }, 1000000 - 5, false },
    { "and what lies behind it is old", 2, { 3, 1000000 }, 3, true },
    { "the last number there is", 1, { (UINT64_C(1) << 48) - 1 }, (UINT64_C(1) << 48) - 1, true },
};

TEST(numbers)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dtls_window w = { 0 };

        for (size_t k = 0; k < rows[i].count; k++)
            dtls_window_add(&w, rows[i].taken[k]);
        CHECK(rows[i].claim, dtls_window_has(&w, rows[i].asked) == rows[i].has);
    }
}

/* Against the plainest list there can be. */
TEST(any_order_within_the_window)
{
    static bool taken[3 * DTLS_WINDOW]; /* 20000 / 4 + 900 fit */
    struct dtls_window w = { 0 };
    uint64_t top = 0, wrong = 0;

    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t at = i / 4 + i * 2654435761u % 900;
        bool is_old = top > at && top - at >= DTLS_WINDOW;

        wrong += dtls_window_has(&w, at) != (is_old || taken[at]);
        if (dtls_window_has(&w, at))
            continue;
        dtls_window_add(&w, at);
        taken[at] = true;
        top = at > top ? at : top;
    }
    CHECK("the same answers", wrong == 0);
    CHECK("it moved on", top > 2 * DTLS_WINDOW);
}

TESTS(TEST_ROW(numbers), TEST_ROW(any_order_within_the_window))
