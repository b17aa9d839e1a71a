#include <stdio.h>

#include "core/ice/agent.h"

#define LAST (STUN_ID_BYTES - 1)

void ice_begin_series(struct ice *a, struct ice_pair *p)
{
    stun_id_init(&p->id, a->rng);
    p->sends = 0;
    p->awaited = 0;
}

static bool is_heavy(const struct ice *a)
{
    return a->sped.is_on && a->sped.data.len > ICE_HEAVY_BYTES;
}

static void take_allowance(struct ice *a, usec now)
{
    a->unanswered_full_at =
        usec_max(a->unanswered_full_at, now) + (is_heavy(a) ? 2 : 1) * ICE_UNANSWERED_REFILL;
}

/* Each send is a transaction of its own (deviations.md, I3): only the last byte of the id differs,
 * so that an answer tells which request it answers, hence the round trip. */
void ice_send_check(struct ice *a, struct ice_pair *p, usec now)
{
    bool is_selected = a->selected != ICE_NONE && p == &a->pairs[a->selected];
    bool is_by_value = is_selected && a->is_controlling && ice_renominates(a);

    p->id.bytes[LAST]++;
    p->sends++;
    if (p->checks < UINT16_MAX)
        p->checks++;
    if (p->sends == 1)
        p->begun_at = now;
    p->sent_before_at = p->sent_at;
    p->sent_at = now;
    p->said_controlling = (uint8_t)(p->said_controlling << 1 | a->is_controlling);
    p->said_use_candidate = (uint8_t)(p->said_use_candidate << 1 | ice_is_to_nominate(a, p));
    p->said_nomination = (uint8_t)(p->said_nomination << 1 | is_by_value);
    p->awaited = (uint8_t)(p->awaited << 1 | 1);
    p->flags &= (uint8_t)~ICE_PAIR_TRIGGERED;
    p->flags |= ICE_PAIR_DUE;
    if (p->state == ICE_PAIR_SUCCEEDED) {
        if (p->missed == 0)
            p->asked_at = now;
        if (p->missed < UINT8_MAX)
            p->missed++;
    }
    if (!a->remotes[p->remote].has_answered)
        take_allowance(a, now);
}

void ice_inherit_allowance(struct ice *a, usec now, const struct ice *before)
{
    usec spent = (usec)(ICE_UNANSWERED_MAX - ICE_UNANSWERED_ANEW) * ICE_UNANSWERED_REFILL;

    a->unanswered_full_at =
        usec_max(a->unanswered_full_at, usec_min(before->unanswered_full_at, now + spent));
}

/* A bucket of ICE_UNANSWERED_MAX, as that of the pace: whether so many are left. */
static bool has_left(const struct ice *a, unsigned count, usec now)
{
    return now >=
           a->unanswered_full_at - (usec)(ICE_UNANSWERED_MAX - count) * ICE_UNANSWERED_REFILL;
}

static bool is_within_budget(const struct ice *a, const struct ice_pair *p, usec now)
{
    return a->remotes[p->remote].has_answered ||
           has_left(a, p->sends == 0 ? 1 : ICE_UNANSWERED_KEPT, now);
}

/* A check's source is whatever its sender wrote there, and an answer with a flight is ten times as
 * long: it counts as a check of ours does, and without allowance the flight stays out. */
bool ice_may_answer_long(struct ice *a, uint8_t remote, usec now)
{
    if (!is_heavy(a) || (remote != ICE_NONE && a->remotes[remote].has_answered))
        return true;
    if (!has_left(a, ICE_UNANSWERED_KEPT, now))
        return false;
    take_allowance(a, now);
    return true;
}

/* The least round trip to the peer that is known, 0 if none is. */
static usec known_rtt(const struct ice *a)
{
    usec rtt = USEC_NEVER;

    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].rtt_us)
            rtt = usec_min(rtt, a->pairs[i].rtt_us);
    return rtt == USEC_NEVER ? 0 : rtt;
}

/* One and a half round trips once any is known: of this pair, otherwise of the quickest. Before,
 * the second send comes sooner than the others, soonest where the first may have come just before
 * the peer knew of our address; and all come sooner where the peer gets through to us. */
usec ice_resend_after(const struct ice *a, const struct ice_pair *p)
{
    usec rtt = p->rtt_us ? p->rtt_us : known_rtt(a);
    usec rto = a->cfg.check_rto_us, most = usec_max(ICE_RTO_MAX_US, rto);
    bool is_early = p->sent_at <= a->reflexive_at + 2 * ICE_TOLD_US;

    if (rtt)
        rto = usec_max(rtt + rtt / 2, ICE_RTO_MIN_US);
    else if (p->sends == 1 && is_early)
        rto = ICE_TOLD_US;
    else if (p->sends == (is_early ? 2 : 1) || p->flags & ICE_PAIR_PROMISING)
        rto /= 2;
    for (unsigned i = ICE_CHECK_SENDS_STEADY; i < p->sends && rto < most; i++)
        rto *= 2;
    return usec_min(rto, most);
}

void ice_fail_pair(struct ice_pair *p)
{
    p->state = ICE_PAIR_FAILED;
    p->flags = 0;
    p->missed = 0;
    p->next_at = USEC_NEVER;
}

static void on_check_due(struct ice *a, struct ice_pair *p, usec now)
{
    unsigned most = p->flags & ICE_PAIR_RETRIED ? ICE_RETRY_SENDS_MAX : ICE_CHECK_SENDS_MAX;

    if (p->sends >= most || !is_within_budget(a, p, now)) {
        ice_fail_pair(p);
        return;
    }
    ice_send_check(a, p, now);
    p->next_at = now + ice_resend_after(a, p);
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
        if (p->state == ICE_PAIR_WAITING) {
            ice_begin_series(a, p);
            p->asked_at = now;
        }
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

/* RFC 8445 §7.1.1: as if this address came to be known by this check. That of a relayed one says so
 * (deviations.md, I13). */
static uint32_t priority_as_learned(const struct ice_base *base)
{
    return ice_priority(base->is_relayed ? ICE_RELAYED : ICE_PEER_REFLEXIVE, base->preference);
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
    if (p->said_nomination & 1 && a->selected != ICE_NONE && p == &a->pairs[a->selected])
        stun_add_u32(w, STUN_ATTR_NOMINATION, a->nomination);
    stun_add_u32(w, STUN_ATTR_PRIORITY, priority_as_learned(&a->bases[p->base]));
    ice_add_sped(a, w, false);
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
    a->has_sent_sped = a->sped.is_on;
    out_reset(out);
    out->from = a->bases[p->base].addr;
    out->to = ice_pair_to(a, p);
    w = wr_of(out_next(out), out_room(out));
    encode_check(a, p, &w);
    if (w.ok)
        out_add(out, w.len);
    return w.ok;
}
