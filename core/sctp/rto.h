/* rto.h: the retransmission timeout. RFC 9260 §6.3.1. */
#ifndef HAWSER_SCTP_RTO_H
#define HAWSER_SCTP_RTO_H

#include "core/base/usec.h"

struct rto {
    usec rto_us;             /* in force, back-off included */
    usec srtt_us, rttvar_us; /* 0 before the first measurement */
    usec min_us, max_us;
};

void rto_init(struct rto *r, usec initial_us, usec min_us, usec max_us);
void rto_add_sample(struct rto *r, usec rtt_us);
void rto_back_off(struct rto *r); /* an expiry: twice as long, §6.3.3 E2 */

/* Takes back-off away: something sent but once was acknowledged in time, or the path is known to be
 * back, so what the measurements say holds again, also where no sample is due (deviations.md, S5,
 * S46). */
void rto_restore(struct rto *r);

#endif
