/* punch.h: whether two hosts can reach each other at all, found by trying everything.
 *
 * An oracle for ICE that shares nothing with it: both hosts know each other's addresses and where
 * servers outside saw them, send from every socket to every address they know, learn the sources of
 * what arrives, and go on until nothing new is learned. A path exists if a request arrives and its
 * answer comes back from the address the request was sent to (RFC 8445 §7.2.5.2.1). */
#ifndef HAWSER_TESTS_SIM_PUNCH_H
#define HAWSER_TESTS_SIM_PUNCH_H

#include "tests/sim/net.h"

struct punch_side {
    unsigned host;
    const struct addr *sockets;
    size_t socket_count;
};

/* On a network where nothing was sent before: what is sent leaves mappings there. */
bool punch_is_possible(struct net *n, const struct punch_side sides[2], const struct addr *servers,
                       size_t server_count);

/* Whether a server hears a host by this protocol, and the host its answer. */
bool punch_is_served(struct net *n, const struct punch_side *side, enum nat_protocol protocol,
                     const struct addr *server);

#endif
