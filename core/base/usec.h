/* usec.h: time as the core knows it. A usec is microseconds since any fixed point of a clock that
 * never steps; the caller reads the clock and hands the value in. */
#ifndef HAWSER_BASE_USEC_H
#define HAWSER_BASE_USEC_H

#include <stdint.h>

typedef int64_t usec;

#define USEC_NEVER  INT64_MAX
#define MILLISECOND ((usec)1000)
#define SECOND      ((usec)1000000)
#define MINUTE      (60 * SECOND)

static inline usec usec_min(usec a, usec b)
{
    return a < b ? a : b;
}

static inline usec usec_max(usec a, usec b)
{
    return a > b ? a : b;
}

static inline usec usec_clamp(usec value, usec least, usec most)
{
    return usec_min(usec_max(value, least), most);
}

/* `at` plus `span`, staying USEC_NEVER where either is. */
static inline usec usec_after(usec at, usec span)
{
    return at == USEC_NEVER || span == USEC_NEVER ? USEC_NEVER : at + span;
}

#endif
