/* net.h: an internet of places and hosts. Place 0 is the internet itself. Every other place lies
 * behind a router in its parent: a home, a company, a carrier with homes inside.
 *
 *     host --access--> home --router, line--> carrier --router, line--> internet <-- ... -- host
 *
 * A router translates IPv4 (nat) and filters IPv6 (firewall). An access is one interface of a host:
 * an address in a place, with an uplink and a downlink. Hosts of one place reach each other by
 * their addresses there. Sans-IO. What nobody answers to is dropped. */
#ifndef HAWSER_TESTS_SIM_NET_H
#define HAWSER_TESTS_SIM_NET_H

#include "tests/net/model/link.h"
#include "tests/net/model/nat.h"

#define NET_PLACES_MAX   12
#define NET_ACCESSES_MAX 24
#define NET_INTERNET     0

struct net;

/* Families whose outside address is ADDR_NONE do not pass. */
struct net_place {
    unsigned parent;
    struct link_config up, down; /* of the line, outside of the router */
    struct nat_config nat;       /* IPv4; nat.outside is an address in the parent */
    struct nat_config firewall;  /* IPv6, is_transparent; outside.family says that there is one */
};

struct net_access {
    unsigned host, place;
    struct addr ip; /* the port does not matter */
    struct link_config up, down;
};

/* BLACK: all is lost in silence. GONE: the interface is no more, nobody has its address. */
enum net_state { NET_UP, NET_BLACK, NET_GONE };

struct net_packet {
    unsigned host; /* where it arrived */
    struct link_packet packet;
};

/* Each link holds at most packets_max at once. rng is borrowed. Out of memory or a limit stops the
 * test. */
struct net *net_new(const struct rng *rng, size_t packets_max);
void net_free(struct net *n);

/* Return the number of the new one; also at run time. */
unsigned net_add_place(struct net *n, const struct net_place *place);
unsigned net_add_access(struct net *n, const struct net_access *access);

void net_set_access(struct net *n, unsigned access, enum net_state state);
void net_set_links(struct net *n, unsigned access, const struct link_config *up,
                   const struct link_config *down);

/* For reboots, other addresses and counts; NULL if the place has none. */
struct nat *net_nat(struct net *n, unsigned place);
void net_set_outside(struct net *n, unsigned place, const struct addr *outside);

/* A datagram leaves the access of `host` that has from's IP; dropped if there is none. */
void net_input(struct net *n, usec now, unsigned host, const struct addr *from,
               const struct addr *to, struct bytes dgram);

/* The next datagram to reach a host; valid until the next call. */
bool net_poll_output(struct net *n, usec now, struct net_packet *out);
usec net_next_timeout(const struct net *n);

/* Sends a packet of either protocol through everything at once, the links' losses left out. True if
 * it arrives: then host and addresses are those seen there, and delay_us is the links' together. */
struct net_probe {
    enum nat_protocol protocol;
    unsigned host;
    struct addr from, to;
    usec delay_us;
};
bool net_probe(struct net *n, usec now, struct net_probe *probe);

#endif
