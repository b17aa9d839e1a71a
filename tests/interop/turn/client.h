/* client.h: our TURN client over real sockets, and a plain UDP socket as the peer.
 *
 * Its time may go faster than the clock, so that renewals that are due after minutes are seen in
 * seconds: what the server does is told to happen faster too. */
#ifndef HAWSER_TESTS_INTEROP_TURN_CLIENT_H
#define HAWSER_TESTS_INTEROP_TURN_CLIENT_H

#include <openssl/ssl.h>

#include "core/turn/turn.h"

enum wire { WIRE_UDP, WIRE_TCP, WIRE_TLS };

struct client {
    struct turn *turn;
    struct rng rng;
    enum wire wire;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl; /* NULL unless TLS */
    struct addr local, server;
    unsigned speed; /* of its time; 1 is the clock's */

    struct turn_event events[4];
    size_t event_count;
    struct addr from; /* of what came last */
    uint8_t data[TURN_DATAGRAM_MAX];
    size_t len, count;
    unsigned stale; /* answers of 438, over UDP */
};

/* Zero in any field means the default named here. */
struct client_config {
    enum wire wire;
    unsigned speed;                  /* 1 */
    const char *server;              /* CLIENT_SERVER */
    const char *username, *password; /* "user" and "secret", … */
    bool is_nobody;                  /* … unless it has no credentials */
    enum addr_family family;
};

#define CLIENT_SERVER "192.0.2.1:3478"

/* Connects and sends the first request. False: no socket, no connection. */
bool client_open(struct client *c, const struct client_config *cfg);
void client_close(struct client *c);
usec client_now(const struct client *c);

void client_drain(struct client *c); /* sends what is due, takes events */

/* Sends `count` datagrams of `len` bytes to a peer, filled with `fill`. */
bool client_send(struct client *c, const struct addr *peer, uint8_t fill, size_t count, size_t len);

/* Serves all of them until done(ctx) or for 10 s; whether it is done. */
bool clients_run(struct client *const *c, size_t count, bool (*done)(void *ctx), void *ctx);

/* Serves one until everything it asked for is answered. False: not within 10 s. */
bool client_settles(struct client *c);

/* A plain UDP socket bound to an IP; its address is filled in. */
int peer_open(const char *ip, struct addr *at);

/* The next datagram, within 2 s; 0: none. */
size_t peer_read(int fd, struct addr *from, uint8_t *out, size_t cap);
bool peer_write(int fd, const struct addr *to, const void *data, size_t len);

#endif
