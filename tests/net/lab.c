#include "tests/net/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/net/now.h"
#include "tests/net/wiring.h"
#include "tests/support/rng.h"

enum { REALMS_MAX = 8, READ_AT_ONCE = 64 };

static const char *port_name(const struct lab *l, int port)
{
    return l->plan.port[port].host;
}

/* A line of the log: when, where, what happened, which packet. */
static void note(struct lab *l, const char *where, const char *what, const struct packet *p)
{
    char text[PACKET_TEXT_MAX];
    usec now;

    if (!l->log)
        return;
    now = net_now();
    (void)fprintf(l->log, "%lld.%06lld %-12s %-24s %s\n", (long long)(now / SECOND),
                  (long long)(now % SECOND), where, what, packet_format(p, text));
}

static void drop(struct lab *l, const char *where, const char *why, const struct packet *p)
{
    l->counts.dropped++;
    note(l, where, why, p);
}

/* ---- NATs ---------------------------------------------------------------------------------- */

static enum verdict translate(struct lab_nat *n, usec now, enum packet_kind kind,
                              enum nat_side *side, struct addr *from, struct addr *to)
{
    enum nat_protocol protocol = kind == PACKET_TCP ? NAT_TCP : NAT_UDP;

    return nat_input_protocol(kind == PACKET_ECHO ? n->echo : n->nat, now, protocol, side, from,
                              to);
}

/* An error goes the other way than what it quotes, through the mapping of that. */
static bool pass_error(struct lab_nat *nat, usec now, enum nat_side *side, struct packet *p)
{
    bool is_outward = *side == NAT_INSIDE;
    struct packet quoted;
    struct addr from, to;

    if (!packet_parse_quoted(&quoted, p))
        return false;
    from = quoted.to;
    to = quoted.from;
    if (translate(nat, now, p->kind, side, &from, &to) != VERDICT_TAKEN)
        return false;
    if (is_outward)
        packet_set_error_from(p, &from);
    else
        packet_set_error_to(p, &to);
    return true;
}

static bool pass_nat(struct lab *l, int number, usec now, enum nat_side *side, struct packet *p)
{
    const struct topology_nat *n = &l->plan.nat[number];
    struct addr from = p->from, to = p->to;

    if (p->kind == PACKET_OTHER) {
        drop(l, n->name, "untranslatable", p);
        return false;
    }
    if (p->quoted)
        return pass_error(&l->nat[number], now, side, p);
    if (translate(&l->nat[number], now, p->kind, side, &from, &to) != VERDICT_TAKEN) {
        drop(l, n->name, *side == NAT_INSIDE ? "not let out" : "filtered", p);
        return false;
    }
    if (!addr_equal(&from, &p->from))
        packet_set_from(p, &from);
    if (!addr_equal(&to, &p->to))
        packet_set_to(p, &to);
    note(l, n->name, *side == NAT_INSIDE ? "in" : "out", p);
    return true;
}

/* ---- From realm to realm ------------------------------------------------------------------- */

static bool has_address(const struct topology_port *p, const struct addr *ip)
{
    for (size_t i = 0; i < p->address_count; i++)
        if (addr_equal_ip(&p->addresses[i], ip))
            return true;
    return false;
}

/* NATs are IPv4's alone: with IPv6 everybody is on the internet. */
static int find_port(const struct lab *l, int realm, const struct addr *ip)
{
    for (int i = 0; i < l->plan.port_count; i++)
        if ((ip->family == ADDR_IPV6 || l->plan.port[i].behind == realm) &&
            has_address(&l->plan.port[i], ip))
            return i;
    return -1;
}

static int find_nat(const struct lab *l, int realm, const struct addr *ip)
{
    for (int i = 0; i < l->plan.nat_count; i++)
        if (l->plan.nat[i].behind == realm && addr_equal_ip(&l->plan.nat[i].cfg.outside, ip))
            return i;
    return -1;
}

static void route(struct lab *l, usec now, int realm, struct packet *p);

/* Tells the sender of p, whom it reaches from this realm. */
static void complain(struct lab *l, usec now, int realm, const struct packet *p, size_t mtu)
{
    struct addr router = { .family = ADDR_NONE };
    uint8_t data[PACKET_ERROR_MAX];
    struct packet error;
    size_t len;

    (void)addr_parse_ip(&router, p->from.family == ADDR_IPV4 ? "192.88.99.1" : "2001:db8::ffff", 0);
    len = packet_too_big(data, p, mtu, &router);
    if (len && packet_parse(&error, data, len))
        route(l, now, realm, &error);
}

/* What comes in must be asked for; what has no ports, and errors, pass. */
static bool is_let_through(const struct lab *l, usec now, int port, enum topology_way way,
                           const struct packet *p)
{
    enum nat_side side = way == WAY_UP ? NAT_INSIDE : NAT_OUTSIDE;
    struct addr from = p->from, to = p->to;

    if (!l->port[port].firewall || p->quoted || (p->kind != PACKET_UDP && p->kind != PACKET_TCP))
        return true;
    return nat_input_protocol(l->port[port].firewall, now,
                              p->kind == PACKET_TCP ? NAT_TCP : NAT_UDP, &side, &from,
                              &to) == VERDICT_TAKEN;
}

static void offer(struct lab *l, usec now, int port, enum topology_way way, struct packet *p)
{
    const struct topology_port *plan = &l->plan.port[port];
    const struct topology_link *link = &plan->way[way];
    size_t mtu = link->cfg.mtu ? link->cfg.mtu : 1500;

    if (l->port[port].is_cut) {
        drop(l, port_name(l, port), "cut", p);
    } else if (!is_let_through(l, now, port, way, p)) {
        drop(l, port_name(l, port), "filtered", p);
    } else if (p->len > mtu) {
        drop(l, port_name(l, port), "too big", p);
        if (!link->is_black_hole)
            complain(l, now, plan->behind, p, mtu);
    } else if (link_input(l->port[port].link[way], now, &p->from, &p->to,
                          bytes_of(p->data, p->len)) != VERDICT_TAKEN) {
        drop(l, port_name(l, port), "queue full", p);
    }
}

static bool is_multicast(const struct addr *a)
{
    return a->family == ADDR_IPV4 ? a->ip[0] >= 224 : a->ip[0] == 0xff;
}

/* To the others of a home; the internet carries no multicast. */
static void flood(struct lab *l, usec now, int from, struct packet *p)
{
    for (int i = 0; i < l->plan.port_count; i++)
        if (i != from && l->plan.port[i].behind == l->plan.port[from].behind &&
            l->plan.port[i].behind != TOPOLOGY_INTERNET)
            offer(l, now, i, WAY_DOWN, p);
}

/* The packet is in this realm. Each step takes it through one NAT, or to its end. */
static void route(struct lab *l, usec now, int realm, struct packet *p)
{
    for (int steps = 0; steps < REALMS_MAX; steps++) {
        int port = find_port(l, realm, &p->to), nat = find_nat(l, realm, &p->to);
        enum nat_side side = nat >= 0 ? NAT_OUTSIDE : NAT_INSIDE;

        if (port >= 0) {
            offer(l, now, port, WAY_DOWN, p);
            return;
        }
        if (nat < 0)
            nat = realm; /* the way out */
        if (nat < 0 || p->to.family == ADDR_IPV6) {
            drop(l, "internet", "no such address", p);
            return;
        }
        if (!pass_nat(l, nat, now, &side, p))
            return;
        realm = side == NAT_INSIDE ? nat : l->plan.nat[nat].behind;
    }
    drop(l, "internet", "goes in circles", p);
}

static void leave_uplink(struct lab *l, usec now, int port, struct packet *p)
{
    l->counts.packets++;
    note(l, port_name(l, port), "sends", p);
    if (is_multicast(&p->to))
        flood(l, now, port, p);
    else
        route(l, now, l->plan.port[port].behind, p);
}

static void leave_downlink(struct lab *l, int port, struct packet *p)
{
    note(l, port_name(l, port), "gets", p);
    if (write(l->port[port].tun, p->data, p->len) != (ssize_t)p->len)
        drop(l, port_name(l, port), "the host takes nothing", p);
}

/* ---- Devices and links ---------------------------------------------------------------------- */

static void read_device(struct lab *l, usec now, int port)
{
    uint8_t data[PACKET_MAX];
    struct packet p;
    ssize_t len;

    for (int i = 0; i < READ_AT_ONCE; i++) {
        len = read(l->port[port].tun, data, sizeof data);
        if (len <= 0)
            return;
        if (packet_parse(&p, data, (size_t)len))
            offer(l, now, port, WAY_UP, &p);
    }
}

static void drain_link(struct lab *l, usec now, int port, enum topology_way way)
{
    struct link *link = l->port[port].link[way];
    usec due = link_next_timeout(link);
    uint8_t data[PACKET_MAX];
    struct link_packet out;
    struct packet p;

    for (; link_poll_output(link, now, &out); due = link_next_timeout(link)) {
        l->counts.late_us_max = usec_max(l->counts.late_us_max, now - due);
        l->counts.late_us_sum += now - due;
        memcpy(data, out.dgram.data, out.dgram.len);
        if (!packet_parse(&p, data, out.dgram.len))
            continue;
        if (way == WAY_UP)
            leave_uplink(l, now, port, &p);
        else
            leave_downlink(l, port, &p);
    }
}

void lab_tick(struct lab *l, usec *next)
{
    usec now = net_now();

    *next = USEC_NEVER;
    for (int i = 0; i < l->plan.port_count; i++) {
        read_device(l, now, i);
        drain_link(l, now, i, WAY_UP);
    }
    for (int i = 0; i < l->plan.port_count; i++) {
        drain_link(l, now, i, WAY_DOWN);
        for (int way = 0; way < WAYS; way++)
            *next = usec_min(*next, link_next_timeout(l->port[i].link[way]));
    }
}

void lab_poll_rows(const struct lab *l, struct pollfd rows[TOPOLOGY_PORTS_MAX])
{
    for (int i = 0; i < l->plan.port_count; i++)
        rows[i] = (struct pollfd){ .fd = l->port[i].tun, .events = POLLIN };
}

/* ---- Life ---------------------------------------------------------------------------------- */

void lab_set_links(struct lab *l, int port)
{
    for (int way = 0; way < WAYS; way++) {
        struct link_config cfg = l->plan.port[port].way[way].cfg;

        cfg.mtu = LINK_DATAGRAM_MAX; /* the plan's is checked before the link */
        cfg.has_headers = true;
        link_set(l->port[port].link[way], &cfg);
    }
}

static void free_nat(struct lab_nat *n)
{
    nat_free(n->nat);
    nat_free(n->echo);
    *n = (struct lab_nat){ NULL, NULL };
}

bool lab_set_nat(struct lab *l, int nat)
{
    const struct nat_config *cfg = &l->plan.nat[nat].cfg;
    struct lab_nat *n = &l->nat[nat];

    free_nat(n);
    return !nat_new(&n->nat, cfg, &l->rng) && !nat_new(&n->echo, cfg, &l->rng);
}

static bool add_firewall(struct lab *l, int port)
{
    const struct topology_port *p = &l->plan.port[port];
    struct nat_config cfg = { .is_transparent = true, .filtering = p->firewall };

    return !p->has_firewall || nat_new(&l->port[port].firewall, &cfg, &l->rng) == ERR_OK;
}

static bool add_port(struct lab *l, int port)
{
    struct link_config none = { 0 };

    for (int way = 0; way < WAYS; way++)
        if (link_new(&l->port[port].link[way], &none, LAB_PACKETS_MAX, &l->rng))
            return false;
    lab_set_links(l, port);
    return add_firewall(l, port) && wiring_add_port(l, port);
}

bool lab_init(struct lab *l, const struct topology *plan)
{
    *l = (struct lab){ .plan = *plan, .chance = 1 };
    l->rng = test_rng(&l->chance);
    for (int i = 0; i < TOPOLOGY_PORTS_MAX; i++)
        l->port[i].tun = -1;
    for (int i = 0; i < plan->nat_count; i++)
        if (!lab_set_nat(l, i))
            return false;
    for (int i = 0; i < plan->port_count; i++)
        if (!add_port(l, i))
            return false;
    return wiring_wait(l);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void lab_deinit(struct lab *l)
{
    for (int i = 0; i < l->plan.port_count; i++) {
        close_if_open(l->port[i].tun);
        for (int way = 0; way < WAYS; way++)
            link_free(l->port[i].link[way]);
        nat_free(l->port[i].firewall);
    }
    for (int i = 0; i < l->plan.nat_count; i++)
        free_nat(&l->nat[i]);
    for (int i = 0; i < l->host_count; i++) {
        close_if_open(l->host[i].space);
        close_if_open(l->host[i].router);
    }
}
