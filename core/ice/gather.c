#include "core/ice/agent.h"

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

/* A relayed address is known without asking. */
void ice_gather_from(struct ice *a, usec now, uint8_t base)
{
    for (uint8_t s = 0; s < a->server_count; s++)
        ask(a, now, base, s);
}

void ice_gather_remove_base(struct ice *a, uint8_t base)
{
    for (size_t i = 0; i < ICE_QUERIES_MAX; i++)
        if (a->queries[i].base == base) {
            stun_txn_init(&a->queries[i].txn);
            a->queries[i].is_due = false;
        }
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
        if (!a->bases[b].is_relayed)
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

/* What the peer's NAT dropped until now it may let in as soon as the peer knows this address. */
static void on_reflexive(struct ice *a, usec now, const struct ice_local *l)
{
    uint8_t known = a->local_count;

    ice_add_local(a, l);
    if (a->local_count == known)
        return;
    a->reflexive_at = now;
    for (uint8_t i = 0; i < a->pair_count; i++) {
        struct ice_pair *p = &a->pairs[i];

        if (p->state == ICE_PAIR_IN_PROGRESS && p->sends == 1 && p->base == l->base)
            p->next_at = usec_min(p->next_at, now + ICE_TOLD_US);
    }
}

enum verdict ice_gather_input(struct ice *a, usec now, uint8_t base, const struct addr *from,
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
        on_reflexive(a, now, &l);
    return VERDICT_TAKEN;
}
