#include "core/token/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct wr *out, struct bytes data)
{
    uint8_t *at = wr_room(out, BASE64URL_LEN(data.len));
    uint32_t held = 0;
    unsigned held_bits = 0;

    if (!at)
        return;
    for (size_t i = 0; i < data.len; i++) {
        held = held << 8 | data.data[i];
        held_bits += 8;
        for (; held_bits >= 6; held_bits -= 6)
            *at++ = (uint8_t)alphabet[held >> (held_bits - 6) & 63];
    }
    if (held_bits)
        *at = (uint8_t)alphabet[held << (6 - held_bits) & 63];
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct wr *out, struct bytes text)
{
    uint8_t *at = wr_room(out, text.len * 3 / 4);
    uint32_t held = 0;
    unsigned held_bits = 0;

    /* One character alone holds no byte. */
    out->ok = out->ok && text.len % 4 != 1;
    for (size_t i = 0; out->ok && i < text.len; i++) {
        int value = value_of(text.data[i]);

        out->ok = value >= 0;
        held = held << 6 | ((uint32_t)value & 63);
        held_bits += 6;
        if (held_bits >= 8) {
            held_bits -= 8;
            *at++ = (uint8_t)(held >> held_bits);
        }
    }
    out->ok = out->ok && (held & ((1u << held_bits) - 1)) == 0;
    return out->ok;
}

bool base64url_decode_exact(uint8_t *out, size_t len, struct bytes text)
{
    struct wr w = wr_of(out, len);

    return text.len == BASE64URL_LEN(len) && base64url_decode(&w, text);
}
