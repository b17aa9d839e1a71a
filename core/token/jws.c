#include "core/token/jws.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/token/base64url.h"
#include "core/token/claims.h"

#define SIGNATURE_LEN BASE64URL_LEN(KEY_SIGNATURE_BYTES)

static json_t *header_new(const struct key *k, const char *typ, enum jws_key where)
{
    if (where == JWS_KEY_KNOWN)
        return json_pack("{s:s, s:s}", "alg", "EdDSA", "typ", typ);
    return json_pack("{s:s, s:s, s:o}", "alg", "EdDSA", "typ", typ, "jwk",
                     claims_jwk_new("Ed25519", key_public(k)));
}

/* Signs what is in w and appends the signature and a NUL, for which there is room. */
static int append_signature(struct wr *w, const struct key *k)
{
    uint8_t signature[KEY_SIGNATURE_BYTES];
    int err = key_sign(k, wr_written(w), signature);

    wr_u8(w, '.');
    base64url_encode(w, bytes_of(signature, sizeof signature));
    wr_u8(w, 0);
    return err;
}

/* header "." payload "." signature, RFC 7515 §7.1. */
static int join(const struct key *k, struct bytes header, struct bytes payload, char **text)
{
    size_t cap = BASE64URL_LEN(header.len) + 1 + BASE64URL_LEN(payload.len) + 1 + SIGNATURE_LEN + 1;
    struct wr w;
    int err;

    if (payload.len > JWS_TEXT_MAX || cap - 1 > JWS_TEXT_MAX)
        return ERR_LIMIT;
    *text = malloc(cap);
    if (!*text)
        return ERR_NOMEM;
    w = wr_of(*text, cap);
    base64url_encode(&w, header);
    wr_u8(&w, '.');
    base64url_encode(&w, payload);
    err = append_signature(&w, k);
    if (err) {
        free(*text);
        *text = NULL;
    }
    return err;
}

int jws_encode(const struct key *k, const char *typ, enum jws_key where, struct bytes payload,
               char **text)
{
    json_t *header = header_new(k, typ, where);
    char *compact = NULL;
    int err = header ? claims_encode(header, &compact) : ERR_NOMEM;

    *text = NULL;
    if (!err)
        err = join(k, bytes_of_string(compact), payload, text);
    free(compact);
    json_decref(header);
    return err;
}

int jws_encode_json(const struct key *k, const char *typ, enum jws_key where, const json_t *claims,
                    char **text)
{
    char *payload;
    int err = claims_encode(claims, &payload);

    *text = NULL;
    if (err)
        return err;
    err = jws_encode(k, typ, where, bytes_of_string(payload), text);
    OPENSSL_cleanse(payload, strlen(payload));
    free(payload);
    return err;
}

/* The three parts of the text, still encoded, and what the signature is over. */
struct parts {
    struct bytes header, payload, signature, signed_text;
};

static bool split(struct parts *p, struct bytes text)
{
    const uint8_t *dot = memchr(text.data, '.', text.len), *second;
    size_t header_len, rest_len;

    if (!dot)
        return false;
    header_len = (size_t)(dot - text.data);
    rest_len = text.len - header_len - 1;
    second = memchr(dot + 1, '.', rest_len);
    if (!second)
        return false;
    p->header = bytes_of(text.data, header_len);
    p->payload = bytes_of(dot + 1, (size_t)(second - dot) - 1);
    p->signature = bytes_of(second + 1, rest_len - p->payload.len - 1);
    p->signed_text = bytes_of(text.data, (size_t)(second - text.data));
    return p->signature.len == SIGNATURE_LEN; /* a third dot fails as a signature character */
}

static bool is_string(const json_t *object, const char *name, const char *wanted)
{
    const char *value = claims_get_string(object, name, JWS_TYP_MAX + 1);

    return value && strcmp(value, wanted) == 0;
}

/* Checks the header and finds out whose signature it must be. */
static int read_header(const json_t *header, const char *typ, const uint8_t *ed25519,
                       uint8_t signer[ID_PUBLIC_BYTES])
{
    static const char *const members[] = { "alg", "typ", "jwk" };
    bool has_key = json_object_get(header, "jwk") != NULL;

    if (!claims_has_only(header, members, COUNT(members)) || !is_string(header, "alg", "EdDSA") ||
        (typ && !is_string(header, "typ", typ)) || (!has_key && !ed25519) ||
        (has_key && !claims_get_jwk(header, "jwk", "Ed25519", signer)))
        return ERR_INVALID;
    if (has_key && ed25519 && memcmp(signer, ed25519, ID_PUBLIC_BYTES) != 0)
        return ERR_AUTH;
    if (ed25519)
        memcpy(signer, ed25519, ID_PUBLIC_BYTES);
    return ERR_OK;
}

static int decode_header(struct bytes text, const char *typ, const uint8_t *ed25519,
                         uint8_t signer[ID_PUBLIC_BYTES])
{
    uint8_t plain[JWS_HEADER_MAX];
    struct wr w = wr_of(plain, sizeof plain);
    json_t *header = NULL;
    int err = base64url_decode(&w, text) ? claims_decode(&header, wr_written(&w)) : ERR_INVALID;

    if (!err)
        err = read_header(header, typ, ed25519, signer);
    json_decref(header);
    return err;
}

static int take_payload(struct jws *out, struct bytes text)
{
    struct wr w = wr_of(malloc(text.len + 1), text.len);

    if (!w.data)
        return ERR_NOMEM;
    if (!base64url_decode(&w, text)) {
        free(w.data);
        return ERR_INVALID;
    }
    out->payload = w.data;
    out->payload_len = w.len;
    return ERR_OK;
}

int jws_decode(struct jws *out, struct bytes text, const char *typ, const uint8_t *ed25519)
{
    struct parts p;
    uint8_t signature[KEY_SIGNATURE_BYTES];
    int err;

    *out = (struct jws){ .payload = NULL };
    if (text.len == 0 || text.len > JWS_TEXT_MAX || !split(&p, text) ||
        !base64url_decode_exact(signature, sizeof signature, p.signature))
        return ERR_INVALID;
    err = decode_header(p.header, typ, ed25519, out->signer);
    if (!err)
        err = key_verify(out->signer, p.signed_text, signature);
    if (!err)
        err = take_payload(out, p.payload);
    return err;
}

void jws_deinit(struct jws *j)
{
    if (j->payload)
        OPENSSL_cleanse(j->payload, j->payload_len);
    free(j->payload);
    *j = (struct jws){ .payload = NULL };
}

int jws_decode_json(json_t **claims, uint8_t signer[ID_PUBLIC_BYTES], struct bytes text,
                    const char *typ, const uint8_t *ed25519)
{
    struct jws j;
    int err = jws_decode(&j, text, typ, ed25519);

    *claims = NULL;
    if (!err)
        err = claims_decode(claims, bytes_of(j.payload, j.payload_len));
    memcpy(signer, j.signer, ID_PUBLIC_BYTES);
    jws_deinit(&j);
    return err;
}
