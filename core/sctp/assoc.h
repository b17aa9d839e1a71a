/* assoc.h: what the files of this folder share: the association and the seams between its parts.
 *
 *     input.c --> handshake.c, rx.c, ack.c, reconfig.c, closing.c --> assoc.c (states, events)
 *     output.c <-- replies.c, sack.c, tx.c (new data by sched.c, lost data again), timers.c
 *
 * Received bytes go from the packet into their stream's chain, or wait in park.c for the bytes
 * before them. Bytes to send lie in their stream's chain until the cumulative ack passes them, and
 * what is to be known of their messages in a second one; the ring of tx.chunks says where each
 * TSN's payload begins. */
#ifndef HAWSER_SCTP_ASSOC_H
#define HAWSER_SCTP_ASSOC_H

#include "core/sctp/cc.h"
#include "core/sctp/chunk.h"
#include "core/sctp/cookie.h"
#include "core/sctp/message.h"
#include "core/sctp/park.h"
#include "core/sctp/pmtu.h"
#include "core/sctp/rto.h"
#include "core/sctp/sctp.h"
#include "core/sctp/tsn.h"

enum {
    DUPLICATES_MAX = 16,    /* duplicate TSNs remembered for the next SACK */
    GAPS_MAX = 512,         /* ranges behind the cumulative TSN; more is not accepted */
    TSN_WINDOW_MAX = 65535, /* what a gap block's 16-bit offset reaches */
    TX_CHUNKS_MIN = 16,     /* records of chunks in flight; the ring grows in powers of two */
    TX_CHUNKS_MAX = 16384,
    RESENT_MAX = 256,       /* retransmissions remembered, in case they were needless */
    REPLY_BYTES_MAX = 4096, /* control chunks waiting to leave */
    RESET_STREAMS_MAX = 64, /* in one RE-CONFIG request */
    ABORT_TEXT_MAX = 64,
    FRAGMENT_MIN = 256,   /* no shorter fragment is cut just to fill a packet */
    REORDERING_LEAST = 3, /* packets, until some were seen to overtake: RFC 8985's DupThresh */
    LATE_EVENTS = 16,     /* RFC 8985 §3.3.2 */
    LATE_STEPS_MAX = 64,
    PROBE_RTTS_LEAST = 2, /* RFC 8985 §7.2 */
    PROBE_RTTS_MAX = 256,
    PACKETS_PER_SACK = 2, /* RFC 9260 §6.2 */
    INBOUND_COST = 12,    /* of a message received, besides its bytes */
    SKIP_STEPS_MAX = 4096 /* looking for messages given up, in one packet */
};

#define SACK_DELAY_US       (20 * MILLISECOND) /* RFC 9260 §6.2 allows up to 200 ms */
#define COOKIE_LIFETIME_US  (60 * SECOND)      /* RFC 9260 §16 */
#define PROBE_LEAST_US      (10 * MILLISECOND) /* RFC 8985 §7.2's least wait */
#define POOL_RETRY_US       (10 * MILLISECOND) /* when the shared pool had no block */
#define SHUTDOWN_GUARD_RTOS 5                  /* T5, RFC 9260 §9.2: times rto_max_us */

enum sctp_state {
    STATE_CLOSED,
    STATE_COOKIE_WAIT,
    STATE_COOKIE_ECHOED,
    STATE_UP,
    STATE_SHUTDOWN_PENDING,
    STATE_SHUTDOWN_SENT,
    STATE_SHUTDOWN_RECEIVED,
    STATE_SHUTDOWN_ACK_SENT,
    STATE_ENDED,
    STATES
};

/* Where our outgoing side of a stream stands with sctp_reset_stream(). */
enum reset_state { RESET_NONE, RESET_WANTED, RESET_ASKED };

struct stream {
    uint16_t id;
    uint8_t events; /* bits of 1 << enum sctp_event_type, to be told */
    bool is_event_listed;
    struct stream *event_next;

    struct {
        struct chain chain;         /* payload, from the oldest unacknowledged byte on */
        struct chain messages;      /* a struct tx_message of each that has bytes there */
        struct place next;          /* payload to send next; none if unsent is 0 */
        struct place next_message;  /* the one that belongs to; none if unsent is 0 */
        size_t unsent;              /* bytes */
        struct tx_message *message; /* the one being cut into chunks; NULL between messages */
        size_t message_left;        /* bytes of it */
        uint32_t mid;               /* its number, in DATA a 16-bit SSN … */
        uint32_t fsn;               /* … and that of its next fragment */
        uint32_t mids[2];           /* of the next ordered and the next unordered message */
        size_t payload;             /* unsent and unacknowledged */
        size_t limit;
        uint64_t given_up; /* messages */
        size_t wanted;     /* room that sctp_send() lacked; 0: nobody waits */
        struct stream *waiter_next;
        struct stream *ready_next; /* in the scheduler's circle; NULL if not in it */
        int turn_left;             /* bytes until the next in the circle has its turn */
        uint8_t class, weight;
        enum reset_state reset;
    } tx;

    struct {
        struct chain chain;     /* payload, unread */
        struct chain messages;  /* a struct inbound of each between these two: */
        struct inbound oldest;  /* the one being read */
        struct inbound newest;  /* the last, if there are two */
        uint32_t message_count; /* these two included */
        bool is_reserved;       /* the last is there, but not yet a byte of it */
        size_t payload;         /* unread, and not given up by the peer */

        bool is_open; /* amid a message */
        uint8_t kind; /* enum park_kind, of that message */
        uint32_t number, next_place;
        uint32_t due[PARK_KINDS]; /* the next ordered message; unordered ones before it are past */
        uint32_t skip_to[PARK_KINDS]; /* up to there the peer has given up, … */
        bool is_skipping[PARK_KINDS]; /* … and due has not come there yet */
        struct park_lane lanes[PARK_KINDS];
    } rx;
};

enum tx_chunk_state {
    TX_IN_FLIGHT,
    TX_ACKED, /* by a gap block; the payload stays, for a peer may change its mind (S18) */
    TX_LOST,  /* waiting to be sent again */
    TX_GONE   /* neither on its way nor to be sent again: given up */
};

/* One outstanding TSN. Its payload is in its stream's chain. */
struct tx_chunk {
    struct block *block;
    const struct tx_message *message;
    uint32_t mid, fsn;
    uint16_t at; /* in block->data */
    uint16_t len, stream;
    uint8_t flags;
    uint8_t state;      /* enum tx_chunk_state */
    uint8_t header_len; /* DATA's or I-DATA's */
    bool is_retransmitted;
    bool is_wide;     /* its packet was longer than pmtu.base */
    bool is_given_up; /* its message is: never sent again, and the peer is told not to wait */
    uint16_t retransmits;
    uint64_t packet; /* tx.packet of the last time it was sent */
    usec sent_at;
    uint32_t before, after; /* in flight: TSNs of those that were sent before and after it */

    uint64_t delivered; /* throughput.c: tx.throughput as it was then */
    usec delivered_at, first_sent_at;
    bool is_app_limited;
};

struct throughput {
    uint64_t delivered;         /* bytes acknowledged since the start */
    usec delivered_at;          /* when the last of them were */
    usec first_sent_at;         /* of the chunk of which the last sample was made */
    uint64_t app_limited_until; /* delivered: so long the application bounds the rate; 0: not */
    uint64_t round_end;         /* delivered: what is sent from there on ends the round */
    uint64_t lost, lost_told;   /* bytes taken for lost … */
    uint64_t found, found_told; /* … and of these, those that were not */

    /* Of the chunks that the SACK being read acknowledges, the one sent last. */
    bool has_newest, is_newest_app_limited;
    usec newest_sent_at, newest_delivered_at, newest_first_sent_at, newest_rtt_us;
    uint64_t newest_delivered;
};

/* needless.c: a retransmission whose first copy may still turn up. */
struct resent {
    uint32_t tsn;
    uint16_t bytes;
    bool is_open;
};

struct tx {
    bool may_forward;        /* the peer takes FORWARD-TSN, or with I-DATA I-FORWARD-TSN */
    bool takes_parts;        /* the peer does, see part.c */
    bool is_interleaved;     /* I-DATA is sent, RFC 8260: fragments of several streams mix */
    struct tx_chunk *chunks; /* ring by TSN */
    uint32_t chunks_cap;     /* a power of two */
    uint32_t base_tsn;       /* oldest not cumulatively acknowledged */
    uint32_t next_tsn;
    uint32_t advanced_tsn; /* RFC 3758's Advanced.Peer.Ack.Point: payload up to it is released */
    uint32_t told_tsn;     /* in the last FORWARD-TSN … */
    usec told_at;          /* … and when */
    bool is_forward_due;
    uint32_t resend_from; /* no lost chunk lies before it */
    uint32_t lost_count;
    size_t flight_bytes;              /* chunks in flight with headers: what the network holds */
    size_t flight_payload;            /* without headers: what the peer's window must hold */
    size_t queued_bytes;              /* all streams' chains, both of each */
    size_t payload_bytes;             /* of these, payload */
    uint32_t peer_rwnd;               /* as last announced */
    struct tsn_set sacked;            /* those that are TX_ACKED */
    struct tsn_set reported;          /* by the SACK that is being read */
    struct tsn_set fresh;             /* of those, the ones not in sacked */
    uint64_t packet;                  /* number of the last packet that carried data */
    uint64_t acked_packet;            /* highest of which a chunk was acknowledged */
    uint32_t watch_first, watch_last; /* TSNs in flight in the order of sending: a list … */
    uint32_t watch_count;             /* … of so many */
    uint64_t newest_packet;  /* of what is known to have arrived, the one that was sent last … */
    usec newest_rtt_us;      /* … and how long its answer took */
    uint64_t recover_packet; /* losses up to here are of an event already counted */
    bool has_overtaken;      /* packets have been seen to overtake each other by this path */
    uint32_t late_steps;     /* quarters of the least round trip that a late packet is waited for */
    uint32_t late_events;    /* recoveries until that is one again */
    uint64_t late_packet;    /* it grows again when this one has arrived */
    struct resent *resent;   /* table of RESENT_MAX by TSN: what may turn out to be there twice */
    uint64_t timeout_packet; /* the last one before T3 expired … */
    size_t timeout_cwnd;     /* … and the window then; 0: nothing to be taken back */
    bool is_timeout_needless;
    bool is_backed_off, has_resumed; /* since data was last acknowledged: by T3; sctp_resume() */
    uint32_t probe_tsn;              /* what the probe sent again */
    usec probe_rtts; /* the wait before a probe: 2, more where probes came too early */
    bool was_probed; /* its answer would tell whether it came too early */
    bool has_probed; /* loss_on_probe_due() has done so, and nothing came of it yet */
    bool is_cwnd_limited;
    bool may_resend_at_once; /* one packet, whatever cwnd says: RFC 9260 §7.2.4 (3) */
    bool is_timing;          /* rtt_tsn's round trip is being measured */
    uint32_t rtt_tsn;
    uint64_t switch_packet;  /* the last one of the path before this one */
    size_t old_flight_bytes; /* of flight_bytes, what went by that: no matter of this path's cwnd */
    usec hold_loss_until;    /* nothing is taken for lost before this: it may come by that path */
    usec last_sent_at;
    usec tail_at; /* when a chunk last left with nothing behind it */

    struct throughput throughput;
    int64_t tokens;                     /* bytes that may leave now: pace.c */
    usec paced_at;                      /* tokens were counted up to here */
    struct stream *ready[SCTP_CLASSES]; /* the scheduler's circles: the last served, or NULL */
    uint16_t ready_classes;             /* bits: those that have one */
    struct stream *current; /* amid a message, if its fragments' TSNs must be consecutive */
    struct stream *waiters; /* that met ERR_LIMIT */
};

struct rx {
    uint32_t cum_tsn;
    struct tsn_set beyond; /* received behind a gap */
    struct park park;      /* of those, what cannot be delivered yet */
    size_t unread_bytes;   /* all streams' chains, and INBOUND_COST for each message */
    size_t open_count;     /* streams amid a message */
    uint32_t told_rwnd;    /* in our last SACK */
    uint32_t duplicates[DUPLICATES_MAX];
    size_t duplicate_count;
    unsigned unsacked_packets;
    usec data_at; /* when the last packet with data came */
    bool is_sack_due;
    bool is_pool_short;  /* a parked chunk could go to its stream but for a block */
    bool has_forwarded;  /* a FORWARD-TSN was in this packet */
    unsigned skip_steps; /* that are left for this packet */
};

struct reconfig {
    uint32_t next_request_seq; /* ours */
    uint32_t expected_seq;     /* the peer's next */
    uint32_t last_result;      /* our answer to the one before, to repeat */
    bool has_answered;
    uint16_t asked[RESET_STREAMS_MAX];
    size_t asked_count; /* streams in the request that is out; 0: none */
    uint32_t asked_last_tsn;
    size_t wanted_count; /* streams waiting to be asked for */
    bool is_due;         /* send it (again) */
};

/* What INIT, INIT ACK and a proven cookie tell of the peer. */
struct peer_init {
    uint32_t tag, tsn, a_rwnd;
    uint16_t in_streams;
    uint8_t extensions; /* bits of enum init_extension */
};

struct sctp {
    struct sctp_config cfg;
    const struct rng *rng;
    enum sctp_state state;
    struct stream **streams; /* by identifier; NULL where unused */
    size_t streams_cap;
    uint16_t out_streams; /* what the peer takes; streams_max before UP */

    uint32_t local_tag, peer_tag;
    uint32_t initial_tsn;         /* ours */
    uint32_t local_tie, peer_tie; /* what a later INIT's cookie will carry */
    uint8_t cookie_key[COOKIE_KEY_LEN];
    uint8_t offered, peer_extensions; /* bits of enum init_extension */
    struct peer_init remote_init;     /* by signaling */
    bool has_remote_init;
    bool has_told_init;   /* sctp_get_init() was called: the peer may stand without a word */
    bool is_unproven;     /* up by remote_init, and nothing shows yet that the peer has ours */
    uint8_t *peer_cookie; /* between INIT ACK and COOKIE ACK */
    size_t peer_cookie_len;
    usec asked_at;     /* when INIT or COOKIE ECHO first went out */
    unsigned attempts; /* of INIT, COOKIE ECHO, SHUTDOWN or SHUTDOWN ACK */
    unsigned errors;   /* consecutive expiries without an answer */

    struct rto rto;
    struct cc cc;
    struct pmtu pmtu;
    struct parts parts;
    struct tx tx;
    struct rx rx;
    struct reconfig reconfig;

    struct chain replies; /* control chunks to send, each behind a struct of replies.c */
    bool is_init_due, is_cookie_echo_due, is_shutdown_due, is_shutdown_ack_due;
    bool is_heartbeat_due, is_abort_due, is_wanting_shutdown;
    bool is_abort_reflected;
    uint32_t abort_tag;
    uint16_t abort_cause;
    char abort_text[ABORT_TEXT_MAX];
    uint64_t heartbeat_nonce; /* 0: none is out */

    usec t1_at, t2_at, t3_at, t5_at, probe_at, pace_at, sack_at, heartbeat_at, heartbeat_lost_at,
        reconfig_at;
    usec overdue_at; /* when the oldest in flight is taken for lost, once a later one is there */
    usec pool_retry_at, hold_at, give_up_at;

    bool is_up_untold, is_closed_untold;
    enum sctp_reason reason;
    uint16_t cause_code;
    struct stream *events_first, *events_last;
    struct sctp_info info;
};

/* assoc.c */
void assoc_enter(struct sctp *s, enum sctp_state to, usec now);
void assoc_end(struct sctp *s, usec now, enum sctp_reason reason, uint16_t cause_code);
void assoc_fail(struct sctp *s, usec now, enum cause_code cause, const char *text); /* ABORT */
bool assoc_may_send_data(const struct sctp *s);
bool assoc_may_receive_data(const struct sctp *s);
bool assoc_count_error(struct sctp *s, usec now); /* false: that was one too many, it has ended */

/* streams.c */
struct stream *stream_find(const struct sctp *s, uint16_t id);
struct stream *stream_get(struct sctp *s, uint16_t id); /* makes it; NULL without memory */
void streams_free(struct sctp *s);
void stream_tell(struct sctp *s, struct stream *st, enum sctp_event_type type);

/* timers.c */
void timers_change_path(struct sctp *s, usec now, bool old_is_dead);

/* handshake.c */
void handshake_begin(struct sctp *s, usec now);
uint8_t handshake_our_extensions(const struct sctp *s);
unsigned handshake_agreed(const struct sctp *s); /* bits of enum sctp_extension */
void handshake_encode_init(struct sctp *s, struct wr *w);
void handshake_note_asked(struct sctp *s, usec now);
enum verdict on_init(struct sctp *s, usec now, const struct chunk *c);
enum verdict on_init_ack(struct sctp *s, usec now, const struct chunk *c);
enum verdict on_cookie_echo(struct sctp *s, usec now, uint32_t tag, const struct chunk *c);
enum verdict on_cookie_ack(struct sctp *s, usec now, const struct chunk *c);
void handshake_on_stale_cookie(struct sctp *s, usec now);
bool handshake_is_valid(const struct init_chunk *init);
void handshake_learn_peer(struct sctp *s, const struct peer_init *peer);

/* snap.c */
void snap_stand(struct sctp *s, usec now);
void snap_on_tagged(struct sctp *s, usec now); /* a packet with our tag, neither INIT nor COOKIE */

/* closing.c */
enum verdict on_abort(struct sctp *s, usec now, const struct chunk *c);
enum verdict on_shutdown(struct sctp *s, usec now, const struct chunk *c);
enum verdict on_shutdown_ack(struct sctp *s, usec now, const struct chunk *c);
enum verdict on_shutdown_complete(struct sctp *s, usec now, const struct chunk *c);
void closing_advance(struct sctp *s, usec now); /* after something was acknowledged */
void closing_encode_abort(struct sctp *s, struct wr *w);

/* replies.c */
enum reply_flag { REPLY_ALONE = 1 }; /* in a packet of its own */
bool reply_add(struct sctp *s, uint32_t tag, unsigned flags, struct bytes chunk);
bool reply_peek(const struct sctp *s, uint32_t *tag, unsigned *flags, size_t *len);
void reply_take(struct sctp *s, struct wr *w);
void reply_error(struct sctp *s, enum cause_code cause, struct bytes info); /* to our peer */
void reply_error_to(struct sctp *s, uint32_t tag, unsigned flags, enum cause_code cause,
                    struct bytes info);

/* heartbeat.c */
enum verdict on_heartbeat(struct sctp *s, usec now, const struct chunk *c);
enum verdict on_heartbeat_ack(struct sctp *s, usec now, const struct chunk *c);
void heartbeat_encode(struct sctp *s, usec now, struct wr *w);
void heartbeat_tick(struct sctp *s, usec now);
void heartbeat_postpone(struct sctp *s, usec now);

/* rx.c */
void rx_init(struct sctp *s);
void rx_start(struct sctp *s, uint32_t peer_initial_tsn);
void rx_deinit(struct sctp *s);
void rx_trim(struct sctp *s);
enum verdict on_data(struct sctp *s, usec now, const struct chunk *c);
void rx_advance_to(struct sctp *s, uint32_t tsn); /* the cumulative TSN */
void rx_after_packet(struct sctp *s, usec now);   /* one that had data */
void rx_retry(struct sctp *s, usec now);          /* what waited for blocks */

/* deliver.c */
enum delivery { DELIVERABLE, MUST_WAIT, GIVEN_UP, BREAKS_RULES };
enum delivery deliver_judge(const struct sctp *s, const struct stream *st,
                            const struct data_chunk *d);
bool deliver(struct sctp *s, struct stream *st, const struct data_chunk *d); /* false: no block */
bool deliver_has_overrun(const struct sctp *s, const struct stream *st, const struct data_chunk *d);
void deliver_parked(struct sctp *s, usec now, struct stream *st);
int32_t deliver_ahead(const struct sctp *s, const struct stream *st, enum park_kind kind,
                      uint32_t number);
void deliver_advance(struct sctp *s, struct stream *st, enum park_kind kind, uint32_t number);
void deliver_give_up(struct sctp *s, struct stream *st); /* the open message */
void deliver_reset(struct sctp *s, struct stream *st);

/* inbox.c */
bool inbox_begin(struct sctp *s, struct stream *st, uint32_t ppid); /* false: no block */
bool inbox_grow(struct sctp *s, struct stream *st, struct bytes payload);
void inbox_end(struct sctp *s, struct stream *st);
void inbox_cut(struct sctp *s, struct stream *st); /* no more of it comes */

/* forward.c */
enum verdict on_forward(struct sctp *s, usec now, const struct chunk *c);
void forward_advance(struct sctp *s, struct stream *st);

/* sack.c */
uint32_t sack_rwnd(const struct sctp *s);
void sack_encode(struct sctp *s, struct wr *w, size_t room);
void sack_after_consume(struct sctp *s, usec now);

/* ack.c */
enum verdict on_sack(struct sctp *s, usec now, const struct chunk *c);
bool ack_cumulative(struct sctp *s, usec now, uint32_t cum_tsn); /* SHUTDOWN's */

/* loss.c */
void loss_watch(struct sctp *s, uint32_t tsn, struct tx_chunk *c); /* it is in flight from now on */
void loss_watch_first(struct sctp *s, uint32_t tsn, struct tx_chunk *c); /* it moves to the front */
void loss_unwatch(struct sctp *s, const struct tx_chunk *c);
usec loss_least_rtt(const struct sctp *s);
void loss_detect(struct sctp *s, usec now);
void loss_mark(struct sctp *s, uint32_t tsn, struct tx_chunk *c);
void loss_mark_all(struct sctp *s);
void loss_on_timeout(struct sctp *s, usec now);
void loss_arm_probe(struct sctp *s, usec now);
void loss_on_probe_due(struct sctp *s);
void loss_note_acked(struct sctp *s, usec now, const struct tx_chunk *c);
void loss_arm_t3(struct sctp *s, usec now);
void loss_tick(struct sctp *s, usec now);
void loss_change_path(struct sctp *s, usec now, usec hold_us, bool old_is_dead);

/* needless.c */
void needless_note_resent(struct sctp *s, uint32_t tsn, const struct tx_chunk *c);
void needless_note_lost_acked(struct sctp *s, const struct tx_chunk *c);
bool needless_is_first_copy(struct sctp *s, usec now, uint32_t tsn, const struct tx_chunk *c);
void needless_note_duplicates(struct sctp *s, struct rd tsns, size_t count);
void needless_note_event(struct sctp *s); /* a recovery begins */
void needless_change_path(struct sctp *s);
void needless_take_timeout_back(struct sctp *s);

/* tx.c */
void tx_init(struct sctp *s);
void tx_learn_peer(struct sctp *s, uint8_t both); /* bits of enum init_extension both ends have */
bool tx_reserve_chunk(struct sctp *s);            /* room in the ring for next_tsn */
void tx_deinit(struct sctp *s);
void tx_trim(struct sctp *s); /* gives back what only a busy one needs */
struct tx_chunk *tx_chunk_at(const struct sctp *s, uint32_t tsn);
size_t tx_chunk_bytes(const struct tx_chunk *c); /* on the wire, padding included */
bool tx_is_of_old_path(const struct sctp *s, const struct tx_chunk *c);
void tx_enter_flight(struct sctp *s, uint32_t tsn, struct tx_chunk *c);
void tx_leave_flight(struct sctp *s, const struct tx_chunk *c);
bool tx_has_work(const struct sctp *s);
bool tx_is_paced(const struct sctp *s);
size_t tx_packet_bytes(struct sctp *s);
void tx_fill(struct sctp *s, usec now, struct wr *w);

/* queue.c */
void place_advance(struct place *p, size_t len); /* by bytes that are there */
void queue_cut(struct chain *c, struct place *p, size_t len);
void queue_release(struct sctp *s, struct stream *st, const struct tx_chunk *c);
void queue_wake_waiters(struct sctp *s);
void queue_pool_tick(struct sctp *s, usec now);

/* abandon.c */
void abandon_note(struct sctp *s, const struct stream *st);     /* what is next there */
bool abandon_shed(struct sctp *s, usec now, struct stream *st); /* what has expired there */
bool abandon_instead(struct sctp *s, usec now, uint32_t tsn);   /* of sending it again */
bool abandon_is_told(const struct sctp *s, uint32_t tsn);       /* by FORWARD-TSN */
void abandon_on_sack(struct sctp *s, usec now);
bool abandon_repeat(struct sctp *s); /* nothing was heard; false: there is nothing to tell */
void abandon_encode(struct sctp *s, usec now, struct wr *w); /* FORWARD-TSN */
void abandon_tick(struct sctp *s, usec now);

/* throughput.c */
void throughput_note_sent(struct sctp *s, usec now,
                          struct tx_chunk *c); /* before it is in flight */
void throughput_note_acked(struct sctp *s, usec now, const struct tx_chunk *c, bool is_first_copy);
void throughput_note_app_limited(struct sctp *s);
void throughput_change_path(struct sctp *s, usec now);
void throughput_take(struct sctp *s, usec now, struct cc_sample *sample);

/* pace.c */
void pace_refill(struct sctp *s, usec now);
bool pace_allows(const struct sctp *s);
void pace_take(struct sctp *s, size_t bytes);
void pace_arm(struct sctp *s, usec now);

/* sched.c */
void sched_add(struct sctp *s, struct stream *st);
struct stream *sched_next(struct sctp *s); /* NULL: nothing to send */
void sched_done(struct sctp *s, struct stream *st, size_t len, bool may_change);
void sched_remove(struct sctp *s, struct stream *st); /* it has nothing to send any more */
bool sched_is_empty(const struct sctp *s);

/* reconfig.c */
enum verdict on_reconfig(struct sctp *s, usec now, const struct chunk *c);
void reconfig_advance(struct sctp *s, usec now);
void reconfig_encode(struct sctp *s, usec now, struct wr *w);
void reconfig_tick(struct sctp *s, usec now);

#endif
