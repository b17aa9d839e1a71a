/* context.c: DTLS 1.2, ECDHE with an AEAD, both certificates, nothing that outlives the keys. */
#include "core/dtls/context.h"

#include <openssl/crypto.h>
#include <openssl/x509_vfy.h>

/* GCM first: its records have the size that callers leave room for. */
#define SUITES                                                   \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"  \
    ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384" \
    ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"

bool dtls_fingerprint(const X509 *cert, uint8_t out[DTLS_FINGERPRINT_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!X509_digest(cert, EVP_sha256(), digest, &len) || len != DTLS_FINGERPRINT_BYTES)
        return false;
    memcpy(out, digest, DTLS_FINGERPRINT_BYTES);
    return true;
}

/* Takes the place of the whole chain check: the fingerprint came authenticated, so neither issuer
 * nor dates matter (RFC 8122 §6.2). CERT_REJECTED goes out as the alert bad_certificate. */
static int on_certificate(X509_STORE_CTX *store, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const X509 *cert = X509_STORE_CTX_get0_cert(store);
    struct dtls_peer *peer = SSL_get_app_data(ssl);
    uint8_t shown[DTLS_FINGERPRINT_BYTES];

    (void)unused;
    if (!cert || !dtls_fingerprint(cert, shown)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    peer->is_other = CRYPTO_memcmp(shown, peer->fingerprint, sizeof shown) != 0;
    X509_STORE_CTX_set_error(store, peer->is_other ? X509_V_ERR_CERT_REJECTED : X509_V_OK);
    return !peer->is_other;
}

static void set_policy(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, on_certificate, NULL);
}

SSL_CTX *dtls_context_new(X509 *cert, EVP_PKEY *key)
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_method());

    if (ctx && SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) &&
        SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) &&
        SSL_CTX_set_cipher_list(ctx, SUITES) && SSL_CTX_set1_groups_list(ctx, GROUPS) &&
        SSL_CTX_use_certificate(ctx, cert) && SSL_CTX_use_PrivateKey(ctx, key)) {
        set_policy(ctx);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}
