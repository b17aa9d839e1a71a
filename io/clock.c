/* The clocks and the chance that loop.h declares. */
#include "io/loop.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/rand.h>

usec io_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * SECOND + ts.tv_nsec / 1000;
}

int64_t io_wall_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

static void fill_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    while (len) {
        int chunk = len < 1 << 20 ? (int)len : 1 << 20;

        if (RAND_bytes(out, chunk) != 1)
            abort(); /* nothing here is safe without it */
        out = (uint8_t *)out + chunk;
        len -= (size_t)chunk;
    }
}

struct rng io_rng(void)
{
    return (struct rng){ .fill = fill_random };
}
