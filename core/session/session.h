/* session.h: one peer, whole: ICE finds a path, DTLS keys it, SCTP carries the channels.
 *
 *     NEW --remote description--> CONNECTING --path--> SECURING --keys--> ASSOCIATING --> OPEN
 *                                     |                   |                   |            |
 *                                     '-------------------+---- failure ------+            |
 *     CLOSED <--flushed, peer's close, link lost, any failure------------- CLOSING <--close'
 *
 * An offer or answer is a struct session_description; it travels as JSON (description.c) inside a
 * sealed envelope, which is the caller's business: whoever is put in as the remote description has
 * been authenticated. Timers: half-open, dead, flush, zombie, and those of the layers below.
 *
 * Restart: when no path answers, or session_restart() is called, the session describes itself anew
 * (SESSION_EVENT_RESTART) and a second ICE agent looks for paths beside the first; keys,
 * association and channels stay, and data goes on by the old path until the new one is there. Each
 * side may begin; if both do, each takes the other's new description for the answer to its own. */
#ifndef HAWSER_SESSION_H
#define HAWSER_SESSION_H

#include <jansson.h>

#include "core/channel/channel.h"
#include "core/dtls/dtls.h"
#include "core/ice/ice.h"

struct session;

enum session_role { SESSION_OFFERER, SESSION_ANSWERER };
enum session_setup { SESSION_ACTPASS, SESSION_ACTIVE, SESSION_PASSIVE }; /* RFC 8842 */

/* Zero in any field means the default named here. */
struct session_config {
    enum session_role role;         /* the offerer is ICE-controlling and DTLS server */
    struct dtls_identity *identity; /* borrowed; required */
    struct pool *pool;              /* borrowed; required: blocks of all queues */
    usec half_open_us;              /* from the remote description until OPEN: 10 s */
    usec dead_us;                   /* silence until the session is lost: 30 s */
    usec flush_us;                  /* most that closing waits for unsent data: 1 s */
    usec zombie_us;                 /* without application data until closed with reason 8: 20 min;
                                       USEC_NEVER: no limit */
    unsigned sctp_without;          /* bits of enum sctp_extension that are not offered: 0 */
    size_t rx_bytes_max;            /* received and not consumed, all channels: 14 MiB */
};

struct session_description {
    char ufrag[ICE_UFRAG_MAX + 1], pwd[ICE_PWD_MAX + 1];
    char answers[ICE_UFRAG_MAX + 1]; /* of a restart: the ufrag it answers; empty: none yet */
    uint8_t fingerprint[DTLS_FINGERPRINT_BYTES];
    enum session_setup setup;
    bool is_hawser;  /* knows the control stream */
    bool is_trickle; /* more candidates may follow */
    bool has_sped;   /* takes DTLS in checks: option "sped" */
    bool has_renomination;
    uint8_t init[SCTP_INIT_MAX]; /* SNAP: an INIT chunk … */
    size_t init_len;             /* … or 0 */
    size_t candidate_count;
    struct ice_candidate candidates[ICE_CANDIDATES_MAX];
};

/* The JSON object of docs/protocol.md §4, the caller's to json_decref(). ERR_NOMEM. */
int session_description_to_json(const struct session_description *d, json_t **out);

/* Candidates that are not for us are left out; anything else that is wrong is ERR_INVALID, and
 * *out is then undefined. */
int session_description_from_json(struct session_description *out, const json_t *json);

/* The same as text: NUL-terminated and malloc'd; of any origin. */
int session_description_encode(const struct session_description *d, char **json);
int session_description_decode(struct session_description *out, const char *json, size_t len);

enum session_event_type {
    SESSION_EVENT_CANDIDATE, /* candidate: send it to the peer by signaling */
    SESSION_EVENT_GATHERED,  /* the local description is complete */
    SESSION_EVENT_RESTART,   /* send session_get_local() to the peer, for session_set_restart() */
    SESSION_EVENT_OPEN,
    SESSION_EVENT_PATH,     /* path: data goes another way than before */
    SESSION_EVENT_RELAY,    /* relay: what became of it; server where it was redirected */
    SESSION_EVENT_READABLE, /* channel; also when the peer has made it lossy */
    SESSION_EVENT_WRITABLE, /* channel */
    SESSION_EVENT_CLOSED    /* end, reason: terminal; then only session_free() */
};

enum session_end {
    SESSION_END_NONE,
    SESSION_END_LOCAL, /* session_close() was called; the peer knows, or the flush time is up */
    SESSION_END_PEER_REASON, /* the peer closed and said why: reason */
    SESSION_END_PEER_ABORT,  /* the peer closed without a reason */
    SESSION_END_LOST,        /* nothing heard for dead_us */
    SESSION_END_ZOMBIE,      /* zombie_us passed; the peer is told */
    SESSION_END_NO_PATH,     /* never opened: no pair of candidates worked, in half_open_us */
    SESSION_END_FINGERPRINT, /* never opened: the peer's certificate is not the signalled one */
    SESSION_END_HANDSHAKE,   /* never opened: DTLS or SCTP failed */
    SESSION_END_HALF_OPEN,   /* never opened: half_open_us passed over a path */
    SESSION_END_NOMEM        /* an allocation failed where the session cannot go on */
};

/* One TURN server by one way. */
struct session_relay {
    struct addr base; /* UDP: our socket; stream: the connection's local address */
    struct addr server;
    uint8_t stream;      /* 0: UDP; 1…255: the caller's number of a connected stream */
    uint16_t preference; /* among relays: larger is better */
    const char *username, *password; /* copied */
};

#define SESSION_RELAYS_MAX 8

enum session_relay_state {
    SESSION_RELAY_ASKING,
    SESSION_RELAY_LIVE,
    SESSION_RELAY_REDIRECTED, /* add another one, for `server` */
    SESSION_RELAY_FAILED
};

struct session_event {
    enum session_event_type type;
    unsigned channel;
    unsigned relay;
    enum session_relay_state relay_state;
    struct addr server;
    struct ice_candidate candidate;
    struct ice_path path;
    enum session_end end;
    unsigned reason;
};

struct session_info {
    bool is_open;
    bool has_path;
    struct ice_path path;
    size_t path_mtu; /* of our datagrams' payload, without TURN's head around it */
    usec retry_at;   /* relayed: when direct is tried next; else USEC_NEVER */
    bool is_restarting;
    unsigned restarts;       /* finished ones */
    unsigned path_count;     /* how often the path changed */
    bool had_sped, had_snap; /* the short handshake, each half */
    usec established_us;     /* remote description to OPEN; 0 before */
    struct sctp_info sctp;
    struct channel_count channel[CHANNEL_COUNT];
    size_t unsent[CHANNEL_COUNT], unread[CHANNEL_COUNT];
    size_t never_sent;            /* of what is unsent, all channels: it has not left once */
    size_t credit[CHANNEL_COUNT]; /* what the peer takes now; SIZE_MAX: there is no credit */
    uint8_t priority_class[CHANNEL_COUNT], weight[CHANNEL_COUNT];
    uint64_t given_up[CHANNEL_COUNT]; /* messages of ours */
    uint16_t waiting;                 /* bit i: channel i waits for nothing but credit */
    uint16_t lossy, peer_lossy;       /* bit i: channel i is, of what this side and the peer send */
    uint64_t dropped;                 /* datagrams of any layer with a verdict other than taken */
};

/* ERR_NOMEM, ERR_CRYPTO. rng is borrowed. */
int session_new(struct session **out, const struct session_config *cfg, const struct rng *rng);
void session_free(struct session *s);

/* Bound sockets, STUN servers, and that no more of them come; before or after the remote
 * description. */
int session_add_socket(struct session *s, usec now, const struct addr *base, uint16_t preference);
int session_add_stun_server(struct session *s, usec now, const struct addr *server);
void session_end_local(struct session *s, usec now);

/* What the interface of a socket carries, in bytes of an IP packet: longer ones are not tried. 1500
 * until told. */
void session_set_interface_mtu(struct session *s, usec now, const struct addr *base, size_t mtu);

/* Our own host refused to send a datagram of the run that came out last, for its length. */
void session_too_long(struct session *s, usec now);

/* The socket is gone, with all that went by it. An unknown one is fine. */
void session_remove_socket(struct session *s, usec now, const struct addr *base);

/* Asks a TURN server for a relayed address, which becomes a candidate; before or after
 * session_end_local(). Fills in its number for events. ERR_LIMIT, ERR_NOMEM, ERR_INVALID. */
int session_add_relay(struct session *s, usec now, const struct session_relay *relay,
                      unsigned *number);

/* Bytes that came by a stream, borrowed until return; and its end. */
enum verdict session_input_stream(struct session *s, usec now, uint8_t stream, struct bytes data);
void session_end_stream(struct session *s, usec now, uint8_t stream);

/* What is known of this side now. An answerer needs the remote description first (its setup). */
void session_get_local(const struct session *s, struct session_description *out);

/* Once. ERR_WRONG_STATE if repeated; ERR_INVALID: setup does not fit, credentials malformed;
 * ERR_NOMEM. */
int session_set_remote(struct session *s, usec now, const struct session_description *d);
int session_add_remote(struct session *s, usec now, const struct ice_candidate *c);
void session_end_remote(struct session *s, usec now);

/* Looks for paths anew, through signaling; harmless while one is under way. Only of a session that
 * has a remote description: ERR_WRONG_STATE. ERR_NOMEM. */
int session_restart(struct session *s, usec now);

/* The peer's new description. Unless it answers ours, SESSION_EVENT_RESTART follows for our answer;
 * a repeated one is harmless. One that answers an older restart of ours, or is older itself, is
 * ERR_WRONG_STATE and changes nothing, as do one whose fingerprint is not the session's: ERR_AUTH,
 * and one too many in a short time: ERR_LIMIT. ERR_NOMEM, ERR_INVALID. */
int session_set_restart(struct session *s, usec now, const struct session_description *d);

/* The network may have changed: every path is asked at once. Does not restart by itself. */
void session_check_paths(struct session *s, usec now);

/* Offers a datagram that came to our socket `local`; borrowed until return. RFC 7983. */
enum verdict session_input(struct session *s, usec now, const struct addr *local,
                           const struct addr *from, struct bytes dgram);
void session_tick(struct session *s, usec now);
bool session_poll_output(struct session *s, usec now, struct out *out);
bool session_poll_event(struct session *s, struct session_event *ev);
usec session_next_timeout(const struct session *s);

/* As channel_send(), channel_peek(), channel_consume(). 0 and empty unless OPEN; what arrived
 * before a close can still be read after SESSION_EVENT_CLOSED. */
size_t session_send(struct session *s, usec now, unsigned channel, struct bytes data);
struct bytes session_peek(struct session *s, usec now, unsigned channel);
void session_consume(struct session *s, usec now, unsigned channel, size_t len);

/* As channel_send_room(), channel_send_chain(), channel_send_message(), channel_recv_chain(),
 * channel_set_lossy() and channel_set_priority(): 0 or ERR_WRONG_STATE unless OPEN; what arrived
 * can be taken after the end as well. */
size_t session_send_room(const struct session *s, unsigned channel);

/* How much of a channel was taken over and not sent yet: little, and the choice what goes next is
 * made late; none, and the path is idle though more could be sent. How much the path takes in two
 * round trips or so. 0 unless OPEN. */
size_t session_unsent_bytes(const struct session *s, unsigned channel);
size_t session_window_bytes(const struct session *s);

size_t session_send_chain(struct session *s, usec now, unsigned channel, struct chain *from,
                          size_t len);
int session_send_message(struct session *s, usec now, unsigned channel, struct chain *from,
                         size_t len, usec accepted_at);
size_t session_recv_chain(struct session *s, usec now, unsigned channel, struct chain *to,
                          size_t len, bool *ends);
int session_set_lossy(struct session *s, usec now, unsigned channel, usec lifetime_us,
                      unsigned retransmits_max);
bool session_peer_is_lossy(const struct session *s, unsigned channel);
int session_set_priority(struct session *s, unsigned channel, unsigned priority_class,
                         unsigned weight);

/* While on, at either side of an open session, zombie_us does not apply. */
void session_keep_alive(struct session *s, usec now, bool is_on);

/* Flushes, tells the peer the reason (a hawser), shuts down; SESSION_EVENT_CLOSED follows. */
void session_close(struct session *s, usec now, unsigned reason);

void session_get_info(const struct session *s, struct session_info *info);

/* Every pair that was tried and its fate, best first. Returns how many, at most `max`. */
size_t session_get_pairs(const struct session *s, struct ice_pair_info *out, size_t max);

#endif
