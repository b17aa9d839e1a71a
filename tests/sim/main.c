/* sim --seed N        one connection, with a trace
 * sim --seed N:A:B    behind NATs of kinds A and B, as --nats prints them
 * sim --seeds A-B     many; prints the seeds that fail
 * sim --nats A-B      each behind every pair of kinds of NAT
 * sim --replay A-B    each twice, with another one between: the bytes must be the same
 * sim --scenario NAME one scenario of scene.h; --seed N: another seed than 1, --trace: traced;
 *                     --seeds A-B: from each of them */
#include "tests/sim/scene.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES_SHOWN 10
#define NAT_KINDS      (NAT_RULES * NAT_RULES)

static int usage(void)
{
    fputs("usage: sim --seed N[:A:B]   one connection, traced; behind NATs of kinds A and B\n"
          "       sim --seeds A-B      many\n"
          "       sim --nats A-B       each behind every pair of kinds of NAT\n"
          "       sim --replay A-B     each twice: the bytes must be the same\n"
          "       sim --scenario NAME [--seed N [--trace] | --seeds A-B]\n",
          stderr);
    scene_print_names();
    return 2;
}

static void print_result(uint64_t seed, const struct sim_result *r)
{
    printf("seed %" PRIu64 ": %s; open after %.0f ms, ended after %.0f ms, %" PRIu64
           " datagrams, hash %016" PRIx64 "\n",
           seed, r->fault ? r->fault : "ok", (double)r->open_at / 1000, (double)r->ended_at / 1000,
           r->datagrams, r->hash);
}

/* Kind k maps by rule k / 3 and filters by rule k % 3. */
static struct nat_kind kind_of(unsigned k)
{
    return (struct nat_kind){ k / NAT_RULES, k % NAT_RULES };
}

static int run_one(uint64_t seed, const char *kinds)
{
    struct nat_kind pair[2];
    struct sim_result r;
    unsigned a, b;

    if (*kinds && (sscanf(kinds, ":%u:%u", &a, &b) != 2 || a >= NAT_KINDS || b >= NAT_KINDS))
        return usage();
    if (*kinds) {
        pair[0] = kind_of(a);
        pair[1] = kind_of(b);
    }
    r = *kinds ? sim_run_behind(seed, true, pair) : sim_run(seed, true);
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

static int run_pair(uint64_t seed, unsigned a, unsigned b, unsigned *direct)
{
    const struct nat_kind kinds[] = { kind_of(a), kind_of(b) };
    struct sim_result r = sim_run_behind(seed, false, kinds);

    *direct += r.open_at > 0;
    if (!r.fault)
        return 0;
    printf("kinds %u and %u, ", a, b);
    print_result(seed, &r);
    return 1;
}

static int run_nats(uint64_t first, uint64_t last)
{
    unsigned direct = 0;
    int failed = 0;

    for (uint64_t seed = first; seed <= last && failed < FAILURES_SHOWN; seed++)
        for (unsigned i = 0; i < NAT_KINDS * NAT_KINDS; i++)
            failed += run_pair(seed, i / NAT_KINDS, i % NAT_KINDS, &direct);
    printf("%u connected directly, %d failed\n", direct, failed);
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

/* "A-B", or "A" for the two of them; false for anything else. */
static bool read_range(const char *text, uint64_t *first, uint64_t *last)
{
    char *end;

    *first = *last = strtoull(text, &end, 10);
    if (end != text && *end == '-') {
        text = end + 1;
        *last = strtoull(text, &end, 10);
    }
    return end != text && !*end && *last >= *first;
}

static int run_scene(int argc, char **argv)
{
    bool is_traced = argc == 6 && strcmp(argv[5], "--trace") == 0;
    uint64_t first = 1, last = 1;
    int failures = 0;

    if (argc == 4 || argc > 6 || (argc == 6 && !is_traced))
        return usage();
    if (argc > 4 && (strncmp(argv[3], "--seed", 6) != 0 || !read_range(argv[4], &first, &last)))
        return usage();
    for (uint64_t seed = first; seed <= last && failures < FAILURES_SHOWN; seed++) {
        int failed = scene_run(argv[2], seed, is_traced);

        if (failed < 0)
            return usage();
        failures += failed;
    }
    return failures > 0;
}

int main(int argc, char **argv)
{
    uint64_t first, last;
    char *end;

    if (argc >= 3 && strcmp(argv[1], "--scenario") == 0)
        return run_scene(argc, argv);
    if (argc != 3)
        return usage();
    first = last = strtoull(argv[2], &end, 10);
    if (end != argv[2] && strcmp(argv[1], "--seed") == 0)
        return run_one(first, end);
    if (!read_range(argv[2], &first, &last))
        return usage();
    if (strcmp(argv[1], "--seeds") == 0)
        return run_many(first, last);
    if (strcmp(argv[1], "--nats") == 0)
        return run_nats(first, last);
    if (strcmp(argv[1], "--replay") == 0)
        return run_twice(first, last);
    return usage();
}
