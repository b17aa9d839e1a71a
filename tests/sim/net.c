#include "tests/sim/net.h"

#include <stdio.h>
#include <stdlib.h>

#define HOPS_MAX 16

struct line {
    struct link *up, *down;
    usec up_us, down_us; /* their delays */
};

struct place {
    unsigned parent;
    struct line line;
    struct nat *nat, *firewall;
    struct addr outside;
};

struct access {
    unsigned host, place;
    enum net_state state;
    struct addr ip;
    struct line line;
};

struct net {
    const struct rng *rng;
    size_t packets_max;
    unsigned place_count, access_count;
    struct place places[NET_PLACES_MAX];
    struct access accesses[NET_ACCESSES_MAX];
};

/* Where a packet goes from a place. */
enum way { WAY_NOWHERE, WAY_ACCESS, WAY_DOWN, WAY_UP };

struct hop {
    enum way way;
    unsigned number; /* of the access or place */
};

struct packet {
    enum nat_protocol protocol;
    struct addr from, to;
};

static void must(int err)
{
    if (err) {
        fprintf(stderr, "simulated network: %s\n", err_string(err));
        exit(2);
    }
}

struct net *net_new(const struct rng *rng, size_t packets_max)
{
    struct net *n = calloc(1, sizeof *n);

    must(n ? ERR_OK : ERR_NOMEM);
    n->rng = rng;
    n->packets_max = packets_max;
    n->place_count = 1;
    return n;
}

static void line_init(struct net *n, struct line *line, const struct link_config *up,
                      const struct link_config *down)
{
    must(link_new(&line->up, up, n->packets_max, n->rng));
    must(link_new(&line->down, down, n->packets_max, n->rng));
    line->up_us = up->delay_us;
    line->down_us = down->delay_us;
}

static void line_set(struct line *line, const struct link_config *up,
                     const struct link_config *down)
{
    link_set(line->up, up);
    link_set(line->down, down);
    line->up_us = up->delay_us;
    line->down_us = down->delay_us;
}

static void line_deinit(struct line *line)
{
    link_free(line->up);
    link_free(line->down);
}

void net_free(struct net *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n->access_count; i++)
        line_deinit(&n->accesses[i].line);
    for (unsigned i = 0; i < n->place_count; i++) {
        line_deinit(&n->places[i].line);
        nat_free(n->places[i].nat);
        nat_free(n->places[i].firewall);
    }
    free(n);
}

unsigned net_add_place(struct net *n, const struct net_place *place)
{
    struct place *p = &n->places[n->place_count];

    must(n->place_count < NET_PLACES_MAX ? ERR_OK : ERR_LIMIT);
    p->parent = place->parent;
    p->outside = place->nat.outside;
    line_init(n, &p->line, &place->up, &place->down);
    if (place->nat.outside.family != ADDR_NONE)
        must(nat_new(&p->nat, &place->nat, n->rng));
    if (place->firewall.outside.family != ADDR_NONE)
        must(nat_new(&p->firewall, &place->firewall, n->rng));
    return n->place_count++;
}

unsigned net_add_access(struct net *n, const struct net_access *access)
{
    struct access *a = &n->accesses[n->access_count];

    must(n->access_count < NET_ACCESSES_MAX ? ERR_OK : ERR_LIMIT);
    *a = (struct access){ .host = access->host, .place = access->place, .ip = access->ip };
    line_init(n, &a->line, &access->up, &access->down);
    return n->access_count++;
}

void net_set_access(struct net *n, unsigned access, enum net_state state)
{
    n->accesses[access].state = state;
}

void net_set_links(struct net *n, unsigned access, const struct link_config *up,
                   const struct link_config *down)
{
    line_set(&n->accesses[access].line, up, down);
}

struct nat *net_nat(struct net *n, unsigned place)
{
    return n->places[place].nat;
}

void net_set_outside(struct net *n, unsigned place, const struct addr *outside)
{
    n->places[place].outside = *outside;
    nat_set_outside(n->places[place].nat, outside);
}

static bool has_address(const struct access *a, const struct addr *ip)
{
    return a->state != NET_GONE && addr_equal_ip(&a->ip, ip);
}

static bool is_inside(const struct net *n, unsigned place, unsigned of)
{
    while (place != of && place != NET_INTERNET)
        place = n->places[place].parent;
    return place == of;
}

/* Whether the router of this place is the next hop towards `to`, seen from the parent. */
static bool leads_to(const struct net *n, unsigned place, const struct addr *to)
{
    const struct place *p = &n->places[place];

    if (p->nat && addr_equal_ip(&p->outside, to))
        return true;
    for (unsigned i = 0; p->firewall && to->family == ADDR_IPV6 && i < n->access_count; i++)
        if (has_address(&n->accesses[i], to) && is_inside(n, n->accesses[i].place, place))
            return true;
    return false;
}

static struct hop find_here(const struct net *n, unsigned place, const struct addr *to)
{
    for (unsigned i = 0; i < n->access_count; i++)
        if (n->accesses[i].place == place && has_address(&n->accesses[i], to))
            return (struct hop){ WAY_ACCESS, i };
    for (unsigned i = 1; i < n->place_count; i++)
        if (n->places[i].parent == place && leads_to(n, i, to))
            return (struct hop){ WAY_DOWN, i };
    return (struct hop){ WAY_NOWHERE, 0 };
}

static bool pass_router(struct place *p, usec now, enum nat_side *side, struct packet *packet)
{
    struct nat *router = packet->to.family == ADDR_IPV6 ? p->firewall : p->nat;

    return router && nat_input_protocol(router, now, packet->protocol, side, &packet->from,
                                        &packet->to) == VERDICT_TAKEN;
}

/* The next hop of a packet that is in a place, past the router where it leaves it. */
static struct hop hop_from(struct net *n, usec now, unsigned place, struct packet *p)
{
    enum nat_side side = NAT_INSIDE;
    struct hop hop = find_here(n, place, &p->to);

    if (hop.way != WAY_NOWHERE || place == NET_INTERNET)
        return hop;
    if (!pass_router(&n->places[place], now, &side, p))
        return hop;
    if (side == NAT_INSIDE)
        return find_here(n, place, &p->to); /* hairpin */
    return (struct hop){ WAY_UP, place };
}

/* A packet comes down the line to a place's router. */
static struct hop hop_into(struct net *n, usec now, unsigned place, struct packet *p)
{
    enum nat_side side = NAT_OUTSIDE;

    if (!pass_router(&n->places[place], now, &side, p))
        return (struct hop){ WAY_NOWHERE, 0 };
    return find_here(n, place, &p->to);
}

static struct access *find_access(struct net *n, unsigned host, const struct addr *ip)
{
    for (unsigned i = 0; i < n->access_count; i++)
        if (n->accesses[i].host == host && has_address(&n->accesses[i], ip))
            return &n->accesses[i];
    return NULL;
}

void net_input(struct net *n, usec now, unsigned host, const struct addr *from,
               const struct addr *to, struct bytes dgram)
{
    struct access *a = find_access(n, host, from);

    if (a && a->state == NET_UP)
        (void)link_input(a->line.up, now, from, to, dgram); /* the link counts what it drops */
}

/* Puts a packet on the link of its next hop. */
static void pass_on(struct net *n, usec now, struct hop hop, const struct packet *p,
                    struct bytes dgram)
{
    struct link *link = NULL;

    if (hop.way == WAY_ACCESS && n->accesses[hop.number].state == NET_UP)
        link = n->accesses[hop.number].line.down;
    if (hop.way == WAY_DOWN)
        link = n->places[hop.number].line.down;
    if (hop.way == WAY_UP)
        link = n->places[hop.number].line.up;
    if (link)
        (void)link_input(link, now, &p->from, &p->to, dgram);
}

/* Moves on all that is due at the end of one link; true if there was any. `place` is where the link
 * ends, or, with is_line_down, whose router it ends at. */
static bool drain(struct net *n, usec now, struct link *link, unsigned place, bool is_line_down)
{
    struct link_packet held;
    bool is_any = false;

    while (link_poll_output(link, now, &held)) {
        struct packet p = { NAT_UDP, held.from, held.to };
        struct hop hop = is_line_down ? hop_into(n, now, place, &p) : hop_from(n, now, place, &p);

        pass_on(n, now, hop, &p, held.dgram);
        is_any = true;
    }
    return is_any;
}

/* Links without delay pass a packet on within the same moment: again, until nothing moves. */
static void move_all(struct net *n, usec now)
{
    bool is_any = true;

    while (is_any) {
        is_any = false;
        for (unsigned i = 0; i < n->access_count; i++)
            is_any |= drain(n, now, n->accesses[i].line.up, n->accesses[i].place, false);
        for (unsigned i = 1; i < n->place_count; i++) {
            is_any |= drain(n, now, n->places[i].line.up, n->places[i].parent, false);
            is_any |= drain(n, now, n->places[i].line.down, i, true);
        }
    }
}

bool net_poll_output(struct net *n, usec now, struct net_packet *out)
{
    move_all(n, now);
    for (unsigned i = 0; i < n->access_count; i++)
        while (link_poll_output(n->accesses[i].line.down, now, &out->packet)) {
            out->host = n->accesses[i].host;
            if (n->accesses[i].state == NET_UP)
                return true;
        }
    return false;
}

static usec line_next(const struct line *line)
{
    return usec_min(link_next_timeout(line->up), link_next_timeout(line->down));
}

usec net_next_timeout(const struct net *n)
{
    usec at = USEC_NEVER;

    for (unsigned i = 0; i < n->access_count; i++)
        at = usec_min(at, line_next(&n->accesses[i].line));
    for (unsigned i = 1; i < n->place_count; i++)
        at = usec_min(at, line_next(&n->places[i].line));
    return at;
}

static usec delay_of(const struct net *n, struct hop hop)
{
    const struct line *line =
        hop.way == WAY_ACCESS ? &n->accesses[hop.number].line : &n->places[hop.number].line;

    return hop.way == WAY_UP ? line->up_us : line->down_us;
}

bool net_probe(struct net *n, usec now, struct net_probe *probe)
{
    struct access *a = find_access(n, probe->host, &probe->from);
    struct packet p = { probe->protocol, probe->from, probe->to };
    usec delay_us = a ? a->line.up_us : 0;
    struct hop hop;

    if (!a || a->state != NET_UP)
        return false;
    hop = hop_from(n, now, a->place, &p);
    for (unsigned i = 0; i < HOPS_MAX && (hop.way == WAY_UP || hop.way == WAY_DOWN); i++) {
        delay_us += delay_of(n, hop);
        hop = hop.way == WAY_UP ? hop_from(n, now, n->places[hop.number].parent, &p)
                                : hop_into(n, now, hop.number, &p);
    }
    if (hop.way != WAY_ACCESS || n->accesses[hop.number].state != NET_UP)
        return false;
    delay_us += delay_of(n, hop);
    *probe = (struct net_probe){ p.protocol, n->accesses[hop.number].host, p.from, p.to, delay_us };
    return true;
}
