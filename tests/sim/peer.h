/* peer.h: one end of a simulated connection: a whole session and its application (app.h).
 *
 * Time, chance, datagrams, streams and the peer's messages come in as arguments, as everywhere. */
#ifndef HAWSER_TESTS_SIM_PEER_H
#define HAWSER_TESTS_SIM_PEER_H

#include "core/session/session.h"
#include "tests/sim/app.h"

#define PEER_POOL_BLOCKS 4096
#define PEER_TEXT_MAX    16384 /* of a signaling message */
#define PEER_SOCKETS_MAX 4
#define PEER_SERVERS_MAX 4
#define PEER_RELAYS_MAX  4

struct peer_plan {
    enum session_role role;
    size_t socket_count, stun_count, relay_count;
    struct addr sockets[PEER_SOCKETS_MAX]; /* the first is preferred */
    struct addr stun_servers[PEER_SERVERS_MAX];
    struct session_relay relays[PEER_RELAYS_MAX]; /* by UDP: `base` is every socket of the family */
    struct app_plan app;
    size_t rx_bytes_max; /* of the session */
    usec half_open_us;   /* of the session; 0: 40 s, patient: loss is simulated, not haste */
};

struct peer_end {
    enum session_end end;
    unsigned reason;
};

struct peer_seen {
    usec answer_at;    /* the remote description came */
    usec open_at;      /* USEC_NEVER before */
    unsigned paths;    /* SESSION_EVENT_PATH so far */
    usec path_at;      /* the last of them */
    unsigned restarts; /* SESSION_EVENT_RESTART so far */
    unsigned relays_live;
    unsigned streams_failed; /* relays by TCP */
};

struct peer;

/* rng is borrowed. Out of memory stops the test. */
struct peer *peer_new(const struct peer_plan *plan, const struct rng *rng, usec now);

/* Returns how many blocks of the pool were lost: 0, or something leaks. */
size_t peer_free(struct peer *p);

/* The offerer begins by itself; everything else begins with a message. */
void peer_start(struct peer *p, usec now);
void peer_input_message(struct peer *p, usec now, const char *text);
void peer_input(struct peer *p, usec now, const struct addr *local, const struct addr *from,
                struct bytes dgram);
void peer_tick(struct peer *p, usec now);

/* A run of datagrams, or false; after false, the application has seen every event. */
bool peer_poll_output(struct peer *p, usec now, struct out *out);

/* The next signaling message to the peer; valid until the next call. */
const char *peer_poll_message(struct peer *p);
usec peer_next_timeout(const struct peer *p);

/* So many bytes more go and come on a channel: begins to send, if it may. */
void peer_send_more(struct peer *p, usec now, unsigned channel, uint32_t tx_bytes,
                    uint32_t rx_bytes);

void peer_close(struct peer *p, usec now, unsigned reason);

/* Its network changes: an interface came, one went, something happened, as a watcher tells it. */
void peer_add_socket(struct peer *p, usec now, const struct addr *socket);
void peer_remove_socket(struct peer *p, usec now, const struct addr *socket);
void peer_check_paths(struct peer *p, usec now);
void peer_restart(struct peer *p, usec now);

/* A connected stream to a relay, which is asked by it; bytes that came by it, and its end. */
void peer_add_stream_relay(struct peer *p, usec now, uint8_t stream, const struct addr *local,
                           const struct addr *server);
void peer_input_stream(struct peer *p, usec now, uint8_t stream, struct bytes data);
void peer_end_stream(struct peer *p, usec now, uint8_t stream);

bool peer_has_relays(const struct peer *p);
bool peer_is_open(const struct peer *p);
bool peer_has_everything(const struct peer *p);
bool peer_is_closed(const struct peer *p, struct peer_end *end);
const struct peer_seen *peer_seen(const struct peer *p);
struct app *peer_app(struct peer *p); /* borrowed */
void peer_get_info(const struct peer *p, struct session_info *info);
/* When signaling had told all that the path in use needs: the description, and its candidate. */
usec peer_ready_at(const struct peer *p);
bool peer_is_relayed(const struct peer *p); /* its selected path is */

/* What is wrong with this peer at this moment; NULL if nothing is. */
const char *peer_fault(const struct peer *p);

#endif
