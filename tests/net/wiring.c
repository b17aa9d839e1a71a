#include "tests/net/wiring.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/net/space.h"

#define LAN_PREFIX "/24"

struct script {
    char text[4096];
    size_t len;
};

static void add(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct script *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    s->len += (size_t)vsnprintf(s->text + s->len, sizeof s->text - s->len, format, args);
    va_end(args);
    if (s->len >= sizeof s->text - 1)
        abort(); /* the limits of a plan are far below this */
}

/* One run of `ip` knows one family of routes and rules. */
static bool run_ip(int space, enum addr_family family, const struct script *s)
{
    const char *const argv[] = { "ip", family == ADDR_IPV6 ? "-6" : "-4", "-batch", "-", NULL };

    return space_run(space, argv, s->text);
}

/* The first interface of a host is preferred; what comes from an address keeps to its interface. */
static void add_address(struct script *s, const struct topology_port *p, const char *ip, int number)
{
    bool is_six = strchr(ip, ':') != NULL;

    add(s, "addr add %s%s dev %s%s\n", ip, is_six ? "/64" : LAN_PREFIX, p->device,
        is_six ? " nodad" : "");
    add(s, "route replace default dev %s metric %d\n", p->device, 100 + number);
    add(s, "route replace default dev %s table %d\n", p->device, 100 + number);
    add(s, "rule add from %s table %d\n", ip, 100 + number);
}

static bool add_addresses(int space, const struct topology_port *p, int number)
{
    struct script s[ADDR_IPV6 + 1] = { { .len = 0 } };

    for (size_t i = 0; i < p->address_count; i++) {
        char ip[ADDR_TEXT_MAX];

        add_address(&s[p->addresses[i].family], p, addr_format_ip(&p->addresses[i], ip), number);
    }
    return (!s[ADDR_IPV4].len || run_ip(space, ADDR_IPV4, &s[ADDR_IPV4])) &&
           (!s[ADDR_IPV6].len || run_ip(space, ADDR_IPV6, &s[ADDR_IPV6]));
}

static bool set_up_device(const struct lab *l, int port, int space)
{
    const struct topology_port *p = &l->plan.port[port];
    struct script s = { .len = 0 };

    add(&s, "link set %s mtu %zu txqueuelen 4000 up\n", p->device, p->device_mtu);
    return run_ip(space, ADDR_IPV4, &s) && add_addresses(space, p, port);
}

/* No addresses but those of the plan, and no packets that nobody asked for. */
static void quieten(int space, const char *device)
{
    char path[96];

    (void)space_set(space, "ipv6/conf/default/accept_ra", "0");
    (void)space_set(space, "ipv6/conf/default/router_solicitations", "0");
    if (device) {
        (void)snprintf(path, sizeof path, "ipv6/conf/%s/addr_gen_mode", device);
        (void)space_set(space, path, "1");
        (void)snprintf(path, sizeof path, "ipv6/conf/%s/router_solicitations", device);
        (void)space_set(space, path, "0");
    }
}

/* A space of its own between the host and the TUN device: a router as people have them. */
static bool add_router(struct lab_host *h, const struct topology_port *p)
{
    static const char *const nft[] = { "nft", "-f", "-", NULL };
    struct script s = { .len = 0 }, inside = { .len = 0 }, rules = { .len = 0 };
    char ip[ADDR_TEXT_MAX];
    struct addr gateway = p->masquerade;

    gateway.ip[3] = gateway.ip[3] == 1 ? 254 : 1;
    add(&s, "link set lo up\n");
    add(&s, "link add lan0 type veth peer name eth0 netns /proc/%d/fd/%d\n", getpid(), h->space);
    add(&s, "addr add %s" LAN_PREFIX " dev lan0\nlink set lan0 up\n", addr_format_ip(&gateway, ip));
    add(&inside, "addr add %s" LAN_PREFIX " dev eth0\n", addr_format_ip(&p->masquerade, ip));
    add(&inside, "link set eth0 up\nroute add default via %s\n", addr_format_ip(&gateway, ip));
    add(&rules,
        "table ip lab {\n"
        " chain post { type nat hook postrouting priority 100; oifname \"%s\" masquerade; }\n"
        " chain in { type filter hook input priority 0; iifname \"%s\" ct state new drop; }\n"
        " chain forward { type filter hook forward priority 0;"
        " iifname \"%s\" ct state new drop; }\n}\n",
        p->device, p->device, p->device);
    if (!space_set(h->router, "ipv4/ip_forward", "1") || !run_ip(h->router, ADDR_IPV4, &s))
        return false;
    quieten(h->space, "eth0");
    quieten(h->router, "lan0");
    return run_ip(h->space, ADDR_IPV4, &inside) && space_run(h->router, nft, rules.text);
}

static bool add_host(struct lab *l, int port)
{
    const struct topology_port *p = &l->plan.port[port];
    struct lab_host *h = &l->host[l->host_count];
    struct script s = { .len = 0 };

    *h = (struct lab_host){ .name = p->host, .space = space_new(), .router = -1 };
    l->host_count++;
    if (h->space < 0)
        return false;
    quieten(h->space, NULL);
    add(&s, "link set lo up\n");
    if (!run_ip(h->space, ADDR_IPV4, &s))
        return false;
    if (p->masquerade.family == ADDR_NONE)
        return true;
    h->router = space_new();
    return h->router >= 0 && add_router(h, p);
}

/* A veth carries packets only some time after it was told to, up to a second. */
static bool wait_until_up(int space, const char *device)
{
    static const char *const argv[] = { "sh", "-s", NULL };
    struct script s = { .len = 0 };

    add(&s,
        "for i in $(seq 300); do\n"
        "  ip -o link show %s | grep -q 'state UP' && exit 0\n"
        "  sleep 0.01\n"
        "done\nexit 1\n",
        device);
    return space_run(space, argv, s.text);
}

bool wiring_wait(const struct lab *l)
{
    for (int i = 0; i < l->host_count; i++)
        if (l->host[i].router >= 0 &&
            (!wait_until_up(l->host[i].router, "lan0") || !wait_until_up(l->host[i].space, "eth0")))
            return false;
    return true;
}

static int find_host(const struct lab *l, const char *name)
{
    for (int i = 0; i < l->host_count; i++)
        if (strcmp(l->host[i].name, name) == 0)
            return i;
    return -1;
}

/* Where the TUN device of a port is. */
static int space_of(const struct lab *l, int port)
{
    const struct lab_host *h = &l->host[l->port[port].host];

    return h->router >= 0 ? h->router : h->space;
}

bool wiring_add_port(struct lab *l, int port)
{
    const struct topology_port *p = &l->plan.port[port];
    int host = find_host(l, p->host);
    int space;

    l->port[port].tun = -1;
    if (host < 0 && !add_host(l, port)) {
        (void)fprintf(stderr, "lab: host %s cannot be made\n", p->host);
        return false;
    }
    l->port[port].host = find_host(l, p->host);
    space = space_of(l, port);
    l->port[port].tun = space_open_tun(space, p->device);
    if (l->port[port].tun >= 0) {
        quieten(space, p->device);
        if (set_up_device(l, port, space))
            return true;
    }
    (void)fprintf(stderr, "lab: %s of host %s cannot be made\n", p->device, p->host);
    return false;
}

/* Takes away the addresses and rules; rules that there are not cannot be removed, no failure. */
static bool clear_addresses(const struct lab *l, int port)
{
    static const char *const argv[] = { "sh", "-s", NULL };
    struct script s = { .len = 0 };

    add(&s, "ip addr flush dev %s\n", l->plan.port[port].device);
    for (int family = 4; family <= 6; family += 2)
        add(&s, "while ip -%d rule del table %d 2>/dev/null; do :; done\n", family, 100 + port);
    return space_run(space_of(l, port), argv, s.text);
}

bool wiring_set_down(struct lab *l, int port)
{
    struct script s = { .len = 0 };

    add(&s, "link set %s down\n", l->plan.port[port].device);
    return run_ip(space_of(l, port), ADDR_IPV4, &s) && clear_addresses(l, port);
}

bool wiring_set_addresses(struct lab *l, int port)
{
    return clear_addresses(l, port) && set_up_device(l, port, space_of(l, port));
}
