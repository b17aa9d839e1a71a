/* x25519.h: the function of RFC 7748 §5 over raw keys, for long-lived and ephemeral ones alike. */
#ifndef HAWSER_TOKEN_X25519_H
#define HAWSER_TOKEN_X25519_H

#include <stdint.h>

#define X25519_BYTES 32

/* The public key of a private one: any 32 random bytes are one. ERR_CRYPTO. */
int x25519_public(uint8_t out[X25519_BYTES], const uint8_t private_key[X25519_BYTES]);

/* The shared secret, which is the caller's to wipe. ERR_AUTH if peer is of small order, so that the
 * result would be zero (RFC 7748 §6.1); ERR_CRYPTO. */
int x25519_agree(uint8_t out[X25519_BYTES], const uint8_t private_key[X25519_BYTES],
                 const uint8_t peer[X25519_BYTES]);

#endif
