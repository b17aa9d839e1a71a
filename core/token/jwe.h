/* jwe.h: sealed texts: RFC 7516 compact serialization, "alg":"ECDH-ES" over X25519 (RFC 8037 §3.2)
 * with a fresh ephemeral key each, "enc":"A256GCM", and nothing else. The header holds alg, enc,
 * epk and apv, no member more or less; apv is the receiver's X25519 key, to which it binds the
 * derived key. */
#ifndef HAWSER_TOKEN_JWE_H
#define HAWSER_TOKEN_JWE_H

#include "core/token/key.h"

#define JWE_TEXT_MAX   16384 /* what a broker with the plugin lets through */
#define JWE_HEADER_MAX 512
#define JWE_PLAIN_MAX  11776 /* sealed, it fits JWE_TEXT_MAX */

/* The text is the caller's to free(). ERR_LIMIT, ERR_AUTH (the key is of small order), ERR_NOMEM,
 * ERR_CRYPTO. */
int jwe_encode(const uint8_t to_x25519[ID_PUBLIC_BYTES], const struct rng *rng, struct bytes plain,
               char **text);

/* The plain text, *len bytes and a NUL, is the caller's: jwe_plain_free() wipes it. ERR_INVALID,
 * ERR_AUTH (not for this key, or altered), ERR_NOMEM. */
int jwe_decode(const struct key *k, struct bytes text, uint8_t **plain, size_t *len);
void jwe_plain_free(uint8_t *plain, size_t len);

/* Concat KDF of RFC 7518 §4.6.2 with SHA-256, for a key of out_len <= 32 bytes: public so that the
 * RFC's vector (appendix C) can be run against it. ERR_CRYPTO. */
int jwe_concat_kdf(uint8_t *out, size_t out_len, struct bytes z, struct bytes algorithm_id,
                   struct bytes apu, struct bytes apv);

#endif
