/* nat.h: a NAT by RFC 4787's names: how it maps, how it filters, which ports it takes.
 *
 * Sans-IO: nat_input() rewrites the addresses of one datagram and says on which side it goes on;
 * nothing is held back, so there is no output to poll and no timer to run. Stacked NATs (a home's
 * behind a carrier's) are two of these, one's outside in the other's inside.
 *
 *     inside 10.0.0.2:5000 --> [ mapping ] --> outside 203.0.113.1:40000 --> remote
 *
 * What is often called full cone, restricted, port-restricted and symmetric are mapping and
 * filtering EI/EI, EI/AD, EI/APD and APD/APD. With is_transparent it is a firewall: it filters by
 * the same rules and translates nothing, as routers do with IPv6 (RFC 6092). */
#ifndef HAWSER_TESTS_NET_MODEL_NAT_H
#define HAWSER_TESTS_NET_MODEL_NAT_H

#include "core/base/addr.h"
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

/* RFC 4787 §4.1 (mapping) and §5 (filtering): what of the remote address makes a difference. */
enum nat_rule {
    NAT_ENDPOINT_INDEPENDENT,
    NAT_ADDRESS_DEPENDENT,
    NAT_ADDRESS_AND_PORT_DEPENDENT,
    NAT_RULES
};

/* RFC 4787 §4.2.1. Where the port to be preserved is taken, the next free one serves. */
enum nat_ports { NAT_PORTS_PRESERVED, NAT_PORTS_SEQUENTIAL, NAT_PORTS_RANDOM, NAT_PORT_KINDS };

enum nat_side { NAT_INSIDE, NAT_OUTSIDE };

/* Each has mappings and ports of its own: RFC 4787 for UDP, RFC 5382 for TCP. */
enum nat_protocol { NAT_UDP, NAT_TCP };

/* What may go out. What may not is dropped in silence, as company and hotel networks do. */
enum nat_policy { NAT_LETS_OUT_ALL, NAT_BLOCKS_UDP, NAT_LETS_OUT_TCP_443 };

struct nat_config {
    struct addr outside; /* its address, which packets inside share the family of; no port */
    enum nat_rule mapping, filtering;
    enum nat_ports ports;
    enum nat_policy policy;
    bool is_transparent;        /* no translation; `outside` and `ports` do not matter */
    bool hairpinning;           /* RFC 4787 §6, with the outside address as the source (REQ-9a) */
    bool is_inbound_refreshing; /* §4.3: outbound always refreshes, inbound may */
    usec timeout_us;            /* 0: 2 minutes, the least REQ-5 allows */
    usec tcp_timeout_us;        /* 0: 124 minutes, RFC 5382 REQ-5; connections are not followed */
    size_t mappings_max;        /* 0: 256 */
};

struct nat_counts {
    uint64_t out, in, hairpinned, filtered, unmapped, over_table, blocked;
};

struct nat;

/* rng is borrowed. ERR_NOMEM. */
int nat_new(struct nat **out, const struct nat_config *cfg, const struct rng *rng);
void nat_free(struct nat *n);

/* Forgets every mapping, as a reboot does. */
void nat_reset(struct nat *n);

/* Its line got another outside address: mappings are forgotten with the old one. */
void nat_set_outside(struct nat *n, const struct addr *outside);

/* A UDP datagram comes in on side *side. VERDICT_TAKEN: addresses rewritten, it goes on to *side;
 * VERDICT_LIMIT: no room for a new mapping; VERDICT_UNEXPECTED: filtered, blocked by the policy, or
 * no such mapping.
 * Unless taken, it is dropped and nothing was written. */
enum verdict nat_input(struct nat *n, usec now, enum nat_side *side, struct addr *from,
                       struct addr *to);

/* The same for a packet of either protocol. */
enum verdict nat_input_protocol(struct nat *n, usec now, enum nat_protocol protocol,
                                enum nat_side *side, struct addr *from, struct addr *to);

size_t nat_mapping_count(const struct nat *n, usec now);
const struct nat_counts *nat_counts(const struct nat *n);

#endif
