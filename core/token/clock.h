/* clock.h: what time it is for a device that may have no clock of its own.
 *
 * A clock set by the outside (NTP, a battery) is trusted. Otherwise time is the largest time that
 * was verified so far, moved on with the monotonic clock. It only ever advances. A verified time
 * sets a clock that knew nothing; then it moves it by at most TOKEN_CLOCK_STEP_S, and again only
 * after TOKEN_CLOCK_PACE_US, so one grant from a phone set to 2099 cannot make everyone's expire.
 * Being behind is harmless: an expired grant lives a little longer. */
#ifndef HAWSER_TOKEN_CLOCK_H
#define HAWSER_TOKEN_CLOCK_H

#include <stdbool.h>

#include "core/base/usec.h"

#define TOKEN_TIME_UNKNOWN  INT64_MIN
#define TOKEN_TIME_MIN_S    1735689600 /* 2025-01-01: before it, a clock was never set */
#define TOKEN_TIME_MAX_S    4102444800 /* 2100-01-01 */
#define TOKEN_SKEW_S        300        /* how far two honest clocks may be apart */
#define TOKEN_CLOCK_STEP_S  (30 * 86400)
#define TOKEN_CLOCK_PACE_US (24 * 60 * MINUTE)

struct token_time {
    int64_t s; /* since 1970, or TOKEN_TIME_UNKNOWN */
    bool is_trusted;
};

struct token_clock {
    struct token_time base; /* what it was … */
    usec base_at;           /* … at this moment of the monotonic clock */
    usec may_step_at;
};

void token_clock_init(struct token_clock *c);

/* The outside knows: trusted from now on. wall_s may also step back. Out of range: ignored. */
void token_clock_set(struct token_clock *c, usec now, int64_t wall_s);

/* A lower bound from the outside, such as the time of the build or one saved before the last power
 * cut: not trusted, never moves back. */
void token_clock_set_floor(struct token_clock *c, usec now, int64_t s);

/* A verified time: grant_rights.iat_s, or that of a message whose sender proved to be an owner or
 * to know the secret of an invite. Steps below TOKEN_SKEW_S are free of the pace. */
void token_clock_add(struct token_clock *c, usec now, int64_t verified_s);

struct token_time token_clock_get(const struct token_clock *c, usec now);

#endif
