#include "core/token/envelope.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/token/claims.h"
#include "core/token/jwe.h"
#include "core/token/jws.h"

#define TYP      "hawser-msg"
#define TYPE_MAX 16

static const char *const type_names[ENVELOPE_TYPES] = {
    [ENVELOPE_OFFER] = "offer",   [ENVELOPE_ANSWER] = "answer",
    [ENVELOPE_REFUSE] = "refuse", [ENVELOPE_CANDIDATE] = "candidate",
    [ENVELOPE_BYE] = "bye",       [ENVELOPE_PAIR] = "pair",
    [ENVELOPE_PAIRED] = "paired", [ENVELOPE_RESTART] = "restart",
};

const char *envelope_type_string(enum envelope_type type)
{
    return (unsigned)type < ENVELOPE_TYPES ? type_names[type] : NULL;
}

bool envelope_has_feature(const struct envelope *e, const char *feature)
{
    for (size_t i = 0; i < e->feature_count; i++)
        if (strcmp(e->features[i], feature) == 0)
            return true;
    return false;
}

static json_t *features_new(const struct envelope *e)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < e->feature_count; i++)
        if (json_array_append_new(list, json_string(e->features[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static json_t *claims_new(const struct key *sender, const struct envelope *e)
{
    return json_pack("{s:i, s:o, s:s, s:s, s:s, s:o, s:I, s:I, s:O}", "v", ENVELOPE_VERSION, "feat",
                     features_new(e), "typ", type_names[e->type], "from", key_id(sender), "to",
                     e->to, "sid", claims_bytes_new(e->sid, sizeof e->sid), "seq",
                     (json_int_t)e->seq, "iat", (json_int_t)e->iat_ms, "body", e->body);
}

/* The card is as old as the message, or of unknown age like it. */
static int add_card(json_t *claims, const struct key *sender, int64_t iat_ms)
{
    char *text;
    int err = card_encode(sender, iat_ms / 1000, &text);

    if (!err && json_object_set_new(claims, "card", json_string(text)) != 0)
        err = ERR_NOMEM;
    free(text);
    return err;
}

static int check_body(const json_t *body)
{
    size_t len = json_dumpb(body, NULL, 0, JSON_COMPACT); /* 0: no memory */

    if (!json_is_object(body))
        return ERR_INVALID;
    return len == 0 ? ERR_NOMEM : len > ENVELOPE_BODY_MAX ? ERR_LIMIT : ERR_OK;
}

static int sign(const struct key *sender, const struct envelope *e, char **text)
{
    json_t *claims = claims_new(sender, e);
    int err = claims ? ERR_OK : ERR_NOMEM;

    *text = NULL;
    if (!err && e->has_card)
        err = add_card(claims, sender, e->iat_ms);
    if (!err)
        err = jws_encode_json(sender, TYP, JWS_KEY_INSIDE, claims, text);
    json_decref(claims);
    return err;
}

int envelope_seal(const struct key *sender, const uint8_t to_x25519[ID_PUBLIC_BYTES],
                  const struct rng *rng, const struct envelope *e, char **text)
{
    char *signed_text = NULL;
    int err = check_body(e->body);

    *text = NULL;
    if (!err && ((unsigned)e->type >= ENVELOPE_TYPES || !id_is_canonical(e->to) ||
                 e->feature_count > ENVELOPE_FEATURES_MAX || e->iat_ms < 0))
        err = ERR_INVALID;
    if (!err)
        err = sign(sender, e, &signed_text);
    if (!err)
        err = jwe_encode(to_x25519, rng, bytes_of_string(signed_text), text);
    if (signed_text)
        OPENSSL_cleanse(signed_text, strlen(signed_text));
    free(signed_text);
    return err;
}

static bool read_type(const json_t *claims, enum envelope_type *type)
{
    const char *name = claims_get_string(claims, "typ", TYPE_MAX);

    for (int i = 0; name && i < ENVELOPE_TYPES; i++)
        if (strcmp(name, type_names[i]) == 0) {
            *type = (enum envelope_type)i;
            return true;
        }
    return false;
}

static bool read_features(const json_t *claims, struct envelope *e)
{
    const json_t *list = json_object_get(claims, "feat");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);

        if (!json_is_string(name))
            return false;
        if (e->feature_count < ENVELOPE_FEATURES_MAX &&
            json_string_length(name) < ENVELOPE_FEATURE_MAX)
            memcpy(e->features[e->feature_count++], json_string_value(name),
                   json_string_length(name) + 1);
    }
    return json_is_array(list);
}

static bool read_numbers(const json_t *claims, struct envelope *e)
{
    int64_t version, seq;

    if (!claims_get_int(claims, "v", UINT32_MAX, &version) || version < 1 ||
        !claims_get_int(claims, "seq", UINT32_MAX, &seq) ||
        !claims_get_int(claims, "iat", CLAIMS_INT_MAX, &e->iat_ms))
        return false;
    e->version = (uint32_t)version;
    e->seq = (uint32_t)seq;
    return true;
}

/* A card inside must be the signer's own. */
static int read_card(const json_t *claims, struct envelope *e)
{
    const char *text = claims_get_string(claims, "card", CARD_TEXT_MAX + 1);
    struct card c;
    int err;

    if (!json_object_get(claims, "card"))
        return ERR_OK;
    err = text ? card_decode(&c, bytes_of_string(text)) : ERR_INVALID;
    if (!err && strcmp(c.id, e->from) != 0)
        err = ERR_AUTH;
    if (!err) {
        e->card = c;
        e->has_card = true;
    }
    return err;
}

static int read_claims(const json_t *claims, const struct key *receiver, struct envelope *e)
{
    if (!read_type(claims, &e->type) || !read_features(claims, e) || !read_numbers(claims, e) ||
        !claims_copy_string(claims, "from", e->from, sizeof e->from) ||
        !claims_copy_string(claims, "to", e->to, sizeof e->to) ||
        !claims_get_bytes(claims, "sid", e->sid, sizeof e->sid))
        return ERR_INVALID;
    e->body = json_object_get(claims, "body");
    if (!json_is_object(e->body))
        return ERR_INVALID;
    if (strcmp(e->to, key_id(receiver)) != 0 || !id_matches_key(e->from, e->card.ed25519))
        return ERR_AUTH;
    memcpy(e->card.id, e->from, sizeof e->card.id);
    return read_card(claims, e);
}

int envelope_open(const struct key *receiver, struct bytes text, struct envelope *out)
{
    struct envelope e = { .body = NULL };
    uint8_t *plain = NULL;
    size_t len = 0;
    json_t *claims = NULL;
    int err = jwe_decode(receiver, text, &plain, &len);

    *out = e;
    if (!err)
        err = jws_decode_json(&claims, e.card.ed25519, bytes_of(plain, len), TYP, NULL);
    if (!err)
        err = read_claims(claims, receiver, &e);
    if (!err) {
        *out = e;
        json_incref(out->body);
    }
    json_decref(claims);
    jwe_plain_free(plain, len);
    return err;
}

void envelope_deinit(struct envelope *e)
{
    json_decref(e->body);
    e->body = NULL;
}

int envelope_digest(struct bytes text, uint8_t out[ENVELOPE_DIGEST_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (!EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL))
        return ERR_CRYPTO;
    memcpy(out, digest, ENVELOPE_DIGEST_BYTES);
    return ERR_OK;
}
