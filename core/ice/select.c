#include "core/ice/agent.h"

bool ice_is_path(const struct ice *a, uint8_t pair)
{
    return pair != ICE_NONE && a->pairs[pair].state == ICE_PAIR_SUCCEEDED;
}

/* The newest nomination first; those without one by priority, which also orders what the
 * controlling side, who gets none, has to choose from. */
static bool is_better(const struct ice *a, const struct ice_pair *p, const struct ice_pair *than)
{
    if (p->nomination != than->nomination)
        return p->nomination > than->nomination;
    return ice_pair_priority(a, p) > ice_pair_priority(a, than);
}

/* The best path that has all of `flags` and was heard since. */
static uint8_t best_path(const struct ice *a, uint8_t flags, usec heard_since)
{
    uint8_t best = ICE_NONE;

    for (uint8_t i = 0; i < a->pair_count; i++) {
        const struct ice_pair *p = &a->pairs[i];

        if (ice_is_path(a, i) && (p->flags & flags) == flags && p->heard_at >= heard_since &&
            (best == ICE_NONE || is_better(a, p, &a->pairs[best])))
            best = i;
    }
    return best;
}

static void set_selected(struct ice *a, uint8_t pair, usec now)
{
    struct ice_pair *p = &a->pairs[pair];

    if (pair == a->selected)
        return;
    a->is_on_trial = ice_is_path(a, a->selected);
    a->selected = pair;
    a->had_path = true;
    a->selected_at = a->active_at = now;
    a->data_at = INT64_MIN / 2;
    a->back_at = 0;
    ice_end_suspicion(a);
    ice_tell(a, ICE_NEWS_SELECTED, now);
    p->next_at = usec_min(p->next_at, now + ice_consent_interval(a, p, now));
    ice_nominate(a, p, now);
    ice_schedule_retry(a, now);
    if (a->state == ICE_CHECKING)
        ice_enter(a, ICE_CONNECTED, now);
}

/* Follows the nominated path of the highest priority: what both sides can agree on when every
 * check nominates (RFC 8445 §8.1.1, deviations.md I2); with renomination the newest. */
void ice_select(struct ice *a, usec now)
{
    uint8_t best = best_path(a, ICE_PAIR_NOMINATED, INT64_MIN);

    if (best != ICE_NONE && (a->state == ICE_CHECKING || a->state == ICE_CONNECTED))
        set_selected(a, best, now);
}

/* Without the peer's word for it: it sees a nomination in the next check, or follows our data. */
static void take(struct ice *a, uint8_t pair, usec now)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        a->pairs[i].flags &= (uint8_t)~ICE_PAIR_NOMINATED;
    a->pairs[pair].flags |= ICE_PAIR_NOMINATED;
    if (!a->is_controlling)
        a->pairs[pair].nomination = a->remote_nomination;
    a->pairs[pair].next_at = now;
    a->pairs[pair].shunned_until = 0;
    set_selected(a, pair, now);
}

/* So that a path which comes and goes does not take the data with it each time. */
static void shun(const struct ice *a, struct ice_pair *p, usec now)
{
    if (now >= a->selected_at + ICE_SHUN_FORGIVEN_US)
        p->left = 0;
    p->shunned_until = now + (ICE_SHUN_US << p->left);
    if (p->left < ICE_SHUN_DOUBLINGS_MAX)
        p->left++;
}

/* Moves from a silent selected path to the best other one heard since then. The silent one stays a
 * path: its answers may win it back. */
bool ice_leave_selected(struct ice *a, usec now, usec heard_since)
{
    struct ice_pair *silent = &a->pairs[a->selected];
    uint8_t state = silent->state, best;

    silent->state = ICE_PAIR_FAILED; /* out of the way of best_path() */
    best = best_path(a, 0, heard_since);
    silent->state = state;
    if (best == ICE_NONE)
        return false;
    shun(a, silent, now);
    take(a, best, now);
    a->is_on_trial = false; /* there is nothing to return to */
    return true;
}

static void begin_anew(struct ice *a)
{
    for (uint8_t i = 0; i < a->pair_count; i++) {
        a->pairs[i].state = ICE_PAIR_WAITING;
        a->pairs[i].flags = 0;
        a->pairs[i].missed = 0;
        a->pairs[i].nomination = 0;
        a->pairs[i].next_at = USEC_NEVER;
    }
}

static bool take_any(struct ice *a, usec now)
{
    uint8_t best = best_path(a, ICE_PAIR_NOMINATED, INT64_MIN);

    a->selected = ICE_NONE;
    if (best == ICE_NONE)
        best = best_path(a, 0, INT64_MIN);
    if (best != ICE_NONE)
        take(a, best, now);
    return best != ICE_NONE;
}

/* The selected path is gone, or there never was one: any path that works is taken, the peer sees
 * the nomination in the next check. Without one the checks begin again. */
void ice_drop_selected(struct ice *a, usec now)
{
    bool was_connected = a->state == ICE_CONNECTED;

    if (take_any(a, now) || !was_connected)
        return;
    a->had_path = false;
    ice_end_suspicion(a);
    ice_tell(a, ICE_NEWS_LOST, now);
    begin_anew(a);
    ice_enter(a, ICE_CHECKING, now);
}

/* The selected path's base is gone, and it with it. A restart has as long to find another one as
 * consent would have lasted. */
void ice_lose_selected(struct ice *a, usec now)
{
    if (take_any(a, now))
        return;
    ice_end_suspicion(a);
    ice_tell_dark(a, now);
    begin_anew(a);
    ice_enter(a, ICE_CHECKING, now);
    a->fail_at = now + a->cfg.consent_timeout_us;
}
