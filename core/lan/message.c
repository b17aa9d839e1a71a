#include "core/lan/message.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define LABEL      "hawser lan 1" /* with its NUL */
#define MAGIC      "hwL\x01"
#define MAGIC_LEN  4
#define SIGNED_LEN (LAN_MESSAGE_BYTES - LAN_MAC_BYTES)

static int make_mac(uint8_t out[LAN_MAC_BYTES], const uint8_t signed_part[SIGNED_LEN],
                    const uint8_t secret[LAN_SECRET_BYTES])
{
    uint8_t text[sizeof LABEL + SIGNED_LEN], mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    memcpy(text, LABEL, sizeof LABEL);
    memcpy(text + sizeof LABEL, signed_part, SIGNED_LEN);
    if (!HMAC(EVP_sha256(), secret, LAN_SECRET_BYTES, text, sizeof text, mac, &len))
        return ERR_CRYPTO;
    memcpy(out, mac, LAN_MAC_BYTES);
    return ERR_OK;
}

int lan_message_encode(uint8_t out[LAN_MESSAGE_BYTES], const struct lan_message *m,
                       const uint8_t secret[LAN_SECRET_BYTES])
{
    memcpy(out, MAGIC, MAGIC_LEN);
    out[4] = (uint8_t)m->type;
    out[5] = 0;
    out[6] = (uint8_t)(m->port >> 8);
    out[7] = (uint8_t)m->port;
    memcpy(out + 8, m->nonce, LAN_NONCE_BYTES);
    memcpy(out + 24, m->echo, LAN_NONCE_BYTES);
    return make_mac(out + SIGNED_LEN, out, secret);
}

static bool is_zero(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i])
            return false;
    return true;
}

/* Only a reply has a port, and only a probe answers nothing. */
static bool is_well_formed(const struct lan_message *m)
{
    switch (m->type) {
    case LAN_PROBE:
        return m->port == 0 && is_zero(m->echo, sizeof m->echo);
    case LAN_REPLY:
        return m->port != 0;
    case LAN_HELLO:
        return m->port == 0;
    default:
        return false;
    }
}

enum verdict lan_message_decode(struct lan_message *out, struct bytes message)
{
    struct rd r = rd_of(message);
    struct bytes magic = rd_bytes(&r, MAGIC_LEN);
    struct lan_message m = { 0 };
    uint8_t reserved;

    if (!bytes_equal(magic, bytes_of(MAGIC, MAGIC_LEN)))
        return VERDICT_FOREIGN;
    if (message.len != LAN_MESSAGE_BYTES)
        return VERDICT_MALFORMED;
    m.type = (enum lan_type)rd_u8(&r);
    reserved = rd_u8(&r);
    m.port = rd_u16(&r);
    memcpy(m.nonce, rd_bytes(&r, LAN_NONCE_BYTES).data, LAN_NONCE_BYTES);
    memcpy(m.echo, rd_bytes(&r, LAN_NONCE_BYTES).data, LAN_NONCE_BYTES);
    if (reserved || !is_well_formed(&m))
        return VERDICT_MALFORMED;
    *out = m;
    return VERDICT_TAKEN;
}

bool lan_message_is_genuine(struct bytes message, const uint8_t secret[LAN_SECRET_BYTES])
{
    uint8_t mac[LAN_MAC_BYTES];

    return message.len == LAN_MESSAGE_BYTES && make_mac(mac, message.data, secret) == ERR_OK &&
           CRYPTO_memcmp(mac, message.data + SIGNED_LEN, sizeof mac) == 0;
}
