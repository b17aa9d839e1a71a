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
    size_t lost;         /* … and that were taken for lost since the last sample */
    size_t found;        /* … and that had been taken for lost, and had arrived */
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

#define CC_ROUNDS 10 /* that the filters of short memory look back on */

/* What is known of the path: cc_model.c. */
struct cc_model {
    unsigned round;              /* how many there were */
    bool is_round_full;          /* the network, not the application, bounded part of this one */
    unsigned full_round;         /* how many of those there were */
    unsigned probe_round;        /* the last of them when the last probe ended */
    uint64_t recent[CC_ROUNDS];  /* highest rate of each of the last of those, bytes per second */
    uint64_t best[2];            /* highest since the last probe for more, and before that */
    usec min_rtt_us, min_rtt_at; /* the least, and when it was seen */
    usec window_at, window_least_us, window_most_us; /* of rounds that did not push */
    usec mean_rtt_us, jitter_us;                     /* smoothed, and how far samples lie from it */
    usec round_rtt_us;                               /* least of this round … */
    usec last_rtt_us;                                /* … and of the last */
    unsigned queue_rounds;                           /* so many in a row had a queue */
    bool is_shared;                                  /* which was there too when ours had drained */
    size_t round_acked, round_lost;
    uint32_t usual_loss_ppm; /* what is lost when there is no queue: not ours to yield to */

    /* How far acknowledgements run ahead of the rate, where they come in bunches. */
    usec bunch_at;
    size_t bunch_acked;
    size_t bunches[CC_ROUNDS];
};

enum cc_bbr_state {
    CC_BBR_STARTUP,
    CC_BBR_DRAIN,
    CC_BBR_DOWN,
    CC_BBR_CRUISE,
    CC_BBR_UP,
    CC_BBR_PROBE_RTT
};

/* What is too much in flight, and what was decided by it. */
struct cc_bounds {
    size_t inflight_hi; /* was found to be too much while probing; SIZE_MAX: nothing was */
    size_t inflight_lo; /* and since, until the next probe; SIZE_MAX likewise */
    uint64_t rate_lo;   /* likewise, bytes per second; UINT64_MAX */
    bool is_full;       /* STARTUP has found the path's rate */
};

struct cc_bbr {
    enum cc_bbr_state state;
    unsigned state_round; /* which the state began in */
    usec state_at;        /* when */
    uint64_t full_rate;   /* STARTUP, UP: to be outdone … */
    unsigned full_rounds; /* … or so many rounds have not */
    unsigned push_round;  /* in which we last pushed; what it lost shows for two more */
    bool is_judged;       /* its losses have been answered */
    usec drained_at;      /* when PROBE_RTT last had us drained, or the first data came */
    usec full_rtt_us;     /* PROBE_RTT: round trips before */
    uint64_t had_rate;    /* UP: what arrived before */
    usec wait_us;         /* CRUISE: until the next probe */
    uint32_t chance;      /* state of a small generator: several flows should not probe at once */
    struct cc_bounds now, before; /* before: as they were when losses first tightened them */
    size_t blamed;  /* bytes found lost since then; 0: they were not tightened, or long ago */
    size_t cleared; /* and of those, the ones that turned up */
};

struct cc {
    const struct cc_ops *ops;
    size_t packet_bytes; /* the path's largest SCTP packet */
    size_t cwnd_bytes, cwnd_bytes_max;
    uint64_t pacing_rate; /* bytes per second; 0: as fast as cwnd lets */
    usec rtt_us;          /* known before the first sample, of ICE; 0: unknown */
    uint32_t seed;        /* differs between associations */
    struct cc_model model;
    struct cc_bbr bbr;
};

/* cc_model.c */
void cc_model_start(struct cc_model *m, usec now, usec rtt_us);
void cc_model_learn(struct cc_model *m, usec now, const struct cc_sample *sample);
void cc_model_end_round(struct cc_model *m, usec now,
                        bool is_pushing); /* what is lost then may be ours */

/* Our own queue has drained after a probe: the best rate of before it is forgotten. */
void cc_model_end_probe(struct cc_model *m);

/* We have sent little for two rounds: if that made round trips no shorter than they were before,
 * there is no queue in them, and the path has become longer. False: not so. */
bool cc_model_try_longer(struct cc_model *m, usec full_rtt_us);

uint64_t cc_model_recent_rate(const struct cc_model *m);
uint64_t cc_model_rate(const struct cc_model *m);
size_t cc_model_product(const struct cc_model *m); /* what the path holds without a queue */
size_t cc_model_shared(const struct cc_model *m);  /* the same, with the queue of others */
size_t cc_model_bunch(const struct cc_model *m);   /* most that acknowledgements ran ahead */
bool cc_model_has_queue(const struct cc_model *m);
uint32_t cc_model_loss_ppm(const struct cc_model *m); /* of this round so far */

/* Sends by a model of the path: its rate and its round trip, in the manner of BBR
 * (draft-ietf-ccwg-bbr); deviations.md, S19. */
extern const struct cc_ops cc_bbr;

#endif
