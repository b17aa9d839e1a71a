/* envelope.h: one signaling message: signed by its sender, then encrypted to its receiver. The
 * broker sees who receives it and how long it is, nothing else.
 *
 *     JWE to the receiver's X25519 key
 *       '- JWS by the sender's Ed25519 key, typ "hawser-msg", header with the public JWK
 *            '- {"v":1,"feat":[…],"typ","from","to","sid","seq","iat","body":{…},"card"?}
 *
 * Whoever receives: envelope_digest() and replay_find() first (no public-key operation), then
 * envelope_open(), then replay_add(), then the question of what `from` is allowed. */
#ifndef HAWSER_TOKEN_ENVELOPE_H
#define HAWSER_TOKEN_ENVELOPE_H

#include <jansson.h>

#include "core/token/card.h"

#define ENVELOPE_TEXT_MAX     16384 /* JWE_TEXT_MAX */
#define ENVELOPE_BODY_MAX     6144  /* of the body as compact JSON */
#define ENVELOPE_VERSION      1
#define ENVELOPE_FEATURES_MAX 16
#define ENVELOPE_FEATURE_MAX  24 /* with NUL */
#define ENVELOPE_SID_BYTES    16
#define ENVELOPE_SID_LEN      22 /* as base64url */
#define ENVELOPE_DIGEST_BYTES 16

enum envelope_type {
    ENVELOPE_OFFER,     /* app to device: connection parameters, grant chain */
    ENVELOPE_ANSWER,    /* device to app */
    ENVELOPE_REFUSE,    /* device to app: the reason */
    ENVELOPE_CANDIDATE, /* either: trickled candidates */
    ENVELOPE_BYE,       /* either: give up before or after there was a path */
    ENVELOPE_PAIR,      /* app to device: the proof of an invite's secret */
    ENVELOPE_PAIRED,    /* device to app: the owner's grant */
    ENVELOPE_RESTART,   /* either, of an open session: new connection parameters */
    ENVELOPE_TYPES
};

struct envelope {
    enum envelope_type type;
    uint32_t version;    /* seal writes ENVELOPE_VERSION; open accepts any version from 1 up */
    uint32_t seq;        /* counts the messages of one sender in one session */
    int64_t iat_ms;      /* the sender's clock, milliseconds since 1970; 0 if it has none */
    char from[ID_BYTES]; /* seal takes it from the key */
    char to[ID_BYTES];
    uint8_t sid[ENVELOPE_SID_BYTES]; /* the session's, chosen by the app at random */
    size_t feature_count;            /* what does not fit the table is not listed */
    char features[ENVELOPE_FEATURES_MAX][ENVELOPE_FEATURE_MAX];
    bool has_card;    /* seal: enclose the sender's card, as an offer and a pair request must */
    struct card card; /* open: the sender's; if !has_card, only id and ed25519 are filled */
    json_t *body;     /* an object; seal borrows it, open owns it until envelope_deinit() */
};

/* "offer", "answer" …; NULL out of range. */
const char *envelope_type_string(enum envelope_type type);
bool envelope_has_feature(const struct envelope *e, const char *feature);

/* The text is the caller's to free(). ERR_LIMIT (body too long), ERR_INVALID (no body, `to` is no
 * ID), ERR_AUTH (bad key of the receiver), ERR_NOMEM, ERR_CRYPTO. */
int envelope_seal(const struct key *sender, const uint8_t to_x25519[ID_PUBLIC_BYTES],
                  const struct rng *rng, const struct envelope *e, char **text);

/* Decrypts, verifies, checks that it is for this key and `from` is the signer's ID. Time is not
 * looked at. ERR_INVALID, ERR_AUTH, ERR_NOMEM; *out needs no deinit then, nor is deinit wrong. */
int envelope_open(const struct key *receiver, struct bytes text, struct envelope *out);
void envelope_deinit(struct envelope *e); /* of one that envelope_open() filled */

/* What replay memory is keyed by: SHA-256 of the text, cut. ERR_CRYPTO. */
int envelope_digest(struct bytes text, uint8_t out[ENVELOPE_DIGEST_BYTES]);

#endif
