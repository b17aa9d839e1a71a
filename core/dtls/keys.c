#include "core/dtls/keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define RANDOM_BYTES 32
#define MASTER_BYTES 48
#define LABEL        "key expansion"
#define LABEL_BYTES  (sizeof LABEL - 1)
#define SEED_BYTES   (LABEL_BYTES + 2 * RANDOM_BYTES)
#define BLOCK_MAX    (2 * (DTLS_KEY_MAX + DTLS_NONCE_BYTES))

/* The AEADs of context.c's suites: no MAC keys, and as much IV as is not sent along. */
static const struct aead {
    int nid;
    const EVP_CIPHER *(*cipher)(void);
    uint8_t key_bytes, iv_bytes;
} aeads[] = {
    { NID_aes_128_gcm, EVP_aes_128_gcm, 16, 4 },
    { NID_aes_256_gcm, EVP_aes_256_gcm, 32, 4 },
    { NID_chacha20_poly1305, EVP_chacha20_poly1305, 32, 12 },
};

static const struct aead *find_aead(const SSL_CIPHER *suite)
{
    for (size_t i = 0; suite && i < COUNT(aeads); i++)
        if (SSL_CIPHER_get_cipher_nid(suite) == aeads[i].nid)
            return &aeads[i];
    return NULL;
}

/* RFC 5246 §5: PRF(secret, label, seed), by the hash of the cipher suite. */
static bool expand(const EVP_MD *hash, struct bytes secret, struct bytes seed, uint8_t *out,
                   size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    /* OpenSSL's parameters are not const, and only read. */
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                         (char *)(uintptr_t)EVP_MD_get0_name(hash), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)secret.data,
                                          secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)seed.data,
                                          seed.len),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx && EVP_KDF_derive(ctx, out, len, params) > 0;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

/* The seed: label, server's random, client's random. */
static bool get_block(SSL *ssl, uint8_t block[BLOCK_MAX], size_t len)
{
    uint8_t master[MASTER_BYTES], seed[SEED_BYTES] = LABEL;
    const EVP_MD *hash = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
    size_t master_len = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
    bool ok = hash && master_len == sizeof master &&
              SSL_get_server_random(ssl, seed + LABEL_BYTES, RANDOM_BYTES) == RANDOM_BYTES &&
              SSL_get_client_random(ssl, seed + LABEL_BYTES + RANDOM_BYTES, RANDOM_BYTES) ==
                  RANDOM_BYTES &&
              expand(hash, bytes_of(master, master_len), bytes_of(seed, sizeof seed), block, len);

    OPENSSL_cleanse(master, sizeof master);
    return ok;
}

/* The block: client's key, server's key, client's IV, server's IV. */
static void cut_block(struct dtls_keys *out, const uint8_t *block, size_t iv_bytes,
                      enum dtls_role role)
{
    struct dtls_key *client = role == DTLS_CLIENT ? &out->tx : &out->rx;
    struct dtls_key *server = role == DTLS_CLIENT ? &out->rx : &out->tx;

    memcpy(client->key, block, out->key_bytes);
    memcpy(server->key, block + out->key_bytes, out->key_bytes);
    memcpy(client->iv, block + 2 * out->key_bytes, iv_bytes);
    memcpy(server->iv, block + 2 * out->key_bytes + iv_bytes, iv_bytes);
}

int dtls_keys_get(struct dtls_keys *out, SSL *ssl, enum dtls_role role)
{
    const struct aead *aead = find_aead(SSL_get_current_cipher(ssl));
    uint8_t block[BLOCK_MAX];
    bool ok;

    memset(out, 0, sizeof *out);
    if (!aead)
        return ERR_CRYPTO;
    out->cipher = aead->cipher();
    out->key_bytes = aead->key_bytes;
    out->is_gcm = aead->iv_bytes < DTLS_NONCE_BYTES;
    ok = get_block(ssl, block, 2u * (aead->key_bytes + aead->iv_bytes));
    if (ok)
        cut_block(out, block, aead->iv_bytes, role);
    OPENSSL_cleanse(block, sizeof block);
    return ok ? ERR_OK : ERR_CRYPTO;
}
