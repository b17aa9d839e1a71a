/* ice.h: an ICE agent (RFC 8445) for one component of one data stream, with trickle (RFC 8838) and
 * consent freshness (RFC 7675).
 *
 *     NEW --remote credentials--> CHECKING --a nominated pair--> CONNECTED <--> (path lost, found)
 *                                     '--every check failed, or no time left--> FAILED
 *
 * A `path` is a pair of local base and remote address that has answered a check: it has its own
 * round trip and consent, and outlives being selected. Timers: pacing (Ta), resends, gathering,
 * keep-alive and consent, overall. Left out: TCP candidates (deviations.md, I rows). */
#ifndef HAWSER_ICE_H
#define HAWSER_ICE_H

#include "core/base/err.h"
#include "core/base/out.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

#define ICE_UFRAG_MAX          256 /* RFC 8839 §5.4: 4…256 ice-chars */
#define ICE_PWD_MAX            256 /* 22…256 */
#define ICE_CANDIDATES_MAX     32  /* of each side; more are refused and counted */
#define ICE_PAIRS_MAX          100 /* RFC 8445 §6.1.2.5 */
#define ICE_STUN_SERVERS_MAX   4
#define ICE_CANDIDATE_TEXT_MAX 256

enum ice_type { ICE_HOST, ICE_SERVER_REFLEXIVE, ICE_PEER_REFLEXIVE, ICE_RELAYED };

struct ice_candidate {
    enum ice_type type;
    uint32_t priority;
    char foundation[33]; /* RFC 8839 §5.1: 1…32 ice-chars */
    struct addr addr;    /* as the peer sees it */
    struct addr base;    /* local candidates: the socket it is sent from */
    struct addr related; /* raddr/rport, ADDR_NONE if none */
};

/* RFC 8839 §5.1, without "a=": "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host". */
int ice_candidate_encode(const struct ice_candidate *c, char out[ICE_CANDIDATE_TEXT_MAX]);

/* ERR_INVALID: malformed. ERR_WRONG_STATE: well formed but not for us (TCP, component 2, a .local
 * or other name): ignore it. "a=" and "candidate:" in front may be missing. */
int ice_candidate_decode(struct ice_candidate *out, const char *line);

struct ice;

/* Zero in any field means the default named here. */
struct ice_config {
    bool controlling;
    const char *ufrag, *pwd;  /* NULL: made from rng (8 and 24 characters) */
    usec pacing_us;           /* Ta, RFC 8445 §14.2: 50 ms; the first few checks go at once */
    usec check_rto_us;        /* first resend of a check: 250 ms until a round trip is known */
    usec fail_after_us;       /* CHECKING without success: 15 s, counted from remote credentials */
    usec consent_interval_us; /* 5 s, jittered 0.8…1.2 (RFC 7675 §5.1) */
    usec consent_timeout_us;  /* 30 s: then the path is lost */
};

enum ice_event_type {
    ICE_EVENT_LOCAL_CANDIDATE, /* candidate: tell the peer */
    ICE_EVENT_GATHERED,        /* no more local candidates will come from this gathering */
    ICE_EVENT_SELECTED,        /* path: data goes here from now on */
    ICE_EVENT_LOST,            /* the selected path's consent expired and no other path works */
    ICE_EVENT_FAILED           /* no pair worked in time; terminal */
};

struct ice_path {
    struct addr local; /* base: the socket to send from */
    struct addr remote;
    enum ice_type local_type, remote_type;
    usec rtt_us;   /* smoothed; 0 before the first answer */
    usec heard_at; /* last authenticated answer */
};

struct ice_event {
    enum ice_event_type type;
    struct ice_candidate candidate;
    struct ice_path path;
    usec at; /* SELECTED, LOST, FAILED: when; path.heard_at may be long before it */
};

int ice_new(struct ice **out, const struct ice_config *cfg, const struct rng *rng);
void ice_free(struct ice *a);

const char *ice_ufrag(const struct ice *a);
const char *ice_pwd(const struct ice *a);
bool ice_is_controlling(const struct ice *a); /* may change by role conflict */

/* A bound socket of ours: its host candidate comes as an event. preference 0…65535 orders
 * interfaces and families (RFC 8445 §5.1.2.2). ERR_LIMIT, ERR_INVALID (unusable address). */
int ice_add_host(struct ice *a, usec now, const struct addr *base, uint16_t preference);

/* Copies the local candidates found so far, at most `max`, and returns how many. */
size_t ice_get_local(const struct ice *a, struct ice_candidate *out, size_t max);

/* Asks this server from every host base of its family. ERR_LIMIT. */
int ice_add_stun_server(struct ice *a, usec now, const struct addr *server);

/* No more hosts or servers: ICE_EVENT_GATHERED comes when the last one answered or gave up. */
void ice_end_local(struct ice *a, usec now);

/* ERR_INVALID: lengths or characters against RFC 8839. ERR_NOMEM. ERR_WRONG_STATE: others are
 * set. Checks begin. */
int ice_set_remote(struct ice *a, usec now, const char *ufrag, const char *pwd);

/* May come before ice_set_remote(). ERR_LIMIT; ERR_INVALID: an address nobody may make us send to
 * (unspecified, multicast, broadcast, port 0). A known address is ERR_OK and changes nothing. */
int ice_add_remote(struct ice *a, usec now, const struct ice_candidate *c);

/* The peer has no more candidates: failing need not wait for more. */
void ice_end_remote(struct ice *a, usec now);

/* Offers a datagram whose first byte is 0…3, borrowed until return. `local` is the socket's. */
enum verdict ice_input(struct ice *a, usec now, const struct addr *local, const struct addr *from,
                       struct bytes dgram);
void ice_tick(struct ice *a, usec now);
bool ice_poll_output(struct ice *a, struct out *out); /* sets out->from and out->to */
bool ice_poll_event(struct ice *a, struct ice_event *ev);
usec ice_next_timeout(const struct ice *a);

/* Where data goes now. False: nowhere yet. */
bool ice_selected(const struct ice *a, struct ice_path *path);

/* Whether authenticated data may be accepted from here: a pair that exists. */
bool ice_is_known_path(const struct ice *a, const struct addr *local, const struct addr *from);

const struct verdicts *ice_verdicts(const struct ice *a);

#endif
