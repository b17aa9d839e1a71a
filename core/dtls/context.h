/* context.h: what we accept in a handshake, as an SSL_CTX. RFC 8827 §6.5, RFC 9325. */
#ifndef HAWSER_DTLS_CONTEXT_H
#define HAWSER_DTLS_CONTEXT_H

#include "core/dtls/dtls.h"

#include <openssl/ssl.h>

/* An SSL object's app data: the certificate that signaling promised. */
struct dtls_peer {
    uint8_t fingerprint[DTLS_FINGERPRINT_BYTES];
    bool is_other; /* it showed a different one */
};

/* SHA-256 of the certificate's DER form (RFC 8122 §5). */
bool dtls_fingerprint(const X509 *cert, uint8_t out[DTLS_FINGERPRINT_BYTES]);

/* NULL where OpenSSL fails. */
SSL_CTX *dtls_context_new(X509 *cert, EVP_PKEY *key);

#endif
