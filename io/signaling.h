/* signaling.h: the way sealed messages travel between IDs before there is a session. MQTT is one
 * implementation (mqtt.h), the LAN another. All calls and all handlers on the loop's thread. */
#ifndef HAWSER_IO_SIGNALING_H
#define HAWSER_IO_SIGNALING_H

#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/err.h"

#define SIGNALING_MESSAGE_MAX 16384 /* bytes; longer ones are neither sent nor delivered */

enum signaling_result {
    SIGNALING_DELIVERED, /* handed to the receiver, or to a server that would not say more */
    SIGNALING_OFFLINE,   /* nobody listens for that ID */
    SIGNALING_FAILED     /* not sent, or no word of it in time: it may or may not arrive */
};

enum signaling_state {
    SIGNALING_CONNECTING, /* told once, at first */
    SIGNALING_ONLINE,     /* messages for us arrive */
    SIGNALING_DOWN,    /* no connection; detail says why; another attempt will follow by itself */
    SIGNALING_REFUSED, /* the server does not accept us; tried again, but slowly */
    SIGNALING_REPLACED /* another holder of our key took the ID; tried again, but slowly */
};

struct signaling_handler {
    void (*on_message)(void *ctx, struct bytes message); /* borrowed; sender unverified */
    /* Exactly once per accepted send, in any order; not after close. */
    void (*on_sent)(void *ctx, uint64_t request, enum signaling_result result);
    /* detail is one line for people, never NULL. */
    void (*on_state)(void *ctx, enum signaling_state state, const char *detail);
    void *ctx;
};

/* An implementation has this as its first member. */
struct signaling {
    int (*send)(struct signaling *self, const char *to_id, struct bytes message, uint64_t request);
    void (*close)(struct signaling *self);
    void (*kick)(struct signaling *self); /* NULL: nothing to be done */
};

/* Copies the message. Without a connection it waits for one, for as long as one send may take.
 * request is the caller's number, handed back by on_sent. ERR_LIMIT: too many under way.
 * ERR_INVALID: too long, empty, or an ID of impossible form. ERR_NOMEM. */
static inline int signaling_send(struct signaling *s, const char *to_id, struct bytes message,
                                 uint64_t request)
{
    return s->send(s, to_id, message, request);
}

/* No handler is called after this. Does not wait for the network; what must end ends behind the
 * scenes, before io_loop_free() returns. NULL is fine. */
static inline void signaling_close(struct signaling *s)
{
    if (s)
        s->close(s);
}

/* The network has changed: what waits to connect does so now, and a connection that does not answer
 * within about a second, or whose local address is gone, is replaced by a new one at once. */
static inline void signaling_kick(struct signaling *s)
{
    if (s && s->kick)
        s->kick(s);
}

const char *signaling_state_string(enum signaling_state state);

#endif
