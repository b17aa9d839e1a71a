/* Trying once more what had failed: when the network has changed, and now and then while all data
 * goes by a relay. */
#include "core/ice/agent.h"

/* A new series, unless the last one has only just ended. One that goes on, by now slowly, begins
 * anew too. */
static void try_again(struct ice_pair *p, usec now)
{
    if (p->state == ICE_PAIR_FAILED && now >= p->sent_at + ICE_RETRY_GAP_US) {
        p->state = ICE_PAIR_WAITING;
        p->flags = ICE_PAIR_RETRIED;
    } else if (p->state == ICE_PAIR_IN_PROGRESS && p->sends > ICE_CHECK_SENDS_STEADY &&
               now >= p->asked_at + ICE_RETRY_GAP_US) {
        p->flags |= ICE_PAIR_RETRIED;
        p->sends = 0;
        p->asked_at = p->next_at = now;
    }
}

void ice_check_again(struct ice *a, usec now)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        try_again(&a->pairs[i], now);
    if (a->retry_at != USEC_NEVER) { /* a change: what failed before may work soon */
        a->retry_us = ICE_RETRY_MIN_US;
        a->retry_at = now + a->retry_us;
    }
    if (a->is_dark && a->suspect_at != USEC_NEVER)
        a->suspect_next_at = usec_min(a->suspect_next_at, a->suspect_round_at + ICE_DECISION_US);
    ice_doubt(a, now);
}

/* From relay to relay the schedule goes on. */
void ice_schedule_retry(struct ice *a, usec now)
{
    if (!ice_is_relayed(a, &a->pairs[a->selected])) {
        a->retry_at = USEC_NEVER;
    } else if (a->retry_at == USEC_NEVER) {
        a->retry_us = ICE_RETRY_MIN_US;
        a->retry_at = now + a->retry_us;
    }
}

usec ice_retry_at(const struct ice *a)
{
    if (a->state != ICE_CONNECTED || !ice_is_relayed(a, &a->pairs[a->selected]))
        return USEC_NEVER;
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (!ice_is_relayed(a, &a->pairs[i]))
            return a->retry_at;
    return USEC_NEVER;
}

void ice_retry_tick(struct ice *a, usec now)
{
    if (now < ice_retry_at(a))
        return;
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (!ice_is_relayed(a, &a->pairs[i]))
            try_again(&a->pairs[i], now);
    a->retry_us = usec_min(2 * a->retry_us, ICE_RETRY_MAX_US);
    a->retry_at = now + a->retry_us;
}
