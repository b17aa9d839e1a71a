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
    usec check_rto_us;        /* resends of a check: 100 ms until a round trip is known */
    usec fail_after_us;       /* CHECKING without success: 15 s, counted from remote credentials */
    usec consent_interval_us; /* 5 s, jittered 0.8…1.2 (RFC 7675 §5.1) */
    usec consent_timeout_us;  /* 30 s: then the path is lost */
};

enum ice_event_type {
    ICE_EVENT_LOCAL_CANDIDATE, /* candidate: tell the peer */
    ICE_EVENT_GATHERED,        /* no more local candidates will come from this gathering */
    ICE_EVENT_SELECTED,        /* path: data goes here from now on */
    ICE_EVENT_DARK,            /* no path answers: nothing will change unless a restart finds one */
    ICE_EVENT_LOST,            /* the selected path's consent expired and no other path works */
    ICE_EVENT_FAILED           /* no pair worked in time; terminal */
};

struct ice_path {
    struct addr local; /* base: the socket to send from */
    struct addr remote;
    enum ice_type local_type, remote_type;
    usec rtt_us;   /* smoothed; 0 before the first answer */
    usec heard_at; /* last authenticated answer */
    usec back_at;  /* when it last answered after it had lost checks, while selected; 0: never */
};

struct ice_event {
    enum ice_event_type type;
    struct ice_candidate candidate;
    struct ice_path path;
    usec at; /* SELECTED, DARK, LOST, FAILED: when; path.heard_at may be long before it */
};

int ice_new(struct ice **out, const struct ice_config *cfg, const struct rng *rng);
void ice_free(struct ice *a);

/* Agents of one session share what may be sent to addresses that have not answered: `a` has spent
 * what `before` had, but for a little. To be called for a new agent, and for the one that stays. */
void ice_inherit_allowance(struct ice *a, usec now, const struct ice *before);

const char *ice_ufrag(const struct ice *a);
const char *ice_pwd(const struct ice *a);
bool ice_is_controlling(const struct ice *a); /* may change by role conflict */

/* A bound socket of ours: its host candidate comes as an event. preference 0…65535 orders
 * interfaces and families (RFC 8445 §5.1.2.2). ERR_LIMIT, ERR_INVALID (unusable address). */
int ice_add_host(struct ice *a, usec now, const struct addr *base, uint16_t preference);

/* Copies the local candidates found so far, at most `max`, and returns how many. */
size_t ice_get_local(const struct ice *a, struct ice_candidate *out, size_t max);

/* An address on a relay that is ours to send from: its datagrams come out with it as out->from, and
 * ice_input() takes it as `local`; who wraps them knows. `related` is our address as the relay sees
 * it. Of several, the larger preference is better. ERR_LIMIT, ERR_INVALID. */
int ice_add_relayed(struct ice *a, usec now, const struct addr *relayed, const struct addr *related,
                    uint16_t preference);

/* The socket or relayed address is gone, with its candidates and pairs. An unknown one is fine. */
void ice_remove_base(struct ice *a, usec now, const struct addr *base);

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

/* The i-th address that the peer has named as a candidate; false behind the last. */
bool ice_get_remote(const struct ice *a, size_t i, struct addr *out);

/* The peer has no more candidates: failing need not wait for more. */
void ice_end_remote(struct ice *a, usec now);

/* Offers a datagram whose first byte is 0…3, borrowed until return. `local` is the socket's. */
enum verdict ice_input(struct ice *a, usec now, const struct addr *local, const struct addr *from,
                       struct bytes dgram);
void ice_tick(struct ice *a, usec now);
bool ice_poll_output(struct ice *a, struct out *out); /* sets out->from and out->to */
bool ice_poll_event(struct ice *a, struct ice_event *ev);
usec ice_next_timeout(const struct ice *a);

/* What the peer can, known from its description; before ice_set_remote(). */
enum ice_ability {
    ICE_RENOMINATION = 1,  /* draft-thatcher-ice-renomination: the newest NOMINATION holds */
    ICE_SHARED_CONSENT = 2 /* a hawser: the controlling side's checks keep both alive when idle */
};
void ice_set_abilities(struct ice *a, unsigned abilities);

/* Data that was sent goes unanswered, or the network has changed: all paths are asked at once, and
 * the selected one is left as soon as another answers and it does not. ICE_EVENT_DARK if none does.
 * Harmless when repeated. */
void ice_suspect(struct ice *a, usec now);

/* The same, and pairs that had failed are tried again too, as after a change of network. */
void ice_check_again(struct ice *a, usec now);

/* Authenticated data of the peer came this way. */
void ice_heard(struct ice *a, usec now, const struct addr *local, const struct addr *from);

/* SPED (draft-hancke-webrtc-sped): what requests to the peer and answers to it carry. Both empty
 * with is_on: the attributes are there and empty. data is left out where has_data is false. */
struct ice_sped {
    bool is_on, has_data;
    struct bytes data; /* one DTLS datagram */
    struct bytes acks; /* CRC-32s, network order */
};

/* Borrowed until the next ice_set_sped(); to be called before each ice_poll_output() as needed. */
void ice_set_sped(struct ice *a, const struct ice_sped *sped);

/* What the datagram just given to ice_input() carried, if it was an authenticated check of the
 * peer's or an answer to ours; is_on: it had the acks. Points into that datagram. */
bool ice_get_sped(const struct ice *a, struct ice_sped *sped);

/* Whether what ice_poll_output() gave last carried what was set. While data is set and waits, the
 * selected path is asked again at the pace of resends, within limits, so that it gets there. */
bool ice_has_sent_sped(const struct ice *a);

/* Every pair and its fate, best first; at most `max`. Returns how many. */
enum ice_fate {
    ICE_FATE_WAITING,
    ICE_FATE_TRYING,
    ICE_FATE_WORKS,
    ICE_FATE_SELECTED,
    ICE_FATE_FAILED
};
struct ice_pair_info {
    struct addr local, remote;
    enum ice_type local_type, remote_type;
    enum ice_fate fate;
    usec rtt_us;     /* 0 before the first answer */
    unsigned checks; /* requests sent */
};
size_t ice_get_pairs(const struct ice *a, struct ice_pair_info *out, size_t max);

/* While the selected path is relayed: when direct pairs are next tried again; else USEC_NEVER. */
usec ice_retry_at(const struct ice *a);

/* Where data goes now. False: nowhere yet. */
bool ice_selected(const struct ice *a, struct ice_path *path);

/* Whether authenticated data may be accepted from here: a pair that exists. */
bool ice_is_known_path(const struct ice *a, const struct addr *local, const struct addr *from);

const struct verdicts *ice_verdicts(const struct ice *a);

#endif
