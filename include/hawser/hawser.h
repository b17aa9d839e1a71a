/* hawser.h: connect to a device by its ID and exchange bytes with it over eight channels.
 *
 * The library is one per process. Unless a call says otherwise:
 *   - it is safe from any thread, also several at once on one handle and channel;
 *   - it returns >= 0 for success and a negative code of enum hawser_code otherwise;
 *   - times are milliseconds, lengths bytes, strings UTF-8 and NUL-terminated, copied if kept;
 *   - before hawser_init() or after hawser_deinit() it answers HAWSER_ERR_UNINITIALISED.
 * A call that sends or waits may do the library's protocol work meanwhile, for all sessions: its
 * thread needs an ordinary stack and priority, and must not be cancelled.
 * Callbacks run one after another on the library's dispatcher thread, never inside the call that
 * caused them; any call but hawser_deinit() is allowed there. */
#ifndef HAWSER_HAWSER_H
#define HAWSER_HAWSER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAWSER_API __attribute__((visibility("default")))

/* 0 control, 1 video, 2 audio, 3 playback, 4 pass-through, 5 files, 6 and 7 free. */
#define HAWSER_CHANNELS      8
#define HAWSER_TRACE_ID_MAX  33  /* 32 hexadecimal digits and NUL */
#define HAWSER_ID_MAX        33  /* an ID or alias and NUL */
#define HAWSER_INVITE_MAX    512 /* a pairing line and NUL */
#define HAWSER_ADDRESS_MAX   64  /* "[2001:db8::1]:4000" and NUL */
#define HAWSER_TIMEOUT_MIN   1000
#define HAWSER_TIMEOUT_MAX   30000
#define HAWSER_TIMEOUT_USUAL 15000

/* Name, value, text of hawser_strerror(). What exactly produces each: docs/codes.md. */
#define HAWSER_CODES(X)                                                                 \
    X(OK, 0, "no error")                                                                \
    X(UNINITIALISED, -1, "the library is not initialised: call hawser_init() first")    \
    X(ALREADY_INITIALISED, -2, "already initialised")                                   \
    X(TIMEOUT, -3, "nothing happened in time")                                          \
    X(INVALID, -5, "a parameter is invalid")                                            \
    X(OFFLINE, -6, "the device is not online")                                          \
    X(NO_PATH, -10, "no direct path, and no relay is available")                        \
    X(INVALID_SESSION, -11, "unknown or closed session handle")                         \
    X(CLOSED_BY_PEER, -12, "the device closed the connection without giving a reason")  \
    X(LOST, -13, "the link was lost: nothing was heard from the peer")                  \
    X(CLOSED_LOCALLY, -14, "closed by this side while the call was waiting")            \
    X(PEER_BUFFER_FULL, -15, "the peer's buffer is full")                               \
    X(LISTEN_BROKEN, -16, "listening was interrupted")                                  \
    X(TOO_MANY_CONNECTS, -17, "too many pending connects")                              \
    X(NO_PORT, -18, "no UDP port could be bound")                                       \
    X(CONNECT_BROKEN, -19, "connecting was interrupted")                                \
    X(SESSION_LIMIT, -23, "the limit of sessions is reached")                           \
    X(WARM_INVALID, -24, "not a preconnected session")                                  \
    X(WARM_CLOSED, -25, "the preconnected session is no longer connected")              \
    X(WARM_ACTIVE, -26, "the preconnected session is already active")                   \
    X(NO_MEMORY, -29, "out of memory")                                                  \
    X(API_FAILED, -30, "the directory could not be reached")                            \
    X(WARM_UNSUPPORTED, -31, "the peer does not support preconnection")                 \
    X(TERMINATED, -100, "the device terminated the connection")                         \
    X(PRIVACY_REFUSED, -102, "refused: the device is in privacy mode")                  \
    X(NO_SENDER, -103, "the device could not start sending for this session")           \
    X(DEVICE_FULL, -104, "the device's application takes no more sessions")             \
    X(UNAUTHORISED, -105, "not authorised: pair with the device, or fetch a new grant") \
    X(ENDED_AS_EXPECTED, -106, "the device closed the session as expected")             \
    X(ZOMBIE, -108, "closed for lack of application data")                              \
    X(CLOSED_BY_APPLICATION, -109, "the device's application closed the session")       \
    X(LEFT, -110, "the device left")                                                    \
    X(PRIVACY_CLOSED, -111, "privacy mode was switched on")                             \
    X(IN_CALL, -113, "the device is in a call")                                         \
    X(NO_RESOURCES, -114, "the device could not get the resources for this session")

#define HAWSER_AS_ENUM(name, value, text) HAWSER_ERR_##name = (value),
enum hawser_code { HAWSER_CODES(HAWSER_AS_ENUM) };
#undef HAWSER_AS_ENUM

/* ---- Before init ---------------------------------------------------------------------------- */

/* Sets an option for all later inits, over the file $HAWSER_HOME/config.json (default ~/.hawser).
 *   "home"           directory of keys, grants and config
 *   "broker"         mqtt://host:port, mqtts://host:port, or mqtt+unix:///path/of/a/socket
 *   "broker_name"    the name the broker's login is bound to; default: the host of "broker", or
 *                    "localhost" where that is a socket
 *   "broker_ca"      PEM file to trust for mqtts
 *   "stun"           comma-separated host:port; "" for none
 *   "turn"           comma-separated URIs, 4 at most: turn:host[:port] asks by UDP and by TCP,
 *                    turn:host[:port]?transport=udp or =tcp by that alone, turns:host[:port] by
 *                    TLS; "" for none
 *   "turn_username"  long-term credentials for all of them …
 *   "turn_password"  … which no log line ever shows
 *   "turn_ca"        PEM file to trust for turns: URIs; default: the system's certificates
 *   "bind"           comma-separated local IP addresses to use; default: all interfaces
 *   "lan"            1: look for devices on the local network, and let ours be found; 0: do not
 *   "offload"        1: datagrams cross the kernel in runs where it can (GSO, GRO); 0: one by one
 *   "sessions_max"   of this process, 1…4096, default 256
 *   "dead_ms"        silence until a session is lost, 6000…60000, default 30000
 *   "flush_ms"       most that disconnect waits for unsent data, 0…10000, default 1000
 *   "zombie_ms"      no application data until a session is closed, default 1200000; 0: never
 * value NULL removes the option. HAWSER_ERR_INVALID: unknown name, or out of range;
 * HAWSER_ERR_ALREADY_INITIALISED: only possible before init. Works uninitialised. */
HAWSER_API int hawser_set_option(const char *name, const char *value);

enum hawser_log_level { HAWSER_LOG_ERROR, HAWSER_LOG_WARNING, HAWSER_LOG_INFO, HAWSER_LOG_DEBUG };
typedef void hawser_log_cb(void *ctx, enum hawser_log_level level, const char *line);

/* Lines up to this level go to cb (NULL: nowhere, the default), one at a time, from the library's
 * threads and from within any call: so cb must take no lock that a caller holds, nor call the
 * library. Never contains keys, secrets or content. Works any time. */
HAWSER_API void hawser_set_log(enum hawser_log_level most, hawser_log_cb *cb, void *ctx);

/* ---- Life ----------------------------------------------------------------------------------- */

/* Starts the library for the user `local_id` (1…64 of [A-Za-z0-9._@-]): selects the key of that
 * label under $HAWSER_HOME/keys, making one if there is none. Needs no network to succeed. Same ID
 * again: 0. Another ID: sessions of the first are ended, as by hawser_disconnect(), and it rebinds.
 * HAWSER_ERR_INVALID: bad local_id, unusable home, broken config (the log says which);
 * HAWSER_ERR_NO_MEMORY. Not to be called at the same time as hawser_deinit(). */
HAWSER_API int hawser_init(const char *local_id);

/* Completes every pending connect with -19 and every blocked call with -14, runs their callbacks,
 * then frees everything. Not from a callback (HAWSER_ERR_INVALID). A program that ends without it
 * tells its peers nothing: to them its sessions are lost "dead_ms" later (-13). */
HAWSER_API int hawser_deinit(void);

/* The same for applications with a login of their own: binds the signaling listener to the
 * logged-in user, and unbinds it at logout. */
HAWSER_API int hawser_init_p2p(const char *local_id);
HAWSER_API int hawser_deinit_p2p(void);

/* "0.1.0". Works uninitialised. */
HAWSER_API const char *hawser_get_version(void);

/* Static English text of any code, also one this version does not know. Works uninitialised. */
HAWSER_API const char *hawser_strerror(int code);

/* ---- Keys and pairing ----------------------------------------------------------------------- */

/* Makes the key of `label` unless it exists, and fills in its ID. Works uninitialised.
 * HAWSER_ERR_INVALID: bad label, or the home directory cannot be written. */
HAWSER_API int hawser_keygen(const char *label, char id[HAWSER_ID_MAX]);

/* Pairs this user with the device whose pairing line is `invite`; stores its card and the grant
 * it answers, and fills in its ID. Blocks up to timeout_ms (clamped as in hawser_connect()).
 * Where no broker is configured, the one that the line names is taken and kept in config.json.
 * HAWSER_ERR_INVALID: not a pairing line. HAWSER_ERR_UNAUTHORISED: expired, used by another or
 * wrong secret. HAWSER_ERR_OFFLINE, HAWSER_ERR_TIMEOUT. Not from a callback. */
HAWSER_API int hawser_pair(const char *invite, int timeout_ms, char id[HAWSER_ID_MAX]);

/* ---- Connecting ----------------------------------------------------------------------------- */

/* LAN and internet race, with a small head start for the LAN; the internet first, the LAN if that
 * fails; the LAN first for about 3 s, then the internet. A device that paired before there was a
 * LAN is not found on it. */
enum hawser_lan_mode { HAWSER_LAN_AUTO, HAWSER_INTERNET_FIRST, HAWSER_LAN_FIRST };

/* result >= 0: the session's handle; < 0: why there is none. */
typedef void hawser_connect_cb(void *ctx, const char *trace_id, int result);

/* Begins to connect to a device. 0: trace_id (unique, printable; may be NULL) is filled, and cb is
 * called exactly once, later. timeout_ms is clamped to 1000…30000; 0 means 15000. Many connects
 * may be pending at once, also to one device.
 * At once, with no callback: HAWSER_ERR_UNINITIALISED, HAWSER_ERR_INVALID (malformed ID, unknown
 * lan_mode, no callback), HAWSER_ERR_NO_MEMORY. By callback: HAWSER_ERR_TIMEOUT, _OFFLINE,
 * _NO_PATH, _CONNECT_BROKEN, _SESSION_LIMIT, _TOO_MANY_CONNECTS, _NO_PORT, and what the device
 * refuses with: -100 … -114 (only -105 without a valid grant). */
HAWSER_API int hawser_connect(const char *remote_id, int lan_mode, int timeout_ms,
                              hawser_connect_cb *cb, void *ctx, char trace_id[HAWSER_TRACE_ID_MAX]);

/* Ends a pending connect with -19. HAWSER_ERR_INVALID: finished or unknown; nothing changes. */
HAWSER_API int hawser_connect_break(const char *trace_id);

/* Keeps a session that has no application data for long: neither side closes it as a zombie (-108)
 * while this is on (1) at either; off (0) begins that time anew. Paths are kept in any case. */
HAWSER_API int hawser_keep_alive(int handle, int on);

/* Flushes what was accepted for sending (at most "flush_ms"), tells the peer, frees. Blocked calls
 * on the handle return -14, later ones -11. */
HAWSER_API int hawser_disconnect(int handle);

/* ---- Data ----------------------------------------------------------------------------------- */

/* Queues bytes on channel 0…7, a reliable ordered byte stream of its own. Returns how many were
 * accepted: fewer than len if the time is up, HAWSER_ERR_TIMEOUT only if none. timeout_ms 0: try
 * once; < 0: without limit. len 0: 0 on a live session, else its close code. data may not be NULL.
 * HAWSER_ERR_UNAUTHORISED here and in the calls below: the grant does not name this channel. */
HAWSER_API int hawser_send_data(int handle, int channel, const void *data, int len, int timeout_ms);

/* Returns as soon as there is at least one byte, at most len. HAWSER_ERR_TIMEOUT: none in time, the
 * session lives. What arrived before a close is still delivered, then the close code. */
HAWSER_API int hawser_recv_data(int handle, int channel, void *data, int len, int timeout_ms);

/* ---- Messages ------------------------------------------------------------------------------- */

#define HAWSER_MESSAGE_MAX 262144

/* Queues one message of 1…HAWSER_MESSAGE_MAX bytes on a channel, in order with what else is sent
 * there. Returns len, or a code and nothing is queued: HAWSER_ERR_TIMEOUT if there was no room in
 * time (timeout_ms as in hawser_send_data()); HAWSER_ERR_INVALID: empty or longer. Several threads
 * may send on one channel: each message stays whole.
 * A peer that is no hawser gets it as one binary message of its data channel. */
HAWSER_API int hawser_send_message(int handle, int channel, const void *data, int len,
                                   int timeout_ms);

/* Takes the oldest message, which is there to its end. Returns its length. One longer than len
 * stays, nothing is lost: HAWSER_ERR_INVALID, and hawser_message_size() tells how long it is.
 * HAWSER_ERR_TIMEOUT and the end as in hawser_recv_data(). Bytes that the peer sent by
 * hawser_send_data() come as messages too, cut where it pleased the library; and what
 * hawser_recv_data() has left of a message is one. A message of a peer that is no hawser may be
 * longer than HAWSER_MESSAGE_MAX: then it comes as several. */
HAWSER_API int hawser_recv_message(int handle, int channel, void *data, int len, int timeout_ms);

/* The length of the message that hawser_recv_message() would take, waiting for one as that does. */
HAWSER_API int hawser_message_size(int handle, int channel, int timeout_ms);

/* From now on what this side sends on the channel may be lost where it is late, for the rest of the
 * session: for live pictures and the like, which are better dropped than waited for. A message is
 * given up lifetime_ms (1…60000; < 0: never) after it was accepted, or when a part of it was sent
 * again `retransmits` (0…1000; < 0: any number of) times in vain. One of the two must be given.
 * Where the peer's application does not keep up, its oldest unread messages are dropped; whatever
 * arrives is whole, and in order. hawser_session_info() counts both. A peer that is no hawser takes
 * part if it knows RFC 3758; otherwise what has begun to leave arrives.
 * Such a channel is for messages alone: hawser_send_data() of this side and hawser_recv_data() of
 * both are HAWSER_ERR_INVALID, and hawser_send_message() is HAWSER_ERR_PEER_BUFFER_FULL where
 * nothing more was taken in time. What the peer sends stays reliable until it says otherwise.
 * Another call changes the limits. HAWSER_ERR_INVALID. */
HAWSER_API int hawser_set_lossy(int handle, int channel, int lifetime_ms, int retransmits);

/* ---- Life of a session ---------------------------------------------------------------------- */

/* >= 0: alive; < 0: the close code, HAWSER_ERR_INVALID_SESSION for a handle that is no session.
 * Never blocks. */
HAWSER_API int hawser_active_check(int handle);

/* ---- Watching ------------------------------------------------------------------------------- */

/* code < 0: why the session of this handle ended; called once a session, but not for
 * hawser_disconnect() of this side. code HAWSER_ERR_OK: the session lives, and its path has
 * changed, in kind or addresses: hawser_session_info() tells; several changes in a row may be
 * told as one. cb NULL: nobody is told. */
typedef void hawser_state_cb(void *ctx, int handle, int code);
HAWSER_API int hawser_set_state_callback(hawser_state_cb *cb, void *ctx);

/* The network of this host has changed: other addresses, another interface, another way out. Every
 * path is checked at once, sockets and broker connections follow, and sessions look for a new path
 * where theirs is gone or a better one may be had; handles and data stay. The library notices by
 * itself where the system lets it (netlink); for those where it does not, such as sandboxes and
 * phones, the application calls this. Harmless when nothing has changed. Never blocks. */
HAWSER_API int hawser_network_changed(void);

/* LAN: the peer is at a private or link-local address, so no public network lies between. RELAYED:
 * through a TURN server of this side, or of the peer as far as this side can tell. */
enum hawser_path_kind {
    HAWSER_PATH_NONE,
    HAWSER_PATH_LAN,
    HAWSER_PATH_DIRECT,
    HAWSER_PATH_RELAYED
};

struct hawser_channel_info {
    uint64_t sent, received; /* application bytes accepted and delivered since the start */
    uint32_t unsent, unread; /* bytes in the buffers now */
    uint32_t credit;         /* bytes that the peer still takes; UINT32_MAX: without end */
    uint8_t priority_class;  /* hawser_set_priority() */
    uint8_t weight;
    uint8_t is_lossy;      /* hawser_set_lossy() of this side … */
    uint8_t peer_is_lossy; /* … and of the peer */
    uint64_t send_rate;    /* bytes a second that were handed to the transport … */
    uint64_t receive_rate; /* … and came from it, over the last second */
    uint64_t given_up;     /* messages, of this side's, that were not delivered for their limits */
    uint64_t dropped;      /* messages, of the peer's, that arrived and found no room */
};

/* How an end of a path was found (RFC 8445 §5.1): an address of the host itself, as a STUN server
 * or the peer saw it behind a NAT, or an address on a relay. */
enum hawser_end_kind {
    HAWSER_END_HOST,
    HAWSER_END_SERVER_REFLEXIVE,
    HAWSER_END_PEER_REFLEXIVE,
    HAWSER_END_RELAYED
};

#define HAWSER_WHY_MAX        160
#define HAWSER_CONGESTION_MAX 16

/* What the sender is about to learn of its path (draft-ietf-ccwg-bbr §4.3): a first search for its
 * rate; waiting for the queue that made to drain; a little less than the path takes, as much, and
 * a little more; a look at the round trip without a queue. */
enum hawser_congestion {
    HAWSER_CONGESTION_OTHER,
    HAWSER_CONGESTION_STARTUP,
    HAWSER_CONGESTION_DRAIN,
    HAWSER_CONGESTION_DOWN,
    HAWSER_CONGESTION_CRUISE,
    HAWSER_CONGESTION_UP,
    HAWSER_CONGESTION_PROBE_RTT
};

/* What keeps more from being sent at this moment. */
enum hawser_limit {
    HAWSER_LIMIT_APPLICATION, /* there is nothing to send */
    HAWSER_LIMIT_CREDIT,      /* the peer's application does not read what waits */
    HAWSER_LIMIT_CONGESTION,  /* as much is on its way as the path holds */
    HAWSER_LIMIT_PACING,      /* the next packet's time has not come */
    HAWSER_LIMIT_PATH         /* there is no path */
};

struct hawser_session_info {
    char peer_id[HAWSER_ID_MAX];
    enum hawser_path_kind path;
    enum hawser_end_kind local_kind, remote_kind;
    char local_address[HAWSER_ADDRESS_MAX], remote_address[HAWSER_ADDRESS_MAX];
    char why_relayed[HAWSER_WHY_MAX]; /* English, for people; empty unless path is relayed */
    int64_t direct_retry_us; /* relayed: until direct is tried next; otherwise, and unknown: -1 */
    uint32_t path_mtu;       /* bytes of UDP payload that go through whole */
    uint32_t path_changes;   /* how often data took another path */
    uint32_t restarts;       /* how often paths were looked for anew, through signaling */
    uint32_t loss_ppm;       /* of a million chunks sent, how many had to be sent again */
    int64_t rtt_us;          /* smoothed round trip; 0 while unknown */
    int64_t connect_us;      /* hawser_connect() to its callback */
    int64_t established_us;  /* the answer's arrival to the first channel byte being possible */
    uint64_t packets_sent;   /* SCTP packets */
    uint64_t packets_received;
    uint64_t packets_dropped; /* received, but malformed, forged or unexpected */
    uint64_t chunks_sent;     /* DATA chunks, retransmissions included */
    uint64_t chunks_resent;
    struct hawser_channel_info channel[HAWSER_CHANNELS];

    uint64_t send_rate;     /* application bytes a second handed to the transport … */
    uint64_t receive_rate;  /* … and taken from it, over the last second; all channels */
    uint64_t delivery_rate; /* bytes a second that the path has been seen to deliver; 0: unknown */
    uint64_t pacing_rate;   /* bytes a second at which packets leave at most */
    uint64_t chunks_lost;   /* taken for lost, each time … */
    uint64_t chunks_spurious;   /* … and of those, the ones that had arrived after all */
    uint64_t congestion_window; /* bytes that may be on their way at once */
    uint64_t in_flight;         /* bytes that are */
    int64_t rtt_min_us;         /* the least of the last seconds; 0 while unknown */
    enum hawser_congestion congestion;
    enum hawser_limit limit;
    char congestion_name[HAWSER_CONGESTION_MAX]; /* the same in a word, also one not listed */
};

HAWSER_API int hawser_session_info(int handle, struct hawser_session_info *info);

enum hawser_pair_fate {
    HAWSER_PAIR_WAITING,  /* its turn has not come */
    HAWSER_PAIR_TRYING,   /* asked, no answer yet */
    HAWSER_PAIR_WORKS,    /* answers; kept for the day the selected one does not */
    HAWSER_PAIR_SELECTED, /* data goes here */
    HAWSER_PAIR_FAILED    /* no answer */
};

#define HAWSER_PAIRS_MAX 100

/* A local and a remote address that were tried together (RFC 8445 §6.1.2). */
struct hawser_pair {
    enum hawser_end_kind local_kind, remote_kind;
    enum hawser_pair_fate fate;
    char local_address[HAWSER_ADDRESS_MAX], remote_address[HAWSER_ADDRESS_MAX];
    int64_t rtt_us;  /* 0 before the first answer */
    uint32_t checks; /* sent */
};

/* Fills in the pairs of a session, best first, at most `max`; returns how many. */
HAWSER_API int hawser_session_pairs(int handle, struct hawser_pair *pairs, int max);

struct hawser_buffer {
    uint32_t unsent; /* accepted and not yet acknowledged by the peer's transport */
    uint32_t unread; /* received and not yet taken by the application */
    uint32_t free;   /* how much hawser_send_data() would take now */
};

/* The base for deciding what to drop. What a channel takes to send follows the path: twice what may
 * be on its way, within 64…256 KiB, on channels 1, 3 and 5 within 256 KiB…4 MiB. A message finds
 * room in an empty one, however long. */
HAWSER_API int hawser_channel_buffer(int handle, int channel, struct hawser_buffer *buffer);

/* ---- Priorities ----------------------------------------------------------------------------- */

#define HAWSER_CLASSES    8
#define HAWSER_WEIGHT_MAX 100

/* In what order this side's channels send when there is more than the path takes: one of a lower
 * priority_class (1…7) before all of higher ones, those of the same class side by side, each a
 * share by its weight (1…HAWSER_WEIGHT_MAX), in bytes. Usual, with weight 1: class 1 control,
 * 2 audio, 3 video, 4 pass-through, 5 playback, 6 files, 7 the free ones. From now on, for this
 * session and direction; also of what waits already. HAWSER_ERR_INVALID, HAWSER_ERR_NO_MEMORY. */
HAWSER_API int hawser_set_priority(int handle, int channel, int priority_class, int weight);

#ifdef __cplusplus
}
#endif

#endif
