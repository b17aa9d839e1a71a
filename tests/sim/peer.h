/* peer.h: one end of a simulated connection: a whole session, and an application that sends known
 * bytes on every channel and compares what it receives.
 *
 * Time, chance, datagrams and the peer's messages come in as arguments, as everywhere. */
#ifndef HAWSER_TESTS_SIM_PEER_H
#define HAWSER_TESTS_SIM_PEER_H

#include "core/session/session.h"

#define PEER_POOL_BLOCKS 4096
#define PEER_TEXT_MAX    16384 /* of a signaling message */

/* What the application does. Bytes of a channel follow from key alone: both ends can make them. */
struct peer_plan {
    enum session_role role;
    struct addr socket, stun_server;
    uint64_t tx_key, rx_key;
    uint32_t tx_bytes[CHANNEL_COUNT], rx_bytes[CHANNEL_COUNT];
    size_t rx_bytes_max; /* of the session */
    usec reads_every_us; /* 0: at once */
};

struct peer_end {
    enum session_end end;
    unsigned reason;
};

struct peer;

/* rng is borrowed. Out of memory stops the test. */
struct peer *peer_new(const struct peer_plan *plan, const struct rng *rng, usec now);

/* Returns how many blocks of the pool were lost: 0, or something leaks. */
size_t peer_free(struct peer *p);

/* The offerer begins by itself; everything else begins with a message. */
void peer_start(struct peer *p, usec now);
void peer_input_message(struct peer *p, usec now, const char *text);
void peer_input(struct peer *p, usec now, const struct addr *from, struct bytes dgram);
void peer_tick(struct peer *p, usec now);

/* A run of datagrams, or false; after false, the application has seen every event. */
bool peer_poll_output(struct peer *p, usec now, struct out *out);

/* The next signaling message to the peer; valid until the next call. */
const char *peer_poll_message(struct peer *p);
usec peer_next_timeout(const struct peer *p);

void peer_close(struct peer *p, usec now, unsigned reason);

bool peer_is_open(const struct peer *p);
bool peer_has_everything(const struct peer *p);
bool peer_is_closed(const struct peer *p, struct peer_end *end);

/* What is wrong with this peer at this moment; NULL if nothing is. */
const char *peer_fault(const struct peer *p);

#endif
