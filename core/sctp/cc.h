/* cc.h: congestion control as a table of functions, so that another one is another table. Sizes
 * count chunks as they lie in packets: header and padding included (deviations.md, S2). */
#ifndef HAWSER_SCTP_CC_H
#define HAWSER_SCTP_CC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/usec.h"

struct cc;
struct sctp_info;

/* What one SACK told. */
struct cc_sample {
    size_t acked;        /* bytes that have left the network … */
    size_t lost;         /* … and that were found lost since the last sample */
    size_t flight;       /* bytes in flight after it */
    usec rtt_us;         /* of the newest of them that was sent but once; 0: none */
    uint64_t rate;       /* bytes per second between its sending and now; 0: unknown */
    bool is_app_limited; /* not the network bounded that rate */
    bool is_round;       /* it was sent after the last round was told of */
    bool is_limited;     /* the window, not the application, holds us back now */
};

struct cc_ops {
    const char *name;
    void (*start)(struct cc *cc, usec now); /* also after a change of path */
    void (*on_ack)(struct cc *cc, usec now, const struct cc_sample *sample);
    void (*on_timeout)(struct cc *cc, usec now);
    void (*tell)(const struct cc *cc, struct sctp_info *info); /* its state and its model */
};

#define CC_BBR_ROUNDS 10 /* of the filter of the highest rate */

enum cc_bbr_state {
    CC_BBR_STARTUP,
    CC_BBR_DRAIN,
    CC_BBR_DOWN,
    CC_BBR_CRUISE,
    CC_BBR_UP,
    CC_BBR_PROBE_RTT
};

struct cc_bbr {
    enum cc_bbr_state state;
    unsigned round;                /* how many there were */
    unsigned state_round;          /* which the state began in */
    usec state_at;                 /* when */
    uint64_t rates[CC_BBR_ROUNDS]; /* highest of each of the last rounds */
    uint64_t full_rate;            /* STARTUP: to be outdone by a quarter … */
    unsigned full_rounds;          /* … or so many rounds have not */
    usec min_rtt_us, min_rtt_at;
    usec mean_rtt_us, jitter_us; /* smoothed, and how far samples lie from it */
    usec round_rtt_us;           /* least of this round */
    size_t inflight_hi; /* more than this was found to be too much; SIZE_MAX: nothing was */
    size_t round_acked, round_lost;
    uint32_t usual_loss_ppm; /* what is lost when we do not push: not ours to yield to */
};

struct cc {
    const struct cc_ops *ops;
    size_t packet_bytes; /* the path's largest SCTP packet */
    size_t cwnd_bytes, cwnd_bytes_max;
    uint64_t pacing_rate; /* bytes per second; 0: as fast as cwnd lets */
    usec rtt_us;          /* known before the first sample, of ICE; 0: unknown */
    struct cc_bbr bbr;
};

/* A model of the path: its rate and its round trip, in the manner of BBR
 * (draft-ietf-ccwg-bbr); deviations.md, S19. */
extern const struct cc_ops cc_bbr;

#endif
