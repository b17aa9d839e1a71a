/* client.h: what the files of this module share; nobody else includes it.
 *
 *     turn.c       life, configuration, state, events, timers
 *     ask.c        requests: when they go out, how they are written and signed
 *     answer.c     responses to them
 *     grants.c     permissions and channels
 *     data.c       datagrams of peers in, runs for peers out
 *     stream.c     messages out of a byte stream */
#ifndef HAWSER_TURN_CLIENT_H
#define HAWSER_TURN_CLIENT_H

#include "core/stun/stun.h"
#include "core/turn/turn.h"
#include "core/turn/wire.h"

#define TURN_TEXT_MAX  763 /* of realm and nonce, RFC 8489 §14.9, §14.10 */
#define TURN_KEY_BYTES 16  /* MD5 */

#define TURN_RTO_US         (100 * MILLISECOND)
#define TURN_RTO_MAX_US     (1600 * MILLISECOND)
#define TURN_GIVE_UP_US     (5 * SECOND)
#define TURN_SENDS_MAX      64
#define TURN_TRIES_MAX      4 /* how often one request is begun anew because of 401 or 438 */
#define TURN_DEAD_US        (2 * SECOND)  /* a stream that does not answer a refresh for so long */
#define TURN_LATER_US       (10 * SECOND) /* until what nobody answered is asked for again */
#define TURN_KEEPALIVE_US   (14 * SECOND) /* twice this is below the 30 s of hasty NATs */
#define TURN_PERMISSION_US  (TURN_PERMISSION_LIFETIME_S * SECOND * 4 / 5) /* until renewed */
#define TURN_CHANNEL_US     (TURN_CHANNEL_LIFETIME_S * SECOND * 4 / 5)
#define TURN_UNWANTED_US    MINUTE /* a permission gives its place to another after so long */
#define TURN_LIFETIME_MAX_S 3600   /* whatever the server says: so often it is asked at least */

#define TURN_GRANTS_MAX (TURN_PERMISSIONS_MAX + TURN_CHANNELS_MAX)
#define TURN_ASKS       (1 + TURN_GRANTS_MAX) /* 0 is the allocation's, 1 + i that of grant i */
#define TURN_NONE       SIZE_MAX

#define TURN_FRAME_MAX (TURN_DATAGRAM_MAX + TURN_HEAD_MAX) /* longer messages are passed over */

enum turn_state { TURN_IDLE, TURN_ASKING, TURN_LIVE, TURN_STOPPED, TURN_FAILED, TURN_STATES };

/* One request under way. Sent again it has the same id, and is written anew from the state. */
struct turn_ask {
    struct stun_txn txn;
    usec give_up_at;   /* USEC_NEVER: idle */
    uint16_t doubtful; /* code of an error that nobody signed; told if nothing better comes */
    uint8_t tries;
    bool is_due;    /* for poll_output */
    bool is_signed; /* as last sent */
};

enum turn_grant_state { TURN_GRANT_FREE, TURN_GRANT_ASKED, TURN_GRANT_HELD, TURN_GRANT_REFUSED };

/* A permission (port 0, channel 0) or a channel. HELD lasts while it is being renewed. */
struct turn_grant {
    struct turn_ask ask;
    struct addr peer;
    uint16_t channel;
    uint8_t state;
    usec wanted_at; /* when it was last asked for by the owner */
    usec renew_at;
};

/* What came in: whole messages up to `parsed`, of which those up to `read` have been polled. */
struct turn_inbox {
    uint8_t *buf;
    size_t cap, len, parsed, read;
    size_t skip; /* bytes of a message too long that are still to come */
};

struct turn {
    struct turn_config cfg; /* without the credentials, which are below */
    const struct rng *rng;
    enum turn_state state;
    struct turn_ask ask;                       /* Allocate, then Refresh */
    struct turn_grant grants[TURN_GRANTS_MAX]; /* permissions, then channels */
    uint16_t next_channel;
    struct addr relayed, mapped;
    usec lifetime_us, expires_at, refresh_at, keepalive_at;
    bool has_wrapped;      /* since keepalive_at was last set: no need of another packet */
    bool is_keepalive_due; /* for poll_output */
    struct turn_event events[2];
    size_t event_count, event_next;
    struct turn_inbox in;
    struct verdicts verdicts;

    char username[TURN_CREDENTIAL_MAX + 1], password[TURN_CREDENTIAL_MAX + 1];
    uint8_t realm[TURN_TEXT_MAX], nonce[TURN_TEXT_MAX];
    size_t realm_len, nonce_len;
    uint8_t key[TURN_KEY_BYTES];
    bool has_key; /* realm, nonce and key are known: requests are signed */
};

/* turn.c */
void turn_become_live(struct turn *t, usec now, uint32_t lifetime_s);
void turn_fail(struct turn *t, usec now, uint16_t code);
void turn_redirect(struct turn *t, usec now, const struct addr *server);

/* ask.c */
struct turn_ask *turn_ask_at(struct turn *t, size_t i);
void turn_ask_start(struct turn *t, struct turn_ask *a, usec now);
void turn_ask_anew(struct turn *t, struct turn_ask *a, usec now); /* what is left of its time */
void turn_ask_end(struct turn_ask *a);
bool turn_ask_is_live(const struct turn_ask *a);
bool turn_ask_tick(struct turn_ask *a, usec now); /* true: nobody answered, and it is idle again */
usec turn_ask_next_timeout(const struct turn_ask *a);
uint16_t turn_ask_method(const struct turn *t, size_t i);

/* answer.c */
enum verdict turn_on_response(struct turn *t, usec now, const struct stun_msg *m);

/* grants.c */
bool turn_grant_is_channel(const struct turn_grant *g);
void turn_grants_clear(struct turn *t);
void turn_grants_tick(struct turn *t, usec now);
usec turn_grants_next_timeout(const struct turn *t);
void turn_grant_on_ok(struct turn_grant *g, usec now);
void turn_grant_on_error(struct turn_grant *g, usec now, uint16_t code);
bool turn_is_permitted(const struct turn *t, const struct addr *peer);
const struct turn_grant *turn_channel_of(const struct turn *t, const struct addr *peer);
const struct turn_grant *turn_channel_by_number(const struct turn *t, uint16_t number);

/* data.c: one whole message of the server's. What is for turn_poll_data() only gets a verdict. */
enum verdict turn_take(struct turn *t, usec now, struct bytes message);

/* stream.c: how long the message at the front is with its padding; 0: too little is there to say.
 * False: no message of TURN begins so. */
bool turn_frame_len(struct bytes stream, size_t *len);

#endif
