#include "core/dtls/window.h"

static uint64_t *word_of(struct dtls_window *w, uint64_t number)
{
    return &w->bits[number / 64 % (DTLS_WINDOW / 64)];
}

bool dtls_window_has(const struct dtls_window *w, uint64_t number)
{
    if (number >= w->end)
        return false;
    return w->end - number > DTLS_WINDOW ||
           w->bits[number / 64 % (DTLS_WINDOW / 64)] >> number % 64 & 1;
}

/* Forgets what the numbers from `from` up to `to` stand in the place of. */
static void clear(struct dtls_window *w, uint64_t from, uint64_t to)
{
    if (to - from >= DTLS_WINDOW)
        from = to - DTLS_WINDOW;
    for (; from < to; from++)
        *word_of(w, from) &= ~(UINT64_C(1) << from % 64);
}

void dtls_window_add(struct dtls_window *w, uint64_t number)
{
    if (number >= w->end) {
        clear(w, w->end, number + 1);
        w->end = number + 1;
    }
    *word_of(w, number) |= UINT64_C(1) << number % 64;
}
