/* progress.h: one line on a terminal that tells how far a long transfer is, how fast, and when it
 * will be done. Silent when stderr is no terminal or results are JSON. */
#ifndef HAWSER_APPS_COMMON_PROGRESS_H
#define HAWSER_APPS_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/usec.h"

struct progress {
    const char *what;
    uint64_t size, first; /* bytes; 0: unknown. What was there when it started */
    usec began_at, drawn_at;
    bool is_drawn, is_silent;
};

void progress_init(struct progress *p, const char *what, uint64_t size, uint64_t first);

/* Draws at most five times a second. */
void progress_show(struct progress *p, uint64_t done);

/* Clears the line. */
void progress_end(struct progress *p);

/* One line in place of the one before on stderr, a terminal, cut to its width. */
void progress_draw(const char *line);
void progress_clear(void);

/* "17.3 MiB". */
void progress_format_bytes(double bytes, char *text, size_t cap);

/* The line without control characters. */
void progress_format(const struct progress *p, uint64_t done, usec now, char *text, size_t cap);

#endif
