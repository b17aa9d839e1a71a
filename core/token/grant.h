/* grant.h: the right to connect: a chain of up to three JWS (typ "hawser-grant"), each
 *
 *     {"iss": issuer's ID, "sub": device's ID, "cnf":{"jwk": holder's Ed25519 key},
 *      "ch":[channels], "role":"owner"|"user"|"guest", "iat":s, "exp":s}
 *
 * The first is signed by the device itself or by an issuer the device was told to trust; each other
 * by the holder of the one before, who must be an owner. Each stays within its parent: no channel,
 * role or expiry that the parent lacks. Without "exp" a grant does not expire; only an owner's may.
 * Expiry has TOKEN_SKEW_S of tolerance. iat is never a reason to refuse, and an owner's exp is
 * only enforced by a trusted clock: nobody locks an owner out by confusing the device's time. */
#ifndef HAWSER_TOKEN_GRANT_H
#define HAWSER_TOKEN_GRANT_H

#include <jansson.h>

#include "core/token/clock.h"
#include "core/token/key.h"

#define GRANT_CHAIN_MAX    3
#define GRANT_TEXT_MAX     1536 /* of each */
#define GRANT_CHANNELS_ALL 0xff /* bit i: channel i */
#define GRANT_NEVER        INT64_MAX

enum grant_role { GRANT_GUEST, GRANT_USER, GRANT_OWNER, GRANT_ROLES }; /* higher may more */

struct grant {
    char issuer[ID_BYTES]; /* sign takes it from the key */
    char device[ID_BYTES];
    uint8_t holder[ID_PUBLIC_BYTES]; /* Ed25519 */
    uint8_t channels;                /* bits */
    enum grant_role role;
    int64_t iat_s;
    int64_t exp_s; /* GRANT_NEVER: none */
};

const char *grant_role_string(enum grant_role role); /* NULL out of range */

/* One link as text, the caller's to free(). ERR_INVALID, ERR_NOMEM, ERR_CRYPTO. */
int grant_sign(const struct key *issuer, const struct grant *g, char **text);

/* Reads one link; ed25519 is who must have signed it. ERR_INVALID, ERR_AUTH, ERR_NOMEM. */
int grant_decode(struct grant *out, struct bytes text, const uint8_t ed25519[ID_PUBLIC_BYTES]);

/* What a holder can see of a chain it was given, without knowing the device's key: the last link,
 * unverified. ERR_INVALID, ERR_NOMEM. */
int grant_chain_peek(struct grant *out, const json_t *chain);

struct grant_check {
    const uint8_t *device; /* Ed25519 public key: the root that needs no configuration */
    const uint8_t (*trusted)[ID_PUBLIC_BYTES]; /* further issuers, or NULL */
    size_t trusted_count;
    const uint8_t *holder; /* Ed25519: the verified sender of the offer */
    struct token_time now;
};

struct grant_rights {
    uint8_t channels;
    enum grant_role role;
    int64_t exp_s; /* the earliest of the chain, GRANT_NEVER if none */
    int64_t iat_s; /* the largest of the chain, for token_clock_add() */
};

/* chain is an array of one to three texts, root first. ERR_INVALID, ERR_AUTH (signature, holder,
 * device, or a link outside its parent), ERR_EXPIRED, ERR_NOMEM, ERR_CRYPTO. */
int grant_chain_verify(struct grant_rights *out, const json_t *chain, const struct grant_check *c);

#endif
