#include "tests/support/hex.h"

#include <assert.h>
#include <ctype.h>

static unsigned digit(char c)
{
    assert(isxdigit((unsigned char)c));
    return isdigit((unsigned char)c) ? (unsigned)(c - '0') : ((unsigned)c | 32u) - 'a' + 10;
}

struct bytes hex_decode(const char *hex, void *out, size_t cap)
{
    struct wr w = wr_of(out, cap);
    unsigned high = 0;
    bool half = false;

    for (; *hex; hex++) {
        if (isspace((unsigned char)*hex))
            continue;
        if (half)
            wr_u8(&w, (uint8_t)(high << 4 | digit(*hex)));
        else
            high = digit(*hex);
        half = !half;
    }
    assert(w.ok && !half);
    return wr_written(&w);
}
