/* sctp_pair.h: two associations over a wire of virtual time that loses, delays, reorders and
 * doubles packets by chance from a seed. What each side sends and what the other reads is hashed
 * message by message, so that a test can say "everything arrived, once, unchanged, in order". */
#ifndef HAWSER_TESTS_SUPPORT_SCTP_PAIR_H
#define HAWSER_TESTS_SUPPORT_SCTP_PAIR_H

#include "core/sctp/sctp.h"

enum { PAIR_STREAMS = 16, PAIR_WIRE_MAX = 16384 };

struct pair_link {
    usec delay_us;
    usec jitter_us; /* more delay, by chance: what reorders */
    uint32_t loss_ppm, duplicate_ppm, corrupt_ppm;
};

struct pair_tally {
    uint64_t bytes, messages, hash; /* of payloads, ppids and message ends, in order */
};

struct pair_packet {
    usec at;
    uint64_t number; /* of sending: ties keep their order */
    int to;
    size_t len;
    uint8_t *bytes;
};

struct pair_side {
    struct sctp *sctp;
    struct pool *pool;
    struct rng rng;
    uint64_t rng_state;
    bool is_reading; /* takes what is readable as soon as it is told */
    struct pair_tally sent[PAIR_STREAMS], received[PAIR_STREAMS];
    unsigned ups, resets, writables;
    bool is_closed;
    struct sctp_event closed;
    uint64_t packets_out;
    usec read_at, longest_pause; /* when something was last read; longest time without, so far */
};

struct sctp_pair {
    struct pair_side side[2];
    struct pair_link link;
    usec now;
    uint64_t seed_state, packets;
    struct rng rng;
    struct pair_packet *wire; /* a heap by time */
    size_t wire_count;
    size_t largest_packet;
    uint32_t tag[2];         /* that packets to this side last carried */
    uint32_t initial_tsn[2]; /* of the data this side sends, as its INIT or INIT ACK said */
    bool is_cut;             /* nothing arrives any more */

    /* Sees each packet before the wire does; false takes it away. */
    bool (*tap)(void *ctx, int from, struct bytes packet);
    void *tap_ctx;

    /* Called once at this time, whatever runs the pair; it may set both anew. */
    usec call_at;
    void (*call)(struct sctp_pair *p, void *ctx);
    void *call_ctx;
};

/* Zero fields of cfg mean defaults; its pool is replaced. False without memory. */
bool pair_init(struct sctp_pair *p, uint64_t seed, const struct sctp_config *cfg);
bool pair_init_each(struct sctp_pair *p, uint64_t seed, const struct sctp_config cfg[2]);
void pair_deinit(struct sctp_pair *p);

/* Lets both run until `until`, or until they have nothing more to do; true if time is left. */
bool pair_run(struct sctp_pair *p, usec until);

/* The same until both are up, or both are closed. */
bool pair_run_until_up(struct sctp_pair *p, usec until);
bool pair_run_until_closed(struct sctp_pair *p, usec until);

/* Makes both and lets side 0 connect, over a link of this delay. True if both are up in 10 s. */
bool pair_connect(struct sctp_pair *p, uint64_t seed, const struct sctp_config *cfg, usec delay_us);

/* Whatever is under way is lost. */
void pair_lose_wire(struct sctp_pair *p);

/* Moves packets and events at this moment, without letting time pass. */
void pair_drain(struct sctp_pair *p);

/* One whole message, counted in the tally if taken. */
int pair_send(struct sctp_pair *p, int from, uint16_t stream, uint32_t ppid, struct bytes message);

/* Reads all that a side has. */
void pair_read(struct sctp_pair *p, int side);

/* Everything sent on every stream by `from` has been read by the other side. */
bool pair_is_delivered(const struct sctp_pair *p, int from);

/* Sends `total` bytes of noise in messages of up to message_max bytes over `streams` streams, as
 * room allows, running the pair meanwhile. False if not delivered by `until`. */
bool pair_transfer(struct sctp_pair *p, int from, unsigned streams, size_t total,
                   size_t message_max, usec until);

/* Offers a packet made of chunks, with the header and checksum it needs; in hex, also with the tag
 * that packets to this side carry. */
enum verdict pair_inject(struct sctp_pair *p, int to, uint32_t tag, struct bytes chunks);
enum verdict pair_inject_hex(struct sctp_pair *p, int to, const char *hex);

/* Writes the checksum of a packet of at least 12 bytes. */
void pair_seal(uint8_t *packet, size_t len);

#endif
