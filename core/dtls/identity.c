/* identity.c: an ECDSA P-256 key and a certificate signed with it. It does not say who we are: what
 * counts is that its fingerprint comes by signaling. */
#include "core/dtls/identity.h"

#include "core/dtls/bio.h"
#include "core/dtls/context.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

#define DAY_S        (INT64_C(24) * 60 * 60)
#define VALID_DAYS   365
#define SERIAL_BYTES 16

/* The name browsers use too, so that it tells nobody anything. */
#define COMMON_NAME "WebRTC"

/* A positive number of at most 16 octets (RFC 5280 §4.1.2.2 allows 20). */
static bool set_serial(X509 *cert, const struct rng *rng)
{
    uint8_t raw[SERIAL_BYTES];
    BIGNUM *number;
    bool ok;

    rng_fill(rng, raw, sizeof raw);
    raw[0] = (uint8_t)((raw[0] & 0x7f) | 0x40);
    number = BN_bin2bn(raw, sizeof raw, NULL);
    ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

/* Dated a day back, for peers that look and whose clock is behind. */
static bool set_dates(X509 *cert, int64_t now_s)
{
    int64_t from_s = now_s > DAY_S ? now_s - DAY_S : 0;

    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)from_s) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + VALID_DAYS * DAY_S));
}

static bool set_name(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)COMMON_NAME, -1,
                                      -1, 0) &&
           X509_set_issuer_name(cert, name);
}

static bool certify(X509 *cert, EVP_PKEY *key, const struct rng *rng, int64_t now_s)
{
    return cert && key && X509_set_version(cert, X509_VERSION_3) && set_serial(cert, rng) &&
           set_dates(cert, now_s) && set_name(cert) && X509_set_pubkey(cert, key) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static bool fill(struct dtls_identity *id, const struct rng *rng, int64_t now_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();

    if (certify(cert, key, rng, now_s) && dtls_fingerprint(cert, id->fingerprint))
        id->ctx = dtls_context_new(cert, key);
    id->bio_method = dtls_bio_method_new();
    X509_free(cert);
    EVP_PKEY_free(key);
    return id->ctx && id->bio_method;
}

int dtls_identity_new(struct dtls_identity **out, const struct rng *rng, int64_t now_s)
{
    struct dtls_identity *id = *out = calloc(1, sizeof *id);

    if (!id)
        return ERR_NOMEM;
    if (fill(id, rng, now_s))
        return ERR_OK;
    ERR_clear_error();
    dtls_identity_free(id);
    *out = NULL;
    return ERR_CRYPTO;
}

void dtls_identity_free(struct dtls_identity *id)
{
    if (!id)
        return;
    SSL_CTX_free(id->ctx);
    BIO_meth_free(id->bio_method);
    free(id);
}

const uint8_t *dtls_identity_fingerprint(const struct dtls_identity *id)
{
    return id->fingerprint;
}
