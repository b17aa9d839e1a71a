/* topology.h: a laboratory's plan, read from text, one object a line; # begins a comment.
 *
 *     nat NAME outside=IP [behind=NAT] [mapping=RULE] [filtering=RULE] [ports=KIND] [hairpinning]
 *         [inbound_refreshing] [timeout=MS] [block=BLOCK]
 *     host NAME addr=IP[,IP...] [if=NAME] [behind=NAT] [masquerade=IP] [firewall=RULE]
 *         [device_mtu=BYTES] [LINK...]
 *
 *     RULE   endpoint-independent, address-dependent, address-and-port-dependent (RFC 4787), or
 *            short: ei, ad, apd
 *     KIND   preserved, sequential, random
 *     BLOCK  udp; all-but-443 (only TCP to that port goes out)
 *     LINK   delay=MS jitter=MS loss=PERCENT loss_run=PACKETS duplicate=PERCENT reorder=PERCENT
 *            rate=KBITS queue=BYTES mtu=BYTES black_hole, for both directions; up_ or down_ before
 *            it: for one
 *
 * Milliseconds and percents may have decimals. With `loss_run` as many are lost, but so many in a
 * row on average. Further lines of a host give it further interfaces,
 * the first is preferred. A NAT comes before what is behind it. IPv6 passes NATs by. With
 * `masquerade` the host has this address behind a router that is Linux: addr is the router's, and
 * nftables masquerades. `firewall` filters what comes to the host by this rule and translates
 * nothing, as routers do with IPv6 (RFC 6092). `black_hole`: what is over the MTU vanishes without
 * an ICMP error. */
#ifndef HAWSER_TESTS_NET_TOPOLOGY_H
#define HAWSER_TESTS_NET_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/net/model/link.h"
#include "tests/net/model/nat.h"

#define TOPOLOGY_NATS_MAX      64
#define TOPOLOGY_PORTS_MAX     96
#define TOPOLOGY_ADDRESSES_MAX 4
#define TOPOLOGY_NAME_MAX      32
#define TOPOLOGY_DEVICE_MAX    16 /* what Linux allows the name of an interface */
#define TOPOLOGY_INTERNET      -1 /* where a NAT's number is asked for */
#define TOPOLOGY_ERROR_MAX     128

struct topology_nat {
    char name[TOPOLOGY_NAME_MAX];
    struct nat_config cfg;
    int behind; /* the number of another, or TOPOLOGY_INTERNET */
};

/* One direction of a port's link. */
struct topology_link {
    struct link_config cfg; /* its mtu is of IP packets; 0: 1500 */
    bool is_black_hole;
};

enum topology_way { WAY_UP, WAY_DOWN, WAYS };

/* An interface of a host. */
struct topology_port {
    char host[TOPOLOGY_NAME_MAX];
    char device[TOPOLOGY_DEVICE_MAX];
    struct addr addresses[TOPOLOGY_ADDRESSES_MAX];
    size_t address_count;
    struct addr masquerade; /* ADDR_NONE: no router of Linux */
    bool has_firewall;
    enum nat_rule firewall;
    int behind;
    size_t device_mtu;
    struct topology_link way[WAYS];
};

struct topology {
    struct topology_nat nat[TOPOLOGY_NATS_MAX];
    struct topology_port port[TOPOLOGY_PORTS_MAX];
    int nat_count, port_count;
};

/* Reads one line, which it takes apart. False, with the reason in `error`: malformed. */
bool topology_read_line(struct topology *t, char *line, char error[TOPOLOGY_ERROR_MAX]);

/* Reads link settings, separated by spaces, over those that `way` has. */
bool topology_read_links(struct topology_link way[WAYS], char *text,
                         char error[TOPOLOGY_ERROR_MAX]);

/* Reads a whole file; the line's number is in `error` too. */
bool topology_read_file(struct topology *t, const char *path, char error[TOPOLOGY_ERROR_MAX]);

/* Numbers, or -1. */
int topology_find_nat(const struct topology *t, const char *name);
int topology_find_port(const struct topology *t, const char *host, const char *device);

#endif
