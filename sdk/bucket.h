/* bucket.h: how often something may happen: a token bucket. */
#ifndef HAWSER_SDK_BUCKET_H
#define HAWSER_SDK_BUCKET_H

#include <stdbool.h>

#include "core/base/usec.h"

struct bucket {
    usec interval_us; /* one more each … */
    int burst;        /* … up to this many in a row */
    usec full_at;     /* when it will be full again; past: it is full */
};

static inline bool bucket_take(struct bucket *b, usec now)
{
    usec from = usec_max(b->full_at, now);

    if (from - now > (b->burst - 1) * b->interval_us)
        return false;
    b->full_at = from + b->interval_us;
    return true;
}

#endif
