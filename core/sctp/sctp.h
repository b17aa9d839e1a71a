/* sctp.h: one SCTP association (RFC 9260) as data channels use it (RFC 8831, 8261).
 *
 *     CLOSED --connect, INIT--> COOKIE_WAIT --> COOKIE_ECHOED --> UP --shutdown--> SHUTDOWN_*
 *        ^  '--INIT, COOKIE ECHO----------------------------------^        '-----> CLOSED
 *        '----abort, ABORT, no answer to the limit of retransmissions, from any state
 *
 * Single homed; the path beneath may change. Timers: T1 (handshake), T3-rtx, probe for a lost tail,
 * delayed SACK, HEARTBEAT, T2 and T5 (shutdown), RE-CONFIG. Left out: deviations.md, S rows. */
#ifndef HAWSER_SCTP_H
#define HAWSER_SCTP_H

#include "core/base/err.h"
#include "core/base/out.h"
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

struct sctp;

/* Zero in any field means the default named here. */
struct sctp_config {
    struct pool *pool;          /* borrowed: blocks of every queue; required */
    uint16_t local_port;        /* 5000 */
    uint16_t remote_port;       /* 5000 */
    uint16_t streams_max;       /* of each direction: 1024; memory is taken per stream used */
    size_t packet_bytes_max;    /* of an SCTP packet, common header included: 1160 */
    size_t message_bytes_max;   /* sent: 262144; received ones stream, however long they are */
    size_t tx_bytes_max;        /* unsent and unacknowledged, all streams: 4 MiB */
    size_t stream_tx_bytes_max; /* the same of one stream: 1 MiB */
    size_t rx_bytes_max;        /* received and not consumed: 4 MiB, announced as a_rwnd */
    usec rto_initial_us;        /* 1 s; the caller knows ICE's round trip */
    usec rto_min_us;            /* 200 ms */
    usec rto_max_us;            /* 10 s */
    usec heartbeat_us;          /* idle time before a HEARTBEAT: 30 s; USEC_NEVER: none */
    unsigned retransmits_max;   /* in a row before the association fails: 10 */
    bool is_protected;          /* by DTLS below: then the checksum may be zero (RFC 9653) */
    unsigned without;           /* bits of enum sctp_extension that are neither offered nor taken */
};

/* Each is in use only if both ends have it; without, the association works as RFC 9260 has it. */
enum sctp_extension {
    SCTP_I_DATA = 1,        /* RFC 8260: fragments of messages of several streams interleave */
    SCTP_ZERO_CHECKSUM = 2, /* RFC 9653 */
    SCTP_FORWARD_TSN = 4,   /* RFC 3758, with I-DATA RFC 8260 §2.3: messages may be given up */
    SCTP_PARTS = 8          /* hawser's own: chunks as long as the path is wide, see part.c */
};

/* What one message may be treated like. */
struct sctp_message {
    uint16_t stream;
    uint32_t ppid;
    bool is_unordered;
    usec give_up_at;          /* not sent, and not sent again, from then on; USEC_NEVER: reliable */
    unsigned retransmits_max; /* of each of its chunks; SCTP_RETRANSMITS_ANY: no limit */
};

#define SCTP_RETRANSMITS_ANY UINT32_MAX

enum sctp_event_type {
    SCTP_EVENT_UP,       /* the association is established */
    SCTP_EVENT_READABLE, /* stream: bytes arrived on a stream that had none, or a message of it is
                            whole now */
    SCTP_EVENT_WRITABLE, /* stream: room again after sctp_send() said ERR_LIMIT there */
    SCTP_EVENT_RESET,    /* stream: the peer reset its outgoing side (RFC 6525) */
    SCTP_EVENT_CLOSED    /* terminal: what was received stays readable, and sctp_input() and
                          * sctp_poll_output() still answer a peer's repeated farewell */
};

enum sctp_reason {
    SCTP_REASON_NONE,
    SCTP_REASON_SHUTDOWN,    /* both sides delivered everything */
    SCTP_REASON_PEER_ABORT,  /* ABORT arrived; cause_code is its first cause, 0 if none */
    SCTP_REASON_LOCAL_ABORT, /* sctp_abort() */
    SCTP_REASON_TIMEOUT,     /* retransmits_max passed without an answer */
    SCTP_REASON_PROTOCOL,    /* the peer broke the protocol; we sent ABORT */
    SCTP_REASON_NOMEM        /* an allocation failed where the association cannot go on */
};

struct sctp_event {
    enum sctp_event_type type;
    uint16_t stream;
    enum sctp_reason reason;
    uint16_t cause_code; /* RFC 9260 §3.3.10 */
};

struct sctp_info {
    unsigned extensions; /* bits of enum sctp_extension: those in use */
    usec srtt_us, rto_us;
    size_t packet_bytes; /* as long as they may be now */
    uint64_t mtu_probes, mtu_black_holes;
    size_t cwnd_bytes, flight_bytes, queued_bytes, unread_bytes;
    size_t peer_room_bytes; /* of payload, in the peer's window beyond what is on its way */
    uint64_t sent_packets, received_packets, sent_bytes, received_bytes; /* SCTP packets */
    uint64_t data_chunks_sent, data_chunks_received, retransmitted_chunks;
    uint64_t fast_retransmits, timeouts, duplicate_chunks;
    uint64_t given_up_messages; /* ours, whole or in part never sent */
    uint64_t lost_chunks;       /* taken for lost, each time … */
    uint64_t spurious_chunks;   /* … and of those, the ones that turned out to have arrived */

    /* What congestion control knows of the path; 0: nothing yet. */
    usec min_rtt_us;
    uint64_t delivery_rate, pacing_rate; /* bytes per second, headers of chunks included */
    const char *congestion_state;        /* a word, static: "startup", "cruise", … */
    bool is_app_limited;                 /* the application, not the network, bounds the rate */
    struct verdicts verdicts;
};

/* A part of a message, in order within its stream. */
struct sctp_piece {
    struct bytes data; /* valid until the next non-const call; empty only for an empty message */
    uint32_t ppid;     /* payload protocol identifier, RFC 8831 §8 */
    bool begins, ends; /* first and last piece of its message */
    bool is_cut;       /* ends here because the peer gave up the rest */
};

/* ERR_NOMEM, ERR_INVALID. rng is borrowed and must outlive *out. */
int sctp_new(struct sctp **out, const struct sctp_config *cfg, const struct rng *rng);
void sctp_free(struct sctp *s);

/* Sends INIT. Both sides may call it (RFC 8831); a side that does not still answers.
 * ERR_WRONG_STATE: closing or closed. */
int sctp_connect(struct sctp *s, usec now);

/* SNAP (draft-hancke-tsvwg-snap): our INIT chunk, without padding, to travel by signaling; always
 * the same. Returns its length. */
#define SCTP_INIT_MAX 64
size_t sctp_get_init(struct sctp *s, uint8_t out[SCTP_INIT_MAX]);

/* The peer's, which came by signaling, after it was given ours: sctp_connect() will be UP at once,
 * without a packet. ERR_INVALID: not a usable INIT chunk of at most SCTP_INIT_MAX bytes, without
 * padding; nothing changes and INIT will be sent. ERR_WRONG_STATE: not CLOSED any more; likewise.
 * A peer that sends INIT all the same (it never saw ours) is answered as RFC 9260 says, and one
 * that stands although we did not get its chunk is sent our INIT: both end in one association. */
int sctp_set_remote_init(struct sctp *s, struct bytes init);

/* Offers one packet, borrowed until return. */
enum verdict sctp_input(struct sctp *s, usec now, struct bytes packet);
void sctp_tick(struct sctp *s, usec now);

/* Fills the run with packets, leaving out->head and out->tail around each. False if none. */
bool sctp_poll_output(struct sctp *s, usec now, struct out *out);
bool sctp_poll_event(struct sctp *s, struct sctp_event *ev);
usec sctp_next_timeout(const struct sctp *s);

/* Queues one whole message, copied. ERR_LIMIT: no room now, SCTP_EVENT_WRITABLE follows.
 * ERR_INVALID: empty, longer than message_bytes_max or the stream's limit, or no such stream.
 * ERR_WRONG_STATE: closing or closed. ERR_NOMEM: a stream's first use.
 * May be called before UP: the message waits. */
int sctp_send(struct sctp *s, usec now, uint16_t stream, uint32_t ppid, struct bytes message);

/* The same, for a message that may be given up (which a peer without SCTP_FORWARD_TSN never sees
 * done) or overtaken. sctp_send_chain() takes its bytes over from the front of a chain of any pool
 * (chain_take_over()), all or, if it fails, none. */
int sctp_send_message(struct sctp *s, usec now, const struct sctp_message *m, struct bytes message);
int sctp_send_chain(struct sctp *s, usec now, const struct sctp_message *m, struct chain *from,
                    size_t len);

/* How many bytes sctp_send() would take on this stream now. */
size_t sctp_send_room(const struct sctp *s, uint16_t stream);

/* Bounds what one stream may queue, below stream_tx_bytes_max. ERR_NOMEM, ERR_INVALID. */
int sctp_set_stream_limit(struct sctp *s, uint16_t stream, size_t tx_bytes_max);

/* A message of a lower class goes before one of a higher; streams of one class share by weight, in
 * bytes. SCTP_CLASS_USUAL and 1 if never called. ERR_NOMEM, ERR_INVALID. */
#define SCTP_CLASSES     16
#define SCTP_CLASS_USUAL 8
#define SCTP_WEIGHT_MAX  100
int sctp_set_stream_priority(struct sctp *s, uint16_t stream, unsigned priority_class,
                             unsigned weight);

/* Of one stream: bytes queued and never sent yet. All streams: bytes the path may hold, cwnd. */
size_t sctp_stream_unsent_bytes(const struct sctp *s, uint16_t stream);
size_t sctp_window_bytes(const struct sctp *s);

/* Of one stream: bytes queued or in flight; bytes received in order and not consumed. */
size_t sctp_stream_unacked_bytes(const struct sctp *s, uint16_t stream);
size_t sctp_stream_unread_bytes(const struct sctp *s, uint16_t stream);
uint64_t sctp_stream_given_up(const struct sctp *s, uint16_t stream); /* messages of ours */

/* The oldest unread bytes of a stream, also of a message whose end has not arrived. False: none. */
bool sctp_recv(const struct sctp *s, uint16_t stream, struct sctp_piece *piece);

/* Gives len bytes of that piece back (len <= piece.data.len; 0 for an empty message) and opens the
 * receive window again. */
void sctp_consume(struct sctp *s, usec now, uint16_t stream, size_t len);

/* Whether the oldest unread message of a stream is there to its end, and how much of it is unread.
 * Only a message of which nothing was consumed can still vanish, if the peer gives it up. */
bool sctp_recv_whole(const struct sctp *s, uint16_t stream, size_t *len);

/* As sctp_consume(), for up to len bytes of the oldest unread message of the stream, which go
 * behind those of `to`, a chain of any pool. Returns how many; *ends tells whether that was its
 * end. */
size_t sctp_recv_chain(struct sctp *s, usec now, uint16_t stream, struct chain *to, size_t len,
                       bool *ends);

/* Resets our outgoing side of a stream (RFC 6525) once its queue is acknowledged; until the peer
 * has agreed, sctp_send() there says ERR_LIMIT. ERR_WRONG_STATE: not up, or the peer cannot.
 * ERR_LIMIT: already under way. ERR_INVALID, ERR_NOMEM. */
int sctp_reset_stream(struct sctp *s, usec now, uint16_t stream);

/* Delivers what is queued, then SHUTDOWN. */
void sctp_shutdown(struct sctp *s, usec now);

/* ABORT with cause "user-initiated abort" and this text (RFC 9260 §3.3.10.12). */
void sctp_abort(struct sctp *s, usec now, const char *reason);

/* The path beneath is another one, or one for the first time: round trip and congestion state start
 * anew. What was sent before may still arrive by the old one: it does not fill the new one's
 * window, and nothing is marked lost for one round trip of the old one. old_is_dead: nothing will
 * arrive by it, so all that was out goes again, as the new window allows.
 *
 * packet_bytes_max may be larger or smaller than before, 0 leaves it. With SCTP_PARTS chunks that a
 * wider path had room for go in parts. Without, chunks are never cut longer than
 * sctp_config.packet_bytes_max allows, so that they pass again by every path that is not narrower
 * than that; by a narrower one those cut before go in packets as long as they need. */
void sctp_path_changed(struct sctp *s, usec now, usec rtt_us, size_t packet_bytes_max,
                       bool old_is_dead);

/* The path lost everything for a while and is known by other means than data to be back. If T3 has
 * expired, it need not back off any longer: what was out goes again at once, as the window allows
 * that T3 has left, unless it has just done so. Heeded once until data is acknowledged
 * (deviations.md, S46). */
void sctp_resume(struct sctp *s, usec now);

/* From now on longer packets are looked for, until the next change of path, while data flows
 * (RFC 8899). around: what an IP packet has around one of ours; ip_bytes_max: what the interface
 * carries, 0 if unknown. */
void sctp_search_pmtu(struct sctp *s, usec now, size_t around, size_t ip_bytes_max);

/* Our own host refused to send a packet of the run that left last, for its length: what was in it
 * goes again, shorter. */
void sctp_packet_too_long(struct sctp *s, usec now);

/* The path's round trip has become known by other means than data; ignored once data has told. */
void sctp_set_rtt(struct sctp *s, usec rtt_us);

/* Gives back the memory that only a busy association needs; harmless at any time. */
void sctp_trim(struct sctp *s);

bool sctp_is_up(const struct sctp *s);
bool sctp_has(const struct sctp *s, enum sctp_extension x); /* both ends agreed; false before UP */
size_t sctp_unacked_bytes(const struct sctp *s);            /* queued or in flight, all streams */
void sctp_get_info(const struct sctp *s, struct sctp_info *info);

#endif
