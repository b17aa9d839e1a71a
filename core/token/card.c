#include "core/token/card.h"

#include "core/token/claims.h"
#include "core/token/jws.h"

#define TYP "hawser-card"

int card_encode(const struct key *k, int64_t iat_s, char **text)
{
    json_t *claims = json_pack("{s:s, s:o, s:I}", "id", key_id(k), "x25519",
                               claims_jwk_new("X25519", key_x25519(k)), "iat", (json_int_t)iat_s);
    int err = claims ? jws_encode_json(k, TYP, JWS_KEY_INSIDE, claims, text) : ERR_NOMEM;

    if (!claims)
        *text = NULL;
    json_decref(claims);
    return err;
}

int card_decode(struct card *out, struct bytes text)
{
    struct card c;
    json_t *claims = NULL;
    int err = ERR_INVALID;

    if (text.len <= CARD_TEXT_MAX)
        err = jws_decode_json(&claims, c.ed25519, text, TYP, NULL);
    if (!err && !(claims_copy_string(claims, "id", c.id, sizeof c.id) &&
                  claims_get_jwk(claims, "x25519", "X25519", c.x25519) &&
                  claims_get_int(claims, "iat", CLAIMS_INT_MAX, &c.iat_s)))
        err = ERR_INVALID;
    if (!err && !id_matches_key(c.id, c.ed25519))
        err = ERR_AUTH;
    if (!err)
        *out = c;
    json_decref(claims);
    return err;
}

void card_of_key(struct card *out, const struct key *k, int64_t iat_s)
{
    *out = (struct card){ .iat_s = iat_s };
    memcpy(out->id, key_id(k), sizeof out->id);
    memcpy(out->ed25519, key_public(k), sizeof out->ed25519);
    memcpy(out->x25519, key_x25519(k), sizeof out->x25519);
}
