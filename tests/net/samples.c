#include "tests/net/samples.h"

#include <stdio.h>
#include <time.h>

#include "tests/net/now.h"

enum { ROWS_MAX = 120 * 20 + 1 };

static int64_t rows[ROWS_MAX][SAMPLES_COLUMNS_MAX];

void samples_sleep_until(usec at)
{
    struct timespec when = { .tv_sec = at / SECOND, .tv_nsec = at % SECOND * 1000 };

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static void print_row(const int64_t *row, size_t count, const char *before)
{
    (void)printf("%s[", before);
    for (size_t i = 0; i < count; i++)
        (void)printf("%s%lld", i ? ", " : "", (long long)row[i]);
    (void)printf("]");
}

void samples_run(const struct samples *s, usec span)
{
    usec begun_at = net_now();
    size_t count = 0;

    for (usec at = 0; at <= span && count < ROWS_MAX; at += SAMPLES_EVERY_US) {
        samples_sleep_until(begun_at + at);
        rows[count][0] = net_now();
        s->take(s->ctx, rows[count] + 1);
        count++;
    }
    (void)printf("{\"code\": 0, \"columns\": [\"at_us\"");
    for (size_t i = 0; i < s->column_count; i++)
        (void)printf(", \"%s\"", s->columns[i]);
    (void)printf("], \"rows\": [");
    for (size_t i = 0; i < count; i++)
        print_row(rows[i], s->column_count + 1, i ? ", " : "");
    (void)printf("]}\n");
}
