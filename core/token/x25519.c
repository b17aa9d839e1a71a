#include "core/token/x25519.h"

#include <openssl/evp.h>
#include <stdbool.h>

#include "core/base/err.h"

int x25519_public(uint8_t out[X25519_BYTES], const uint8_t private_key[X25519_BYTES])
{
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, X25519_BYTES);
    size_t len = X25519_BYTES;
    bool ok = own && EVP_PKEY_get_raw_public_key(own, out, &len) == 1;

    EVP_PKEY_free(own);
    return ok ? ERR_OK : ERR_CRYPTO;
}

int x25519_agree(uint8_t out[X25519_BYTES], const uint8_t private_key[X25519_BYTES],
                 const uint8_t peer[X25519_BYTES])
{
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, X25519_BYTES);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, X25519_BYTES);
    EVP_PKEY_CTX *ctx = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    size_t len = X25519_BYTES;
    bool ready =
        ctx && other && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, other) == 1;
    bool ok = ready && EVP_PKEY_derive(ctx, out, &len) == 1 && len == X25519_BYTES;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    return ok ? ERR_OK : ready ? ERR_AUTH : ERR_CRYPTO;
}
