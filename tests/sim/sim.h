/* sim.h: one whole connection in one process, on virtual time, from one seed.
 *
 * Two peers behind a port-restricted NAT each, a STUN server, a broker that passes messages on in
 * order, links that delay, lose, repeat and reorder datagrams; and, once both sessions are open,
 * links that spoil them too and an attacker on the path. (Before that, either may end a session:
 * an altered DTLS handshake is fatal by RFC 6347, and its first flights carry no proof of origin.)
 * Both applications send on all eight channels; in some seeds one side restarts ICE meanwhile, or
 * both do; when each has everything, one closes with a reason.
 * Every number in this follows from the seed. */
#ifndef HAWSER_TESTS_SIM_SIM_H
#define HAWSER_TESTS_SIM_SIM_H

#include "core/base/usec.h"
#include "tests/net/model/nat.h"

#include <stdbool.h>
#include <stdint.h>

struct nat_kind {
    enum nat_rule mapping, filtering;
};

struct sim_result {
    const char *fault; /* NULL: all went as it must */
    usec open_at, ended_at;
    uint64_t datagrams;
    uint64_t hash; /* of every datagram that arrived: when, where, and each byte */
};

/* is_traced: prints what happens to stdout. */
struct sim_result sim_run(uint64_t seed, bool is_traced);

/* The same behind NATs of these kinds. Where no hole can be punched, both sessions must end without
 * having been open. */
struct sim_result sim_run_behind(uint64_t seed, bool is_traced, const struct nat_kind kinds[2]);

#endif
