/* window.h: which sequence numbers have been taken. RFC 6347 §4.1.2.6, wide enough for a path that
 * reorders at speed: at 1 Gbit/s, 2048 records of 1200 bytes are 20 ms. */
#ifndef HAWSER_DTLS_WINDOW_H
#define HAWSER_DTLS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define DTLS_WINDOW 2048 /* a power of two */

/* Zeroes: nothing has been taken. */
struct dtls_window {
    uint64_t end; /* one past the highest number taken */
    uint64_t bits[DTLS_WINDOW / 64];
};

/* Whether it was taken before, or is too old to tell. */
bool dtls_window_has(const struct dtls_window *w, uint64_t number);

/* Only after its record has been authenticated. */
void dtls_window_add(struct dtls_window *w, uint64_t number);

#endif
