#include <stdio.h>

#include "core/ice/agent.h"

#define LAST (STUN_ID_BYTES - 1)

/* Whether a request on this pair nominates it: all do until a better one is selected. */
static bool is_to_nominate(const struct ice *a, const struct ice_pair *p)
{
    if (!a->is_controlling || a->selected == ICE_NONE)
        return a->is_controlling;
    return p == &a->pairs[a->selected] ||
           ice_pair_priority(a, p) > ice_pair_priority(a, &a->pairs[a->selected]);
}

void ice_begin_series(struct ice *a, struct ice_pair *p)
{
    stun_id_init(&p->id, a->rng);
    p->sends = 0;
    p->awaited = 0;
}

/* Each send is a transaction of its own (deviations.md, I3): only the last byte of the id differs,
 * so that an answer tells which request it answers, hence the round trip. */
void ice_send_check(struct ice *a, struct ice_pair *p, usec now)
{
    p->id.bytes[LAST]++;
    p->sends++;
    p->sent_before_at = p->sent_at;
    p->sent_at = now;
    p->said_controlling = (uint8_t)(p->said_controlling << 1 | a->is_controlling);
    p->said_use_candidate = (uint8_t)(p->said_use_candidate << 1 | is_to_nominate(a, p));
    p->awaited = (uint8_t)(p->awaited << 1 | 1);
    p->flags &= (uint8_t)~ICE_PAIR_TRIGGERED;
    p->flags |= ICE_PAIR_DUE;
    if (!a->remotes[p->remote].has_answered)
        a->unanswered++;
}

static bool is_within_budget(const struct ice *a, const struct ice_pair *p)
{
    return a->remotes[p->remote].has_answered || a->unanswered < ICE_UNANSWERED_MAX;
}

static usec resend_after(const struct ice *a, const struct ice_pair *p)
{
    usec rto = a->cfg.check_rto_us;

    for (unsigned i = 1; i < p->sends && rto < ICE_RTO_MAX_US; i++)
        rto *= 2;
    return usec_min(rto, usec_max(ICE_RTO_MAX_US, a->cfg.check_rto_us));
}

static void on_check_due(struct ice *a, struct ice_pair *p, usec now)
{
    if (p->sends >= ICE_CHECK_SENDS_MAX || !is_within_budget(a, p)) {
        p->state = ICE_PAIR_FAILED;
        p->flags &= (uint8_t)~ICE_PAIR_TRIGGERED;
        p->next_at = USEC_NEVER;
        return;
    }
    ice_send_check(a, p, now);
    p->next_at = now + resend_after(a, p);
}

/* Can start: waiting, or in progress and wanted once more because the peer's check got through. */
static bool is_startable(const struct ice_pair *p)
{
    return p->state == ICE_PAIR_WAITING ||
           (p->state == ICE_PAIR_IN_PROGRESS && p->flags & ICE_PAIR_TRIGGERED);
}

/* Triggered checks first, then by priority (RFC 8445 §6.1.4.2). */
static struct ice_pair *next_to_start(struct ice *a)
{
    struct ice_pair *best = NULL;

    for (uint8_t i = 0; i < a->pair_count; i++) {
        struct ice_pair *p = &a->pairs[i];
        int triggered = p->flags & ICE_PAIR_TRIGGERED;

        if (!is_startable(p))
            continue;
        if (!best || triggered > (best->flags & ICE_PAIR_TRIGGERED) ||
            (triggered == (best->flags & ICE_PAIR_TRIGGERED) &&
             ice_pair_priority(a, p) > ice_pair_priority(a, best)))
            best = p;
    }
    return best;
}

static bool may_check(const struct ice *a)
{
    return a->state == ICE_CHECKING || a->state == ICE_CONNECTED;
}

void ice_checks_tick(struct ice *a, usec now)
{
    struct ice_pair *p;

    if (!may_check(a))
        return;
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].state == ICE_PAIR_IN_PROGRESS && now >= a->pairs[i].next_at)
            on_check_due(a, &a->pairs[i], now);
    while (now >= ice_pace_next(a, a->checks_full_at) && (p = next_to_start(a)) != NULL) {
        if (p->state == ICE_PAIR_WAITING)
            ice_begin_series(a, p);
        p->state = ICE_PAIR_IN_PROGRESS;
        on_check_due(a, p, now);
        ice_pace_take(a, &a->checks_full_at, now);
    }
}

usec ice_checks_next_timeout(const struct ice *a)
{
    usec at = USEC_NEVER;

    if (!may_check(a))
        return at;
    for (uint8_t i = 0; i < a->pair_count; i++) {
        const struct ice_pair *p = &a->pairs[i];

        if (is_startable(p))
            at = usec_min(at, ice_pace_next(a, a->checks_full_at));
        if (p->state == ICE_PAIR_IN_PROGRESS)
            at = usec_min(at, p->next_at);
    }
    return at;
}

bool ice_all_pairs_failed(const struct ice *a)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].state != ICE_PAIR_FAILED)
            return false;
    return a->pair_count > 0; /* with none at all the peer's own checks may still come */
}

/* RFC 8445 §7.1, §7.2.2: the request, authenticated with the peer's password. */
static void encode_check(const struct ice *a, const struct ice_pair *p, struct wr *w)
{
    char username[ICE_UFRAG_MAX + 1 + ICE_UFRAG_MAX + 1];
    bool controlling = p->said_controlling & 1;

    snprintf(username, sizeof username, "%s:%s", a->remote_ufrag, a->ufrag);
    stun_encode_header(w, STUN_REQUEST, STUN_BINDING, &p->id);
    stun_add_bytes(w, STUN_ATTR_USERNAME, bytes_of_string(username));
    stun_add_u64(w, controlling ? STUN_ATTR_ICE_CONTROLLING : STUN_ATTR_ICE_CONTROLLED,
                 a->tie_breaker);
    if (p->said_use_candidate & 1)
        stun_add_bytes(w, STUN_ATTR_USE_CANDIDATE, bytes_of(NULL, 0));
    stun_add_u32(w, STUN_ATTR_PRIORITY,
                 ice_priority(ICE_PEER_REFLEXIVE, a->bases[p->base].preference));
    stun_add_integrity(w, bytes_of_string(a->remote_pwd));
    stun_add_fingerprint(w);
}

static struct ice_pair *next_due(struct ice *a)
{
    struct ice_pair *best = NULL;

    for (uint8_t i = 0; i < a->pair_count; i++) {
        struct ice_pair *p = &a->pairs[i];

        if (p->flags & ICE_PAIR_DUE &&
            (!best || ice_pair_priority(a, p) > ice_pair_priority(a, best)))
            best = p;
    }
    return best;
}

bool ice_checks_poll(struct ice *a, struct out *out)
{
    struct ice_pair *p = next_due(a);
    struct wr w;

    if (!p)
        return false;
    p->flags &= (uint8_t)~ICE_PAIR_DUE;
    out_reset(out);
    out->from = a->bases[p->base].addr;
    out->to = ice_pair_to(a, p);
    w = wr_of(out_next(out), out_room(out));
    encode_check(a, p, &w);
    if (w.ok)
        out_add(out, w.len);
    return w.ok;
}
