/* turn_net.h: a TURN client, the relay of tests/net/model, and the wire between them, in virtual
 * time. What passes is counted, may be lost, and what peers and client get is kept. */
#ifndef HAWSER_TESTS_SUPPORT_TURN_NET_H
#define HAWSER_TESTS_SUPPORT_TURN_NET_H

#include "core/stun/stun.h"
#include "core/turn/turn.h"
#include "tests/net/model/relay.h"

#define TURN_NET_KEPT 64

struct turn_net_dgram {
    struct addr from, to;
    size_t len;
    uint8_t data[TURN_DATAGRAM_MAX];
};

/* How the wire is; all zero: UDP, IPv4, nothing lost, no delay. */
struct turn_net_config {
    struct turn_config turn;   /* addresses and credentials are filled in where empty */
    struct relay_config relay; /* likewise */
    size_t cut;                /* stream: the server's bytes come in pieces of this length */
};

struct turn_net {
    struct turn *turn;
    struct relay *relay;
    struct rng rng;
    uint64_t seed;
    usec now;
    struct addr local, server, peer;
    bool stream;
    size_t cut;
    bool loses_out, loses_in; /* everything, as long as it is set */

    struct turn_event events[4];
    size_t event_count;
    unsigned requests[16]; /* that the client sent, by method */
    unsigned indications;  /* Send and Binding, by the client */
    unsigned channel_data; /* by the client */
    struct turn_net_dgram at_peer[TURN_NET_KEPT], at_client[TURN_NET_KEPT];
    size_t at_peer_count, at_client_count; /* the first TURN_NET_KEPT are kept */
};

int turn_net_init(struct turn_net *n, const struct turn_net_config *cfg);
void turn_net_deinit(struct turn_net *n);

/* Moves everything that is due at this moment. */
void turn_net_drain(struct turn_net *n);

/* Drains and goes on from deadline to deadline until then. */
void turn_net_run(struct turn_net *n, usec until);

/* A datagram of some peer's to the relayed address. */
void turn_net_from(struct turn_net *n, const struct addr *peer, struct bytes data);

/* `count` datagrams of `len` bytes each, the last of `last`, to the peer through turn_wrap(). */
int turn_net_send(struct turn_net *n, const struct addr *peer, size_t count, size_t len,
                  size_t last);

/* Whether this is what turn_net_send() puts into datagram i of a run. */
bool turn_net_is_sent(const struct turn_net_dgram *d, size_t i, size_t len);

#endif
