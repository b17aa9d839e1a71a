#include "core/sctp/cookie.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { COOKIE_VERSION = 1, COOKIE_BODY_LEN = COOKIE_LEN - COOKIE_MAC_LEN };

static bool mac_of(uint8_t out[COOKIE_MAC_LEN], const uint8_t *body,
                   const uint8_t key[COOKIE_KEY_LEN])
{
    unsigned len = COOKIE_MAC_LEN;

    return HMAC(EVP_sha256(), key, COOKIE_KEY_LEN, body, COOKIE_BODY_LEN, out, &len) != NULL;
}

int cookie_encode(uint8_t out[COOKIE_LEN], const struct cookie *c,
                  const uint8_t key[COOKIE_KEY_LEN])
{
    struct wr w = wr_of(out, COOKIE_BODY_LEN);

    wr_u8(&w, COOKIE_VERSION);
    wr_u8(&w, c->peer_extensions);
    wr_u16(&w, c->local_port);
    wr_u16(&w, c->remote_port);
    wr_u64(&w, (uint64_t)c->made_at);
    wr_u32(&w, c->local_tag);
    wr_u32(&w, c->peer_tag);
    wr_u32(&w, c->local_tsn);
    wr_u32(&w, c->peer_tsn);
    wr_u32(&w, c->peer_rwnd);
    wr_u16(&w, c->peer_out_streams);
    wr_u16(&w, c->peer_in_streams);
    wr_u32(&w, c->local_tie);
    wr_u32(&w, c->peer_tie);
    wr_zero(&w, wr_left(&w));
    return w.ok && mac_of(out + COOKIE_BODY_LEN, out, key) ? ERR_OK : ERR_CRYPTO;
}

bool cookie_decode(struct cookie *out, struct bytes in, const uint8_t key[COOKIE_KEY_LEN])
{
    struct rd r = rd_of(in);
    uint8_t mac[COOKIE_MAC_LEN];

    if (in.len != COOKIE_LEN || !mac_of(mac, in.data, key) ||
        CRYPTO_memcmp(mac, in.data + COOKIE_BODY_LEN, COOKIE_MAC_LEN) != 0 ||
        rd_u8(&r) != COOKIE_VERSION)
        return false;
    out->peer_extensions = rd_u8(&r);
    out->local_port = rd_u16(&r);
    out->remote_port = rd_u16(&r);
    out->made_at = (usec)rd_u64(&r);
    out->local_tag = rd_u32(&r);
    out->peer_tag = rd_u32(&r);
    out->local_tsn = rd_u32(&r);
    out->peer_tsn = rd_u32(&r);
    out->peer_rwnd = rd_u32(&r);
    out->peer_out_streams = rd_u16(&r);
    out->peer_in_streams = rd_u16(&r);
    out->local_tie = rd_u32(&r);
    out->peer_tie = rd_u32(&r);
    return r.ok;
}
