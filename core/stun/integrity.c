/* The low-level SHA-1 calls are deprecated in favour of EVP, but they need no heap and cannot fail:
 * a datagram must not cost an allocation. SHA-1 is what RFC 8445 asks for. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "core/base/crc32.h"
#include "core/stun/stun.h"

#define BLOCK_BYTES 64 /* of SHA-1, RFC 2104 */

static void key_block(struct bytes key, uint8_t out[BLOCK_BYTES], uint8_t pad)
{
    memset(out, 0, BLOCK_BYTES);
    if (key.len > BLOCK_BYTES) {
        SHA_CTX sha;

        SHA1_Init(&sha);
        SHA1_Update(&sha, key.data, key.len);
        SHA1_Final(out, &sha);
        OPENSSL_cleanse(&sha, sizeof sha);
    } else if (key.len) {
        memcpy(out, key.data, key.len);
    }
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        out[i] ^= pad;
}

/* The header with the length it has when an attribute of attr_len ends the message. */
static void header_until(struct bytes covered, size_t attr_len, uint8_t out[STUN_HEADER_BYTES])
{
    struct wr w = wr_of(out, STUN_HEADER_BYTES);

    wr_bytes(&w, bytes_of(covered.data, STUN_HEADER_BYTES));
    wr_patch_u16(&w, 2, (uint16_t)(covered.len - STUN_HEADER_BYTES + attr_len));
}

void stun_hmac_sha1(struct bytes covered, struct bytes key, uint8_t out[STUN_SHA1_BYTES])
{
    uint8_t block[BLOCK_BYTES], header[STUN_HEADER_BYTES];
    SHA_CTX sha;

    header_until(covered, STUN_ATTR_HEADER_BYTES + STUN_SHA1_BYTES, header);
    key_block(key, block, 0x36);
    SHA1_Init(&sha);
    SHA1_Update(&sha, block, sizeof block);
    SHA1_Update(&sha, header, sizeof header);
    SHA1_Update(&sha, covered.data + STUN_HEADER_BYTES, covered.len - STUN_HEADER_BYTES);
    SHA1_Final(out, &sha);

    key_block(key, block, 0x5c);
    SHA1_Init(&sha);
    SHA1_Update(&sha, block, sizeof block);
    SHA1_Update(&sha, out, STUN_SHA1_BYTES);
    SHA1_Final(out, &sha);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(&sha, sizeof sha);
}

bool stun_has_integrity(const struct stun_msg *m, struct bytes key)
{
    struct bytes covered = bytes_of(m->whole.data, m->integrity_at);
    uint8_t made[STUN_SHA1_BYTES];

    if (!(m->has & STUN_HAS_INTEGRITY))
        return false;
    stun_hmac_sha1(covered, key, made);
    return CRYPTO_memcmp(made, covered.data + covered.len + STUN_ATTR_HEADER_BYTES, sizeof made) ==
           0;
}

uint32_t stun_crc32(struct bytes covered)
{
    uint8_t header[STUN_HEADER_BYTES];
    uint32_t crc;

    header_until(covered, STUN_ATTR_HEADER_BYTES + sizeof crc, header);
    crc = crc32_ieee(0, bytes_of(header, sizeof header));
    crc = crc32_ieee(crc,
                     bytes_of(covered.data + STUN_HEADER_BYTES, covered.len - STUN_HEADER_BYTES));
    return crc ^ STUN_CRC_XOR;
}
