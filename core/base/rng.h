/* rng.h: chance as an argument. The outside fills from the operating system's generator, the
 * simulator from a seed. fill() cannot fail: whoever cannot provide randomness must stop. */
#ifndef HAWSER_BASE_RNG_H
#define HAWSER_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    void (*fill)(void *ctx, void *out, size_t len);
    void *ctx;
};

static inline void rng_fill(const struct rng *rng, void *out, size_t len)
{
    rng->fill(rng->ctx, out, len);
}

static inline uint32_t rng_u32(const struct rng *rng)
{
    uint32_t value;

    rng_fill(rng, &value, sizeof value);
    return value;
}

static inline uint64_t rng_u64(const struct rng *rng)
{
    uint64_t value;

    rng_fill(rng, &value, sizeof value);
    return value;
}

/* Evenly one of 0 … below-1, below > 0. The bias of the multiplication is under below / 2^32. */
static inline uint32_t rng_below(const struct rng *rng, uint32_t below)
{
    return (uint32_t)((uint64_t)rng_u32(rng) * below >> 32);
}

/* len ice-chars (RFC 8839 §5.4: letters, digits, + and /; 6 bits each) and a NUL. */
void rng_ice_chars(const struct rng *rng, char *out, size_t len);

#endif
