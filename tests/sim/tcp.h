/* tcp.h: connections between peers and servers of a simulated network: in order, without loss, as
 * late as the links of the path are slow. A connection whose NAT mapping is gone hears nothing any
 * more, and nobody hears it. */
#ifndef HAWSER_TESTS_SIM_TCP_H
#define HAWSER_TESTS_SIM_TCP_H

#include "core/base/bytes.h"
#include "tests/sim/net.h"

#define TCP_CONNECTIONS_MAX 8
#define TCP_PIECES_MAX      4096 /* under way */

struct tcp_connection {
    unsigned host;     /* of the client */
    uint8_t stream;    /* the client's number for it: 0 once it is cut */
    struct addr local; /* the client's address, as it sees it … */
    struct addr seen;  /* … and as the server does */
    struct addr server;
    unsigned server_host;
    usec one_way_us;
};

/* Of a connection: it is there (no data), or bytes came to the client or the server. */
struct tcp_event {
    const struct tcp_connection *connection;
    bool is_new, is_for_server;
    struct bytes data; /* valid until the next call */
};

struct tcp_piece {
    usec due_at;
    unsigned connection;
    bool is_new, is_for_server;
    size_t len;
    uint8_t *data;
};

struct tcp {
    struct net *net; /* borrowed */
    size_t connection_count;
    struct tcp_connection connections[TCP_CONNECTIONS_MAX];
    size_t piece_count;
    struct tcp_piece pieces[TCP_PIECES_MAX]; /* in the order they were sent */
    uint8_t *taken;
};

void tcp_init(struct tcp *t, struct net *net);
void tcp_deinit(struct tcp *t);

/* SYN and its answer: if both arrive, an is_new event follows after one round trip. */
bool tcp_connect(struct tcp *t, usec now, unsigned host, uint8_t stream, const struct addr *local,
                 const struct addr *server);

/* Takes the connection of this number away, with what is under way: false if there is none. */
bool tcp_cut(struct tcp *t, unsigned host, uint8_t stream, struct tcp_connection *cut);

/* By its number; or, from a server, by both ends. */
void tcp_send_client(struct tcp *t, usec now, unsigned host, uint8_t stream, struct bytes data);
void tcp_send_server(struct tcp *t, usec now, const struct addr *server, const struct addr *seen,
                     struct bytes data);

bool tcp_poll_event(struct tcp *t, usec now, struct tcp_event *ev);
usec tcp_next_timeout(const struct tcp *t);

#endif
