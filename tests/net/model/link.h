/* link.h: one direction of a wire that delays, loses, repeats, reorders and spoils datagrams.
 *
 * Sans-IO, like the core: datagrams go in with link_input(), come out with link_poll_output() when
 * they are due, and link_next_timeout() says when that is. All chance comes from the rng, so the
 * same seed gives the same losses. Memory is taken once, by link_new(). */
#ifndef HAWSER_TESTS_NET_MODEL_LINK_H
#define HAWSER_TESTS_NET_MODEL_LINK_H

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

#define LINK_DATAGRAM_MAX 2048 /* bytes offered; longer ones never fit the MTU */

/* Zero everywhere is a perfect wire. ppm: of a million datagrams, how many. */
struct link_config {
    usec delay_us;
    usec jitter_us; /* added evenly, 0 up to this; the order is kept */
    uint32_t loss_ppm;
    uint32_t loss_run;      /* so many in a row, on average, for as many losses; 0 and 1: alone */
    uint32_t duplicate_ppm; /* the copy has a jitter of its own */
    uint32_t reorder_ppm;   /* these wait reorder_us longer, and later ones overtake them */
    usec reorder_us;
    uint32_t corrupt_ppm;   /* one bit is flipped, as if the UDP checksum had let it through */
    uint64_t rate_bps;      /* of IP bits; 0: no limit */
    size_t queue_bytes_max; /* waiting for the rate; more is dropped. 0: one second's worth */
    size_t police_bytes;    /* not queued but policed: what may pass at once; 0: queued */
    usec batch_us;          /* what is due comes out together, so often; 0: each when it is due */
    size_t mtu;             /* of IP packets; longer ones are dropped. 0: 1500 */
    bool has_headers;       /* what is offered are IP packets; otherwise UDP payload */
};

struct link_counts {
    uint64_t offered, delivered, lost, duplicated, reordered, corrupted;
    uint64_t over_mtu, over_queue, over_table; /* dropped for want of room */
};

struct link;

struct link_packet {
    struct addr from, to;
    struct bytes dgram; /* valid until the next call on the link */
};

/* Holds at most packets_max datagrams at once. rng is borrowed. ERR_NOMEM. */
int link_new(struct link **out, const struct link_config *cfg, size_t packets_max,
             const struct rng *rng);
void link_free(struct link *l);

/* Datagrams already under way keep the conditions they were sent under. */
void link_set(struct link *l, const struct link_config *cfg);

/* VERDICT_LIMIT: dropped by the MTU, the queue or the table; VERDICT_TAKEN says nothing of loss. */
enum verdict link_input(struct link *l, usec now, const struct addr *from, const struct addr *to,
                        struct bytes dgram);
bool link_poll_output(struct link *l, usec now, struct link_packet *out);
usec link_next_timeout(const struct link *l);

size_t link_held(const struct link *l);            /* datagrams under way */
usec link_backlog(const struct link *l, usec now); /* until the last bit offered has left */
const struct link_counts *link_counts(const struct link *l);

#endif
