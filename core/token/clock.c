#include "core/token/clock.h"

static bool is_plausible(int64_t s)
{
    return s >= TOKEN_TIME_MIN_S && s < TOKEN_TIME_MAX_S;
}

void token_clock_init(struct token_clock *c)
{
    *c = (struct token_clock){ .base = { .s = TOKEN_TIME_UNKNOWN }, .may_step_at = INT64_MIN };
}

struct token_time token_clock_get(const struct token_clock *c, usec now)
{
    struct token_time t = c->base;

    if (t.s != TOKEN_TIME_UNKNOWN)
        t.s += (now - c->base_at) / SECOND;
    return t;
}

static void move_to(struct token_clock *c, usec now, int64_t s, bool is_trusted)
{
    c->base = (struct token_time){ .s = s, .is_trusted = is_trusted };
    c->base_at = now;
}

void token_clock_set(struct token_clock *c, usec now, int64_t wall_s)
{
    if (is_plausible(wall_s))
        move_to(c, now, wall_s, true);
}

void token_clock_set_floor(struct token_clock *c, usec now, int64_t s)
{
    if (!c->base.is_trusted && is_plausible(s) && s > token_clock_get(c, now).s)
        move_to(c, now, s, false);
}

void token_clock_add(struct token_clock *c, usec now, int64_t verified_s)
{
    int64_t known_s = token_clock_get(c, now).s;

    if (c->base.is_trusted || !is_plausible(verified_s) || verified_s <= known_s)
        return;
    if (known_s != TOKEN_TIME_UNKNOWN && verified_s - known_s > TOKEN_SKEW_S) {
        if (now < c->may_step_at)
            return;
        if (verified_s - known_s > TOKEN_CLOCK_STEP_S)
            verified_s = known_s + TOKEN_CLOCK_STEP_S;
        c->may_step_at = usec_after(now, TOKEN_CLOCK_PACE_US);
    }
    move_to(c, now, verified_s, false);
}
