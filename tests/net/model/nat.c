#include "tests/net/model/nat.h"

#include <stdlib.h>
#include <string.h>

#define PORT_FIRST 1024u /* RFC 4787 REQ-3b: ports from 1024 up stay there */
#define PORT_LAST  65535u
#define PERMITS    16 /* remotes one mapping remembers for filtering; the oldest makes way */

/* A remote that was sent to, masked by the filtering rule. */
struct permit {
    struct addr remote;
    usec expires_at;
};

struct mapping {
    enum nat_protocol protocol;
    struct addr inside;
    struct addr remote; /* masked by the mapping rule: the parts that do not matter are zero */
    uint16_t port;      /* outside */
    usec expires_at;    /* free if past */
    struct permit permits[PERMITS];
};

/* One packet on its way through. */
struct packet {
    usec now;
    enum nat_protocol protocol;
    struct addr from, to;
};

struct nat {
    struct nat_config cfg;
    const struct rng *rng;
    struct nat_counts counts;
    uint16_t last_port;
    struct mapping *mappings; /* cfg.mappings_max */
};

int nat_new(struct nat **out, const struct nat_config *cfg, const struct rng *rng)
{
    struct nat *n = *out = calloc(1, sizeof *n);

    if (n) {
        n->cfg = *cfg;
        n->rng = rng;
        if (n->cfg.timeout_us == 0)
            n->cfg.timeout_us = 2 * MINUTE;
        if (n->cfg.tcp_timeout_us == 0)
            n->cfg.tcp_timeout_us = 124 * MINUTE;
        if (n->cfg.mappings_max == 0)
            n->cfg.mappings_max = 256;
        n->mappings = calloc(n->cfg.mappings_max, sizeof *n->mappings);
    }
    if (n && n->mappings) {
        nat_reset(n);
        return ERR_OK;
    }
    nat_free(n);
    *out = NULL;
    return ERR_NOMEM;
}

void nat_free(struct nat *n)
{
    if (!n)
        return;
    free(n->mappings);
    free(n);
}

void nat_reset(struct nat *n)
{
    for (size_t i = 0; i < n->cfg.mappings_max; i++)
        n->mappings[i] = (struct mapping){ .expires_at = INT64_MIN };
    n->last_port = (uint16_t)(PORT_FIRST + rng_below(n->rng, PORT_LAST - PORT_FIRST));
}

void nat_set_outside(struct nat *n, const struct addr *outside)
{
    n->cfg.outside = *outside;
    nat_reset(n);
}

/* Keeps of a remote address only what the rule looks at. */
static struct addr masked(const struct addr *remote, enum nat_rule rule)
{
    struct addr kept = *remote;

    if (rule == NAT_ENDPOINT_INDEPENDENT)
        return (struct addr){ .family = ADDR_NONE };
    if (rule == NAT_ADDRESS_DEPENDENT)
        kept.port = 0;
    return kept;
}

static bool is_live(const struct mapping *m, usec now)
{
    return m->expires_at > now;
}

static struct addr outside_of(const struct nat *n, const struct mapping *m)
{
    struct addr outside = n->cfg.is_transparent ? m->inside : n->cfg.outside;

    if (!n->cfg.is_transparent)
        outside.port = m->port;
    return outside;
}

static struct mapping *find_inside(struct nat *n, const struct packet *p)
{
    struct addr key = masked(&p->to, n->cfg.mapping);

    for (size_t i = 0; i < n->cfg.mappings_max; i++) {
        struct mapping *m = &n->mappings[i];

        if (is_live(m, p->now) && m->protocol == p->protocol && addr_equal(&m->inside, &p->from) &&
            addr_equal(&m->remote, &key))
            return m;
    }
    return NULL;
}

/* The mapping that a packet from outside is for. A firewall has several for one inside address if
 * its rule for mappings is not endpoint-independent; then it is the one that lets `from` in. */
static struct mapping *find_outside(struct nat *n, const struct packet *p)
{
    struct addr key = masked(&p->from, n->cfg.mapping);
    struct mapping *found = NULL;

    for (size_t i = 0; i < n->cfg.mappings_max; i++) {
        struct mapping *m = &n->mappings[i];
        struct addr outside = outside_of(n, m);

        if (!is_live(m, p->now) || m->protocol != p->protocol || !addr_equal(&outside, &p->to))
            continue;
        if (addr_equal(&m->remote, &key))
            return m;
        found = m;
    }
    return found;
}

static uint16_t port_after(uint16_t port)
{
    return port >= PORT_LAST || port < PORT_FIRST ? PORT_FIRST : (uint16_t)(port + 1);
}

static bool is_port_taken(struct nat *n, const struct packet *p, uint16_t port)
{
    for (size_t i = 0; i < n->cfg.mappings_max; i++) {
        struct mapping *m = &n->mappings[i];

        if (is_live(m, p->now) && m->protocol == p->protocol && m->port == port)
            return true;
    }
    return false;
}

/* There always is a free one: mappings_max is far below the number of ports. */
static uint16_t choose_port(struct nat *n, const struct packet *p)
{
    uint16_t port = port_after(n->last_port);

    if (n->cfg.is_transparent)
        return p->from.port;
    if (n->cfg.ports == NAT_PORTS_PRESERVED)
        port = p->from.port;
    if (n->cfg.ports == NAT_PORTS_RANDOM)
        port = (uint16_t)(PORT_FIRST + rng_below(n->rng, PORT_LAST - PORT_FIRST + 1));
    while (is_port_taken(n, p, port))
        port = port_after(port);
    return n->last_port = port;
}

static struct mapping *add_mapping(struct nat *n, const struct packet *p)
{
    for (size_t i = 0; i < n->cfg.mappings_max; i++) {
        struct mapping *m = &n->mappings[i];

        if (is_live(m, p->now))
            continue;
        *m = (struct mapping){
            .protocol = p->protocol,
            .inside = p->from,
            .remote = masked(&p->to, n->cfg.mapping),
            .port = choose_port(n, p),
        };
        return m;
    }
    n->counts.over_table++;
    return NULL;
}

static usec expiry(const struct nat *n, const struct packet *p)
{
    return p->now + (p->protocol == NAT_TCP ? n->cfg.tcp_timeout_us : n->cfg.timeout_us);
}

/* Notes that this remote was sent to: refreshes its permit, or takes the place of the oldest. */
static void permit(struct nat *n, struct mapping *m, const struct packet *packet)
{
    struct addr key = masked(&packet->to, n->cfg.filtering);
    struct permit *chosen = &m->permits[0];

    for (size_t i = 0; i < PERMITS; i++) {
        struct permit *p = &m->permits[i];

        if (p->expires_at > packet->now && addr_equal(&p->remote, &key)) {
            chosen = p;
            break;
        }
        if (p->expires_at < chosen->expires_at)
            chosen = p;
    }
    chosen->remote = key;
    m->expires_at = chosen->expires_at = expiry(n, packet);
}

static struct permit *find_permit(const struct nat *n, struct mapping *m,
                                  const struct packet *packet)
{
    struct addr key = masked(&packet->from, n->cfg.filtering);

    for (size_t i = 0; i < PERMITS; i++)
        if (m->permits[i].expires_at > packet->now && addr_equal(&m->permits[i].remote, &key))
            return &m->permits[i];
    return NULL;
}

static enum verdict pass_in(struct nat *n, struct packet *packet)
{
    struct mapping *m = find_outside(n, packet);
    struct permit *p = m ? find_permit(n, m, packet) : NULL;

    if (!p) {
        n->counts.unmapped += !m;
        n->counts.filtered += m != NULL;
        return VERDICT_UNEXPECTED;
    }
    if (n->cfg.is_inbound_refreshing)
        m->expires_at = p->expires_at = expiry(n, packet);
    packet->to = m->inside;
    n->counts.in++;
    return VERDICT_TAKEN;
}

static bool is_blocked(const struct nat *n, const struct packet *p)
{
    switch (n->cfg.policy) {
    case NAT_LETS_OUT_ALL:
        return false;
    case NAT_BLOCKS_UDP:
        return p->protocol == NAT_UDP;
    case NAT_LETS_OUT_TCP_443:
        return p->protocol != NAT_TCP || p->to.port != 443;
    }
    return true;
}

/* Whether a packet from inside may go out at all; what may not is counted here. */
static bool may_leave(struct nat *n, const struct packet *p, bool is_hairpin)
{
    bool is_translatable = n->cfg.is_transparent || p->from.family == n->cfg.outside.family;

    if (is_blocked(n, p))
        n->counts.blocked++;
    else if (!is_translatable || (is_hairpin && !n->cfg.hairpinning))
        n->counts.unmapped++;
    else
        return true;
    return false;
}

static enum verdict pass_out(struct nat *n, enum nat_side *side, struct packet *p)
{
    bool is_hairpin = !n->cfg.is_transparent && addr_equal_ip(&p->to, &n->cfg.outside);
    struct mapping *m = find_inside(n, p);

    if (!may_leave(n, p, is_hairpin))
        return VERDICT_UNEXPECTED;
    if (!m && !(m = add_mapping(n, p)))
        return VERDICT_LIMIT;
    permit(n, m, p);
    n->counts.out++;
    p->from = outside_of(n, m);
    *side = NAT_OUTSIDE;
    if (!is_hairpin)
        return VERDICT_TAKEN;
    *side = NAT_INSIDE;
    if (pass_in(n, p) != VERDICT_TAKEN)
        return VERDICT_UNEXPECTED;
    n->counts.hairpinned++;
    return VERDICT_TAKEN;
}

static enum verdict pass(struct nat *n, enum nat_side *side, struct packet *p)
{
    if (*side == NAT_INSIDE)
        return pass_out(n, side, p);
    if (!n->cfg.is_transparent && !addr_equal_ip(&p->to, &n->cfg.outside)) {
        n->counts.unmapped++;
        return VERDICT_UNEXPECTED;
    }
    *side = NAT_INSIDE;
    return pass_in(n, p);
}

enum verdict nat_input_protocol(struct nat *n, usec now, enum nat_protocol protocol,
                                enum nat_side *side, struct addr *from, struct addr *to)
{
    struct packet p = { now, protocol, *from, *to };
    enum nat_side goes_to = *side;
    enum verdict verdict = pass(n, &goes_to, &p);

    if (verdict != VERDICT_TAKEN)
        return verdict;
    *side = goes_to;
    *from = p.from;
    *to = p.to;
    return VERDICT_TAKEN;
}

enum verdict nat_input(struct nat *n, usec now, enum nat_side *side, struct addr *from,
                       struct addr *to)
{
    return nat_input_protocol(n, now, NAT_UDP, side, from, to);
}

size_t nat_mapping_count(const struct nat *n, usec now)
{
    size_t count = 0;

    for (size_t i = 0; i < n->cfg.mappings_max; i++)
        count += is_live(&n->mappings[i], now);
    return count;
}

const struct nat_counts *nat_counts(const struct nat *n)
{
    return &n->counts;
}
