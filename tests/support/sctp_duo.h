/* sctp_duo.h: two associations and nothing between them, in virtual time that passes when the test
 * says so: what one sends the other has at once, and nothing is lost. */
#ifndef HAWSER_TESTS_SUPPORT_SCTP_DUO_H
#define HAWSER_TESTS_SUPPORT_SCTP_DUO_H

#include "core/sctp/sctp.h"

struct sctp_duo {
    struct sctp *sctp[2];
    struct pool *pool; /* of both */
    struct rng rng;
    uint64_t seed;
    usec now;
    struct out out;
    uint8_t buf[OUT_BYTES_MAX];
};

/* Without associations yet. */
void duo_init(struct sctp_duo *d, uint64_t seed, uint32_t pool_blocks);

/* Makes one of them; the pool of cfg is replaced. */
int duo_make(struct sctp_duo *d, int end, const struct sctp_config *cfg);

/* Makes both alike. */
void duo_make_both(struct sctp_duo *d, const struct sctp_config *cfg);
void duo_deinit(struct sctp_duo *d);

/* Gives the other what `from` has to send, as much as goes at once; false if that is nothing. */
bool duo_move(struct sctp_duo *d, int from);

/* Lets time pass for both. */
void duo_wait(struct sctp_duo *d, usec us);

#endif
