/* Noticing that the selected path is black, and leaving it.
 *
 *     trusting --suspected--> asking all paths --the selected one answers--> trusting
 *                                 |   '--another one answers, it does not--> that one is selected
 *                                 '--nobody answers--> dark, asking ever less, until one does
 *
 * Suspected by the owner, who hears nothing of what it sent; by data that comes another way; or by
 * a check of ours that goes unanswered on a path that is otherwise silent. Only an answer acquits:
 * data that still comes says nothing about the other direction. A path that data has just moved to
 * is on trial: until data has come by it too, answers do not acquit it of what its owner suspects,
 * and data goes back to another path that answers. */
#include "core/ice/agent.h"

static const struct ice_pair *selected_path(const struct ice *a)
{
    return ice_is_path(a, a->selected) ? &a->pairs[a->selected] : NULL;
}

/* How long a path has to answer: two round trips, with two checks. */
usec ice_decision_us(const struct ice_pair *p)
{
    return usec_max(ICE_DECISION_US, 2 * (usec)p->rtt_us + p->rtt_us / 4);
}

static usec dark_after(const struct ice_pair *p)
{
    return usec_max(ICE_DARK_US, 3 * (usec)p->rtt_us);
}

void ice_tell_dark(struct ice *a, usec now)
{
    a->is_dark = a->dark_due = true;
    a->dark_at = now;
}

void ice_end_suspicion(struct ice *a)
{
    a->suspect_at = a->suspect_next_at = USEC_NEVER;
    a->is_dark = a->dark_due = a->is_accused = a->asks_sooner = a->has_asked_sooner = false;
}

/* The selected path answered. has_lost: but not an earlier check, so it was not merely slow. */
void ice_acquit(struct ice *a, usec now, bool has_lost)
{
    if (a->is_on_trial && a->is_accused && !a->is_dark)
        return;
    if (has_lost && a->suspect_at != USEC_NEVER)
        a->back_at = now;
    ice_end_suspicion(a);
}

/* How many paths are better than this one. */
static unsigned rank(const struct ice *a, const struct ice_pair *p)
{
    unsigned rank = 0;

    for (uint8_t i = 0; i < a->pair_count; i++)
        if (ice_is_path(a, i) && ice_pair_priority(a, &a->pairs[i]) > ice_pair_priority(a, p))
            rank++;
    return rank;
}

/* Those that have answered most recently are as good as any; the best few are asked. */
static void ask_all(struct ice *a, usec now)
{
    for (uint8_t i = 0; i < a->pair_count; i++) {
        struct ice_pair *p = &a->pairs[i];

        if (!ice_is_path(a, i) || (i != a->selected && rank(a, p) >= ICE_SUSPECTS_MAX))
            continue;
        if (p->missed == 0)
            ice_begin_series(a, p);
        ice_send_check(a, p, now);
        p->next_at = now + ice_consent_interval(a, p, now);
    }
}

static void suspect(struct ice *a, usec now)
{
    if (!selected_path(a) || a->suspect_at != USEC_NEVER)
        return;
    a->suspect_at = a->suspected_at = a->suspect_next_at = now;
}

void ice_doubt(struct ice *a, usec now)
{
    suspect(a, now);
    ice_tick(a, now);
}

void ice_suspect(struct ice *a, usec now)
{
    a->is_accused = selected_path(a) != NULL;
    ice_doubt(a, now);
}

/* The peer's data came by another path than the selected one, which has been silent: the peer may
 * have left it. */
void ice_suspect_other_way(struct ice *a, usec now)
{
    const struct ice_pair *p = selected_path(a);

    if (p && now >= p->heard_at + ice_decision_us(p) &&
        now >= a->suspected_at + ICE_SUSPECT_AGAIN_US)
        ice_doubt(a, now);
}

/* When a check without answer becomes suspicion by itself; USEC_NEVER while all is well. Where the
 * peer is heard all the same it takes several: the answer may wait in a queue behind data. */
static usec doubt_at(const struct ice *a)
{
    const struct ice_pair *p;

    if (!ice_is_path(a, a->selected) || a->suspect_at != USEC_NEVER)
        return USEC_NEVER;
    p = &a->pairs[a->selected];
    if (p->missed > ICE_MISSED_MAX && p->heard_at > p->asked_at)
        return p->sent_at + ice_decision_us(p);
    if (p->missed == 0 || p->heard_at > p->asked_at)
        return USEC_NEVER;
    return p->asked_at + (ice_is_idle(a, p->asked_at) ? ICE_IDLE_SUSPICION_US : ice_decision_us(p));
}

static usec pace(const struct ice_pair *p)
{
    return (ice_decision_us(p) + 1) / 2;
}

/* In the dark ever more slowly: so the path's return is noticed within an eighth of its absence. */
static usec dark_pace(const struct ice *a, const struct ice_pair *p, usec now)
{
    return usec_min(usec_max((now - a->suspect_at) / 8, pace(p)), ICE_REPEAT_US);
}

/* The peer's check came this way: if it is the suspected path, ours may be answered by now too.
 * Once for each round that time brought: where answers come too late ours would make the peer ask,
 * and so on for ever, and whoever repeats a check of the peer's would set our pace. */
void ice_ask_sooner(struct ice *a, const struct ice_pair *p)
{
    usec at = a->suspect_round_at + pace(p);

    if (a->suspect_at == USEC_NEVER || p != selected_path(a) || a->has_asked_sooner ||
        at >= a->suspect_next_at)
        return;
    a->suspect_next_at = at;
    a->asks_sooner = a->has_asked_sooner = true;
}

/* Data or answers that came another way since then; just after it, the selected path has time. */
static bool has_left(struct ice *a, const struct ice_pair *p, usec now)
{
    return now >= a->suspect_at + ice_decision_us(p) && ice_leave_selected(a, now, a->suspect_at);
}

void ice_suspect_tick(struct ice *a, usec now)
{
    const struct ice_pair *p;

    if (now >= doubt_at(a))
        suspect(a, now);
    p = selected_path(a);
    if (!p || a->suspect_at == USEC_NEVER || has_left(a, p, now))
        return;
    if (!a->is_dark && now >= a->suspect_at + dark_after(p)) {
        if (p->heard_at >= a->suspect_at && a->is_on_trial) { /* nobody answers but itself */
            ice_end_suspicion(a);
            return;
        }
        ice_tell_dark(a, now);
    }
    if (now >= a->suspect_next_at) {
        ask_all(a, now);
        a->has_asked_sooner = a->asks_sooner;
        a->asks_sooner = false;
        a->suspect_round_at = now;
        a->suspect_next_at = now + (a->is_dark ? dark_pace(a, p, now) : pace(p));
    }
}

usec ice_suspect_next_timeout(const struct ice *a)
{
    const struct ice_pair *p;
    usec at;

    if (!ice_is_path(a, a->selected) || a->suspect_at == USEC_NEVER)
        return doubt_at(a);
    p = &a->pairs[a->selected];
    at = a->is_dark ? a->suspect_next_at
                    : usec_min(a->suspect_next_at, a->suspect_at + dark_after(p));
    return at;
}
