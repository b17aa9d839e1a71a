/* lan_conn.h: one TCP connection of the LAN's signaling, either end: a hello, then messages, each
 * behind its length. For the files of lan.h alone. All calls on the loop's thread.
 *
 *     DIALLING --connected--> OPEN --error, end, nonsense--> gone: closed()
 *     accepted: ---------------^                              '--lan_conn_close(): silent */
#ifndef HAWSER_IO_LAN_CONN_H
#define HAWSER_IO_LAN_CONN_H

#include "core/base/bytes.h"
#include "io/lan.h"

#include <uv.h>

#define LAN_UNSENT_MAX (64 * 1024) /* bytes that wait for the peer; more are refused */

struct lan_conn;

struct lan_conn_handler {
    void (*opened)(void *ctx);                    /* of one that was dialled */
    void (*hello)(void *ctx, struct bytes hello); /* of one that was accepted: first of all */
    void (*message)(void *ctx, struct bytes message);
    void (*closed)(void *ctx); /* then only lan_conn_close() */
    void *ctx;
};

int lan_conn_dial(struct lan_conn **out, struct io_loop *loop, const struct addr *to,
                  const struct lan_conn_handler *h);
int lan_conn_accept(struct lan_conn **out, struct io_loop *loop, uv_stream_t *listener,
                    const struct lan_conn_handler *h);
bool lan_conn_remote(const struct lan_conn *c, struct addr *out);

/* ERR_WRONG_STATE (not open), ERR_LIMIT, ERR_INVALID (length), ERR_NOMEM. */
int lan_conn_send_hello(struct lan_conn *c, const uint8_t hello[LAN_MESSAGE_BYTES]);
int lan_conn_send(struct lan_conn *c, struct bytes message);

/* What was sent still goes out, if the peer takes it soon. From its handler too; NULL is fine. */
void lan_conn_close(struct lan_conn *c);

#endif
