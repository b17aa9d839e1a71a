/* udp.h: bound UDP sockets that send and receive runs of datagrams. All calls on the loop's thread.
 *
 * Receiving takes batches (recvmmsg) of runs (UDP_GRO) into a buffer that the loop's sockets share;
 * sending takes a whole run at once (UDP_SEGMENT). Where the kernel cannot, datagrams go and come
 * one by one, still in batches (sendmmsg): found out when a socket is opened, and when it sends.
 * Datagrams are never fragmented by us (IP_MTU_DISCOVER): one that is too long for the way is lost
 * and counted, which is what path MTU discovery wants to see. */
#ifndef HAWSER_IO_UDP_H
#define HAWSER_IO_UDP_H

#include "core/base/addr.h"
#include "core/base/out.h"
#include "io/loop.h"

#define UDP_DATAGRAM_MAX 9216 /* longer ones are dropped and counted */

struct udp;

struct udp_handler {
    /* One datagram; the bytes are the handler's to change until it returns. `local` is where it
     * arrived: the socket's address, or one of this host's if the socket is bound to any. */
    void (*datagram)(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                     uint8_t *data, size_t len);
    /* After each batch, and when a full socket takes datagrams again: time to run one's output. */
    void (*drained)(void *ctx, struct udp *u);
    /* Datagrams of the run that was sent last were longer than the interface takes (EMSGSIZE), and
     * are gone. From udp_send(), or before `drained`. May be NULL. */
    void (*too_long)(void *ctx, struct udp *u);
    void *ctx;
};

struct udp_counters {
    uint64_t received, received_bytes, sent, sent_bytes; /* datagrams and their payload */
    uint64_t truncated;                                  /* longer than UDP_DATAGRAM_MAX */
    uint64_t unsent;   /* lost here: socket full and nowhere to keep it, or no route */
    uint64_t too_long; /* lost here: EMSGSIZE */
    uint64_t icmp;     /* errors that came back, ECONNREFUSED and such: ignored */
};

/* Port 0 takes a free one: see udp_local(). Of IPv6 sockets only IPv6 comes (IPV6_V6ONLY). The
 * handler is copied. errno says more about ERR_WRONG_STATE (address in use), ERR_INVALID (not an
 * address of this host), ERR_AUTH (a port that needs privileges), ERR_LIMIT (descriptors) and
 * ERR_NOMEM. */
int udp_open(struct udp **out, struct io_loop *loop, const struct addr *bind,
             const struct udp_handler *h);

/* Its handler is not called again. May be called from that handler. NULL is fine. */
void udp_close(struct udp *u);

const struct addr *udp_local(const struct udp *u);

/* Sends the run to run->to. What does not fit into the socket is kept (one run at most) and sent
 * when it does; any more is lost and counted. run->from matters only if the socket is bound to any
 * address: then, unless it is unspecified or ADDR_NONE, it is the source. */
void udp_send(struct udp *u, const struct out *run);

/* False after a run did not fit, until `drained` says that it went: then poll no output. */
bool udp_can_send(const struct udp *u);

/* Runs as one piece, both ways: on wherever the kernel can, unless switched off here. */
void udp_set_offload(struct udp *u, bool is_on);

const struct udp_counters *udp_counters(const struct udp *u);

#endif
