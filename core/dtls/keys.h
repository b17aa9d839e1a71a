/* keys.h: what a finished handshake leaves to the record layer. RFC 5246 §6.3. */
#ifndef HAWSER_DTLS_KEYS_H
#define HAWSER_DTLS_KEYS_H

#include "core/dtls/dtls.h"

#include <openssl/ssl.h>

#define DTLS_KEY_MAX     32
#define DTLS_NONCE_BYTES 12

/* One direction's. */
struct dtls_key {
    uint8_t key[DTLS_KEY_MAX];
    uint8_t iv[DTLS_NONCE_BYTES]; /* GCM: the salt in the first 4 bytes, then zeros */
};

struct dtls_keys {
    const EVP_CIPHER *cipher;
    size_t key_bytes;
    bool is_gcm; /* eight bytes of each nonce travel with the record (RFC 5288 §3) */
    struct dtls_key tx, rx;
};

/* Derives them by public calls from the master secret and the two randoms. ERR_CRYPTO, ERR_NOMEM.
 * The caller wipes *out. */
int dtls_keys_get(struct dtls_keys *out, SSL *ssl, enum dtls_role role);

#endif
