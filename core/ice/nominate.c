/* How both sides agree on the path. The controlling side says USE-CANDIDATE in every check until a
 * path is selected (deviations.md, I2). From then on, if the peer renominates, a NOMINATION goes
 * with the checks of the selected path, repeated quickly until it is answered; its value rises with
 * each choice, and the controlled side follows the newest. Otherwise USE-CANDIDATE goes on. */
#include "core/ice/agent.h"

bool ice_renominates(const struct ice *a)
{
    return a->abilities & ICE_RENOMINATION;
}

/* Whether a request on this pair nominates it: all do until a better one is selected. */
bool ice_is_to_nominate(const struct ice *a, const struct ice_pair *p)
{
    if (!a->is_controlling || a->selected == ICE_NONE)
        return a->is_controlling;
    return !ice_renominates(a) &&
           (p == &a->pairs[a->selected] ||
            ice_pair_priority(a, p) > ice_pair_priority(a, &a->pairs[a->selected]));
}

/* It has just been selected. */
void ice_nominate(struct ice *a, struct ice_pair *p, usec now)
{
    a->nomination_acked = !a->is_controlling || !ice_renominates(a);
    if (a->nomination_acked)
        return;
    if (a->nomination < ICE_NOMINATION_MAX)
        a->nomination++;
    p->said_nomination = 0;
    p->next_at = now;
}

static bool is_shunned(const struct ice_pair *p, usec now)
{
    return now < p->shunned_until;
}

static void forget_nominations(struct ice *a, const struct ice_pair *but, usec before)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (&a->pairs[i] != but && a->pairs[i].asked_for_at < before)
            a->pairs[i].flags &= (uint8_t)~ICE_PAIR_NOMINATED;
}

static bool has_newest(const struct ice *a, const struct ice_pair *p)
{
    return a->remote_nomination != 0 && p->nomination == a->remote_nomination;
}

/* With USE-CANDIDATE the two sides may rank pairs differently (one knows a candidate by signaling,
 * the other by its checks), so what the peer goes on nominating counts for more than what it once
 * did. */
static void set_nominated(struct ice *a, struct ice_pair *p, usec now)
{
    p->flags |= ICE_PAIR_NOMINATED;
    if (a->is_controlling)
        return;
    forget_nominations(a, p, has_newest(a, p) ? USEC_NEVER : now - ICE_NOMINATION_AGE_US);
}

/* Our check on this pair was answered; `age` as in find_asked(). */
void ice_note_answered(struct ice *a, struct ice_pair *p, uint8_t age, usec now)
{
    bool is_wanted = p->flags & ICE_PAIR_WAS_ASKED_FOR;

    if (a->is_controlling)
        is_wanted = (ice_renominates(a) || p->said_use_candidate >> age & 1) && !is_shunned(p, now);
    if (p->said_nomination >> age & 1)
        a->nomination_acked = true;
    p->flags &= (uint8_t)~ICE_PAIR_WAS_ASKED_FOR;
    if (is_wanted)
        set_nominated(a, p, now);
}

/* An older value than the newest says nothing; the newest again, that its pair is still meant. */
static bool is_newest(struct ice *a, struct ice_pair *p, uint32_t value)
{
    if (value > a->remote_nomination) {
        a->remote_nomination = p->nomination = value;
        p->shunned_until = 0;
    }
    return value == a->remote_nomination && p->nomination == value;
}

/* Controlled: the peer nominates this pair, perhaps. */
void ice_note_asked_for(struct ice *a, struct ice_pair *p, const struct stun_msg *m, usec now)
{
    bool by_value = ice_renominates(a) && m->has & STUN_HAS_NOMINATION;

    if (a->is_controlling || (!by_value && !(m->has & STUN_HAS_USE_CANDIDATE)))
        return;
    if (by_value ? !is_newest(a, p, m->nomination) : a->remote_nomination != 0)
        return;
    p->asked_for_at = now;
    if (is_shunned(p, now))
        return;
    if (p->state != ICE_PAIR_SUCCEEDED || p->missed >= ICE_MISSED_MAX) {
        p->flags |= ICE_PAIR_WAS_ASKED_FOR;
        return;
    }
    set_nominated(a, p, now);
    ice_select(a, now);
}

/* Pair priorities follow by themselves. */
void ice_switch_role(struct ice *a)
{
    a->is_controlling = !a->is_controlling;
    if (a->nomination < a->remote_nomination)
        a->nomination = a->remote_nomination;
    a->nomination_acked = true;
    for (uint8_t i = 0; i < a->pair_count; i++)
        a->pairs[i].nomination = 0;
}
