/* relay.h: a STUN and TURN server (RFC 8489, RFC 8656) for tests, with faults on demand.
 *
 * Sans-IO, like link and nat: what comes to its addresses, or to an address it relays for, goes in
 * with relay_input(); what it sends is pulled. Stands where a real server would, so that clients
 * meet 401, 438, 300, silence and restarts when a test wants them to. What one allocation sends to
 * another is delivered inside and never comes out in between.
 *
 * Connections (TURN over TCP) are byte streams named by both their ends; they are there from the
 * first byte until relay_end_stream(). Everything is bounded and taken once, by relay_new(). */
#ifndef HAWSER_TESTS_NET_MODEL_RELAY_H
#define HAWSER_TESTS_NET_MODEL_RELAY_H

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

#define RELAY_ALLOCATIONS_MAX 32
#define RELAY_PERMISSIONS_MAX 32 /* of one allocation */
#define RELAY_CHANNELS_MAX    16 /* of one allocation */
#define RELAY_STREAMS_MAX     8
#define RELAY_QUEUE_MAX       512  /* messages not yet polled; more are dropped */
#define RELAY_DATAGRAM_MAX    2048 /* of data; longer datagrams are dropped */
#define RELAY_MESSAGE_MAX     (RELAY_DATAGRAM_MAX + 64)

/* Zero in any field means the default named here. */
struct relay_config {
    struct addr address,
        address6; /* where it listens, and whose IP it relays for; ADDR_NONE: not */
    const char *username, *password, *realm; /* borrowed; no username: everybody is let in */
    uint16_t port_first, port_last;          /* of relayed addresses: 49152 to 65535 */
    uint32_t lifetime_s;                     /* the longest it grants: 600 */
    usec nonce_us;                           /* how long a nonce is good: for ever */
};

struct relay_packet {
    struct addr from, to;
    bool stream;        /* bytes of the connection between these two, not a datagram */
    struct bytes dgram; /* valid until the next call on the relay */
};

struct relay_counts {
    uint64_t requests, refused;             /* TURN requests, and those answered with an error */
    uint64_t challenges;                    /* of the refused: 401 and 438 */
    uint64_t binding;                       /* STUN Binding requests */
    uint64_t to_peers, to_clients, dropped; /* datagrams relayed; not relayed for any reason */
};

struct relay;

/* rng is borrowed. ERR_NOMEM. */
int relay_new(struct relay **out, const struct relay_config *cfg, const struct rng *rng);
void relay_free(struct relay *r);

/* FOREIGN: neither its address nor one it relays for. */
enum verdict relay_input(struct relay *r, usec now, const struct addr *from, const struct addr *to,
                         struct bytes dgram);

/* The next bytes of a connection, in any pieces. MALFORMED: cannot be followed; LIMIT: too many. */
enum verdict relay_input_stream(struct relay *r, usec now, const struct addr *from,
                                const struct addr *to, struct bytes data);

/* The connection ended, with its allocation. */
void relay_end_stream(struct relay *r, const struct addr *from, const struct addr *to);
void relay_tick(struct relay *r, usec now);
bool relay_poll_output(struct relay *r, struct relay_packet *out);
usec relay_next_timeout(const struct relay *r);

/* Whether a datagram to this address is for relay_input(). */
bool relay_is_at(const struct relay *r, const struct addr *to);

/* Faults. */
void relay_mute(struct relay *r, bool is_mute); /* takes everything, answers and relays nothing */
void relay_restart(struct relay *r);            /* forgets allocations, connections and nonce */
void relay_stale(struct relay *r);              /* the next request meets 438 with a new nonce */
void relay_redirect(struct relay *r, const struct addr *alternate); /* 300; NULL: no more */
void relay_forbid(struct relay *r, const struct addr *peer);        /* 403 for this IP; one */

size_t relay_allocation_count(const struct relay *r);
const struct relay_counts *relay_counts(const struct relay *r);

#endif
