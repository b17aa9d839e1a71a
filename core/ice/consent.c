#include "core/ice/agent.h"

static bool shares_consent(const struct ice *a)
{
    return a->abilities & ICE_SHARED_CONSENT;
}

bool ice_is_idle(const struct ice *a, usec now)
{
    return shares_consent(a) && now >= a->active_at + ICE_IDLE_AFTER_US;
}

static bool is_selected(const struct ice *a, const struct ice_pair *p)
{
    return a->selected != ICE_NONE && p == &a->pairs[a->selected];
}

/* One that was left and answers again is asked when it may be selected again. */
static usec spare_rest(const struct ice_pair *p, usec now)
{
    if (now >= p->shunned_until)
        return ICE_SPARE_US;
    return usec_clamp(p->shunned_until - now, ICE_REPEAT_US, ICE_SPARE_US);
}

/* How long a path that answers can rest. 0.8 … 1.2 of the interval on the selected one, so that
 * peers do not fall into step (RFC 7675 §5.1). */
static usec rest(const struct ice *a, const struct ice_pair *p, usec now)
{
    if (!is_selected(a, p))
        return spare_rest(p, now);
    if (ice_is_idle(a, now))
        return ICE_IDLE_US;
    return a->cfg.consent_interval_us * (800 + (usec)rng_below(a->rng, 401)) / 1000;
}

/* From a check or its answer to the next check. */
usec ice_consent_interval(const struct ice *a, const struct ice_pair *p, usec now)
{
    if (p->missed == 0)
        return rest(a, p, now);
    if (is_selected(a, p))
        return shares_consent(a) ? ICE_REPEAT_US : rest(a, p, now);
    return p->missed <= ICE_SPARE_MISSED_MAX ? ICE_REPEAT_US : a->cfg.consent_interval_us;
}

/* Between hawsers the controlling side asks when idle, and chooses the spare paths; the other one
 * asks only if it misses that on the selected path. */
static usec rested_until(const struct ice *a, const struct ice_pair *p, usec now)
{
    if (!shares_consent(a) || p->missed)
        return now;
    if (!is_selected(a, p))
        return a->is_controlling ? now : USEC_NEVER;
    if (!ice_is_idle(a, now))
        return now;
    return a->is_controlling ? p->sent_at + ICE_IDLE_US : p->heard_at + ICE_IDLE_MISSED_US;
}

/* Spares worth keeping: the best direct one on another base than the selected path, the best
 * relayed one, then any. A rank of its own for each; the first few are asked. */
static unsigned worth(const struct ice *a, const struct ice_pair *p)
{
    if (ice_is_relayed(a, p))
        return 1;
    return a->selected != ICE_NONE && p->base != a->pairs[a->selected].base ? 2 : 0;
}

static bool is_best_of_its_worth(const struct ice *a, const struct ice_pair *p)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (i != a->selected && ice_is_path(a, i) && worth(a, &a->pairs[i]) == worth(a, p) &&
            ice_pair_priority(a, &a->pairs[i]) > ice_pair_priority(a, p))
            return false;
    return true;
}

static bool is_kept_before(const struct ice *a, const struct ice_pair *p, const struct ice_pair *q)
{
    bool p_best = is_best_of_its_worth(a, p), q_best = is_best_of_its_worth(a, q);

    if (p_best != q_best)
        return p_best;
    if (p_best && worth(a, p) != worth(a, q))
        return worth(a, p) > worth(a, q);
    return ice_pair_priority(a, p) > ice_pair_priority(a, q);
}

static bool is_worth_keeping(const struct ice *a, const struct ice_pair *p)
{
    unsigned rank = 0;

    for (uint8_t i = 0; i < a->pair_count; i++)
        if (i != a->selected && ice_is_path(a, i) && &a->pairs[i] != p &&
            is_kept_before(a, &a->pairs[i], p))
            rank++;
    return rank < ICE_SPARE_PATHS_MAX;
}

/* What a check on the selected path says must arrive soon. */
static bool is_urgent(const struct ice *a, const struct ice_pair *p)
{
    return p->missed < ICE_URGENT_MISSED_MAX &&
           (!a->nomination_acked || (ice_is_sped_pending(a) && a->urgent < ICE_URGENT_MAX));
}

/* When a path is next asked; the selected one sooner where there is a reason. */
static usec due_at(const struct ice *a, const struct ice_pair *p)
{
    usec at = p->next_at;

    if (!is_selected(a, p))
        return at;
    if (is_urgent(a, p))
        at = usec_min(at, p->sent_at + ice_resend_after(a, p));
    if (a->data_at > p->sent_at)
        at = usec_min(at, a->data_at + ICE_SILENCE_US);
    return at;
}

static void on_consent_due(struct ice *a, struct ice_pair *p, usec now)
{
    usec until = rested_until(a, p, now);

    if (until > now && due_at(a, p) == p->next_at) {
        p->next_at = until;
        return;
    }
    if (!is_selected(a, p) && !is_worth_keeping(a, p)) {
        p->next_at = USEC_NEVER; /* one too many: it runs out unless the peer asks again */
        return;
    }
    if (p->missed == 0)
        ice_begin_series(a, p);
    if (is_selected(a, p) && ice_is_sped_pending(a) && a->urgent < ICE_URGENT_MAX)
        a->urgent++;
    ice_send_check(a, p, now);
    p->next_at = now + ice_consent_interval(a, p, now);
}

static void on_consent_expired(struct ice *a, uint8_t pair, usec now)
{
    ice_fail_pair(&a->pairs[pair]);
    if (pair == a->selected)
        ice_drop_selected(a, now);
}

/* The selected path first: what becomes of it may make a spare due. */
void ice_consent_tick(struct ice *a, usec now)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (ice_is_path(a, i) && now >= a->pairs[i].consent_at + a->cfg.consent_timeout_us)
            on_consent_expired(a, i, now);
    if (ice_is_path(a, a->selected) && now >= due_at(a, &a->pairs[a->selected]))
        on_consent_due(a, &a->pairs[a->selected], now);
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (ice_is_path(a, i) && i != a->selected && now >= a->pairs[i].next_at)
            on_consent_due(a, &a->pairs[i], now);
}

usec ice_consent_next_timeout(const struct ice *a)
{
    usec at = USEC_NEVER;

    for (uint8_t i = 0; i < a->pair_count; i++)
        if (ice_is_path(a, i))
            at = usec_min(at, usec_min(due_at(a, &a->pairs[i]),
                                       a->pairs[i].consent_at + a->cfg.consent_timeout_us));
    return at;
}

static struct ice_pair *find_heard(struct ice *a, const struct addr *local, const struct addr *from)
{
    uint8_t base, remote, pair = a->selected;
    struct addr to;

    if (pair != ICE_NONE && addr_equal(&a->bases[a->pairs[pair].base].addr, local)) {
        to = ice_pair_to(a, &a->pairs[pair]);
        if (addr_equal(&to, from))
            return &a->pairs[pair];
    }
    base = ice_find_base(a, local);
    remote = ice_find_remote(a, from);
    pair = base == ICE_NONE || remote == ICE_NONE ? ICE_NONE : ice_find_pair(a, base, remote);
    return pair == ICE_NONE ? NULL : &a->pairs[pair];
}

/* Called for every datagram, nearly always for the selected path. */
void ice_heard(struct ice *a, usec now, const struct addr *local, const struct addr *from)
{
    struct ice_pair *p = find_heard(a, local, from);

    if (!p || p->state != ICE_PAIR_SUCCEEDED)
        return;
    a->active_at = p->heard_at = now;
    if (shares_consent(a))
        p->consent_at = now;
    if (!is_selected(a, p)) {
        ice_suspect_other_way(a, now);
        return;
    }
    a->data_at = now;
    a->is_on_trial = false;
}
