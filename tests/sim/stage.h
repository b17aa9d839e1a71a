/* stage.h: two peers in a town, a broker between them, servers, and virtual time; everything that
 * happens follows from one seed. What is tried on it is sim.c's and the scenarios'. */
#ifndef HAWSER_TESTS_SIM_STAGE_H
#define HAWSER_TESTS_SIM_STAGE_H

#include "tests/sim/peer.h"
#include "tests/sim/server.h"
#include "tests/sim/tcp.h"
#include "tests/sim/town.h"

#define STAGE_PEERS    2
#define STAGE_MAIL_MAX 128

/* A signaling message under way. The broker keeps each sender's order. */
struct mail {
    usec due_at;
    unsigned to;
    char *text;
};

/* What becomes of messages about restarts; offers and answers always arrive, once and in order. */
struct stage_post {
    usec delay_us; /* of every message */
    uint32_t loss_ppm, repeat_ppm, late_ppm;
    usec late_us; /* later than the rest, and out of order */
};

struct stage {
    uint64_t chance;
    struct rng rng;
    bool is_traced;
    usec now;
    uint64_t steps, standstill;
    usec span_max;      /* ten minutes unless set */
    size_t packets_max; /* on one link at once; 1024 unless set before the network is built */
    struct town town;
    struct peer *peers[STAGE_PEERS];
    struct server servers[TOWN_SERVERS];
    struct tcp tcp;
    unsigned streams_failed[STAGE_PEERS]; /* that were dealt with */
    uint8_t streams[STAGE_PEERS];         /* how many a peer has made; their numbers */
    usec stream_at[STAGE_PEERS]; /* when a relay is asked by TCP unless one has answered by UDP */
    struct stage_post post;
    usec last_mail_at[STAGE_PEERS];
    struct mail mail[STAGE_MAIL_MAX];
    size_t mail_count;
    const char *fault;  /* NULL: all is as it must be; else the first thing that was not */
    uint64_t datagrams; /* that arrived */
    uint64_t hash;      /* of each: when, where, and every byte */
    uint64_t sent[STAGE_PEERS];

    /* Sees a datagram before the peer does; NULL: nobody. */
    void (*arrives)(void *ctx, const struct net_packet *p);
    /* Sees what a peer sends. */
    void (*leaves)(void *ctx, unsigned peer, const struct addr *from, const struct addr *to,
                   struct bytes dgram);
    void *ctx;
    uint8_t run[OUT_BYTES_MAX];
};

void stage_init(struct stage *s, uint64_t seed, bool is_traced);

/* The network, two STUN servers and two relays: see server_become(). */
void stage_build(struct stage *s, const struct town_plan *plan);
void stage_deinit(struct stage *s); /* a leak of the peers' pools becomes a fault */

/* Sockets and servers in plan are as given; peer i is host i. */
void stage_add_peer(struct stage *s, unsigned peer, const struct peer_plan *plan);

/* The offerer is peer 0. Where no relay answers by UDP, the first one is asked by TCP at port 443,
 * a tenth of a second later. */
void stage_start(struct stage *s);

/* The connection of a peer to a relay ends, and both ends hear of it. A tenth of a second after any
 * end of a relay by TCP the peer makes another connection. */
void stage_cut_stream(struct stage *s, unsigned peer);

/* One step: time moves to the earliest deadline, and what is due then happens. */
void stage_step(struct stage *s);

/* Steps until `is_done` (NULL: never) or `until` is reached, or something is wrong. True: done. */
bool stage_run(struct stage *s, usec until, bool (*is_done)(const struct stage *));

/* Whoever calls a non-const function of a peer drains it next. */
void stage_drain(struct stage *s, unsigned peer);

void stage_fault(struct stage *s, const char *what);
void stage_trace(struct stage *s, const char *what, unsigned peer, const char *detail);
uint32_t stage_between(struct stage *s, uint32_t least, uint32_t most);

bool stage_are_open(const struct stage *s);
bool stage_have_everything(const struct stage *s);
bool stage_are_closed(const struct stage *s);

#endif
