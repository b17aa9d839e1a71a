/* server.h: answers STUN Binding requests on UDP sockets, on the loop's thread. */
#ifndef HAWSER_APPS_RELAY_SERVER_H
#define HAWSER_APPS_RELAY_SERVER_H

#include "io/udp.h"

#define SERVER_SOCKETS_MAX 16

struct server {
    struct io_loop *loop;
    struct udp *sockets[SERVER_SOCKETS_MAX];
    size_t socket_count;
    uint64_t answered;
    uint8_t buf[256];
    struct out out;
};

void server_init(struct server *s, struct io_loop *loop);

/* 0 and the address with its port filled in; otherwise the errno of what failed. [any thread] */
int server_listen(struct server *s, struct addr *addr);

struct server_totals {
    uint64_t received, answered, unsent;
};

/* Closes the sockets and returns what they did. [any thread] */
struct server_totals server_end(struct server *s);

#endif
