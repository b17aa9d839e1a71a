/* stream.h: a TCP connection to a server, with TLS if wanted. All calls on the loop's thread.
 *
 *     CONNECTING --connected, and TLS done--> OPEN --error, end, stream_close--> gone
 *
 * For TURN over TCP and TLS: bytes are few or bulk, never urgent beyond TCP_NODELAY, and what does
 * not fit into STREAM_QUEUE_MAX is the caller's to keep back (stream_can_send). */
#ifndef HAWSER_IO_STREAM_H
#define HAWSER_IO_STREAM_H

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "io/loop.h"

#define STREAM_QUEUE_MAX (256 * 1024) /* bytes accepted and not yet taken by the kernel */

struct stream;

struct stream_handler {
    void (*connected)(void *ctx, struct stream *s);
    void (*data)(void *ctx, struct stream *s, const uint8_t *data, size_t len); /* borrowed */
    void (*drained)(void *ctx, struct stream *s); /* stream_can_send() became true again */
    /* Terminal; why is one line for people, never NULL. Then only stream_close(). */
    void (*closed)(void *ctx, struct stream *s, const char *why);
    void *ctx;
};

struct stream_config {
    struct addr local; /* to bind to, port 0; ADDR_NONE: any */
    struct addr server;
    const char *tls_name; /* NULL: no TLS; else the name the certificate must be for (SNI) */
    const char *ca_file;  /* PEM; NULL: the system's */
    usec connect_us;      /* until OPEN: 10 s */
};

/* The handler is copied, and never called within this call. ERR_NOMEM, ERR_LIMIT (descriptors),
 * ERR_INVALID (an address that cannot be bound or reached from here), ERR_CRYPTO (TLS could not be
 * set up: bad CA file). */
int stream_open(struct stream **out, struct io_loop *loop, const struct stream_config *cfg,
                const struct stream_handler *h);

/* Its handler is not called again. May be called from that handler. NULL is fine. */
void stream_close(struct stream *s);

/* Where it leaves from; known from `connected` on. */
const struct addr *stream_local(const struct stream *s);

/* Copies what the kernel does not take at once. ERR_WRONG_STATE before OPEN; ERR_LIMIT: the queue
 * is full and nothing was taken. */
int stream_send(struct stream *s, struct bytes data);

/* Nothing is queued: bulk goes out only then, so that it waits where it can still be reordered. */
bool stream_can_send(const struct stream *s);

/* How many bytes the kernel has not taken. */
size_t stream_queued(const struct stream *s);

#endif
