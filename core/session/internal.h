/* internal.h: what the files of session/ share. */
#ifndef HAWSER_SESSION_INTERNAL_H
#define HAWSER_SESSION_INTERNAL_H

#include "core/session/session.h"

/* DTLS datagrams that overtook the remote description: a ClientHello in two pieces and a resend. */
#define SESSION_EARLY_BYTES_MAX 8192

/* RFC 8831 §5: 1200 bytes of UDP payload pass everywhere; a multiple of 4 for SCTP. */
#define SESSION_DATAGRAM_MAX 1200
#define SESSION_PACKET_MAX   ((SESSION_DATAGRAM_MAX - DTLS_HEAD - DTLS_TAIL) / 4 * 4)

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

struct session {
    struct session_config cfg;
    const struct rng *rng;
    enum session_state state;
    struct ice *ice;
    struct dtls *dtls; /* from the remote description on */
    struct sctp *sctp; /* likewise */
    struct channel_set channels;
    struct chain early; /* {u16 length, datagram}… */

    bool is_client; /* of DTLS */
    bool peer_is_hawser;
    bool open_due;    /* an OPEN event is to be given out */
    bool closed_due;  /* a CLOSED event is to be given out */
    bool peer_closed; /* the peer's CLOSE came, with peer_reason */
    unsigned peer_reason;
    enum session_end end; /* set once, when closing begins or the session ends */
    struct ice_path path;
    bool has_path;

    usec started_at;   /* remote description */
    usec open_at;      /* when OPEN was entered, or USEC_NEVER */
    usec heard_at;     /* last authenticated datagram of the peer */
    usec app_at;       /* last application data, either way */
    usec half_open_at; /* deadlines, USEC_NEVER while they do not apply */
    usec flush_at;

    uint64_t dropped;
};

void session_enter(struct session *s, enum session_state to, usec now);

/* Enters CLOSED with this end, unless an end was decided before. */
void session_finish(struct session *s, enum session_end end, usec now);

/* Lets DTLS and SCTP tell what happened to them, and acts on it. */
void session_pump(struct session *s, usec now);

/* ICE's next event that concerns the outside as well. */
bool session_poll_ice(struct session *s, struct session_event *ev);

void session_input_early(struct session *s, usec now);
void session_check_deadlines(struct session *s, usec now);
usec session_deadline(const struct session *s);

#endif
