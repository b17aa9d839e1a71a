/* session_pair.h: an offerer and an answerer on a wire in virtual time, without NATs: what the
 * simulator is too large for. Signaling is a wire of its own, for what follows offer and answer:
 * candidates that come later, and restarts. */
#ifndef HAWSER_TESTS_SUPPORT_SESSION_PAIR_H
#define HAWSER_TESTS_SUPPORT_SESSION_PAIR_H

#include "core/session/session.h"
#include "tests/net/model/relay.h"

#define SESSION_PAIR_DELAY_US  (10 * MILLISECOND)
#define SESSION_PAIR_ADDRS_MAX 4
#define SESSION_PAIR_STREAM    3 /* number of the one stream that an end may have to the relay */

enum { OFFERER, ANSWERER, RELAY };

struct session_letter {
    usec at;
    int to; /* an end, or RELAY */
    bool is_stream;
    struct addr from_addr, to_addr;
    size_t len;
    uint8_t data[1500];
};

/* By signaling: a description, or a candidate. */
struct session_note {
    usec at;
    int to;
    bool is_candidate;
    struct ice_candidate candidate;
    struct session_description description;
};

struct session_seen {
    bool is_open, is_closed;
    usec open_at, closed_at;
    usec path_at;  /* the last PATH event */
    usec first_at; /* the first byte of any channel; 0: none */
    enum session_end end;
    unsigned reason;
    unsigned paths, restarts; /* events */
    struct ice_path path;     /* of the last PATH event */
    unsigned relay_states[4]; /* how often each was told */
    struct addr redirected;
    int note_err;                     /* what the last note from the other side was answered with */
    uint64_t received[CHANNEL_COUNT]; /* bytes taken; each must be the channel's number */
    uint64_t wrong;
};

struct session_pair {
    struct session *end[2];
    struct session_seen seen[2];
    struct addr addr[2];                         /* the first socket of each end */
    struct addr more[2][SESSION_PAIR_ADDRS_MAX]; /* and the others */
    unsigned more_count[2];
    struct addr dead[SESSION_PAIR_ADDRS_MAX]; /* what comes from or goes to them is lost */
    unsigned dead_count;
    struct dtls_identity *identity[2];
    struct pool *pool;
    struct rng rng;
    uint64_t seed;
    usec now;
    usec delay_us;      /* of the wire, one way */
    usec note_delay_us; /* of signaling */
    bool is_cut;        /* the wire loses everything */
    bool is_silent;     /* signaling loses everything */
    bool bends_flights; /* the wire changes a bit of every handshake datagram of DTLS */
    bool hold_answer;   /* the answer does not reach the offerer; see session_pair_answer() */
    bool is_deaf[2];    /* does not take what arrives */
    bool is_talking[2]; /* sends a byte on channel 0 as soon as it is open */
    uint64_t posted;    /* datagrams that left */
    uint64_t lose_nth;  /* of those that leave from here on; 0: none */
    size_t longest;     /* of those that arrived, streams apart */
    size_t payload_max; /* longer datagrams are lost; 0: 1472, Ethernet's in IPv4 */
    struct session_letter *letter_store, *letters; /* letters: the first of those under way */
    size_t letter_count;
    struct session_note *notes;
    size_t note_count;

    void (*on_relay)(struct session_pair *p, int end, const struct session_event *ev);
    bool is_direct_cut;  /* only what goes by the relay arrives */
    struct relay *relay; /* borrowed; NULL: there is none. As far from each end as the other is */
    struct out out;
    uint8_t buf[OUT_BYTES_MAX];
};

/* cfg gives timers; roles, identities and pool are filled in. An error of session_new(). */
int session_pair_init(struct session_pair *p, const struct session_config *cfg);
void session_pair_deinit(struct session_pair *p);

/* Another socket of an end. */
int session_pair_add_socket(struct session_pair *p, int end, const struct addr *base,
                            uint16_t preference);

/* Passes the offer on, and the answer unless held; `meddle` may change either. */
int session_pair_signal(struct session_pair *p,
                        void (*meddle)(int from, struct session_description *d));
int session_pair_answer(struct session_pair *p);

/* Sends what an end says of itself now to the other. */
void session_pair_tell(struct session_pair *p, int from);

/* Moves letters and time until `until`, or nothing more can happen. */
void session_pair_run(struct session_pair *p, usec until);

/* Drains one end's output and events; after any call on it. */
void session_pair_drain(struct session_pair *p, int end);

#endif
