#include "core/token/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/token/base64url.h"
#include "core/token/claims.h"
#include "core/token/x25519.h"

#define X25519_LABEL "hawser x25519 v1"

struct key {
    uint8_t seed[KEY_SEED_BYTES]; /* the private key as RFC 8032 §5.1.5 has it */
    uint8_t ed25519[ID_PUBLIC_BYTES];
    uint8_t x25519_private[X25519_BYTES];
    uint8_t x25519[ID_PUBLIC_BYTES];
    char id[ID_BYTES];
};

static int find_ed25519_public(uint8_t out[ID_PUBLIC_BYTES], const uint8_t seed[KEY_SEED_BYTES])
{
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SEED_BYTES);
    size_t len = ID_PUBLIC_BYTES;
    bool ok = own && EVP_PKEY_get_raw_public_key(own, out, &len) == 1;

    EVP_PKEY_free(own);
    return ok ? ERR_OK : ERR_CRYPTO;
}

/* HKDF-SHA256 (RFC 5869) without salt, as the header says. */
static int derive(uint8_t out[KEY_DERIVED_BYTES], const uint8_t seed[KEY_SEED_BYTES],
                  const char *label)
{
    uint8_t secret[KEY_SEED_BYTES];
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label,
                                          strlen(label)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok;

    memcpy(secret, seed, sizeof secret);
    ok = ctx && EVP_KDF_derive(ctx, out, KEY_DERIVED_BYTES, params) == 1;
    OPENSSL_cleanse(secret, sizeof secret);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok ? ERR_OK : ERR_CRYPTO;
}

int key_new_from_seed(struct key **out, const uint8_t seed[KEY_SEED_BYTES])
{
    struct key *k = *out = calloc(1, sizeof *k);
    int err = ERR_NOMEM;

    if (k) {
        memcpy(k->seed, seed, KEY_SEED_BYTES);
        err = find_ed25519_public(k->ed25519, seed);
    }
    if (!err)
        err = derive(k->x25519_private, seed, X25519_LABEL);
    if (!err)
        err = x25519_public(k->x25519, k->x25519_private);
    if (!err)
        err = id_of_key(k->id, k->ed25519);
    if (err) {
        key_free(k);
        *out = NULL;
    }
    return err;
}

int key_new(struct key **out, const struct rng *rng)
{
    uint8_t seed[KEY_SEED_BYTES];
    int err;

    rng_fill(rng, seed, sizeof seed);
    err = key_new_from_seed(out, seed);
    OPENSSL_cleanse(seed, sizeof seed);
    return err;
}

void key_free(struct key *k)
{
    if (k)
        OPENSSL_cleanse(k, sizeof *k);
    free(k);
}

static void put_base64url(char out[BASE64URL_LEN(32) + 1], const uint8_t data[32])
{
    struct wr w = wr_of(out, BASE64URL_LEN(32));

    base64url_encode(&w, bytes_of(data, 32));
    out[BASE64URL_LEN(32)] = '\0';
}

int key_encode(const struct key *k, char **text)
{
    char x[BASE64URL_LEN(32) + 1], d[BASE64URL_LEN(32) + 1];

    *text = malloc(KEY_TEXT_MAX);
    if (!*text)
        return ERR_NOMEM;
    put_base64url(x, k->ed25519);
    put_base64url(d, k->seed);
    snprintf(*text, KEY_TEXT_MAX,
             "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\",\"d\":\"%s\"}\n", x, d);
    OPENSSL_cleanse(d, sizeof d);
    return ERR_OK;
}

void key_text_free(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static bool read_jwk(const json_t *jwk, uint8_t x[32], uint8_t d[32])
{
    const char *kty = claims_get_string(jwk, "kty", 4), *crv = claims_get_string(jwk, "crv", 8);

    return kty && strcmp(kty, "OKP") == 0 && crv && strcmp(crv, "Ed25519") == 0 &&
           claims_get_bytes(jwk, "x", x, 32) && claims_get_bytes(jwk, "d", d, 32);
}

/* jansson frees without wiping. */
static void forget(json_t *jwk)
{
    const char *d = json_string_value(json_object_get(jwk, "d"));

    if (d)
        OPENSSL_cleanse((char *)d, strlen(d)); /* ours alone: nobody else holds a reference */
    json_decref(jwk);
}

int key_decode(struct key **out, struct bytes text)
{
    uint8_t x[32], d[32] = { 0 };
    json_t *jwk = NULL;
    int err = text.len <= KEY_TEXT_MAX ? claims_decode(&jwk, text) : ERR_INVALID;

    *out = NULL;
    if (!err)
        err = read_jwk(jwk, x, d) ? key_new_from_seed(out, d) : ERR_INVALID;
    if (!err && memcmp(x, (*out)->ed25519, sizeof x) != 0) {
        key_free(*out);
        *out = NULL;
        err = ERR_AUTH;
    }
    OPENSSL_cleanse(d, sizeof d);
    forget(jwk);
    return err;
}

const char *key_id(const struct key *k)
{
    return k->id;
}

const uint8_t *key_public(const struct key *k)
{
    return k->ed25519;
}

const uint8_t *key_x25519(const struct key *k)
{
    return k->x25519;
}

int key_sign(const struct key *k, struct bytes data, uint8_t out[KEY_SIGNATURE_BYTES])
{
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->seed, KEY_SEED_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = KEY_SIGNATURE_BYTES;
    bool ok = own && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, own) == 1 &&
              EVP_DigestSign(ctx, out, &len, data.data, data.len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(own);
    return ok ? ERR_OK : ERR_CRYPTO;
}

int key_verify(const uint8_t ed25519[ID_PUBLIC_BYTES], struct bytes data,
               const uint8_t signature[KEY_SIGNATURE_BYTES])
{
    EVP_PKEY *signer =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, ed25519, ID_PUBLIC_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ready = signer && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, signer) == 1;
    bool ok =
        ready && EVP_DigestVerify(ctx, signature, KEY_SIGNATURE_BYTES, data.data, data.len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(signer);
    return ok ? ERR_OK : ready ? ERR_AUTH : ERR_CRYPTO;
}

int key_agree(const struct key *k, const uint8_t peer_x25519[ID_PUBLIC_BYTES], uint8_t out[32])
{
    return x25519_agree(out, k->x25519_private, peer_x25519);
}

int key_derive(const struct key *k, const char *label, uint8_t out[KEY_DERIVED_BYTES])
{
    return derive(out, k->seed, label);
}
