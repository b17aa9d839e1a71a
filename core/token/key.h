/* key.h: the keys of one installation: Ed25519 to sign (RFC 8032) and X25519 to be written to
 * (RFC 7748). The X25519 key is HKDF-SHA256 of the Ed25519 seed (salt empty, info "hawser x25519
 * v1"), so one secret is kept and backed up. Outside, it is kept as one private JWK (RFC 8037 §2):
 * {"kty":"OKP","crv":"Ed25519","x":…,"d":…}. */
#ifndef HAWSER_TOKEN_KEY_H
#define HAWSER_TOKEN_KEY_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/rng.h"
#include "core/token/id.h"

#define KEY_SEED_BYTES 32
#define KEY_TEXT_MAX   512 /* of a private JWK */

struct key;

/* ERR_NOMEM, ERR_CRYPTO. */
int key_new(struct key **out, const struct rng *rng);
int key_new_from_seed(struct key **out, const uint8_t seed[KEY_SEED_BYTES]);

/* Wiped first. NULL is fine. */
void key_free(struct key *k);

/* The private JWK as text: free it with key_text_free(), which wipes it. ERR_NOMEM. */
int key_encode(const struct key *k, char **text);
void key_text_free(char *text);

/* ERR_INVALID, ERR_AUTH if x is not the public key of d, ERR_NOMEM, ERR_CRYPTO. */
int key_decode(struct key **out, struct bytes text);

const char *key_id(const struct key *k);        /* canonical; lives as long as k */
const uint8_t *key_public(const struct key *k); /* Ed25519, ID_PUBLIC_BYTES */
const uint8_t *key_x25519(const struct key *k); /* public, ID_PUBLIC_BYTES */

/* Ed25519 signature. ERR_CRYPTO. */
#define KEY_SIGNATURE_BYTES 64
int key_sign(const struct key *k, struct bytes data, uint8_t out[KEY_SIGNATURE_BYTES]);

/* ERR_OK, ERR_AUTH, ERR_CRYPTO. */
int key_verify(const uint8_t ed25519[ID_PUBLIC_BYTES], struct bytes data,
               const uint8_t signature[KEY_SIGNATURE_BYTES]);

/* X25519. ERR_AUTH if the peer's key is of small order (RFC 7748 §6.1), ERR_CRYPTO. */
int key_agree(const struct key *k, const uint8_t peer_x25519[ID_PUBLIC_BYTES], uint8_t out[32]);

/* A secret of this key for one purpose: HKDF-SHA256 of the seed (salt empty, info `label`, which no
 * other purpose has). ERR_CRYPTO. */
#define KEY_DERIVED_BYTES 32
int key_derive(const struct key *k, const char *label, uint8_t out[KEY_DERIVED_BYTES]);

#endif
