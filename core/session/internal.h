/* internal.h: what the files of session/ share; nobody else includes it.
 *
 *     session.c      life and states, application data
 *     local.c        sockets and servers of this side, its description
 *     remote.c       the peer's description and candidates
 *     restart.c      a second ICE agent beside the first
 *     paths.c        what ICE says, which way data goes, paths that turn dark
 *     relays.c       TURN servers and the addresses they lend us
 *     layers.c       what arrives, to the layer it is for
 *     flights.c      DTLS flights, in checks and plain
 *     output.c       what leaves
 *     close.c        deadlines and ends
 *     info.c         what is told about it
 *     description.c  an offer or answer as JSON */
#ifndef HAWSER_SESSION_INTERNAL_H
#define HAWSER_SESSION_INTERNAL_H

#include "core/session/session.h"
#include "core/session/sped.h"
#include "core/turn/turn.h"

/* DTLS datagrams that overtook the remote description: a ClientHello in two pieces and a resend. */
#define SESSION_EARLY_BYTES_MAX 8192

/* RFC 8831 §5: 1200 bytes of UDP payload pass everywhere, also with TURN's head around them; a
 * multiple of 4 for SCTP. */
#define SESSION_DATAGRAM_MAX 1200
#define SESSION_PACKET_MAX   ((SESSION_DATAGRAM_MAX - DTLS_HEAD - DTLS_TAIL) / 4 * 4)

#define SESSION_SOCKETS_MAX 16 /* as many as an agent takes */

enum session_state {
    SESSION_NEW,
    SESSION_CONNECTING,
    SESSION_SECURING,
    SESSION_ASSOCIATING,
    SESSION_OPEN,
    SESSION_CLOSING,
    SESSION_CLOSED,
    SESSION_STATES
};

struct session_socket {
    struct addr base;
    uint16_t preference;
    uint16_t mtu; /* of its interface, 0: unknown */
};

/* A generation of ICE: the first, and each restart brings another one. */
struct agent {
    struct ice *ice; /* NULL: there is none */
    unsigned number;
    bool has_remote;     /* the peer's credentials are known */
    bool is_local_ended; /* it was told that no more of ours come */
    char remote_ufrag[ICE_UFRAG_MAX + 1];
};

/* One TURN server by one way; a slot is free when turn is NULL and its end was told. */
struct relayer {
    struct turn *turn;
    enum session_relay_state state;
    bool is_told, is_stopped;
    uint8_t stream;
    uint16_t preference;
    struct addr base, server;
    struct addr relayed, mapped; /* LIVE */
    struct addr other;           /* REDIRECTED */
    usec checked_at;             /* when it was last asked whether it still is there */
};

#define SESSION_UFRAGS_SEEN 8

/* When the session restarts by itself, and how often the peer may make it. */
struct restarts {
    bool is_due;                        /* a RESTART event is to be given out */
    usec at;                            /* not before; USEC_NEVER: nothing to do */
    usec allowed_at;                    /* the next one by ourselves, not before */
    usec gap_us;                        /* what follows after that one */
    unsigned repeats;                   /* of a beginning that is not answered */
    bool has_fallen;                    /* from a direct path to a relay: one restart is due */
    usec full_at;                       /* when the peer has its whole allowance again, … */
    usec told_full_at;                  /* … and that of answers to what it repeats */
    unsigned finished;                  /* how many found a path */
    uint32_t seen[SESSION_UFRAGS_SEEN]; /* CRCs of the peer's ufrags, of older generations */
    unsigned seen_count;
};

struct session {
    struct session_config cfg;
    const struct rng *rng;
    enum session_state state;
    struct agent agent; /* whose selected path carries data */
    struct agent next;  /* of a restart: looks for a path beside it */
    struct restarts restarts;
    struct dtls *dtls; /* from the remote description on */
    struct sctp *sctp;
    struct channel_set channels;
    struct chain early; /* {u16 length, datagram}… */

    struct sped sped;
    struct ice_sped carried; /* what checks carry now */
    uint64_t flight;         /* the one of DTLS that sped has */
    uint8_t plain_next;      /* which datagram of sped's flight goes plainly next */
    bool has_sped;           /* offered; agreed on, once there is a remote description */
    bool peer_carries;       /* its last check or answer showed that it does */
    bool has_carried;        /* a datagram for DTLS came in a check */
    bool has_snap;           /* both INITs are known by signaling */
    uint8_t alert[32];       /* in the clear: the peer's last word, or somebody's */
    uint8_t alert_len;
    usec alert_at, asked_at; /* when it came; the peer's last check or answer, 0: none yet */
    uint8_t init[SCTP_INIT_MAX];
    size_t init_len;

    uint8_t socket_count, server_count;
    struct session_socket sockets[SESSION_SOCKETS_MAX];
    struct addr servers[ICE_STUN_SERVERS_MAX];
    struct relayer *relays; /* relay_slots of them: none, or SESSION_RELAYS_MAX */
    unsigned relay_slots;
    bool is_local_ended;

    bool is_client; /* of DTLS */
    bool peer_is_hawser, peer_has_renomination;
    bool keeps_alive, peer_keeps_alive; /* no zombie */
    bool open_due;                      /* an OPEN event is to be given out */
    bool closed_due;                    /* a CLOSED event is to be given out */
    bool peer_closed;                   /* the peer's CLOSE came, with peer_reason */
    unsigned peer_reason;
    enum session_end end; /* set once, when closing begins or the session ends */
    uint8_t remote_fingerprint[DTLS_FINGERPRINT_BYTES];

    struct ice_path path, old_path; /* old_path: of an agent that is gone */
    bool has_path, is_suspect, is_dark;
    unsigned path_count;
    uint64_t timeouts_seen; /* of SCTP */

    usec clock;       /* the latest time we were told */
    usec started_at;  /* remote description */
    usec open_at;     /* when OPEN was entered, or USEC_NEVER */
    usec heard_at;    /* last authenticated datagram of the peer */
    usec ice_told_at; /* when ICE was last told of one */
    usec old_path_until;
    usec app_at;        /* last application data, either way */
    usec trimmed_at;    /* when memory that only a busy session needs was given back */
    usec unanswered_at; /* since when data waits for any word of the peer, or USEC_NEVER */
    usec half_open_at;  /* deadlines, USEC_NEVER while they do not apply */
    usec flush_at;

    uint64_t dropped;
};

/* session.c */
void session_enter(struct session *s, enum session_state to, usec now);

/* close.c. Enters CLOSED with this end, unless an end was decided before. */
void session_finish(struct session *s, enum session_end end, usec now);
void session_check_deadlines(struct session *s, usec now);
usec session_deadline(const struct session *s);

/* local.c */
int session_agent_init(struct session *s, usec now, struct agent *a, bool is_controlling);
void session_agent_deinit(struct agent *a);
void session_end_gathering(struct session *s, usec now);
struct agent *session_newest(struct session *s);

/* remote.c */
int session_agent_connect(struct session *s, usec now, struct agent *a,
                          const struct session_description *d);
void session_agent_add_remotes(struct session *s, usec now, struct agent *a,
                               const struct session_description *d);

/* Of the path of now; its width is searched for. */
void session_tell_path(struct session *s, usec now, bool old_is_dead);

/* restart.c. The newest agent's path becomes the session's. */
void session_take_over(struct session *s, usec now);
void session_restart_failed(struct session *s, usec now);

/* Every path is dark: restart as soon as the last one is long enough ago. */
void session_schedule_restart(struct session *s, usec now);
void session_calm_restart(struct session *s);
void session_restart_after_fall(struct session *s, usec now);
void session_restart_tick(struct session *s, usec now);

/* paths.c. ICE's next event that concerns the outside as well. */
bool session_poll_ice(struct session *s, struct session_event *ev);
bool session_is_known_path(const struct session *s, usec now, const struct addr *local,
                           const struct addr *from);
void session_refresh_path(struct session *s, const struct agent *a); /* ICE has heard something */
void session_heard(struct session *s, usec now, const struct addr *local, const struct addr *from);
void session_sent(struct session *s, usec now); /* packets of the association */
usec session_suspect_at(const struct session *s);
void session_suspect_tick(struct session *s, usec now);

/* relays.c */
bool session_is_asking_relays(const struct session *s);
void session_add_relayed(struct session *s, usec now, struct agent *a);
void session_permit(struct session *s, usec now, const struct addr *peer);
void session_bind_path(struct session *s, usec now);
void session_check_relays(struct session *s, usec now);
void session_remove_relays(struct session *s, usec now, const struct addr *base);
bool session_relay_input(struct session *s, usec now, const struct addr *local,
                         const struct addr *from, struct bytes dgram);
void session_relays_tick(struct session *s, usec now);
usec session_relays_next_timeout(const struct session *s);
bool session_relays_poll(struct session *s, usec now, struct out *out);
void session_stop_relays(struct session *s, usec now);
bool session_poll_relay_event(struct session *s, struct session_event *ev);

/* False: the run is for a relayed address and cannot be sent. */
bool session_wrap(struct session *s, struct out *out);
bool session_is_relayed(const struct session *s, const struct addr *local);
const struct relayer *session_relay_of(const struct session *s, const struct addr *local);
void session_relays_deinit(struct session *s);

/* layers.c. Lets DTLS and SCTP tell what happened to them, and acts on it. */
void session_pump(struct session *s, usec now);

/* A datagram that came to a socket or a relayed address. */
enum verdict session_take(struct session *s, usec now, const struct addr *local,
                          const struct addr *from, struct bytes dgram);
void session_input_early(struct session *s, usec now);
void session_input_flight(struct session *s, usec now, struct bytes dgram); /* out of a check */

/* flights.c */
bool session_is_carrying(const struct session *s);
void session_collect_flight(struct session *s);
void session_stop_carrying(struct session *s);
void session_hurry_flight(struct session *s, usec now);

/* Whether a datagram that came by itself is for DTLS: not what a check has brought already. */
bool session_is_flight_welcome(struct session *s, struct bytes dgram);
usec session_alert_at(const struct session *s);
void session_alert_tick(struct session *s, usec now);
bool session_poll_plain(struct session *s, struct out *out);
bool session_poll_agent(struct session *s, struct agent *a, struct out *out);
void session_take_carried(struct session *s, usec now, const struct agent *a);

#endif
