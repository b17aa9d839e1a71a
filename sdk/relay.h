/* relay.h: one allocation of a session on a TURN server, or the attempt at one; what the files of
 * relays.h share.
 *
 *     FREE --stream--> CONNECTING --connected--> ASKING --> LIVE --failed, redirected--> FREE
 *      '--UDP-------------------------------------^ */
#ifndef HAWSER_SDK_RELAY_H
#define HAWSER_SDK_RELAY_H

#include "io/stream.h"
#include "sdk/log.h"
#include "sdk/relays.h"

enum relay_phase { RELAY_FREE, RELAY_CONNECTING, RELAY_ASKING, RELAY_LIVE };

struct relay {
    struct relays *owner;
    struct server *server;
    enum relay_phase phase;
    enum relay_way way;
    struct addr base, address; /* ours and the server's */
    struct stream *stream;     /* NULL: UDP */
    uint8_t number;            /* of the stream */
    unsigned relay;            /* the session's number, from ASKING on */
    usec looked_at;            /* while the stream has unsent bytes; else USEC_NEVER */
    size_t unsent;             /* then */
    bool is_stalled;
};

struct server {
    struct relays *owner;
    const struct relay_server *cfg;
    struct resolve *lookup;
    usec lookup_until;    /* USEC_NEVER: nothing is looked up */
    struct addr addrs[2]; /* one of each family at most */
    size_t addr_count;
    usec stream_at, again_at; /* USEC_NEVER: not planned */
    unsigned failures;        /* in a row, since one lived */
    bool has_lived, is_redirected;
};

struct relays {
    struct relays_config cfg;
    struct io_timer timer;
    struct server servers[RELAY_SERVERS_MAX];
    struct relay relays[SESSION_RELAYS_MAX];
    uint8_t last_number;
    struct rng rng;
};

/* ---- relay.c --------------------------------------------------------------------------------- */

void relay_say(const struct relay *r, enum hawser_log_level level, const char *what);

/* Free again, and its stream closed. */
void relay_drop(struct relay *r);

/* Ask this server for one, unless that is so already, or there is no room. */
void relay_ask_by_udp(struct server *s, const struct addr *address);
void relay_ask_by_stream(struct server *s, const struct addr *address, enum relay_way way);

/* The address it leaves from is gone. */
bool relay_is_gone(const struct relay *r);

/* When relay_look() has something to do. */
usec relay_look_at(const struct relay *r);
void relay_look(struct relay *r, usec now);

/* ---- relays.c -------------------------------------------------------------------------------- */

/* It came to nothing; drops it. */
void relays_on_failed(struct relay *r, const char *why);
void relays_set_timer(struct relays *r);

#endif
