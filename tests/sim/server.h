/* server.h: a server on the simulated internet: one that answers as it should, one that lies, and
 * one that is silent. */
#ifndef HAWSER_TESTS_SIM_SERVER_H
#define HAWSER_TESTS_SIM_SERVER_H

#include "core/base/rng.h"
#include "tests/net/model/relay.h"
#include "tests/sim/net.h"

/* LYING: answers that name a victim's address, nobody's, or nothing; errors; answers twice, to
 * another question or from another port. A lying relay relays, but its answers are spoilt, or are
 * a STUN liar's. */
enum server_kind {
    SERVER_SILENT,
    SERVER_STUN,
    SERVER_STUN_LYING,
    SERVER_RELAY,
    SERVER_RELAY_LYING
};

#define SERVER_USERNAME    "user"
#define SERVER_PASSWORD    "password"
#define SERVER_ANSWERS_MAX 2
#define SERVER_BYTES_MAX   256

struct server {
    enum server_kind kind;
    const struct rng *rng; /* borrowed */
    struct relay *relay;   /* of every server that may become one */
    struct addr victim;    /* whom a liar names */
    size_t answer_count;
    struct server_answer {
        struct addr from, to;
        size_t len;
        uint8_t data[SERVER_BYTES_MAX];
    } answers[SERVER_ANSWERS_MAX];
    uint8_t spoilt[RELAY_MESSAGE_MAX];
};

/* rng is borrowed. Out of memory stops the test. */
void server_init(struct server *s, enum server_kind kind, const struct addr *ip4,
                 const struct addr *ip6, const struct rng *rng);
void server_deinit(struct server *s);

/* It becomes another one; what a relay allocated is kept. */
void server_become(struct server *s, enum server_kind kind);

void server_input(struct server *s, usec now, const struct link_packet *p);
void server_input_stream(struct server *s, usec now, const struct addr *from, const struct addr *to,
                         struct bytes data);
void server_tick(struct server *s, usec now);

/* The next answer, or datagram of a relay's; valid until the next call. */
bool server_poll_output(struct server *s, struct relay_packet *out);
usec server_next_timeout(const struct server *s);

#endif
