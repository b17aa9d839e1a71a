#include "core/ice/agent.h"

#define LAST (STUN_ID_BYTES - 1)

enum { UNKNOWN_ATTRIBUTE = 420, ROLE_CONFLICT = 487 };

static enum verdict queue_answer(struct ice *a, uint8_t base, const struct addr *from,
                                 const struct stun_msg *m, uint16_t error_code)
{
    struct ice_answer *answer = &a->answers[a->answer_count++];

    *answer = (struct ice_answer){ .id = m->id,
                                   .to = *from,
                                   .error_code = error_code,
                                   .base = base,
                                   .unknown_count = (uint8_t)m->unknown_count };
    memcpy(answer->unknown, m->unknown, sizeof answer->unknown);
    return VERDICT_TAKEN;
}

static void encode_answer(const struct ice *a, const struct ice_answer *answer, struct wr *w)
{
    struct stun_msg request = { .unknown_count = answer->unknown_count };

    memcpy(request.unknown, answer->unknown, sizeof request.unknown);
    stun_encode_header(w, answer->error_code ? STUN_ERROR : STUN_SUCCESS, STUN_BINDING,
                       &answer->id);
    if (answer->error_code == ROLE_CONFLICT)
        stun_add_error(w, ROLE_CONFLICT, "Role Conflict");
    else if (answer->error_code == UNKNOWN_ATTRIBUTE)
        stun_add_error(w, UNKNOWN_ATTRIBUTE, "Unknown Attribute");
    else
        stun_add_xor_mapped(w, &answer->to);
    if (!answer->error_code)
        ice_add_sped(a, w, answer->is_light);
    if (answer->error_code == UNKNOWN_ATTRIBUTE)
        stun_add_unknown(w, &request);
    stun_add_integrity(w, bytes_of_string(a->pwd));
    stun_add_fingerprint(w);
}

void ice_answers_remove_base(struct ice *a, uint8_t base)
{
    uint8_t kept = 0;

    for (uint8_t i = 0; i < a->answer_count; i++)
        if (a->answers[i].base != base)
            a->answers[kept++] = a->answers[i];
    a->answer_count = kept;
}

bool ice_answers_poll(struct ice *a, struct out *out)
{
    struct ice_answer answer = a->answers[0];
    struct wr w;

    if (a->answer_count == 0)
        return false;
    a->answer_count--;
    memmove(a->answers, a->answers + 1, a->answer_count * sizeof a->answers[0]);
    out_reset(out);
    out->from = a->bases[answer.base].addr;
    out->to = answer.to;
    w = wr_of(out_next(out), out_room(out));
    encode_answer(a, &answer, &w);
    a->has_sent_sped = a->sped.is_on && !answer.error_code && !answer.is_light;
    if (w.ok)
        out_add(out, w.len);
    return w.ok;
}

/* RFC 8445 §7.3.1.1: both claim one role; the larger tie-breaker has it that controls. */
enum conflict { NO_CONFLICT, PEER_YIELDS, WE_YIELD };

static enum conflict conflict_with(const struct ice *a, const struct stun_msg *m)
{
    bool both_controlling = a->is_controlling && m->has & STUN_HAS_CONTROLLING;
    bool both_controlled = !a->is_controlling && m->has & STUN_HAS_CONTROLLED;
    bool ours_is_larger = a->tie_breaker >= m->tie_breaker;

    if (!both_controlling && !both_controlled)
        return NO_CONFLICT;
    return both_controlling == ours_is_larger ? PEER_YIELDS : WE_YIELD;
}

/* RFC 8445 §7.3.1.3: an unknown source is a peer-reflexive candidate. */
static uint8_t find_or_add_pair(struct ice *a, uint8_t base, const struct addr *from,
                                uint32_t priority)
{
    uint8_t remote = ice_find_remote(a, from), pair = ICE_NONE;

    if (remote == ICE_NONE)
        remote = ice_learn_remote(a, from, priority);
    if (remote != ICE_NONE)
        pair = ice_find_pair(a, base, remote);
    if (remote != ICE_NONE && pair == ICE_NONE)
        pair = ice_add_pair(a, base, remote);
    return pair;
}

/* Between hawsers the controlling side's checks are consent for both (deviations.md, I12). */
static void note_life(const struct ice *a, struct ice_pair *p, usec now)
{
    if (a->abilities & ICE_SHARED_CONSENT)
        p->heard_at = p->consent_at = now;
}

static void on_pair_asked(struct ice *a, struct ice_pair *p, const struct stun_msg *m, usec now)
{
    bool leaves_asking = a->abilities & ICE_SHARED_CONSENT && !a->is_controlling;

    if (p->state == ICE_PAIR_FAILED) {
        p->state = ICE_PAIR_WAITING;
        p->flags |= ICE_PAIR_RETRIED;
    }
    if (p->state != ICE_PAIR_SUCCEEDED)
        p->flags |= ICE_PAIR_TRIGGERED | ICE_PAIR_PROMISING;
    else if (p->next_at == USEC_NEVER && !leaves_asking)
        p->next_at = now; /* the peer uses a spare we had given up */
    if (p->state == ICE_PAIR_SUCCEEDED) {
        note_life(a, p, now);
        ice_ask_sooner(a, p);
    }
    ice_note_asked_for(a, p, m, now);
}

/* RFC 8445 §7.3: USERNAME is our fragment, a colon, theirs; the password is ours. */
static bool is_authentic_request(const struct ice *a, const struct stun_msg *m)
{
    size_t len = strlen(a->ufrag);

    return m->has & STUN_HAS_USERNAME && m->username.len > len && m->username.data[len] == ':' &&
           memcmp(m->username.data, a->ufrag, len) == 0 &&
           stun_has_integrity(m, bytes_of_string(a->pwd));
}

/* Requests without or with wrong credentials get no answer (deviations.md, I4). */
static enum verdict on_request(struct ice *a, usec now, uint8_t base, const struct addr *from,
                               const struct stun_msg *m)
{
    enum conflict conflict = conflict_with(a, m);
    uint8_t pair;

    if (!is_authentic_request(a, m))
        return VERDICT_FORGED;
    if (a->answer_count == ICE_ANSWERS_MAX)
        return VERDICT_LIMIT;
    if (m->unknown_count)
        return queue_answer(a, base, from, m, UNKNOWN_ATTRIBUTE);
    if (!(m->has & STUN_HAS_PRIORITY) || !(m->has & STUN_HAS_FINGERPRINT))
        return VERDICT_MALFORMED;
    if (conflict == PEER_YIELDS)
        return queue_answer(a, base, from, m, ROLE_CONFLICT);
    pair = find_or_add_pair(a, base, from, m->priority);
    if (conflict == WE_YIELD)
        ice_switch_role(a);
    queue_answer(a, base, from, m, 0);
    a->answers[a->answer_count - 1].is_light =
        !ice_may_answer_long(a, pair == ICE_NONE ? ICE_NONE : a->pairs[pair].remote, now);
    ice_note_sped(a, m);
    if (pair == ICE_NONE)
        return VERDICT_LIMIT; /* answered, but we do not ask back (deviations.md, I11) */
    on_pair_asked(a, &a->pairs[pair], m, now);
    return VERDICT_TAKEN;
}

/* The pair that awaits an answer to this id; *age is how many requests have followed that one. */
static struct ice_pair *find_asked(struct ice *a, const struct stun_id *id, uint8_t *age)
{
    for (uint8_t i = 0; i < a->pair_count; i++) {
        struct ice_pair *p = &a->pairs[i];

        *age = (uint8_t)(p->id.bytes[LAST] - id->bytes[LAST]);
        if (*age < 8 && p->awaited >> *age & 1 && memcmp(p->id.bytes, id->bytes, LAST) == 0)
            return p;
    }
    return NULL;
}

/* How the peer sees us: RFC 8445 §7.2.5.3.1. A relay may be many things to the peer, but direct. */
static uint8_t type_of_mapped(const struct ice *a, uint8_t base, const struct addr *mapped)
{
    struct addr own = ice_without_scope(&a->bases[base].addr);

    if (a->bases[base].is_relayed)
        return ICE_RELAYED;
    if (addr_equal(&own, mapped))
        return ICE_HOST;
    for (uint8_t i = 0; i < a->local_count; i++)
        if (a->locals[i].base == base && addr_equal(&a->locals[i].addr, mapped))
            return a->locals[i].type;
    return ICE_PEER_REFLEXIVE;
}

/* Of a request that was neither of the last two nor the first of its series the time is unknown. */
static void note_round_trip(struct ice_pair *p, uint8_t age, usec now)
{
    usec rtt = age == 0 ? now - p->sent_at : now - p->sent_before_at;

    if (age > 1 && age + 1u != p->sends)
        return;
    if (age > 1)
        rtt = now - p->begun_at;
    rtt = usec_clamp(rtt, 1, UINT32_MAX / 8);
    p->rtt_us = (uint32_t)(p->rtt_us == 0 ? rtt : (7 * (usec)p->rtt_us + rtt) / 8);
}

static void on_check_ok(struct ice *a, usec now, struct ice_pair *p, uint8_t age,
                        const struct stun_msg *m)
{
    p->state = ICE_PAIR_SUCCEEDED;
    p->flags &= (uint8_t) ~(ICE_PAIR_TRIGGERED | ICE_PAIR_RETRIED | ICE_PAIR_PROMISING);
    p->missed = 0;
    p->heard_at = p->consent_at = now;
    p->next_at = now + ice_consent_interval(a, p, now);
    p->local_type = type_of_mapped(a, p->base, &m->mapped);
    a->remotes[p->remote].has_answered = true;
    if (a->selected != ICE_NONE && p == &a->pairs[a->selected])
        ice_acquit(a, now, p->awaited >> age != 0);
    ice_note_answered(a, p, age, now);
    ice_note_sped(a, m);
    ice_select(a, now);
}

/* RFC 8445 §7.2.5.1 for 487; any other error fails the pair, a path that works excepted: its
 * consent runs out by itself. */
static void on_check_error(struct ice *a, struct ice_pair *p, uint8_t age, const struct stun_msg *m)
{
    if (m->error_code == ROLE_CONFLICT) {
        if (a->is_controlling == (p->said_controlling >> age & 1)) {
            ice_switch_role(a);
            a->tie_breaker = rng_u64(a->rng);
        }
        if (p->state != ICE_PAIR_SUCCEEDED) {
            p->state = ICE_PAIR_WAITING;
            p->flags |= ICE_PAIR_TRIGGERED;
        }
    } else if (p->state != ICE_PAIR_SUCCEEDED) {
        ice_fail_pair(p);
    }
}

static enum verdict on_answer(struct ice *a, usec now, uint8_t base, const struct addr *from,
                              const struct stun_msg *m)
{
    uint8_t age, remote = ice_find_remote(a, from);
    struct ice_pair *p = find_asked(a, &m->id, &age);

    if (!p)
        return ice_gather_input(a, now, base, from, m);
    if (!a->remote_pwd || !stun_has_integrity(m, bytes_of_string(a->remote_pwd)))
        return VERDICT_FORGED;
    if (p->base != base || p->remote != remote) /* RFC 8445 §7.2.5.2.1: not symmetric */
        return VERDICT_UNEXPECTED;
    if (m->unknown_count || (m->class == STUN_SUCCESS && !(m->has & STUN_HAS_MAPPED)) ||
        (m->class == STUN_ERROR && !(m->has & STUN_HAS_ERROR)))
        return VERDICT_MALFORMED;
    p->awaited &= (uint8_t) ~(1u << age);
    note_round_trip(p, age, now);
    if (m->class == STUN_SUCCESS)
        on_check_ok(a, now, p, age, m);
    else
        on_check_error(a, p, age, m);
    return VERDICT_TAKEN;
}

static enum verdict input(struct ice *a, usec now, const struct addr *local,
                          const struct addr *from, struct bytes dgram)
{
    uint8_t base = ice_find_base(a, local);
    struct stun_msg m;
    enum verdict verdict = stun_decode(&m, dgram);

    a->has_got = false;
    if (verdict != VERDICT_TAKEN)
        return verdict;
    if (a->state == ICE_FAILED || base == ICE_NONE || m.method != STUN_BINDING ||
        from->family != local->family || from->port == 0 ||
        addr_scope_of(from) == ADDR_SCOPE_UNUSABLE)
        return VERDICT_UNEXPECTED;
    if (m.class == STUN_INDICATION)
        return VERDICT_TAKEN; /* RFC 8445 §11: a keep-alive, nothing to do */
    if (m.class == STUN_REQUEST)
        verdict = on_request(a, now, base, from, &m);
    else
        verdict = on_answer(a, now, base, from, &m);
    if (verdict == VERDICT_TAKEN)
        ice_tick(a, now);
    return verdict;
}

enum verdict ice_input(struct ice *a, usec now, const struct addr *local, const struct addr *from,
                       struct bytes dgram)
{
    return verdict_note(&a->verdicts, input(a, now, local, from, dgram));
}
