#include "core/token/jwe.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/token/base64url.h"
#include "core/token/claims.h"
#include "core/token/x25519.h"

#define ENC      "A256GCM"
#define CEK_LEN  32
#define IV_LEN   12 /* RFC 7518 §5.3 */
#define TAG_LEN  16
#define KEY_TEXT BASE64URL_LEN(X25519_BYTES)

static bool add_u32(EVP_MD_CTX *ctx, size_t value)
{
    uint8_t wire[4];
    struct wr w = wr_of(wire, sizeof wire);

    wr_u32(&w, (uint32_t)value);
    return EVP_DigestUpdate(ctx, wire, sizeof wire) == 1;
}

static bool add_field(EVP_MD_CTX *ctx, struct bytes field)
{
    return add_u32(ctx, field.len) && EVP_DigestUpdate(ctx, field.data, field.len) == 1;
}

/* SHA-256(1 | Z | AlgorithmID | PartyUInfo | PartyVInfo | SuppPubInfo): one round is enough for a
 * key no longer than the hash. */
int jwe_concat_kdf(uint8_t *out, size_t out_len, struct bytes z, struct bytes algorithm_id,
                   struct bytes apu, struct bytes apv)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && out_len <= CEK_LEN && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              add_u32(ctx, 1) && EVP_DigestUpdate(ctx, z.data, z.len) == 1 &&
              add_field(ctx, algorithm_id) && add_field(ctx, apu) && add_field(ctx, apv) &&
              add_u32(ctx, out_len * 8) && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    if (ok)
        memcpy(out, digest, out_len);
    OPENSSL_cleanse(digest, sizeof digest);
    return ok ? ERR_OK : ERR_CRYPTO;
}

static int find_cek(uint8_t cek[CEK_LEN], const uint8_t z[X25519_BYTES],
                    const uint8_t receiver[X25519_BYTES])
{
    return jwe_concat_kdf(cek, CEK_LEN, bytes_of(z, X25519_BYTES), bytes_of_string(ENC),
                          bytes_of("", 0), bytes_of(receiver, X25519_BYTES));
}

/* One message under one key. `text` is what is sealed, `header` only authenticated. */
struct gcm {
    uint8_t cek[CEK_LEN], iv[IV_LEN], tag[TAG_LEN];
    struct bytes header, text;
};

static bool gcm_seal(struct gcm *g, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len;
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, g->cek, g->iv) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &len, g->header.data, (int)g->header.len) == 1 &&
              EVP_EncryptUpdate(ctx, out, &len, g->text.data, (int)g->text.len) == 1 &&
              EVP_EncryptFinal_ex(ctx, out + g->text.len, &len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, g->tag) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static int gcm_open(struct gcm *g, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len;
    bool ready = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, g->cek, g->iv) == 1 &&
                 EVP_DecryptUpdate(ctx, NULL, &len, g->header.data, (int)g->header.len) == 1 &&
                 EVP_DecryptUpdate(ctx, out, &len, g->text.data, (int)g->text.len) == 1 &&
                 EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, g->tag) == 1;
    bool ok = ready && EVP_DecryptFinal_ex(ctx, out + g->text.len, &len) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok ? ERR_OK : ready ? ERR_AUTH : ERR_CRYPTO;
}

static void write_key(struct wr *w, const uint8_t key[X25519_BYTES])
{
    base64url_encode(w, bytes_of(key, X25519_BYTES));
}

static void write_string(struct wr *w, const char *text)
{
    wr_bytes(w, bytes_of_string(text));
}

/* The encoded header: all of it is fixed but the two keys. */
static void write_header(struct wr *w, const uint8_t epk[X25519_BYTES],
                         const uint8_t receiver[X25519_BYTES])
{
    uint8_t plain[JWE_HEADER_MAX];
    struct wr p = wr_of(plain, sizeof plain);

    write_string(&p, "{\"alg\":\"ECDH-ES\",\"enc\":\"" ENC
                     "\",\"epk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"");
    write_key(&p, epk);
    write_string(&p, "\"},\"apv\":\"");
    write_key(&p, receiver);
    write_string(&p, "\"}");
    base64url_encode(w, wr_written(&p));
}

/* header ".." iv "." text "." tag (RFC 7516 §7.1); no encrypted key with ECDH-ES (§5.1 step 5). */
static int seal_into(struct wr *w, struct gcm *g, struct bytes plain)
{
    uint8_t *sealed = malloc(plain.len + 1);
    int err = sealed ? ERR_OK : ERR_NOMEM;

    g->header = wr_written(w);
    g->text = plain;
    if (!err && !gcm_seal(g, sealed))
        err = ERR_CRYPTO;
    if (!err) {
        write_string(w, "..");
        base64url_encode(w, bytes_of(g->iv, IV_LEN));
        wr_u8(w, '.');
        base64url_encode(w, bytes_of(sealed, plain.len));
        wr_u8(w, '.');
        base64url_encode(w, bytes_of(g->tag, TAG_LEN));
        wr_u8(w, 0);
    }
    free(sealed);
    return err;
}

/* A fresh key pair for one message: its public half and the key agreed with the receiver. */
static int agree_fresh(uint8_t epk[X25519_BYTES], uint8_t cek[CEK_LEN],
                       const uint8_t to[X25519_BYTES], const struct rng *rng)
{
    uint8_t ephemeral[X25519_BYTES], z[X25519_BYTES];
    int err;

    rng_fill(rng, ephemeral, sizeof ephemeral);
    err = x25519_public(epk, ephemeral);
    if (!err)
        err = x25519_agree(z, ephemeral, to);
    if (!err)
        err = find_cek(cek, z, to);
    OPENSSL_cleanse(ephemeral, sizeof ephemeral);
    OPENSSL_cleanse(z, sizeof z);
    return err;
}

int jwe_encode(const uint8_t to_x25519[ID_PUBLIC_BYTES], const struct rng *rng, struct bytes plain,
               char **text)
{
    uint8_t epk[X25519_BYTES];
    struct gcm g;
    struct wr w;
    int err = plain.len <= JWE_PLAIN_MAX ? ERR_OK : ERR_LIMIT;

    *text = err ? NULL : malloc(JWE_TEXT_MAX + 1);
    if (!err && !*text)
        err = ERR_NOMEM;
    if (!err)
        err = agree_fresh(epk, g.cek, to_x25519, rng);
    if (!err) {
        w = wr_of(*text, JWE_TEXT_MAX + 1);
        rng_fill(rng, g.iv, IV_LEN);
        write_header(&w, epk, to_x25519);
        err = seal_into(&w, &g, plain);
    }
    if (err) {
        free(*text);
        *text = NULL;
    }
    OPENSSL_cleanse(&g, sizeof g);
    return err;
}

enum { HEADER, ENCRYPTED_KEY, IV, TEXT, TAG, PARTS };

static bool split(struct bytes parts[PARTS], struct bytes text)
{
    struct rd r = rd_of(text);

    for (size_t i = 0; i < PARTS; i++) {
        const uint8_t *dot = i + 1 < PARTS ? memchr(r.p, '.', rd_left(&r)) : r.end;

        if (!dot)
            return false;
        parts[i] = rd_bytes(&r, (size_t)(dot - r.p));
        if (i + 1 < PARTS)
            rd_skip(&r, 1);
    }
    return r.ok && parts[ENCRYPTED_KEY].len == 0;
}

static bool is_string(const json_t *object, const char *name, const char *wanted)
{
    const char *value = claims_get_string(object, name, KEY_TEXT + 1);

    return value && strcmp(value, wanted) == 0;
}

static int read_header(uint8_t epk[X25519_BYTES], const struct key *k, struct bytes text)
{
    static const char *const members[] = { "alg", "enc", "epk", "apv" };
    uint8_t plain[JWE_HEADER_MAX], apv[X25519_BYTES];
    struct wr w = wr_of(plain, sizeof plain);
    json_t *header = NULL;
    int err = base64url_decode(&w, text) ? claims_decode(&header, wr_written(&w)) : ERR_INVALID;

    if (!err &&
        !(claims_has_only(header, members, COUNT(members)) && is_string(header, "alg", "ECDH-ES") &&
          is_string(header, "enc", ENC) && claims_get_jwk(header, "epk", "X25519", epk) &&
          claims_get_bytes(header, "apv", apv, sizeof apv)))
        err = ERR_INVALID;
    if (!err && memcmp(apv, key_x25519(k), sizeof apv) != 0)
        err = ERR_AUTH;
    json_decref(header);
    return err;
}

static int agree(uint8_t cek[CEK_LEN], const struct key *k, const uint8_t epk[X25519_BYTES])
{
    uint8_t z[X25519_BYTES];
    int err = key_agree(k, epk, z);

    if (!err)
        err = find_cek(cek, z, key_x25519(k));
    OPENSSL_cleanse(z, sizeof z);
    return err;
}

/* Opens into *plain, where the sealed bytes are decoded first; g has key, iv, tag and header. */
static int open_text(struct gcm *g, struct bytes text, uint8_t **plain, size_t *len)
{
    struct wr w = wr_of(malloc(text.len + 1), text.len);
    int err = ERR_NOMEM;

    if (w.data && !base64url_decode(&w, text))
        err = ERR_INVALID;
    else if (w.data) {
        g->text = wr_written(&w);
        err = gcm_open(g, w.data);
    }
    if (err) {
        jwe_plain_free(w.data, w.data ? w.len : 0);
        return err;
    }
    w.data[w.len] = 0;
    *plain = w.data;
    *len = w.len;
    return ERR_OK;
}

int jwe_decode(const struct key *k, struct bytes text, uint8_t **plain, size_t *len)
{
    struct bytes parts[PARTS];
    uint8_t epk[X25519_BYTES];
    struct gcm g;
    int err = ERR_INVALID;

    *plain = NULL;
    *len = 0;
    if (text.len > 0 && text.len <= JWE_TEXT_MAX && split(parts, text) &&
        base64url_decode_exact(g.iv, IV_LEN, parts[IV]) &&
        base64url_decode_exact(g.tag, TAG_LEN, parts[TAG]))
        err = read_header(epk, k, parts[HEADER]);
    if (!err)
        err = agree(g.cek, k, epk);
    if (!err) {
        g.header = parts[HEADER];
        err = open_text(&g, parts[TEXT], plain, len);
    }
    OPENSSL_cleanse(&g, sizeof g);
    return err;
}

void jwe_plain_free(uint8_t *plain, size_t len)
{
    if (plain)
        OPENSSL_cleanse(plain, len);
    free(plain);
}
