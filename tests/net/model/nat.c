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
    struct addr inside;
    struct addr remote; /* masked by the mapping rule: the parts that do not matter are zero */
    uint16_t port;      /* outside */
    usec expires_at;    /* free if past */
    struct permit permits[PERMITS];
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

static struct mapping *find_inside(struct nat *n, usec now, const struct addr *inside,
                                   const struct addr *remote)
{
    struct addr key = masked(remote, n->cfg.mapping);

    for (size_t i = 0; i < n->cfg.mappings_max; i++) {
        struct mapping *m = &n->mappings[i];

        if (is_live(m, now) && addr_equal(&m->inside, inside) && addr_equal(&m->remote, &key))
            return m;
    }
    return NULL;
}

static struct mapping *find_outside(struct nat *n, usec now, uint16_t port)
{
    for (size_t i = 0; i < n->cfg.mappings_max; i++)
        if (is_live(&n->mappings[i], now) && n->mappings[i].port == port)
            return &n->mappings[i];
    return NULL;
}

static uint16_t port_after(uint16_t port)
{
    return port >= PORT_LAST || port < PORT_FIRST ? PORT_FIRST : (uint16_t)(port + 1);
}

/* There always is a free one: mappings_max is far below the number of ports. */
static uint16_t choose_port(struct nat *n, usec now, uint16_t inside_port)
{
    uint16_t port = port_after(n->last_port);

    if (n->cfg.ports == NAT_PORTS_PRESERVED)
        port = inside_port;
    if (n->cfg.ports == NAT_PORTS_RANDOM)
        port = (uint16_t)(PORT_FIRST + rng_below(n->rng, PORT_LAST - PORT_FIRST + 1));
    while (find_outside(n, now, port))
        port = port_after(port);
    return n->last_port = port;
}

static struct mapping *add_mapping(struct nat *n, usec now, const struct addr *inside,
                                   const struct addr *remote)
{
    for (size_t i = 0; i < n->cfg.mappings_max; i++) {
        struct mapping *m = &n->mappings[i];

        if (is_live(m, now))
            continue;
        *m = (struct mapping){
            .inside = *inside,
            .remote = masked(remote, n->cfg.mapping),
            .port = choose_port(n, now, inside->port),
        };
        return m;
    }
    n->counts.over_table++;
    return NULL;
}

/* Notes that this remote was sent to: refreshes its permit, or takes the place of the oldest. */
static void permit(struct nat *n, struct mapping *m, usec now, const struct addr *remote)
{
    struct addr key = masked(remote, n->cfg.filtering);
    struct permit *chosen = &m->permits[0];

    for (size_t i = 0; i < PERMITS; i++) {
        struct permit *p = &m->permits[i];

        if (p->expires_at > now && addr_equal(&p->remote, &key)) {
            chosen = p;
            break;
        }
        if (p->expires_at < chosen->expires_at)
            chosen = p;
    }
    chosen->remote = key;
    m->expires_at = chosen->expires_at = now + n->cfg.timeout_us;
}

static struct permit *find_permit(const struct nat *n, struct mapping *m, usec now,
                                  const struct addr *remote)
{
    struct addr key = masked(remote, n->cfg.filtering);

    for (size_t i = 0; i < PERMITS; i++)
        if (m->permits[i].expires_at > now && addr_equal(&m->permits[i].remote, &key))
            return &m->permits[i];
    return NULL;
}

static struct addr outside_of(const struct nat *n, const struct mapping *m)
{
    struct addr outside = n->cfg.outside;

    outside.port = m->port;
    return outside;
}

static enum verdict pass_in(struct nat *n, usec now, const struct addr *from, struct addr *to)
{
    struct mapping *m = find_outside(n, now, to->port);
    struct permit *p = m ? find_permit(n, m, now, from) : NULL;

    if (!p) {
        n->counts.unmapped += !m;
        n->counts.filtered += m != NULL;
        return VERDICT_UNEXPECTED;
    }
    if (n->cfg.is_inbound_refreshing)
        m->expires_at = p->expires_at = now + n->cfg.timeout_us;
    *to = m->inside;
    n->counts.in++;
    return VERDICT_TAKEN;
}

static enum verdict pass_out(struct nat *n, usec now, enum nat_side *side, struct addr *from,
                             struct addr *to)
{
    bool is_hairpin = addr_equal_ip(to, &n->cfg.outside);
    struct mapping *m = find_inside(n, now, from, to);
    struct addr outside;

    if (is_hairpin && !n->cfg.hairpinning) {
        n->counts.unmapped++;
        return VERDICT_UNEXPECTED;
    }
    if (!m && !(m = add_mapping(n, now, from, to)))
        return VERDICT_LIMIT;
    permit(n, m, now, to);
    n->counts.out++;
    outside = outside_of(n, m);
    if (is_hairpin) {
        if (pass_in(n, now, &outside, to) != VERDICT_TAKEN)
            return VERDICT_UNEXPECTED;
        n->counts.hairpinned++;
    }
    *from = outside;
    *side = is_hairpin ? NAT_INSIDE : NAT_OUTSIDE;
    return VERDICT_TAKEN;
}

enum verdict nat_input(struct nat *n, usec now, enum nat_side *side, struct addr *from,
                       struct addr *to)
{
    enum verdict verdict;

    if (*side == NAT_INSIDE)
        return pass_out(n, now, side, from, to);
    if (!addr_equal_ip(to, &n->cfg.outside)) {
        n->counts.unmapped++;
        return VERDICT_UNEXPECTED;
    }
    verdict = pass_in(n, now, from, to);
    if (verdict == VERDICT_TAKEN)
        *side = NAT_INSIDE;
    return verdict;
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
