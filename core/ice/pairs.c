#include "core/ice/agent.h"

#include <stdlib.h>

#define PAIRS_FIRST 8

struct addr ice_without_scope(const struct addr *a)
{
    struct addr plain = *a;

    plain.scope = 0;
    return plain;
}

uint8_t ice_find_remote(const struct ice *a, const struct addr *addr)
{
    struct addr plain = ice_without_scope(addr);

    for (uint8_t i = 0; i < a->remote_count; i++)
        if (addr_equal(&a->remotes[i].addr, &plain))
            return i;
    return ICE_NONE;
}

static uint8_t add_remote(struct ice *a, const struct addr *addr, enum ice_type type,
                          uint32_t priority)
{
    if (a->remote_count == ICE_CANDIDATES_MAX)
        return ICE_NONE;
    a->remotes[a->remote_count] = (struct ice_remote){ .addr = ice_without_scope(addr),
                                                       .type = (uint8_t)type,
                                                       .priority = priority };
    return a->remote_count++;
}

/* Each of its pairs has failed, or gave its slot to a better one. */
static bool is_spent(const struct ice *a, uint8_t remote)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].remote == remote && a->pairs[i].state != ICE_PAIR_FAILED)
            return false;
    return true;
}

static struct ice_pair new_pair(const struct ice *a, uint8_t base, uint8_t remote,
                                enum ice_pair_state state)
{
    return (struct ice_pair){ .base = base,
                              .remote = remote,
                              .state = (uint8_t)state,
                              .local_type = (uint8_t)ice_base_type(&a->bases[base]),
                              .next_at = USEC_NEVER };
}

/* A source we had no candidate for. Few are kept; when they are, one that has come to nothing gives
 * its place, or a peer whose NAT forgets it now and then would be lost after some hours
 * (deviations.md, I11). */
uint8_t ice_learn_remote(struct ice *a, const struct addr *addr, uint32_t priority)
{
    uint8_t learned = 0, spent = ICE_NONE;

    for (uint8_t i = 0; i < a->remote_count; i++) {
        if (a->remotes[i].type != ICE_PEER_REFLEXIVE)
            continue;
        learned++;
        if (spent == ICE_NONE && is_spent(a, i))
            spent = i;
    }
    if (learned < ICE_LEARNED_MAX && a->remote_count < ICE_CANDIDATES_MAX)
        return add_remote(a, addr, ICE_PEER_REFLEXIVE, priority);
    if (spent == ICE_NONE)
        return ICE_NONE;
    a->remotes[spent] = (struct ice_remote){ .addr = ice_without_scope(addr),
                                             .type = ICE_PEER_REFLEXIVE,
                                             .priority = priority };
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].remote == spent)
            a->pairs[i] = new_pair(a, a->pairs[i].base, spent, ICE_PAIR_FAILED);
    return spent;
}

uint8_t ice_find_pair(const struct ice *a, uint8_t base, uint8_t remote)
{
    for (uint8_t i = 0; i < a->pair_count; i++)
        if (a->pairs[i].base == base && a->pairs[i].remote == remote)
            return i;
    return ICE_NONE;
}

/* Through a relay of ours or of the peer's. One that we learned from a check names no type; its
 * priority tells, at least between hawsers (deviations.md, I13). */
bool ice_is_relayed(const struct ice *a, const struct ice_pair *p)
{
    const struct ice_remote *r = &a->remotes[p->remote];

    return a->bases[p->base].is_relayed || r->type == ICE_RELAYED ||
           (r->type == ICE_PEER_REFLEXIVE && r->priority >> 24 == 0);
}

/* RFC 8445 §6.1.2.3. Our candidate of the pair is that of its base. Relayed ones come last by the
 * formula itself, as the lesser of the two priorities leads. */
uint64_t ice_pair_priority(const struct ice *a, const struct ice_pair *p)
{
    const struct ice_base *base = &a->bases[p->base];
    uint64_t ours = ice_priority(ice_base_type(base), base->preference);
    uint64_t theirs = a->remotes[p->remote].priority;
    uint64_t g = a->is_controlling ? ours : theirs, d = a->is_controlling ? theirs : ours;

    return ((g < d ? g : d) << 32) + 2 * (g > d ? g : d) + (g > d);
}

/* Where its datagrams go: a link-local address needs the zone of the socket it leaves from. */
struct addr ice_pair_to(const struct ice *a, const struct ice_pair *p)
{
    struct addr to = a->remotes[p->remote].addr;

    if (to.family == ADDR_IPV6 && addr_scope_of(&to) == ADDR_SCOPE_LINK)
        to.scope = a->bases[p->base].addr.scope;
    return to;
}

static unsigned count_relayed(const struct ice *a)
{
    unsigned count = 0;

    for (uint8_t i = 0; i < a->pair_count; i++)
        count += ice_is_relayed(a, &a->pairs[i]);
    return count;
}

/* The slot of a pair that is worth less than `p` and not in use. Relayed pairs have some places of
 * their own: who names many direct addresses must not take the relay away. */
static uint8_t least_slot(const struct ice *a, const struct ice_pair *p)
{
    bool spares_relayed = count_relayed(a) <= ICE_RELAYED_PAIRS_KEPT;
    bool is_owed = spares_relayed && ice_is_relayed(a, p);
    uint64_t priority = is_owed ? UINT64_MAX : ice_pair_priority(a, p);
    uint8_t least = ICE_NONE;

    for (uint8_t i = 0; i < a->pair_count; i++) {
        const struct ice_pair *other = &a->pairs[i];
        uint64_t own = ice_pair_priority(a, other);

        if ((other->state == ICE_PAIR_WAITING || other->state == ICE_PAIR_FAILED) &&
            own < priority && !(spares_relayed && ice_is_relayed(a, other))) {
            priority = own;
            least = i;
        }
    }
    return least;
}

/* Without memory the table is as long as it already is. */
static bool has_slot(struct ice *a)
{
    size_t cap = a->pairs_cap ? 2 * (size_t)a->pairs_cap : PAIRS_FIRST;
    struct ice_pair *grown;

    if (a->pair_count < a->pairs_cap)
        return true;
    cap = cap < ICE_PAIRS_MAX ? cap : ICE_PAIRS_MAX;
    if (a->pairs_cap == ICE_PAIRS_MAX || !(grown = realloc(a->pairs, cap * sizeof *grown)))
        return false;
    a->pairs = grown;
    a->pairs_cap = (uint8_t)cap;
    return true;
}

uint8_t ice_add_pair(struct ice *a, uint8_t base, uint8_t remote)
{
    struct ice_pair p = new_pair(a, base, remote, ICE_PAIR_WAITING);
    uint8_t slot = has_slot(a) ? a->pair_count++ : least_slot(a, &p);

    if (slot != ICE_NONE)
        a->pairs[slot] = p;
    return slot;
}

/* The last one moves to its place. */
static void remove_pair(struct ice *a, uint8_t pair)
{
    uint8_t last = --a->pair_count;

    a->pairs[pair] = a->pairs[last];
    if (a->selected == pair)
        a->selected = ICE_NONE;
    else if (a->selected == last)
        a->selected = pair;
}

void ice_remove_pairs_of(struct ice *a, uint8_t base)
{
    for (uint8_t i = a->pair_count; i-- > 0;)
        if (a->pairs[i].base == base)
            remove_pair(a, i);
}

/* RFC 8445 §6.1.2.2: same family, link-local only with link-local. Loopback likewise, so that no
 * peer can make us knock at services of this machine. */
static bool is_worth_pairing(const struct addr *base, const struct addr *remote)
{
    enum addr_scope ours = addr_scope_of(base), theirs = addr_scope_of(remote);
    bool v6 = base->family == ADDR_IPV6;

    return base->family == remote->family &&
           (ours == ADDR_SCOPE_LOOPBACK) == (theirs == ADDR_SCOPE_LOOPBACK) &&
           (!v6 || (ours == ADDR_SCOPE_LINK) == (theirs == ADDR_SCOPE_LINK));
}

void ice_pair_up(struct ice *a)
{
    for (uint8_t b = 0; b < a->base_count; b++)
        for (uint8_t r = 0; r < a->remote_count; r++)
            if (is_worth_pairing(&a->bases[b].addr, &a->remotes[r].addr) &&
                ice_find_pair(a, b, r) == ICE_NONE)
                ice_add_pair(a, b, r);
}

int ice_add_remote(struct ice *a, usec now, const struct ice_candidate *c)
{
    uint8_t known = ice_find_remote(a, &c->addr);

    if (c->addr.port == 0 || addr_scope_of(&c->addr) == ADDR_SCOPE_UNUSABLE)
        return ERR_INVALID;
    if (known != ICE_NONE && a->remotes[known].type != ICE_PEER_REFLEXIVE)
        return ERR_OK;
    if (known != ICE_NONE) { /* learned from a check before it was signalled, RFC 8838 §11.4 */
        a->remotes[known].type = (uint8_t)c->type;
        a->remotes[known].priority = c->priority;
    } else if (add_remote(a, &c->addr, c->type, c->priority) == ICE_NONE) {
        return ERR_LIMIT;
    }
    ice_pair_up(a);
    ice_tick(a, now);
    return ERR_OK;
}

bool ice_get_remote(const struct ice *a, size_t i, struct addr *out)
{
    for (uint8_t r = 0; r < a->remote_count; r++) {
        if (a->remotes[r].type == ICE_PEER_REFLEXIVE || i-- > 0)
            continue;
        *out = a->remotes[r].addr;
        return true;
    }
    return false;
}

bool ice_is_known_path(const struct ice *a, const struct addr *local, const struct addr *from)
{
    uint8_t base = ice_find_base(a, local), remote = ice_find_remote(a, from);

    return base != ICE_NONE && remote != ICE_NONE && ice_find_pair(a, base, remote) != ICE_NONE;
}
