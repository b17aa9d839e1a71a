/* relays.h: the TURN servers of one session, from their names to relayed addresses. All on the
 * loop's thread; needs io/ and a session, nothing else of the library.
 *
 *     look up --addresses--> UDP at once; TCP and TLS 100 ms later, unless UDP is live by then
 *
 * Servers know nothing of each other: a dead one, or a name that is never found, delays only
 * itself. A redirection (300) is followed once a server. */
#ifndef HAWSER_SDK_RELAYS_H
#define HAWSER_SDK_RELAYS_H

#include "core/session/session.h"
#include "io/endpoint.h"
#include "io/loop.h"

#define RELAY_SERVERS_MAX     4
#define RELAY_STREAM_AFTER_US (100 * MILLISECOND) /* what a network that drops UDP loses */
#define RELAY_LOOKUP_US       (5 * SECOND)

enum relay_way { RELAY_UDP, RELAY_TCP, RELAY_TLS };

struct relay_server {
    struct endpoint endpoint;
    unsigned ways; /* bit: 1 << enum relay_way */
};

/* Reads a URI of RFC 7065: "turn:" without a transport means UDP and TCP; "turns:" is TLS over TCP,
 * with UDP it is ERR_INVALID (DTLS towards servers is not done). */
int relay_server_parse(struct relay_server *out, const char *uri);

struct relays;

/* All pointers are borrowed. */
struct relays_config {
    struct io_loop *loop;
    struct session *session;
    const char *trace; /* of log lines; may be NULL */
    const struct relay_server *servers;
    size_t server_count; /* RELAY_SERVERS_MAX at most */
    const char *username, *password;
    const char *ca_file;     /* NULL or empty: the system's */
    const struct addr *bind; /* what streams are bound to, the first of the server's family … */
    size_t bind_count;       /* … if there is one */
    /* The socket that UDP to this server leaves from. False: there is none. */
    bool (*find_base)(void *ctx, const struct addr *server, struct addr *base);
    void (*moved)(void *ctx); /* the session has something to do; the last thing in a callback */
    void *ctx;
};

/* Begins with all servers. ERR_NOMEM. */
int relays_new(struct relays **out, const struct relays_config *cfg);
void relays_free(struct relays *r); /* NULL is fine */

/* SESSION_EVENT_RELAY. */
void relays_on_event(struct relays *r, const struct session_event *ev);

/* Asks servers that have no relay (any more), as when the session looks for paths anew. */
void relays_renew(struct relays *r);

/* After the session's sockets were brought up to date: forgets what went by addresses that are
 * gone, and asks by those that have come. Returns how many relays were lost. */
size_t relays_on_network_change(struct relays *r);

/* Nothing is being looked up, connected or asked for. */
bool relays_is_settled(const struct relays *r);

/* A run for the stream of this number. */
void relays_send(struct relays *r, const struct out *run);

/* False while a stream that moves has unsent bytes. */
bool relays_can_send(const struct relays *r);

/* There is a stream, connected or about to be. */
bool relays_has_streams(const struct relays *r);

#endif
