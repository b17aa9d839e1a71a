/* stun.h: STUN messages (RFC 8489) and one transaction over an unreliable transport.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |0 0| method and class          | length of all that follows 20 |
 *     |                 magic cookie 0x2112a442                       |
 *     |                 transaction id, 96 bits                       |
 *     | attribute type                | length of the value           |
 *     | value, padded to 4 bytes ...                                  |
 *
 * Not done: MESSAGE-INTEGRITY-SHA256 is recognised but neither made nor checked (deviations.md,
 * T1), and RFC 3489 messages without the cookie are foreign (T2). */
#ifndef HAWSER_STUN_H
#define HAWSER_STUN_H

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/base/usec.h"
#include "core/stun/wire.h"

#define STUN_ID_BYTES    12
#define STUN_UNKNOWN_MAX 8 /* unknown attributes named in a 420; more are not listed */

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

enum stun_method {
    STUN_BINDING = 1,
    STUN_ALLOCATE = 3, /* RFC 8656 §17, as all that follow */
    STUN_REFRESH = 4,
    STUN_SEND = 6, /* indication, client to server */
    STUN_DATA = 7, /* indication, server to client */
    STUN_CREATE_PERMISSION = 8,
    STUN_CHANNEL_BIND = 9
};

struct stun_id {
    uint8_t bytes[STUN_ID_BYTES];
};

/* Which attributes a decoded message had. */
enum stun_has {
    STUN_HAS_MAPPED = 1 << 0, /* XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS without it */
    STUN_HAS_USERNAME = 1 << 1,
    STUN_HAS_INTEGRITY = 1 << 2,
    STUN_HAS_ERROR = 1 << 3,
    STUN_HAS_UNKNOWN = 1 << 4, /* UNKNOWN-ATTRIBUTES, the list of a 420 */
    STUN_HAS_REALM = 1 << 5,
    STUN_HAS_NONCE = 1 << 6,
    STUN_HAS_SHA256 = 1 << 7,
    STUN_HAS_XOR_MAPPED = 1 << 8,
    STUN_HAS_PRIORITY = 1 << 9,
    STUN_HAS_USE_CANDIDATE = 1 << 10,
    STUN_HAS_SOFTWARE = 1 << 11,
    STUN_HAS_FINGERPRINT = 1 << 12,
    STUN_HAS_CONTROLLED = 1 << 13,
    STUN_HAS_CONTROLLING = 1 << 14,
    STUN_HAS_CHANNEL = 1 << 15,
    STUN_HAS_LIFETIME = 1 << 16,
    STUN_HAS_PEER = 1 << 17,
    STUN_HAS_DATA = 1 << 18,
    STUN_HAS_RELAYED = 1 << 19,
    STUN_HAS_FAMILY = 1 << 20,
    STUN_HAS_TRANSPORT = 1 << 21,
    STUN_HAS_ALTERNATE = 1 << 22,
    STUN_HAS_NOMINATION = 1 << 23,
    STUN_HAS_DTLS = 1 << 24,
    STUN_HAS_DTLS_ACKS = 1 << 25,
    STUN_HAS_CHANGE_REQUEST = 1 << 26,
    STUN_HAS_OTHER_ADDRESS = 1 << 27
};

/* A decoded message. Byte strings point into the datagram. */
struct stun_msg {
    enum stun_class class;
    uint16_t method;
    struct stun_id id;
    uint32_t has; /* enum stun_has */
    struct bytes username, realm, nonce, software, reason;
    struct addr mapped;
    uint16_t error_code;          /* 300…699 */
    uint32_t priority;            /* RFC 8445 §7.1.1 */
    uint64_t tie_breaker;         /* of ICE-CONTROLLED or ICE-CONTROLLING */
    uint32_t nomination;          /* the greatest holds */
    struct bytes dtls, dtls_acks; /* SPED; both may be there and empty */

    /* TURN, RFC 8656 §18 */
    struct addr peer, relayed, alternate;
    struct bytes data;
    uint32_t lifetime_s;
    uint16_t channel;
    uint8_t family;    /* STUN_FAMILY_IPV4 or _IPV6, as requested */
    uint8_t transport; /* IP protocol number, as requested: 17 is UDP */

    /* RFC 5780 */
    uint32_t change_request; /* flags: 4 the address, 2 the port */
    struct addr other;

    struct bytes whole;
    size_t integrity_at; /* offset of MESSAGE-INTEGRITY in `whole` */

    /* Attributes of this message that we must understand and do not. */
    uint16_t unknown[STUN_UNKNOWN_MAX];
    size_t unknown_count;
};

/* RFC 7983: whether a datagram goes to STUN. */
static inline bool stun_is_first_byte(uint8_t first)
{
    return first < 4;
}

/* TAKEN, FOREIGN (not STUN by length or cookie) or MALFORMED. A FINGERPRINT that is present has
 * been checked; MESSAGE-INTEGRITY has not. Borrowed: m points into dgram. */
enum verdict stun_decode(struct stun_msg *m, struct bytes dgram);

/* Whether MESSAGE-INTEGRITY is there and made with this key (RFC 8489 §14.5). */
bool stun_has_integrity(const struct stun_msg *m, struct bytes key);

/* Writing. `w` holds this one message from its first byte; each call leaves it complete, its
 * length field included. What does not fit clears w->ok. Integrity and fingerprint come last. */
void stun_encode_header(struct wr *w, enum stun_class class, uint16_t method,
                        const struct stun_id *id);
void stun_add_bytes(struct wr *w, enum stun_attr type, struct bytes value);
void stun_add_u32(struct wr *w, enum stun_attr type, uint32_t value);
void stun_add_u64(struct wr *w, enum stun_attr type, uint64_t value);
void stun_add_mapped(struct wr *w, const struct addr *a);
void stun_add_xor_mapped(struct wr *w, const struct addr *a);
void stun_add_addr(struct wr *w, enum stun_attr type, const struct addr *a);     /* plain … */
void stun_add_xor_addr(struct wr *w, enum stun_attr type, const struct addr *a); /* … and XORed */
void stun_add_error(struct wr *w, uint16_t code, const char *reason);
void stun_add_unknown(struct wr *w, const struct stun_msg *request);
void stun_add_integrity(struct wr *w, struct bytes key);
void stun_add_fingerprint(struct wr *w);

/* Shared by both directions, integrity.c. `covered` starts with the header, whose length field
 * counts as if the attribute that follows `covered` were the message's last. */
void stun_hmac_sha1(struct bytes covered, struct bytes key, uint8_t out[STUN_SHA1_BYTES]);
uint32_t stun_crc32(struct bytes covered);

void stun_id_init(struct stun_id *id, const struct rng *rng);
bool stun_id_equal(const struct stun_id *a, const struct stun_id *b);

/* A client transaction: when to send a request again and when to give up (RFC 8489 §6.2.1).
 *
 *     idle --start--> due --sent--> waiting --rto, 2 rto, 4 rto ...--> due ... --> given up
 */
struct stun_txn {
    struct stun_id id;
    uint8_t sends, sends_max;
    usec rto_us, rto_max_us;
    usec sent_at; /* last */
    usec due_at;  /* USEC_NEVER: idle */
};

enum stun_txn_due { STUN_TXN_WAIT, STUN_TXN_SEND, STUN_TXN_GIVE_UP };

void stun_txn_init(struct stun_txn *t);

/* Begins with a fresh id; due at once. rto_max_us caps the doubling and the wait after the last. */
void stun_txn_start(struct stun_txn *t, usec now, const struct rng *rng, usec rto_us,
                    usec rto_max_us, uint8_t sends_max);

/* SEND: the request counts as sent now. GIVE_UP: the transaction is idle again. */
enum stun_txn_due stun_txn_tick(struct stun_txn *t, usec now);
bool stun_txn_is_live(const struct stun_txn *t);
usec stun_txn_next_timeout(const struct stun_txn *t);

#endif
