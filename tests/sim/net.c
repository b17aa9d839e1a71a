#include "tests/sim/net.h"

#include <stdio.h>
#include <stdlib.h>

struct host {
    struct addr ip;
    struct link *up, *down;
    struct nat *nat;     /* NULL: the host's own address is on the internet */
    struct addr outside; /* where the internet reaches it */
};

struct net {
    const struct rng *rng;
    unsigned host_count;
    struct host hosts[NET_HOSTS_MAX];
};

static void must(int err)
{
    if (err) {
        fprintf(stderr, "simulated network: %s\n", err_string(err));
        exit(2);
    }
}

struct net *net_new(const struct rng *rng)
{
    struct net *n = calloc(1, sizeof *n);

    must(n ? ERR_OK : ERR_NOMEM);
    n->rng = rng;
    return n;
}

void net_free(struct net *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n->host_count; i++) {
        link_free(n->hosts[i].up);
        link_free(n->hosts[i].down);
        nat_free(n->hosts[i].nat);
    }
    free(n);
}

unsigned net_add_host(struct net *n, const struct net_access *access)
{
    struct host *h = &n->hosts[n->host_count];

    must(n->host_count < NET_HOSTS_MAX ? ERR_OK : ERR_LIMIT);
    h->ip = h->outside = access->ip;
    must(link_new(&h->up, &access->up, NET_PACKETS_MAX, n->rng));
    must(link_new(&h->down, &access->down, NET_PACKETS_MAX, n->rng));
    if (access->has_nat) {
        must(nat_new(&h->nat, &access->nat, n->rng));
        h->outside = access->nat.outside;
    }
    return n->host_count++;
}

void net_set_links(struct net *n, unsigned host, const struct link_config *up,
                   const struct link_config *down)
{
    link_set(n->hosts[host].up, up);
    link_set(n->hosts[host].down, down);
}

void net_input(struct net *n, usec now, unsigned host, const struct addr *from,
               const struct addr *to, struct bytes dgram)
{
    (void)link_input(n->hosts[host].up, now, from, to, dgram); /* the link counts what it drops */
}

static struct host *find_outside(struct net *n, const struct addr *to)
{
    for (unsigned i = 0; i < n->host_count; i++)
        if (addr_equal_ip(&n->hosts[i].outside, to))
            return &n->hosts[i];
    return NULL;
}

/* A datagram has left h's uplink: through the NATs to the downlink of whoever it is for. */
static void route(struct net *n, usec now, struct host *h, struct link_packet *p)
{
    enum nat_side side = NAT_INSIDE;

    if (h->nat && nat_input(h->nat, now, &side, &p->from, &p->to) != VERDICT_TAKEN)
        return;
    if (!h->nat || side == NAT_OUTSIDE) {
        side = NAT_OUTSIDE;
        h = find_outside(n, &p->to);
        if (!h || (h->nat && nat_input(h->nat, now, &side, &p->from, &p->to) != VERDICT_TAKEN))
            return;
    }
    (void)link_input(h->down, now, &p->from, &p->to, p->dgram);
}

bool net_poll_output(struct net *n, usec now, struct net_packet *out)
{
    struct link_packet p;

    for (unsigned i = 0; i < n->host_count; i++)
        while (link_poll_output(n->hosts[i].up, now, &p))
            route(n, now, &n->hosts[i], &p);
    for (unsigned i = 0; i < n->host_count; i++)
        if (link_poll_output(n->hosts[i].down, now, &out->packet)) {
            out->host = i;
            return true;
        }
    return false;
}

usec net_next_timeout(const struct net *n)
{
    usec at = USEC_NEVER;

    for (unsigned i = 0; i < n->host_count; i++)
        at = usec_min(
            at, usec_min(link_next_timeout(n->hosts[i].up), link_next_timeout(n->hosts[i].down)));
    return at;
}
