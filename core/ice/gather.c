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

uint8_t ice_find_base(const struct ice *a, const struct addr *local)
{
    for (uint8_t i = 0; i < a->base_count; i++)
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

    if (l->type != ICE_HOST)
        c.related = base->addr;
    write_foundation(a, l, c.foundation);
    return c;
}

static void add_local(struct ice *a, const struct ice_local *l)
{
    for (uint8_t i = 0; i < a->local_count; i++)
        if (a->locals[i].base == l->base && addr_equal(&a->locals[i].addr, &l->addr))
            return; /* redundant, RFC 8445 §5.1.3: no NAT, or a second server's answer */
    if (a->local_count < ICE_CANDIDATES_MAX)
        a->locals[a->local_count++] = *l;
}

bool ice_is_gathering(const struct ice *a)
{
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++)
        if (stun_txn_is_live(&a->queries[i].txn) || a->queries[i].is_due)
            return true;
    return !a->local_ended;
}

/* Whether a question from this base can reach that server at all. */
static bool is_worth_asking(const struct addr *base, const struct addr *server)
{
    bool loopback = addr_scope_of(base) == ADDR_SCOPE_LOOPBACK;

    return base->family == server->family && addr_scope_of(base) != ADDR_SCOPE_LINK &&
           loopback == (addr_scope_of(server) == ADDR_SCOPE_LOOPBACK);
}

static struct ice_query *free_query(struct ice *a)
{
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++)
        if (!stun_txn_is_live(&a->queries[i].txn) && !a->queries[i].is_due)
            return &a->queries[i];
    return NULL;
}

/* More questions than the table holds are left out: the first servers and bases matter most. */
static void ask(struct ice *a, usec now, uint8_t base, uint8_t server)
{
    struct ice_query *q = free_query(a);

    if (!q || !is_worth_asking(&a->bases[base].addr, &a->servers[server]))
        return;
    *q = (struct ice_query){ .base = base, .server = server };
    stun_txn_start(&q->txn, now, a->rng, a->cfg.check_rto_us, ICE_RTO_MAX_US, ICE_QUERY_SENDS_MAX);
    a->gathered_told = false;
}

int ice_add_host(struct ice *a, usec now, const struct addr *base, uint16_t preference)
{
    struct ice_local host = {
        .addr = *base, .type = ICE_HOST, .base = a->base_count, .server = ICE_NONE
    };

    if (base->port == 0 || addr_scope_of(base) == ADDR_SCOPE_UNUSABLE)
        return ERR_INVALID;
    if (ice_find_base(a, base) != ICE_NONE)
        return ERR_OK;
    if (a->base_count == ICE_BASES_MAX || a->local_count == ICE_CANDIDATES_MAX)
        return ERR_LIMIT;
    a->bases[a->base_count++] = (struct ice_base){ .addr = *base, .preference = preference };
    add_local(a, &host);
    a->gathered_told = false;
    for (uint8_t s = 0; s < a->server_count; s++)
        ask(a, now, host.base, s);
    ice_pair_up(a);
    ice_tick(a, now);
    return ERR_OK;
}

size_t ice_get_local(const struct ice *a, struct ice_candidate *out, size_t max)
{
    size_t count = 0;

    for (uint8_t i = 0; i < a->local_count && count < max; i++)
        if (a->locals[i].type != ICE_PEER_REFLEXIVE) /* those are only the peer's to see */
            out[count++] = ice_local_candidate(a, &a->locals[i]);
    return count;
}

int ice_add_stun_server(struct ice *a, usec now, const struct addr *server)
{
    if (server->port == 0 || addr_scope_of(server) == ADDR_SCOPE_UNUSABLE)
        return ERR_INVALID;
    for (uint8_t s = 0; s < a->server_count; s++)
        if (addr_equal(&a->servers[s], server))
            return ERR_OK;
    if (a->server_count == ICE_STUN_SERVERS_MAX)
        return ERR_LIMIT;
    a->servers[a->server_count++] = *server;
    for (uint8_t b = 0; b < a->base_count; b++)
        ask(a, now, b, (uint8_t)(a->server_count - 1));
    ice_tick(a, now);
    return ERR_OK;
}

/* First requests take part in the pace; resends are few and do not. */
void ice_gather_tick(struct ice *a, usec now)
{
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++) {
        struct ice_query *q = &a->queries[i];
        bool is_first = q->txn.sends == 0;

        if (!stun_txn_is_live(&q->txn) || (is_first && now < ice_pace_next(a, a->queries_full_at)))
            continue;
        if (stun_txn_tick(&q->txn, now) != STUN_TXN_SEND)
            continue;
        q->is_due = true;
        if (is_first)
            ice_pace_take(a, &a->queries_full_at, now);
    }
}

usec ice_gather_next_timeout(const struct ice *a)
{
    usec at = USEC_NEVER;

    for (size_t i = 0; i < ICE_QUERIES_MAX; i++) {
        const struct stun_txn *txn = &a->queries[i].txn;

        if (!stun_txn_is_live(txn))
            continue;
        at = usec_min(at, txn->sends == 0
                              ? usec_max(txn->due_at, ice_pace_next(a, a->queries_full_at))
                              : txn->due_at);
    }
    return at;
}

bool ice_gather_poll(struct ice *a, struct out *out)
{
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++) {
        struct ice_query *q = &a->queries[i];
        struct wr w;

        if (!q->is_due)
            continue;
        q->is_due = false;
        out_reset(out);
        out->from = a->bases[q->base].addr;
        out->to = a->servers[q->server];
        w = wr_of(out_next(out), out_room(out));
        stun_encode_header(&w, STUN_REQUEST, STUN_BINDING, &q->txn.id);
        stun_add_fingerprint(&w);
        if (!w.ok)
            continue;
        out_add(out, w.len);
        return true;
    }
    return false;
}

static struct ice_query *find_query(struct ice *a, uint8_t base, const struct addr *from,
                                    const struct stun_msg *m)
{
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++) {
        struct ice_query *q = &a->queries[i];

        if (stun_txn_is_live(&q->txn) && q->base == base && stun_id_equal(&q->txn.id, &m->id) &&
            addr_equal(&a->servers[q->server], from))
            return q;
    }
    return NULL;
}

enum verdict ice_gather_input(struct ice *a, uint8_t base, const struct addr *from,
                              const struct stun_msg *m)
{
    struct ice_query *q = find_query(a, base, from, m);
    struct ice_local l = { .addr = m->mapped, .type = ICE_SERVER_REFLEXIVE, .base = base };

    if (!q)
        return VERDICT_UNEXPECTED;
    l.server = q->server;
    stun_txn_init(&q->txn); /* an error is an answer too: this server has nothing for us */
    q->is_due = false;
    if (m->class == STUN_SUCCESS && m->has & STUN_HAS_MAPPED && m->unknown_count == 0 &&
        m->mapped.family == a->bases[base].addr.family && m->mapped.port != 0 &&
        addr_scope_of(&m->mapped) != ADDR_SCOPE_UNUSABLE)
        add_local(a, &l);
    return VERDICT_TAKEN;
}
