/* dtls_pair.h: two associations over a wire in virtual time that loses, delays, doubles and alters
 * what the test tells it to. */
#ifndef HAWSER_TESTS_SUPPORT_DTLS_PAIR_H
#define HAWSER_TESTS_SUPPORT_DTLS_PAIR_H

#include "core/dtls/dtls.h"

#define DTLS_PAIR_DELAY_US  (10 * MILLISECOND)
#define DTLS_PAIR_IN_FLIGHT 256
#define DTLS_PAIR_RUN_MAX   65000

enum { CLIENT, SERVER };

/* A datagram on the wire. */
struct dtls_letter {
    int to;       /* CLIENT or SERVER */
    usec at;      /* when it arrives */
    size_t index; /* the how manieth it was, of both directions together */
    unsigned copies;
    size_t len;
    uint8_t data[DTLS_DATAGRAM_MAX];
};

/* What one end has seen. */
struct dtls_seen {
    bool has_keys, is_up, has_ended;
    enum dtls_event_type end;
    enum dtls_reason reason;
    size_t packets, bytes;
    struct bytes last; /* of packet_data */
    uint8_t packet_data[DTLS_DATAGRAM_MAX];
};

struct dtls_pair {
    struct dtls_identity *identity[2];
    struct dtls *end[2];
    struct dtls_seen seen[2];
    usec now;
    size_t sent; /* datagrams */
    struct dtls_letter letters[DTLS_PAIR_IN_FLIGHT];
    size_t letter_count;
    /* May change anything in a letter before it goes out; copies 0 loses it. NULL: a good wire. */
    void (*meddle)(void *ctx, struct dtls_letter *letter);
    void *ctx;
    uint64_t seed;
};

/* Identities of both, made once per program. */
struct dtls_identity *dtls_pair_identity(int end);
void dtls_pair_forget_identities(void);

/* Both ends made for each other, idle. mtu 0: the default. */
void dtls_pair_init(struct dtls_pair *p, size_t mtu);
void dtls_pair_init_as(struct dtls_pair *p, size_t mtu, bool false_start);
void dtls_pair_deinit(struct dtls_pair *p);
void dtls_pair_start(struct dtls_pair *p);

/* Moves letters and time until nothing is under way and no timer runs, or `until` is reached. */
void dtls_pair_run(struct dtls_pair *p, usec until);

/* Seals and sends one packet; the err of dtls_seal(). */
int dtls_pair_send(struct dtls_pair *p, int from, struct bytes packet);

/* Moves what an end has to say onto the wire, and its events and data into `seen`. */
void dtls_pair_drain(struct dtls_pair *p, int end);

/* Puts a datagram on the wire as if its sender had. */
void dtls_pair_post(struct dtls_pair *p, int from, struct bytes dgram);

#endif
