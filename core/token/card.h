/* card.h: what one must have to write to an ID: a compact JWS (typ "hawser-card", header with the
 * public JWK) over {"id","x25519":JWK,"iat"}, signed by the ID's key. It names its own key, so it
 * needs nobody's word. */
#ifndef HAWSER_TOKEN_CARD_H
#define HAWSER_TOKEN_CARD_H

#include "core/token/key.h"

#define CARD_TEXT_MAX 768

struct card {
    char id[ID_BYTES];
    uint8_t ed25519[ID_PUBLIC_BYTES];
    uint8_t x25519[ID_PUBLIC_BYTES];
    int64_t iat_s; /* seconds since 1970; of two cards the newer counts */
};

/* The text is the caller's to free(). ERR_NOMEM, ERR_CRYPTO. */
int card_encode(const struct key *k, int64_t iat_s, char **text);

/* ERR_INVALID, ERR_AUTH (signature, or the ID is not this key's), ERR_NOMEM. */
int card_decode(struct card *out, struct bytes text);

/* The card of a key one holds. */
void card_of_key(struct card *out, const struct key *k, int64_t iat_s);

#endif
