/* Replacing the generator of an OpenSSL 3 program is deprecated in favour of a provider; a provider
 * could not serve here, since OpenSSL seeds what stands above it from the machine. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tests/sim/world.h"

#include "tests/support/rng.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

/* OpenSSL is a shared library: it must find these before the C library's. */
#define SEEN_BY_OPENSSL __attribute__((visibility("default")))

static uint64_t chance;
static usec now_us;

void world_set_time(usec now)
{
    now_us = now;
}

SEEN_BY_OPENSSL int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    (void)tz;
    tv->tv_sec = WORLD_EPOCH_S + now_us / SECOND;
    tv->tv_usec = now_us % SECOND;
    return 0;
}

SEEN_BY_OPENSSL time_t time(time_t *out)
{
    time_t now_s = WORLD_EPOCH_S + now_us / SECOND;

    if (out)
        *out = now_s;
    return now_s;
}

static int fill(unsigned char *out, int len)
{
    struct rng rng = test_rng(&chance);

    rng_fill(&rng, out, (size_t)len);
    return 1;
}

static int is_ready(void)
{
    return 1;
}

void world_seed(uint64_t seed)
{
    static const RAND_METHOD method = { .bytes = fill, .pseudorand = fill, .status = is_ready };

    chance = seed;
    if (RAND_set_rand_method(&method) != 1) {
        fputs("OpenSSL does not let its random generator be replaced\n", stderr);
        exit(2);
    }
}
