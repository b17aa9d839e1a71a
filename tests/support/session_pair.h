/* session_pair.h: an offerer and an answerer on a wire in virtual time, without NATs: what the
 * simulator is too large for. */
#ifndef HAWSER_TESTS_SUPPORT_SESSION_PAIR_H
#define HAWSER_TESTS_SUPPORT_SESSION_PAIR_H

#include "core/session/session.h"

#define SESSION_PAIR_DELAY_US (10 * MILLISECOND)

enum { OFFERER, ANSWERER };

struct session_letter {
    usec at;
    int to;
    size_t len;
    uint8_t data[1500];
};

struct session_seen {
    bool is_open, is_closed;
    usec open_at, closed_at;
    enum session_end end;
    unsigned reason;
    uint64_t received[CHANNEL_COUNT]; /* bytes taken; each must be the channel's number */
    uint64_t wrong;
};

struct session_pair {
    struct session *end[2];
    struct session_seen seen[2];
    struct addr addr[2];
    struct dtls_identity *identity[2];
    struct pool *pool;
    struct rng rng;
    uint64_t seed;
    usec now;
    bool is_cut;      /* the wire loses everything */
    bool hold_answer; /* the answer does not reach the offerer; see session_pair_answer() */
    bool is_deaf[2];  /* does not take what arrives */
    struct session_letter *letters;
    size_t letter_count;
    struct out out;
    uint8_t buf[OUT_BYTES_MAX];
};

/* cfg gives timers; roles, identities and pool are filled in. An error of session_new(). */
int session_pair_init(struct session_pair *p, const struct session_config *cfg);
void session_pair_deinit(struct session_pair *p);

/* Passes the offer on, and the answer unless held; `meddle` may change either. */
int session_pair_signal(struct session_pair *p,
                        void (*meddle)(int from, struct session_description *d));
int session_pair_answer(struct session_pair *p);

/* Moves letters and time until `until`, or nothing more can happen. */
void session_pair_run(struct session_pair *p, usec until);

/* Drains one end's output and events; after any call on it. */
void session_pair_drain(struct session_pair *p, int end);

#endif
