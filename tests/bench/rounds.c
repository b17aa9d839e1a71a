#include "tests/bench/rounds.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WARM_UP = 500, COUNT_MAX = 1 << 20 };

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int rounds_run(const char *name, double seconds, bool (*trip)(void *ctx), void *ctx)
{
    uint32_t *took_ns = malloc(COUNT_MAX * sizeof *took_ns);
    int64_t cpu, from, until;
    size_t count = 0;
    bool ok = took_ns != NULL;

    for (int i = 0; i < WARM_UP && ok; i++)
        ok = trip(ctx);
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    from = now_ns(CLOCK_MONOTONIC);
    until = from + (int64_t)(seconds * 1e9);
    while (ok && from < until && count < COUNT_MAX) {
        int64_t at;

        ok = trip(ctx);
        at = now_ns(CLOCK_MONOTONIC);
        took_ns[count++] = (uint32_t)(at - from);
        from = at;
    }
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (ok && count > 0) {
        qsort(took_ns, count, sizeof *took_ns, compare);
        printf("{\"name\":\"%s\",\"count\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us\":%.2f}\n",
               name, count, took_ns[count / 2] / 1e3, took_ns[count * 99 / 100] / 1e3,
               (double)cpu / 1e3 / (double)count);
    }
    free(took_ns);
    return !ok || count == 0;
}
