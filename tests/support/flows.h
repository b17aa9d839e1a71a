/* flows.h: several flows through one bottleneck, in virtual time: associations and TCP flows, each
 * with a way back of its own. */
#ifndef HAWSER_TESTS_SUPPORT_FLOWS_H
#define HAWSER_TESTS_SUPPORT_FLOWS_H

#include "core/sctp/sctp.h"
#include "tests/net/model/cubic.h"
#include "tests/net/model/link.h"

enum { FLOWS_MAX = 9, FLOWS_QUEUE_STEPS = 4000 };
enum { FLOW_STREAM = 5, FLOW_HEADERS = 28, FLOW_PACKET = 1160, FLOW_CHUNK = 1132 };

#define FLOW_PAYLOAD ((double)FLOW_CHUNK / (FLOW_PACKET + FLOW_HEADERS)) /* of a packet of IP */

enum flow_kind { FLOW_NONE, FLOW_HAWSER, FLOW_CUBIC };

struct flow_config {
    enum flow_kind kind;
    usec start_at;     /* of the flow's own data; the association stands before */
    usec stop_at;      /* 0: never */
    uint64_t rate_bps; /* what the application has to send; 0: always more */
    unsigned without;  /* as in struct sctp_config */
};

struct flow {
    struct flow_config cfg;
    struct sctp *end[2]; /* sender, receiver */
    struct pool *pool;
    struct cubic *cubic;
    struct link *back;
    usec due_at; /* of an application that has no more than a rate */
    uint64_t received;
};

struct flows {
    struct flow flow[FLOWS_MAX];
    size_t count;
    struct link *there;
    struct rng rng;
    uint64_t seed;
    usec now;
    struct out out;
    uint8_t buf[OUT_BYTES_MAX];
    usec sample_at;
    uint64_t queue_ms[FLOWS_QUEUE_STEPS]; /* how often the queue was so long */

    /* What the test does besides, each time that something happens; may be NULL. */
    void (*app)(struct flows *f, void *ctx);
    void *app_ctx;
    usec app_at; /* wakes it at the latest */
};

/* `back` may be NULL: then it is the way there without rate and losses. Associations are up. */
struct flows *flows_new(uint64_t seed, const struct link_config *there,
                        const struct link_config *back, const struct flow_config *list,
                        size_t count);
void flows_free(struct flows *f);
void flows_run(struct flows *f, usec until);

/* The same network from now on behaves otherwise. */
void flows_set_link(struct flows *f, const struct link_config *there,
                    const struct link_config *back);

uint64_t flow_received(const struct flow *f); /* payload */
void flows_forget_queue(struct flows *f);
usec flows_queue_us(const struct flows *f, unsigned percentile); /* since then, to a millisecond */

/* Jain's index of what was received; before may be NULL. */
double flows_jain(const double *shares, size_t count);

#endif
