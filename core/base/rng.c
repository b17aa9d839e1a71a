#include "core/base/rng.h"

void rng_ice_chars(const struct rng *rng, char *out, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i++)
        out[i] = alphabet[rng_u32(rng) % 64];
    out[len] = '\0';
}
