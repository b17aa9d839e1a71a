/* sim --seed N        one connection, with a trace
 * sim --seeds A-B     many; prints the seeds that fail
 * sim --replay A-B    each twice, with another one between: the bytes must be the same */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_SHOWN 10

static int usage(void)
{
    fputs("usage: sim --seed N | --seeds A-B | --replay A-B\n", stderr);
    return 2;
}

static void print_result(uint64_t seed, const struct sim_result *r)
{
    printf("seed %" PRIu64 ": %s; open after %.0f ms, ended after %.0f ms, %" PRIu64
           " datagrams, hash %016" PRIx64 "\n",
           seed, r->fault ? r->fault : "ok", (double)r->open_at / 1000, (double)r->ended_at / 1000,
           r->datagrams, r->hash);
}

static int run_one(uint64_t seed)
{
    struct sim_result r = sim_run(seed, true);

    print_result(seed, &r);
    return r.fault != NULL;
}

static int run_many(uint64_t first, uint64_t last)
{
    uint64_t failed = 0;

    for (uint64_t seed = first; seed <= last; seed++) {
        struct sim_result r = sim_run(seed, false);

        failed += r.fault != NULL;
        if (r.fault)
            print_result(seed, &r);
        if (failed == FAILURES_SHOWN) {
            last = seed;
            break;
        }
    }
    printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " failed%s\n", first, last, failed,
           failed ? "; sim --seed N shows one" : "");
    return failed > 0;
}

static int run_twice(uint64_t first, uint64_t last)
{
    int differing = 0;

    for (uint64_t seed = first; seed <= last; seed++) {
        struct sim_result one = sim_run(seed, false);

        (void)sim_run(seed + 1, false);
        if (sim_run(seed, false).hash != one.hash) {
            printf("seed %" PRIu64 ": did not repeat\n", seed);
            differing++;
        }
        print_result(seed, &one);
    }
    return differing > 0;
}

int main(int argc, char **argv)
{
    uint64_t first, last;
    char *end;

    if (argc != 3)
        return usage();
    first = last = strtoull(argv[2], &end, 10);
    if (*end == '-')
        last = strtoull(end + 1, &end, 10);
    if (*end || end == argv[2] || last < first)
        return usage();
    if (strcmp(argv[1], "--seed") == 0)
        return run_one(first);
    if (strcmp(argv[1], "--seeds") == 0)
        return run_many(first, last);
    if (strcmp(argv[1], "--replay") == 0)
        return run_twice(first, last);
    return usage();
}
