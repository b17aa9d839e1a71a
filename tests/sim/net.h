/* net.h: an internet of hosts. Each has an uplink, a downlink and, if it likes, a NAT of its own:
 *
 *     host --uplink--> NAT --> internet --> NAT --downlink--> host
 *
 * Sans-IO. What no host answers to is dropped, as are private addresses on the internet. */
#ifndef HAWSER_TESTS_SIM_NET_H
#define HAWSER_TESTS_SIM_NET_H

#include "tests/net/model/link.h"
#include "tests/net/model/nat.h"

#define NET_HOSTS_MAX   8
#define NET_PACKETS_MAX 1024 /* under way on one link */

struct net;

struct net_access {
    struct addr ip; /* of the host itself; the port does not matter */
    struct link_config up, down;
    bool has_nat;
    struct nat_config nat; /* nat.outside is where the internet reaches the host */
};

struct net_packet {
    unsigned host; /* where it arrived */
    struct link_packet packet;
};

/* rng is borrowed. Out of memory stops the test. */
struct net *net_new(const struct rng *rng);
void net_free(struct net *n);

/* Returns the number of the new host: 0, 1, 2 … */
unsigned net_add_host(struct net *n, const struct net_access *access);
void net_set_links(struct net *n, unsigned host, const struct link_config *up,
                   const struct link_config *down);

void net_input(struct net *n, usec now, unsigned host, const struct addr *from,
               const struct addr *to, struct bytes dgram);

/* The next datagram to reach a host; valid until the next call. */
bool net_poll_output(struct net *n, usec now, struct net_packet *out);
usec net_next_timeout(const struct net *n);

#endif
