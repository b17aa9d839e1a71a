/* identity.h: what the other files of this module need of a dtls_identity. */
#ifndef HAWSER_DTLS_IDENTITY_H
#define HAWSER_DTLS_IDENTITY_H

#include "core/dtls/dtls.h"

#include <openssl/ssl.h>

struct dtls_identity {
    SSL_CTX *ctx; /* holds certificate and key */
    BIO_METHOD *bio_method;
    uint8_t fingerprint[DTLS_FINGERPRINT_BYTES];
};

#endif
