#include "core/ice/agent.h"

/* 0.8 … 1.2 of the interval, so that peers do not fall into step (RFC 7675 §5.1). Spare paths are
 * asked a third as often as long as they answer. */
usec ice_consent_interval(const struct ice *a, const struct ice_pair *p)
{
    bool is_selected = a->selected != ICE_NONE && p == &a->pairs[a->selected];
    usec interval = a->cfg.consent_interval_us;

    if (!is_selected && p->missed == 0)
        interval *= 3;
    return interval * (800 + (usec)rng_below(a->rng, 401)) / 1000;
}

/* How many paths beside the selected one are better. */
static unsigned rank_among_spares(const struct ice *a, const struct ice_pair *p)
{
    unsigned rank = 0;

    for (uint8_t i = 0; i < a->pair_count; i++)
        if (i != a->selected && a->pairs[i].state == ICE_PAIR_SUCCEEDED &&
            ice_pair_priority(a, &a->pairs[i]) > ice_pair_priority(a, p))
            rank++;
    return rank;
}

/* The selected path is silent: see which of the spares are not. */
static void ask_spares(struct ice *a, usec now)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (i != a->selected && a->pairs[i].state == ICE_PAIR_SUCCEEDED &&
            a->pairs[i].next_at != USEC_NEVER)
            a->pairs[i].next_at = now;
}

static void on_consent_due(struct ice *a, uint8_t pair, usec now)
{
    struct ice_pair *p = &a->pairs[pair];

    if (pair == a->selected && p->missed >= ICE_MISSED_MAX && ice_leave_selected(a, now))
        pair = ICE_NONE; /* it is a spare now, asked as before */
    if (pair != a->selected && rank_among_spares(a, p) >= ICE_SPARE_PATHS_MAX) {
        p->next_at = USEC_NEVER; /* one too many: it runs out unless the peer asks again */
        return;
    }
    ice_begin_series(a, p);
    ice_send_check(a, p, now);
    if (p->missed < UINT8_MAX)
        p->missed++;
    p->next_at = now + ice_consent_interval(a, p);
    if (pair == a->selected && p->missed >= ICE_MISSED_MAX)
        ask_spares(a, now);
}

static void on_consent_expired(struct ice *a, uint8_t pair, usec now)
{
    struct ice_pair *p = &a->pairs[pair];

    p->state = ICE_PAIR_FAILED;
    p->flags = 0;
    p->missed = 0;
    p->next_at = USEC_NEVER;
    if (pair == a->selected)
        ice_drop_selected(a, now);
}

static bool is_path(const struct ice *a, uint8_t pair)
{
    return pair != ICE_NONE && a->pairs[pair].state == ICE_PAIR_SUCCEEDED;
}

/* The selected path first: what becomes of it may make a spare due. */
void ice_consent_tick(struct ice *a, usec now)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (is_path(a, i) && now >= a->pairs[i].heard_at + a->cfg.consent_timeout_us)
            on_consent_expired(a, i, now);
    if (is_path(a, a->selected) && now >= a->pairs[a->selected].next_at)
        on_consent_due(a, a->selected, now);
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (is_path(a, i) && now >= a->pairs[i].next_at)
            on_consent_due(a, i, now);
}

usec ice_consent_next_timeout(const struct ice *a)
{
    usec at = USEC_NEVER;

    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].state == ICE_PAIR_SUCCEEDED)
            at = usec_min(at, usec_min(a->pairs[i].next_at,
                                       a->pairs[i].heard_at + a->cfg.consent_timeout_us));
    return at;
}
