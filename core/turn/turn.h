/* turn.h: obtain a relayed address from one TURN server and keep it alive. RFC 8656, as a client,
 * over UDP, or over a byte stream (TCP, TLS) that the caller has connected.
 *
 *     IDLE --start--> ASKING --success--> LIVE --refresh refused or unanswered--> FAILED
 *                        '----error, or no answer to all requests-----------------^
 *     LIVE --stop--> STOPPED (refresh with lifetime 0, then silence)
 *
 * 401 and 438 are answered with the realm and nonce they bring; 300 becomes an event with the
 * other server's address, for the caller to start anew. Permissions and channels are renewed while
 * the allocation lives. Timers: resend and give-up of each request, refresh, expiry, permissions,
 * channels, and over UDP a keep-alive where nothing else was sent. Left out: EVEN-PORT,
 * RESERVATION-TOKEN, DONT-FRAGMENT, TCP allocations (RFC 6062), DTLS: deviations.md, T3. */
#ifndef HAWSER_TURN_H
#define HAWSER_TURN_H

#include "core/base/err.h"
#include "core/base/out.h"
#include "core/base/rng.h"
#include "core/base/usec.h"

#define TURN_PERMISSIONS_MAX 32
#define TURN_CHANNELS_MAX    8
#define TURN_HEAD_MAX        52 /* most that turn_wrap() adds to a datagram, padding included */
#define TURN_DATAGRAM_MAX    2048
#define TURN_STREAM_MAX      8192 /* most bytes that turn_input_stream() takes at once */
#define TURN_CREDENTIAL_MAX  256

struct turn;

/* Zero in any field means the default named here. */
struct turn_config {
    struct addr local, server;
    uint8_t stream; /* 0: UDP from `local`; else copied to out->stream, and messages are framed */
    const char *username, *password; /* long-term credentials (RFC 8489 §9.2); copied */
    enum addr_family family;         /* of the relayed address: IPv4 */
    usec rto_us;                     /* first resend over UDP: 100 ms, then doubled */
    usec give_up_us;                 /* without an answer: 5 s */
};

enum turn_event_type {
    TURN_EVENT_ALLOCATED,  /* relayed, mapped */
    TURN_EVENT_REDIRECTED, /* server: ask there instead (300); terminal */
    TURN_EVENT_FAILED      /* code: of the error response, or 0 for silence or nonsense; terminal */
};

struct turn_event {
    enum turn_event_type type;
    struct addr relayed, mapped, server;
    uint16_t code;
};

/* ERR_NOMEM; ERR_INVALID: credentials too long, or nobody can be at the server's address. rng is
 * borrowed. */
int turn_new(struct turn **out, const struct turn_config *cfg, const struct rng *rng);
void turn_free(struct turn *t); /* wipes the credentials; NULL is fine */

void turn_start(struct turn *t, usec now);

/* Gives the allocation back: one Refresh with lifetime 0 comes out; nothing waits for an answer. */
void turn_stop(struct turn *t, usec now);

/* Nothing comes back through the relay: asks at once whether the allocation is still there. If the
 * server has forgotten it, TURN_EVENT_FAILED follows. Harmless when repeated, or not LIVE. */
void turn_check(struct turn *t, usec now);

/* Offers a datagram of the server's, borrowed until return; from anyone else it is FOREIGN, as is
 * what is neither STUN nor ChannelData, and what is about STUN's Binding. */
enum verdict turn_input(struct turn *t, usec now, const struct addr *from, struct bytes dgram);

/* The same for the next bytes of the stream, in any pieces of at most TURN_STREAM_MAX. MALFORMED:
 * the stream cannot be followed any more; TURN_EVENT_FAILED comes. */
enum verdict turn_input_stream(struct turn *t, usec now, struct bytes data);
void turn_tick(struct turn *t, usec now);
bool turn_poll_output(struct turn *t, usec now, struct out *out);
bool turn_poll_event(struct turn *t, struct turn_event *ev);
usec turn_next_timeout(const struct turn *t);

/* The next datagram that peers sent to the relayed address, out of what was put in; valid until the
 * next non-const call. Pull until false after each input: the next one drops what is left. */
bool turn_poll_data(struct turn *t, struct addr *from, struct bytes *dgram);

/* From now on this peer's IP may send to us; renewed until turn_free(). Harmless when repeated.
 * ERR_LIMIT; ERR_WRONG_STATE unless LIVE; ERR_INVALID: another family, or nobody's address. A
 * refusal (403) costs only this peer. */
int turn_permit(struct turn *t, usec now, const struct addr *peer);

/* Likewise a channel with its permission (RFC 8656 §12): 4 bytes a datagram, where an indication
 * takes 36 or more. Until it is bound, and if it is refused, indications go on. */
int turn_bind(struct turn *t, usec now, const struct addr *peer);

/* Makes a run for a peer (from: relayed address, to: the peer) one for the server, in place; the
 * buffer needs TURN_HEAD_MAX bytes of room for each datagram, and the run's equal segments stay
 * equal. ERR_WRONG_STATE unless LIVE; ERR_LIMIT: no room; ERR_INVALID: empty, other family. */
int turn_wrap(struct turn *t, struct out *run);

bool turn_is_live(const struct turn *t);
const struct addr *turn_relayed(const struct turn *t);
const struct verdicts *turn_verdicts(const struct turn *t);

#endif
