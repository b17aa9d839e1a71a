/* cc.h: congestion control as a table of functions, so that another one is another table. Sizes
 * count chunks as they lie in packets: header and padding included (deviations.md, S2). */
#ifndef HAWSER_SCTP_CC_H
#define HAWSER_SCTP_CC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/usec.h"

struct cc;

struct cc_ops {
    const char *name;
    void (*start)(struct cc *cc); /* also after a change of path */

    /* acked bytes left the network; limited: the window, not the application, held us back. */
    void (*on_ack)(struct cc *cc, usec now, size_t acked, bool limited);
    void (*on_loss)(struct cc *cc, usec now, size_t flight); /* once per round trip of losses */
    void (*on_timeout)(struct cc *cc, usec now);
    void (*on_idle)(struct cc *cc, usec now); /* once per RTO of a pause, when it ends */
};

struct cc {
    const struct cc_ops *ops;
    size_t packet_bytes; /* the path's largest SCTP packet */
    size_t cwnd_bytes, cwnd_bytes_max;
    size_t ssthresh_bytes;
    size_t partial_bytes; /* acknowledged since cwnd last grew, in congestion avoidance */
};

/* RFC 9260 §7.2 (NewReno with SACK). */
extern const struct cc_ops cc_newreno;

#endif
