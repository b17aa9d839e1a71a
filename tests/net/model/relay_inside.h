/* relay_inside.h: what relay.c and relay_requests.c share. */
#ifndef HAWSER_TESTS_NET_MODEL_RELAY_INSIDE_H
#define HAWSER_TESTS_NET_MODEL_RELAY_INSIDE_H

#include "core/stun/stun.h"
#include "tests/net/model/relay.h"

#define RELAY_KEY_BYTES    16
#define RELAY_NONCE_BYTES  16
#define RELAY_STREAM_BYTES (2 * RELAY_MESSAGE_MAX)

/* Who asks: RFC 8656's 5-tuple. */
struct relay_client {
    struct addr from, to;
    bool stream;
};

struct relay_permission {
    struct addr peer; /* the port does not matter */
    usec until;
};

struct relay_channel {
    struct addr peer;
    uint16_t number; /* 0: free */
    usec until;
};

struct relay_allocation {
    bool is_used;
    struct relay_client client;
    struct stun_id id; /* of the Allocate: sent again it gets the same answer */
    struct addr relayed;
    usec until;
    struct relay_permission permissions[RELAY_PERMISSIONS_MAX];
    struct relay_channel channels[RELAY_CHANNELS_MAX];
};

struct relay_stream {
    bool is_used;
    struct relay_client client;
    size_t len;
    uint8_t buf[RELAY_STREAM_BYTES];
};

struct relay_queued {
    struct addr from, to;
    bool stream;
    size_t len;
    uint8_t data[RELAY_MESSAGE_MAX];
};

struct relay {
    struct relay_config cfg;
    const struct rng *rng;
    struct relay_allocation allocations[RELAY_ALLOCATIONS_MAX];
    struct relay_stream streams[RELAY_STREAMS_MAX];
    struct relay_queued *queue; /* a ring of RELAY_QUEUE_MAX */
    size_t first, count;
    uint8_t key[RELAY_KEY_BYTES];
    char nonce[2 * RELAY_NONCE_BYTES + 1];
    usec nonce_until;
    uint16_t next_port;
    bool is_mute;
    struct addr alternate, forbidden; /* ADDR_NONE: nobody */
    struct relay_counts counts;
};

/* relay.c */
struct relay_allocation *relay_find(struct relay *r, usec now, const struct relay_client *c);
struct relay_allocation *relay_find_relayed(struct relay *r, usec now, const struct addr *relayed);
bool relay_is_permitted(const struct relay_allocation *a, usec now, const struct addr *peer);

/* A place for one message to a client; NULL where the queue is full. w->len counts in the end. */
struct relay_queued *relay_queue(struct relay *r, const struct relay_client *c);

/* relay_requests.c: Allocate, Refresh, CreatePermission, ChannelBind. */
enum verdict relay_on_request(struct relay *r, usec now, const struct relay_client *c,
                              const struct stun_msg *m);
void relay_new_nonce(struct relay *r, usec now);

#endif
