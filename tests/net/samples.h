/* samples.h: numbers taken at an even pace, and printed as a line of JSON when the time is over. */
#ifndef HAWSER_TESTS_NET_SAMPLES_H
#define HAWSER_TESTS_NET_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/usec.h"

#define SAMPLES_COLUMNS_MAX 16
#define SAMPLES_EVERY_US    (50 * MILLISECOND)

/* Fills in the columns but the first, which is the time in microseconds. */
typedef void sample_fn(void *ctx, int64_t *row);

struct samples {
    const char *const *columns;
    size_t column_count;
    sample_fn *take;
    void *ctx;
};

/* Blocks for `span`, at most two minutes, then prints the object
 * {"code": 0, "columns": ["at_us", ...], "rows": [[...], ...]}. */
void samples_run(const struct samples *s, usec span);

void samples_sleep_until(usec at);

#endif
