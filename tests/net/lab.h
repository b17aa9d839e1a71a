/* lab.h: a network laboratory: one namespace a host, and between them links and NATs of the models.
 *
 *     host's TUN --uplink--> [NAT --> [NAT -->]] internet --> [NAT -->]] --downlink--> host's TUN
 *
 * A packet that came out of its uplink is passed from realm to realm: the internet, or what is
 * behind a NAT. Hosts of one realm reach each other without it. One thread; the real clock. */
#ifndef HAWSER_TESTS_NET_LAB_H
#define HAWSER_TESTS_NET_LAB_H

#include <poll.h>
#include <stdio.h>

#include "tests/net/packet.h"
#include "tests/net/topology.h"

#define LAB_PACKETS_MAX 4096 /* under way on one link */

struct lab_host {
    const char *name; /* the plan's */
    int space;
    int router; /* the namespace of its Linux router, where the TUN device is; or -1 */
};

struct lab_port {
    int host; /* number */
    int tun;
    struct link *link[WAYS];
    struct nat *firewall; /* NULL: none */
    bool is_cut;          /* the cable carries nothing; the host is not told */
};

struct lab_nat {
    struct nat *nat;  /* of UDP and TCP */
    struct nat *echo; /* of ICMP echo, whose identifiers it takes for ports */
};

struct lab_counts {
    uint64_t packets, dropped; /* dropped: on purpose or for want of a way; not by the links */
    usec late_us_max;          /* how late this process was in passing on what was due */
    usec late_us_sum;
};

struct lab {
    struct topology plan;
    struct lab_host host[TOPOLOGY_PORTS_MAX];
    struct lab_port port[TOPOLOGY_PORTS_MAX]; /* as numbered in the plan */
    struct lab_nat nat[TOPOLOGY_NATS_MAX];
    int host_count;
    struct lab_counts counts;
    FILE *log; /* a line for each packet; NULL: none */
    uint64_t chance;
    struct rng rng;
};

/* Makes everything; the plan is copied. False: a message is printed, and what there is, is to be
 * freed all the same. */
bool lab_init(struct lab *l, const struct topology *plan);
void lab_deinit(struct lab *l);

/* Takes and passes on what is there, sets *next to when there is more, and the rows of poll() to
 * what there is to wait for: as many as ports. */
void lab_tick(struct lab *l, usec *next);
void lab_poll_rows(const struct lab *l, struct pollfd rows[TOPOLOGY_PORTS_MAX]);

/* Applies what the plan says of a port's links, and of a NAT, which forgets its mappings. */
void lab_set_links(struct lab *l, int port);
bool lab_set_nat(struct lab *l, int nat);

#endif
