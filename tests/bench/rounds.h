/* rounds.h: round trips one after another, each with its time; what every ping-pong figure is. */
#ifndef HAWSER_TESTS_BENCH_ROUNDS_H
#define HAWSER_TESTS_BENCH_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>

enum { ROUND_BYTES = 64 };

/* Makes round trips for this many seconds, after some that are not counted, and prints
 * {"name":…,"count":…,"p50_us":…,"p99_us":…,"cpu_us":…}; the CPU is this process's for each. trip
 * sends, and waits for the echo; false on failure. Returns the exit status. */
int rounds_run(const char *name, double seconds, bool (*trip)(void *ctx), void *ctx);

#endif
