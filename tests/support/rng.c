#include "tests/support/rng.h"

/* SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixing function, so any seed is good. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void fill(void *ctx, void *out, size_t len)
{
    uint8_t *at = out;
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        if (i % sizeof word == 0)
            word = next(ctx);
        at[i] = (uint8_t)(word >> 8 * (i % sizeof word));
    }
}

struct rng test_rng(uint64_t *state)
{
    return (struct rng){ .fill = fill, .ctx = state };
}
