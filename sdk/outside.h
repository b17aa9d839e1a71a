/* outside.h: what one session has of the world: sockets on this host's addresses, STUN servers,
 * TURN servers. All on the loop's thread; needs io/ and a session, nothing else of the library.
 *
 * Its owner runs the session: what comes in is put into it here, then `moved` says that there may
 * be output and events to pull; runs go to outside_send(), events of relays and restarts come
 * back by outside_on_event(). */
#ifndef HAWSER_SDK_OUTSIDE_H
#define HAWSER_SDK_OUTSIDE_H

#include "io/interfaces.h"
#include "sdk/relays.h"

#define OUTSIDE_GATHERING_US \
    (5 * SECOND) /* then the peer is told that there are no more candidates */

struct outside;

/* Everything but the numbers is borrowed and must outlive it. */
struct outside_config {
    struct io_loop *loop;
    struct session *session;
    const char *trace; /* of log lines; may be NULL */
    const struct addr *bind;
    size_t bind_count; /* 0: all interfaces */
    bool has_offload;  /* udp_set_offload() */
    const struct endpoint *stun;
    size_t stun_count; /* ICE_STUN_SERVERS_MAX at most */
    const struct relay_server *turn;
    size_t turn_count;
    const char *turn_username, *turn_password, *turn_ca;
    void (*moved)(void *ctx); /* may free the outside */
    void *ctx;
};

/* Opens sockets and begins to gather. ERR_NOMEM; ERR_LIMIT: no socket could be opened. */
int outside_new(struct outside **out, const struct outside_config *cfg);

/* The session is not touched. NULL is fine. */
void outside_free(struct outside *o);

/* False: do not poll the session's output until `moved`. */
bool outside_can_send(const struct outside *o);

/* Some of what leaves may go by a TCP or TLS connection to a relay. */
bool outside_has_streams(const struct outside *o);

/* A run of session_poll_output(). */
void outside_send(struct outside *o, const struct out *run);

/* Every event of the session may be put in; those that concern nobody here are ignored. */
void outside_on_event(struct outside *o, const struct session_event *ev);

/* Addresses or routes of this host may have changed: sockets follow, every path is checked at once,
 * and the session restarts if its path is gone or a better one may be had. Whoever calls runs the
 * session next. */
void outside_on_network_change(struct outside *o);

#endif
