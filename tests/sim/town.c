#include "tests/sim/town.h"

#include "core/base/bytes.h"
#include "tests/support/rng.h"

#include <stdlib.h>

#define FIRST_SERVER_HOST 2

static struct addr ipv6(const char *text, unsigned last)
{
    struct addr a = { .family = ADDR_NONE };

    if (!addr_parse_ip(&a, text, 0))
        exit(2);
    a.ip[15] = (uint8_t)last;
    return a;
}

unsigned town_host_of(enum town_server server)
{
    return FIRST_SERVER_HOST + (unsigned)server;
}

struct addr town_address_of(enum town_server server, enum addr_family family)
{
    struct addr a = addr_ipv4(0x08080801 + (uint32_t)server, 0);

    if (family == ADDR_IPV6)
        a = ipv6("2a00:8::1", 1 + (unsigned)server);
    a.port = 3478;
    return a;
}

struct addr town_move_in(struct town *t, unsigned peer, unsigned place, const struct addr *ip,
                         const struct link_config *line)
{
    size_t slot = t->homes[peer].socket_count++;
    struct net_access access = {
        .host = peer, .place = place, .ip = *ip, .up = *line, .down = *line
    };

    if (slot == TOWN_SOCKETS_MAX)
        exit(2);
    t->homes[peer].accesses[slot] = net_add_access(t->net, &access);
    access.ip.port = (uint16_t)(1024 + rng_below(t->rng, 64512));
    return t->homes[peer].sockets[slot] = access.ip;
}

static enum nat_policy policy_of(enum home_kind kind)
{
    if (kind == HOME_NO_UDP)
        return NAT_BLOCKS_UDP;
    return kind == HOME_ONLY_443 ? NAT_LETS_OUT_TCP_443 : NAT_LETS_OUT_ALL;
}

static struct nat_config nat_of(const struct home *h, const struct addr *outside)
{
    return (struct nat_config){ .outside = *outside,
                                .mapping = h->mapping,
                                .filtering = h->filtering,
                                .ports = h->ports,
                                .policy = policy_of(h->kind),
                                .hairpinning = h->hairpinning,
                                .timeout_us = h->timeout_us };
}

/* What most homes have in front of IPv6: who was sent to may answer (RFC 6092). */
static struct nat_config firewall_of(const struct home *h)
{
    return (struct nat_config){ .outside = ipv6("::1", 1),
                                .is_transparent = true,
                                .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                .timeout_us = h->timeout_us };
}

static bool has_ipv4(enum home_kind kind)
{
    return kind != HOME_IPV6;
}

static bool has_ipv6(enum home_kind kind)
{
    return kind == HOME_IPV6 || kind == HOME_DUAL || kind == HOME_BROKEN_IPV6;
}

/* A carrier's NAT is the one of the plan; its line costs nothing, the homes' lines do. */
static unsigned add_carrier(struct town *t, const struct home *h, unsigned number)
{
    struct addr outside = addr_ipv4(0xcb007101 + number, 0);

    return net_add_place(t->net, &(struct net_place){ .nat = nat_of(h, &outside) });
}

static unsigned add_home(struct town *t, const struct home *h, unsigned number, unsigned carrier)
{
    static const struct home port_restricted = { .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
    struct addr outside = addr_ipv4((carrier ? 0x64400001 : 0xcb007101) + number, 0);
    struct home inner = port_restricted;
    struct net_place place = { .parent = carrier, .up = h->line, .down = h->line };

    inner.timeout_us = h->timeout_us;
    if (has_ipv4(h->kind))
        place.nat = nat_of(carrier ? &inner : h, &outside);
    if (has_ipv6(h->kind))
        place.firewall = firewall_of(h);
    return net_add_place(t->net, &place);
}

static const struct home *home_of(const struct town_plan *plan, unsigned peer)
{
    return &plan->homes[plan->sharing == TOWN_ONE_HOME ? 0 : peer];
}

/* Makes the place that a peer lives in, unless it is the other's. */
static void settle(struct town *t, const struct town_plan *plan, unsigned peer)
{
    const struct home *h = home_of(plan, peer);
    unsigned carrier = NET_INTERNET;

    if (h->kind == HOME_OPEN)
        return;
    if (peer > 0 && plan->sharing == TOWN_ONE_HOME) {
        t->homes[peer].place = t->homes[0].place;
        t->homes[peer].outer = t->homes[0].outer;
        return;
    }
    if (peer > 0 && plan->sharing == TOWN_ONE_CARRIER)
        carrier = t->homes[0].outer;
    else if (h->kind == HOME_STACKED)
        carrier = add_carrier(t, h, peer);
    t->homes[peer].place = add_home(t, h, peer, carrier);
    t->homes[peer].outer = carrier ? carrier : t->homes[peer].place;
}

/* Two homes have the same private addresses; two hosts of one home do not. */
static void move_in(struct town *t, const struct town_plan *plan, unsigned peer)
{
    const struct home *h = home_of(plan, peer);
    bool is_open = h->kind == HOME_OPEN;
    unsigned last = 2 + (plan->sharing == TOWN_ONE_HOME ? peer : 0);
    struct addr ip4 = addr_ipv4(is_open ? 0xcb007181 + peer : 0x0a000000 + last, 0);
    struct addr ip6 = ipv6(peer ? "2a02:2::1" : "2a01:1::1", last);

    if (has_ipv4(h->kind))
        town_move_in(t, peer, t->homes[peer].place, &ip4, is_open ? &h->line : &plan->lan);
    if (!has_ipv6(h->kind))
        return;
    town_move_in(t, peer, t->homes[peer].place, &ip6, &plan->lan);
    if (h->kind == HOME_BROKEN_IPV6)
        net_set_access(t->net, t->homes[peer].accesses[1], NET_BLACK);
}

static void add_server(struct town *t, const struct town_plan *plan, enum town_server server)
{
    for (unsigned i = 0; i < 2; i++) {
        struct net_access access = {
            .host = town_host_of(server),
            .ip = town_address_of(server, i ? ADDR_IPV6 : ADDR_IPV4),
            .up = plan->server,
            .down = plan->server,
        };

        t->server_accesses[server][i] = net_add_access(t->net, &access);
    }
}

void town_init(struct town *t, const struct town_plan *plan, size_t packets_max,
               const struct rng *rng)
{
    *t = (struct town){ .net = net_new(rng, packets_max), .rng = rng };
    for (unsigned i = 0; i < 2; i++) {
        settle(t, plan, i);
        move_in(t, plan, i);
    }
    for (unsigned i = 0; i < TOWN_SERVERS; i++)
        add_server(t, plan, (enum town_server)i);
}

void town_deinit(struct town *t)
{
    net_free(t->net);
    *t = (struct town){ .net = NULL };
}

/* A town where nothing was sent yet: what one question leaves in the NATs must not help another. */
static void make_fresh(struct town *t, const struct town_plan *plan, struct rng *rng,
                       struct punch_side sides[2])
{
    struct town_plan random_ports = *plan;

    random_ports.homes[0].ports = random_ports.homes[1].ports = NAT_PORTS_RANDOM;
    town_init(t, &random_ports, 1, rng);
    for (unsigned i = 0; i < 2; i++)
        sides[i] = (struct punch_side){ i, t->homes[i].sockets, t->homes[i].socket_count };
}

bool town_has_direct_path(const struct town_plan *plan)
{
    uint64_t chance = 1;
    struct rng rng = test_rng(&chance);
    struct addr servers[] = { town_address_of(TOWN_STUN, ADDR_IPV4),
                              town_address_of(TOWN_STUN, ADDR_IPV6),
                              town_address_of(TOWN_STUN_SECOND, ADDR_IPV4) };
    struct punch_side sides[2];
    struct town t;
    bool is_possible;

    make_fresh(&t, plan, &rng, sides);
    is_possible = punch_is_possible(t.net, sides, servers, COUNT(servers));
    town_deinit(&t);
    return is_possible;
}

bool town_is_served(const struct town_plan *plan, unsigned peer, enum nat_protocol protocol)
{
    uint64_t chance = 1;
    struct rng rng = test_rng(&chance);
    struct punch_side sides[2];
    struct town t;
    bool is_served = false;

    make_fresh(&t, plan, &rng, sides);
    for (unsigned i = 0; i < 2; i++) {
        struct addr relay = town_address_of(TOWN_RELAY, i ? ADDR_IPV6 : ADDR_IPV4);

        if (protocol == NAT_TCP)
            relay.port = 443;
        is_served |= punch_is_served(t.net, &sides[peer], protocol, &relay);
    }
    town_deinit(&t);
    return is_served;
}
