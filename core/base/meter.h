/* meter.h: how many bytes a second go by, over the last second and what has begun of this one. */
#ifndef HAWSER_BASE_METER_H
#define HAWSER_BASE_METER_H

#include <stdint.h>

#include "core/base/usec.h"

struct meter {
    usec second_at;      /* when the second that is being counted began */
    uint64_t last, this; /* bytes of the one before, and of this one so far */
};

static inline void meter_turn(struct meter *m, usec now)
{
    if (now - m->second_at < SECOND)
        return;
    m->last = now - m->second_at < 2 * SECOND ? m->this : 0;
    m->this = 0;
    m->second_at = m->last ? m->second_at + SECOND : now;
}

static inline void meter_add(struct meter *m, usec now, uint64_t bytes)
{
    meter_turn(m, now);
    m->this += bytes;
}

/* Bytes a second, with a share of the last second that fills this one up. */
static inline uint64_t meter_rate(const struct meter *m, usec now)
{
    struct meter turned = *m;

    meter_turn(&turned, now);
    return turned.this +
           turned.last * (uint64_t)(turned.second_at + SECOND - now) / (uint64_t)SECOND;
}

#endif
