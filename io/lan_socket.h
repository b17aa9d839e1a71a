/* lan_socket.h: UDP sockets of the LAN discovery, for lan.c alone: multicast, and always by an
 * interface that is named. All calls on the loop's thread. */
#ifndef HAWSER_IO_LAN_SOCKET_H
#define HAWSER_IO_LAN_SOCKET_H

#include "core/base/bytes.h"
#include "io/lan.h"

#define LAN_DATAGRAM_MAX 300 /* longer ones are dropped */

struct lan_socket;

struct lan_datagram {
    struct addr from, to; /* `to` without port */
    unsigned index;       /* of the interface */
    struct bytes data;    /* borrowed */
};

typedef void lan_socket_fn(void *ctx, struct lan_socket *s, const struct lan_datagram *d);

/* port 0: a free one; any other is shared with whoever shares it. A negative enum err. */
int lan_socket_open(struct lan_socket **out, struct io_loop *loop, const struct addr *bind,
                    lan_socket_fn *fn, void *ctx);
void lan_socket_close(struct lan_socket *s); /* also from its fn; NULL is fine */

/* Joining again is harmless. False: this interface will not have it. */
bool lan_socket_join(struct lan_socket *s, const struct addr *group, unsigned index);

/* `from`: one of this host's addresses, without port; ADDR_NONE: the system chooses, which for
 * IPv6 finds the link-local one. */
bool lan_socket_send(struct lan_socket *s, const struct addr *from, const struct addr *to,
                     unsigned index, struct bytes data);

#endif
