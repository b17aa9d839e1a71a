/* udp_internal.h: what the files of a UDP socket share.
 *
 *     udp.c      life: options, binding, closing
 *     udp_rx.c   batches, and the runs that the kernel has put together (UDP_GRO)
 *     udp_tx.c   runs, in one piece where the kernel cuts them (UDP_SEGMENT) */
#ifndef HAWSER_IO_UDP_INTERNAL_H
#define HAWSER_IO_UDP_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <uv.h>

#include "io/udp.h"

struct udp {
    uv_poll_t poll;
    struct io_loop *loop;
    struct udp_handler handler;
    struct addr local;
    struct udp_counters counters;
    int fd;      /* -1 once closed: memory lives until libuv lets go of poll */
    bool is_any; /* bound to any address: datagrams tell and choose their own */
    bool has_gso;

    struct out kept; /* the rest of a run that the socket did not take; kept.buf is ours */
    size_t kept_from;
};

/* How much a loop's sockets share to receive into: io_loop_scratch(). */
size_t udp_scratch_bytes(void);

/* Called by libuv when the socket is readable or writable. */
void udp_on_poll(uv_poll_t *poll, int status, int events);

/* Sends what was kept; when all went, watches for reading only and tells the handler. */
void udp_flush_kept(struct udp *u);

#endif
