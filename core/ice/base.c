#include <stdio.h>

#include "core/ice/agent.h"

/* RFC 8445 §5.1.2.1, component 1: the recommended type preferences. */
uint32_t ice_priority(enum ice_type type, uint16_t preference)
{
    static const uint8_t type_preference[] = {
        [ICE_HOST] = 126,
        [ICE_SERVER_REFLEXIVE] = 100,
        [ICE_PEER_REFLEXIVE] = 110,
        [ICE_RELAYED] = 0,
    };

    return (uint32_t)type_preference[type] << 24 | (uint32_t)preference << 8 | (256 - 1);
}

enum ice_type ice_base_type(const struct ice_base *base)
{
    return base->is_relayed ? ICE_RELAYED : ICE_HOST;
}

uint8_t ice_find_base(const struct ice *a, const struct addr *local)
{
    for (uint8_t i = 0; i < a->base_count && local->family != ADDR_NONE; i++)
        if (addr_equal(&a->bases[i].addr, local))
            return i;
    return ICE_NONE;
}

/* RFC 8445 §5.1.1.3: the same for the same type, base address and server, otherwise different. */
static void write_foundation(const struct ice *a, const struct ice_local *l, char out[33])
{
    unsigned host = 0, server = l->server == ICE_NONE ? 0 : l->server + 1u;

    while (!addr_equal_ip(&a->bases[host].addr, &a->bases[l->base].addr))
        host++;
    snprintf(out, 33, "%u", 1 + l->type + 4 * (server + (ICE_STUN_SERVERS_MAX + 1) * host));
}

struct ice_candidate ice_local_candidate(const struct ice *a, const struct ice_local *l)
{
    const struct ice_base *base = &a->bases[l->base];
    struct ice_candidate c = {
        .type = (enum ice_type)l->type,
        .priority = ice_priority((enum ice_type)l->type, base->preference),
        .addr = l->addr,
        .base = base->addr,
    };

    if (l->type == ICE_RELAYED)
        c.related = base->related;
    else if (l->type != ICE_HOST)
        c.related = base->addr;
    write_foundation(a, l, c.foundation);
    return c;
}

void ice_add_local(struct ice *a, const struct ice_local *l)
{
    for (uint8_t i = 0; i < a->local_count; i++)
        if (a->locals[i].base == l->base && addr_equal(&a->locals[i].addr, &l->addr))
            return; /* redundant, RFC 8445 §5.1.3: no NAT, or a second server's answer */
    if (a->local_count < ICE_CANDIDATES_MAX)
        a->locals[a->local_count++] = *l;
}

static uint8_t free_place(const struct ice *a)
{
    uint8_t place = 0;

    while (place < a->base_count && a->bases[place].addr.family != ADDR_NONE)
        place++;
    return place < ICE_BASES_MAX ? place : ICE_NONE;
}

static int add_base(struct ice *a, usec now, const struct ice_base *base)
{
    struct ice_local l = { .addr = base->addr,
                           .type = (uint8_t)ice_base_type(base),
                           .base = free_place(a),
                           .server = ICE_NONE };

    if (base->addr.port == 0 || addr_scope_of(&base->addr) == ADDR_SCOPE_UNUSABLE)
        return ERR_INVALID;
    if (ice_find_base(a, &base->addr) != ICE_NONE)
        return ERR_OK;
    if (l.base == ICE_NONE || a->local_count == ICE_CANDIDATES_MAX)
        return ERR_LIMIT;
    a->bases[l.base] = *base;
    if (l.base == a->base_count)
        a->base_count++;
    ice_add_local(a, &l);
    a->gathered_told = false;
    if (!base->is_relayed)
        ice_gather_from(a, now, l.base);
    ice_pair_up(a);
    ice_tick(a, now);
    return ERR_OK;
}

int ice_add_host(struct ice *a, usec now, const struct addr *base, uint16_t preference)
{
    return add_base(a, now, &(struct ice_base){ .addr = *base, .preference = preference });
}

int ice_add_relayed(struct ice *a, usec now, const struct addr *relayed, const struct addr *related,
                    uint16_t preference)
{
    return add_base(
        a, now,
        &(struct ice_base){
            .addr = *relayed, .related = *related, .preference = preference, .is_relayed = true });
}

static void remove_locals_of(struct ice *a, uint8_t base)
{
    uint8_t kept = 0;

    for (uint8_t i = 0; i < a->local_count; i++)
        if (a->locals[i].base != base)
            a->locals[kept++] = a->locals[i];
    a->local_count = kept;
}

void ice_remove_base(struct ice *a, usec now, const struct addr *addr)
{
    uint8_t base = ice_find_base(a, addr);
    bool had_selected = a->selected != ICE_NONE;

    if (base == ICE_NONE)
        return;
    ice_gather_remove_base(a, base);
    ice_answers_remove_base(a, base);
    ice_remove_pairs_of(a, base);
    remove_locals_of(a, base);
    a->bases[base] = (struct ice_base){ 0 };
    if (had_selected && a->selected == ICE_NONE)
        ice_lose_selected(a, now);
    ice_tick(a, now);
}

size_t ice_get_local(const struct ice *a, struct ice_candidate *out, size_t max)
{
    size_t count = 0;

    for (uint8_t i = 0; i < a->local_count && count < max; i++)
        if (a->locals[i].type != ICE_PEER_REFLEXIVE) /* those are only the peer's to see */
            out[count++] = ice_local_candidate(a, &a->locals[i]);
    return count;
}
