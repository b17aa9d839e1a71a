#include "core/sctp/rto.h"

void rto_init(struct rto *r, usec initial_us, usec min_us, usec max_us)
{
    *r = (struct rto){
        .rto_us = usec_clamp(initial_us, min_us, max_us),
        .min_us = min_us,
        .max_us = max_us,
    };
}

/* RTO.Alpha is 1/8 and RTO.Beta 1/4. */
void rto_add_sample(struct rto *r, usec rtt_us)
{
    usec rtt = usec_clamp(rtt_us, 1, r->max_us);

    if (r->srtt_us == 0) {
        r->srtt_us = rtt;
        r->rttvar_us = rtt / 2;
    } else {
        usec off = rtt > r->srtt_us ? rtt - r->srtt_us : r->srtt_us - rtt;

        r->rttvar_us += (off - r->rttvar_us) / 4;
        r->srtt_us = usec_max(r->srtt_us + (rtt - r->srtt_us) / 8, 1);
    }
    rto_restore(r);
}

void rto_restore(struct rto *r)
{
    if (r->srtt_us)
        r->rto_us = usec_clamp(r->srtt_us + 4 * r->rttvar_us, r->min_us, r->max_us);
}

void rto_back_off(struct rto *r)
{
    r->rto_us = usec_min(2 * r->rto_us, r->max_us);
}
