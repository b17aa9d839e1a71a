/* jws.h: signed texts: RFC 7515 compact serialization, "alg":"EdDSA" with Ed25519 (RFC 8037) and
 * nothing else. A header holds alg, typ and jwk; any other member is refused, "crit" with it
 * (RFC 7515 §4.1.11). typ says what the text is, so one kind can never pass for another. */
#ifndef HAWSER_TOKEN_JWS_H
#define HAWSER_TOKEN_JWS_H

#include <jansson.h>

#include "core/token/key.h"

#define JWS_TEXT_MAX   16384
#define JWS_HEADER_MAX 512 /* decoded */
#define JWS_TYP_MAX    24

enum jws_key {
    JWS_KEY_KNOWN,  /* the verifier knows which key must have signed */
    JWS_KEY_INSIDE, /* the header carries the public JWK; the claims must be bound to its ID */
};

/* Signs payload. The text is the caller's to free(). ERR_LIMIT, ERR_NOMEM, ERR_CRYPTO. */
int jws_encode(const struct key *k, const char *typ, enum jws_key where, struct bytes payload,
               char **text);

/* The same for a JSON object, which is borrowed. */
int jws_encode_json(const struct key *k, const char *typ, enum jws_key where, const json_t *claims,
                    char **text);

struct jws {
    uint8_t signer[ID_PUBLIC_BYTES]; /* whose signature it is */
    uint8_t *payload;                /* owned */
    size_t payload_len;
};

/* Verifies. typ NULL accepts any; ed25519 NULL takes the key from the header (JWS_KEY_INSIDE), else
 * a key in the header must be this one. ERR_INVALID, ERR_AUTH, ERR_NOMEM; *out is empty then. */
int jws_decode(struct jws *out, struct bytes text, const char *typ, const uint8_t *ed25519);
void jws_deinit(struct jws *j); /* wipes the payload */

/* Verifies, and parses the payload as an object, which is the caller's to json_decref(). */
int jws_decode_json(json_t **claims, uint8_t signer[ID_PUBLIC_BYTES], struct bytes text,
                    const char *typ, const uint8_t *ed25519);

#endif
