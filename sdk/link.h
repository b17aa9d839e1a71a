/* link.h: one session of this process, from the call or offer that began it until nobody wants it.
 *
 *     IDLE --sockets--> CONNECTING --session open--> OPEN --close asked--> FLUSHING --rings empty
 *       |                   |                          |                      |   or time up--.
 *       '--given up---------'----> ENDED <--peer, link lost <-----------------'-- CLOSING <---'
 *
 * ENDED keeps the core's session only while bytes that arrived are unread. A link is freed, by the
 * loop's thread, when it has ended, no call uses it and nobody wants it: neither a handle, nor a
 * pending connect, nor a device's queue. */
#ifndef HAWSER_SDK_LINK_H
#define HAWSER_SDK_LINK_H

#include <stdatomic.h>

#include "core/session/session.h"
#include "hawser/device.h"
#include "sdk/dispatcher.h"
#include "sdk/identity.h"
#include "sdk/outside.h"
#include "sdk/ring.h"
#include "sdk/ways.h"

#define LINK_DESCRIBED_MAX 10 /* candidates in an offer or answer, beside the grants … */
#define LINK_TRICKLE_MAX \
    (ICE_CANDIDATES_MAX - LINK_DESCRIBED_MAX) /* … the rest in the next message */

enum link_phase { LINK_IDLE, LINK_CONNECTING, LINK_OPEN, LINK_FLUSHING, LINK_CLOSING, LINK_ENDED };

enum link_side { LINK_APP, LINK_DEVICE };

struct connect;
struct link;

/* The candidates to be told to the peer next, of the description it was told last. */
struct trickle {
    char ufrag[ICE_UFRAG_MAX + 1];
    size_t count;
    bool has_ended;                   /* and there are no more */
    bool is_told;                     /* that there are no more */
    struct ice_candidate *candidates; /* room for LINK_TRICKLE_MAX while some wait, else NULL */
};

/* A session that looks for paths anew, and what the two sides have told each other of it. */
struct restart {
    usec again_at;      /* our description goes out again, unless … ; USEC_NEVER: no need */
    unsigned sends;     /* of it */
    uint32_t heard_seq; /* of the peer's last description that was taken */
    char heard[ICE_UFRAG_MAX + 1];
};

struct link {
    enum link_side side; /* constant, down to rings */
    char trace[HAWSER_TRACE_ID_MAX];
    uint8_t sid[ENVELOPE_SID_BYTES]; /* the trace ID in bytes */
    struct recipient peer;
    uint8_t peer_key[ID_PUBLIC_BYTES]; /* Ed25519 */
    uint64_t serial;
    uint8_t channels;   /* bit i: channel i is granted */
    atomic_uchar lossy; /* bit i: channel i is, of what this side sends; any thread */

    struct rings rings; /* its own lock */

    struct link *next; /* lib.lock, down to state_job */
    int handle;        /* -1: none */
    unsigned users;
    bool is_wanted, is_over;
    bool close_asked;
    bool is_network_changed;
    bool is_path_job_due; /* the application is about to be told of a path */
    unsigned close_reason;
    struct device *device;   /* LINK_DEVICE: whose, until it is closed */
    struct link *next_ready; /* in the device's queue */
    struct connect *connect; /* LINK_APP: while pending */
    struct job *state_job;   /* until it is posted */

    struct identity *identity; /* the loop's, down to here; NULL: no messages any more */
    struct ways ways;
    enum link_phase phase;
    struct pool *pool;
    struct session *session;
    struct outside *outside;
    struct io_timer timer;
    struct io_task task;
    struct io_task told;             /* after a turn: calls that wait are woken */
    usec trimmed_at;                 /* when idle memory was last given back */
    size_t window;                   /* what a ring to send may hold, as the rings were told */
    struct session_event event_left; /* by a call: not for it to handle */
    bool has_event_left;
    usec guest_at;    /* when a call last sent by itself: link_turn_as_guest() */
    bool is_answered; /* something has come since */
    /* Bit i: channel i of the session has bytes for us; they have no room; it takes none now. */
    uint8_t rx_ready, rx_held, tx_full;
    bool is_described; /* the peer has our description: what comes later is trickled */
    struct trickle trickle;
    struct restart restart;
    uint32_t seq;
    usec give_up_at, resend_at, flush_until;
    usec called_at, connect_us;
    json_t *grant; /* LINK_APP: the chain to show */
    char *offer;   /* LINK_APP: sealed, until it is answered */
};

/* Makes a link in LINK_IDLE that nobody knows. `sid` NULL: by chance. ERR_NOMEM, ERR_CRYPTO. */
int link_new(struct link **out, enum link_side side, const struct recipient *peer,
             const uint8_t *sid);
void link_free(struct link *l); /* while it is not in lib.links */

/* ---- With lib.lock held ---------------------------------------------------------------------- */

/* Puts it into lib.links. From then on anybody may end it, and the loop's thread free it. */
void link_enlist(struct link *l);

/* Calls on it return `code` from now on; the loop's thread will flush and close. */
void link_ask_close(struct link *l, int code, unsigned reason);

/* Its handle, if any, is unknown from now on, and nobody wants it. */
void link_forget(struct link *l);

/* Gives it a handle, in place of the oldest that has ended if need be. */
void link_give_handle(struct link *l);

/* ---- On the loop's thread -------------------------------------------------------------------- */

/* Opens the sockets and begins to gather. ERR_LIMIT: no port could be bound; ERR_NOMEM. */
int link_start(struct link *l);

/* After anything has happened to the session: runs its output, events and rings, sets its timer.
 * The link may be gone afterwards. */
void link_turn(struct link *l);

/* [any thread, without locks] The same by a call that has put `len` bytes into an empty ring, if
 * the loop is not running anything; at any rate the loop's thread will see to them. */
void link_turn_as_guest(struct link *l, size_t len);

/* [any thread, without locks] For a call that waits for the answer to what it has just sent: if it
 * comes soon it is had without another thread's help. */
void link_wait_as_guest(struct link *l, bool (*is_done)(void *what), void *what, usec until);

/* The end, without any more words to the peer. `code` is for the calls. */
void link_end(struct link *l, int code);

/* What an end of the session means to the application. */
int link_code_of_end(const struct link *l, const struct session_event *ev);

/* The last thing in a turn. */
void link_free_if_unused(struct link *l);

void link_task(void *ctx); /* link.task */

/* The JSON of our description, as far as it is known: {"session": …}. NULL: no memory. */
json_t *link_describe(struct link *l);

/* Reads "session" of an offer or answer and connects. A negative enum err. */
int link_set_remote(struct link *l, const json_t *body);

/* The application is told that data goes another way, once for all changes until it hears of
 * them. */
void link_tell_path(struct link *l);

/* The peer's trickled candidates. */
void link_add_candidates(struct link *l, const json_t *body);

/* Tells the peer by signaling that we give up, before there is a session to say it in. */
void link_send_bye(struct link *l, unsigned reason);

#endif
