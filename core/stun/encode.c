#include "core/stun/stun.h"

/* RFC 8489 §5: the class bits lie between those of the method. */
static uint16_t message_type(enum stun_class class, uint16_t method)
{
    unsigned m = method, c = class;

    return (uint16_t)((m & 0xf80) << 2 | (m & 0x070) << 1 | (m & 0x00f) | (c & 2) << 7 |
                      (c & 1) << 4);
}

void stun_encode_header(struct wr *w, enum stun_class class, uint16_t method,
                        const struct stun_id *id)
{
    wr_u16(w, message_type(class, method));
    wr_u16(w, 0);
    wr_u32(w, STUN_MAGIC_COOKIE);
    wr_bytes(w, bytes_of(id->bytes, sizeof id->bytes));
}

/* Room for a value; the header counts the attribute and its padding from now on. */
static struct wr add_attr(struct wr *w, enum stun_attr type, size_t len)
{
    struct wr value = { .data = w->data, .ok = false }; /* not NULL: it is added to */
    size_t padded = (len + 3) & ~(size_t)3;
    uint8_t *at;

    if (len > UINT16_MAX || w->len + STUN_ATTR_HEADER_BYTES + padded > UINT16_MAX)
        w->ok = false;
    wr_u16(w, (uint16_t)type);
    wr_u16(w, (uint16_t)len);
    at = wr_room(w, padded);
    if (!at)
        return value;
    memset(at, 0, padded);
    wr_patch_u16(w, 2, (uint16_t)(w->len - STUN_HEADER_BYTES));
    return wr_of(at, len);
}

void stun_add_bytes(struct wr *w, enum stun_attr type, struct bytes value)
{
    struct wr v = add_attr(w, type, value.len);

    wr_bytes(&v, value);
}

void stun_add_u32(struct wr *w, enum stun_attr type, uint32_t value)
{
    struct wr v = add_attr(w, type, 4);

    wr_u32(&v, value);
}

void stun_add_u64(struct wr *w, enum stun_attr type, uint64_t value)
{
    struct wr v = add_attr(w, type, 8);

    wr_u64(&v, value);
}

/* `mask` is what port and address are XORed with: cookie and id, or zeroes. */
static void add_addr(struct wr *w, enum stun_attr type, const struct addr *a,
                     const uint8_t mask[16])
{
    size_t ip_len = addr_ip_len(a);
    struct wr v = add_attr(w, type, 4 + ip_len);

    wr_u8(&v, 0);
    wr_u8(&v, a->family == ADDR_IPV4 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6);
    wr_u8(&v, (uint8_t)(a->port >> 8) ^ mask[0]);
    wr_u8(&v, (uint8_t)a->port ^ mask[1]);
    for (size_t i = 0; i < ip_len; i++)
        wr_u8(&v, a->ip[i] ^ mask[i]);
}

void stun_add_addr(struct wr *w, enum stun_attr type, const struct addr *a)
{
    static const uint8_t none[16];

    add_addr(w, type, a, none);
}

void stun_add_xor_addr(struct wr *w, enum stun_attr type, const struct addr *a)
{
    if (w->ok)
        add_addr(w, type, a, w->data + 4);
}

void stun_add_mapped(struct wr *w, const struct addr *a)
{
    stun_add_addr(w, STUN_ATTR_MAPPED_ADDRESS, a);
}

void stun_add_xor_mapped(struct wr *w, const struct addr *a)
{
    stun_add_xor_addr(w, STUN_ATTR_XOR_MAPPED_ADDRESS, a);
}

void stun_add_error(struct wr *w, uint16_t code, const char *reason)
{
    struct bytes text = bytes_of_string(reason);
    struct wr v = add_attr(w, STUN_ATTR_ERROR_CODE, 4 + text.len);

    wr_u16(&v, 0);
    wr_u8(&v, (uint8_t)(code / 100));
    wr_u8(&v, (uint8_t)(code % 100));
    wr_bytes(&v, text);
}

void stun_add_unknown(struct wr *w, const struct stun_msg *request)
{
    struct wr v = add_attr(w, STUN_ATTR_UNKNOWN, 2 * request->unknown_count);

    for (size_t i = 0; i < request->unknown_count; i++)
        wr_u16(&v, request->unknown[i]);
}

void stun_add_integrity(struct wr *w, struct bytes key)
{
    uint8_t hmac[STUN_SHA1_BYTES];

    if (!w->ok)
        return;
    stun_hmac_sha1(wr_written(w), key, hmac);
    stun_add_bytes(w, STUN_ATTR_INTEGRITY, bytes_of(hmac, sizeof hmac));
}

void stun_add_fingerprint(struct wr *w)
{
    if (w->ok)
        stun_add_u32(w, STUN_ATTR_FINGERPRINT, stun_crc32(wr_written(w)));
}
