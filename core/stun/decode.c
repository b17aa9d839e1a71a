#include "core/stun/stun.h"

static void read_username(struct rd *body, struct stun_msg *m)
{
    m->username = rd_rest(body);
}

static void read_realm(struct rd *body, struct stun_msg *m)
{
    m->realm = rd_rest(body);
}

static void read_nonce(struct rd *body, struct stun_msg *m)
{
    m->nonce = rd_rest(body);
}

static void read_software(struct rd *body, struct stun_msg *m)
{
    m->software = rd_rest(body);
}

static void read_nothing(struct rd *body, struct stun_msg *m)
{
    (void)m;
    rd_skip(body, rd_left(body));
}

static void read_priority(struct rd *body, struct stun_msg *m)
{
    m->priority = rd_u32(body);
}

static void read_tie_breaker(struct rd *body, struct stun_msg *m)
{
    m->tie_breaker = rd_u64(body);
}

static void read_error(struct rd *body, struct stun_msg *m)
{
    unsigned hundreds = rd_u24(body) & 7, rest = rd_u8(body);

    m->error_code = (uint16_t)(hundreds * 100 + rest);
    m->reason = rd_rest(body);
    if (hundreds < 3 || hundreds > 6 || rest > 99)
        body->ok = false;
}

/* `mask` as in encode.c; the length must be the family's own. */
static void read_addr(struct rd *body, struct addr *out, const uint8_t mask[16])
{
    unsigned family = rd_u16(body) & 0xff;
    struct addr a = { .family = family == STUN_FAMILY_IPV4 ? ADDR_IPV4 : ADDR_IPV6 };
    struct bytes ip;

    a.port = rd_u16(body) ^ (uint16_t)(mask[0] << 8 | mask[1]);
    ip = rd_rest(body);
    if (!body->ok || ip.len != addr_ip_len(&a) ||
        (family != STUN_FAMILY_IPV4 && family != STUN_FAMILY_IPV6)) {
        body->ok = false;
        return;
    }
    for (size_t i = 0; i < ip.len; i++)
        a.ip[i] = ip.data[i] ^ mask[i];
    *out = a;
}

static void read_mapped(struct rd *body, struct stun_msg *m)
{
    static const uint8_t none[16];

    read_addr(body, &m->mapped, none);
}

static void read_alternate(struct rd *body, struct stun_msg *m)
{
    static const uint8_t none[16];

    read_addr(body, &m->alternate, none);
}

static void read_other(struct rd *body, struct stun_msg *m)
{
    static const uint8_t none[16];

    read_addr(body, &m->other, none);
}

/* Cookie and id lie behind each other in the header: together they are the mask. */
static const uint8_t *xor_mask(const struct stun_msg *m)
{
    return m->whole.data + 4;
}

/* Counts as MAPPED-ADDRESS too, so that one which follows is a second of its kind. */
static void read_xor_mapped(struct rd *body, struct stun_msg *m)
{
    read_addr(body, &m->mapped, xor_mask(m));
    m->has |= STUN_HAS_MAPPED;
}

static void read_peer(struct rd *body, struct stun_msg *m)
{
    read_addr(body, &m->peer, xor_mask(m));
}

static void read_relayed(struct rd *body, struct stun_msg *m)
{
    read_addr(body, &m->relayed, xor_mask(m));
}

static void read_channel(struct rd *body, struct stun_msg *m)
{
    m->channel = rd_u16(body);
    rd_skip(body, 2); /* RFFU */
}

static void read_lifetime(struct rd *body, struct stun_msg *m)
{
    m->lifetime_s = rd_u32(body);
}

static void read_data(struct rd *body, struct stun_msg *m)
{
    m->data = rd_rest(body);
}

static void read_family(struct rd *body, struct stun_msg *m)
{
    m->family = rd_u8(body);
    rd_skip(body, 3); /* RFFU */
}

static void read_transport(struct rd *body, struct stun_msg *m)
{
    m->transport = rd_u8(body);
    rd_skip(body, 3); /* RFFU */
}

static void read_nomination(struct rd *body, struct stun_msg *m)
{
    m->nomination = rd_u32(body);
}

static void read_dtls(struct rd *body, struct stun_msg *m)
{
    m->dtls = rd_rest(body);
}

static void read_dtls_acks(struct rd *body, struct stun_msg *m)
{
    m->dtls_acks = rd_rest(body);
}

static void read_change_request(struct rd *body, struct stun_msg *m)
{
    m->change_request = rd_u32(body);
}

static void read_integrity(struct rd *body, struct stun_msg *m)
{
    m->integrity_at = (size_t)(body->p - m->whole.data) - STUN_ATTR_HEADER_BYTES;
    rd_skip(body, rd_left(body));
}

static void read_fingerprint(struct rd *body, struct stun_msg *m)
{
    size_t at = (size_t)(body->p - m->whole.data) - STUN_ATTR_HEADER_BYTES;
    uint32_t crc = rd_u32(body);

    if (crc != stun_crc32(bytes_of(m->whole.data, at)) || body->p != m->whole.data + m->whole.len)
        body->ok = false; /* RFC 8489 §14.7: it is the last attribute */
}

/* Integrity attributes end what they protect; see is_ignored(). */
static const struct attr_rule {
    uint16_t type, len_min, len_max;
    uint32_t has;
    void (*read)(struct rd *body, struct stun_msg *m);
} rules[] = {
    /* RFC 8489 §14 */
    { STUN_ATTR_MAPPED_ADDRESS, 8, 20, STUN_HAS_MAPPED, read_mapped },
    { STUN_ATTR_USERNAME, 1, 513, STUN_HAS_USERNAME, read_username },
    { STUN_ATTR_INTEGRITY, 20, 20, STUN_HAS_INTEGRITY, read_integrity },
    { STUN_ATTR_ERROR_CODE, 4, 767, STUN_HAS_ERROR, read_error },
    { STUN_ATTR_UNKNOWN, 0, 512, STUN_HAS_UNKNOWN, read_nothing },
    { STUN_ATTR_REALM, 0, 763, STUN_HAS_REALM, read_realm },
    { STUN_ATTR_NONCE, 0, 763, STUN_HAS_NONCE, read_nonce },
    { STUN_ATTR_INTEGRITY_SHA256, 16, 32, STUN_HAS_SHA256, read_nothing },
    { STUN_ATTR_XOR_MAPPED_ADDRESS, 8, 20, STUN_HAS_XOR_MAPPED, read_xor_mapped },
    { STUN_ATTR_SOFTWARE, 0, 763, STUN_HAS_SOFTWARE, read_software },
    { STUN_ATTR_FINGERPRINT, 4, 4, STUN_HAS_FINGERPRINT, read_fingerprint },
    /* RFC 8445 §16.1 */
    { STUN_ATTR_PRIORITY, 4, 4, STUN_HAS_PRIORITY, read_priority },
    { STUN_ATTR_USE_CANDIDATE, 0, 0, STUN_HAS_USE_CANDIDATE, read_nothing },
    { STUN_ATTR_ICE_CONTROLLED, 8, 8, STUN_HAS_CONTROLLED, read_tie_breaker },
    { STUN_ATTR_ICE_CONTROLLING, 8, 8, STUN_HAS_CONTROLLING, read_tie_breaker },
    /* RFC 8656 §18 */
    { STUN_ATTR_CHANNEL_NUMBER, 4, 4, STUN_HAS_CHANNEL, read_channel },
    { STUN_ATTR_LIFETIME, 4, 4, STUN_HAS_LIFETIME, read_lifetime },
    { STUN_ATTR_XOR_PEER_ADDRESS, 8, 20, STUN_HAS_PEER, read_peer },
    { STUN_ATTR_DATA, 0, UINT16_MAX, STUN_HAS_DATA, read_data },
    { STUN_ATTR_XOR_RELAYED_ADDRESS, 8, 20, STUN_HAS_RELAYED, read_relayed },
    { STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 4, 4, STUN_HAS_FAMILY, read_family },
    { STUN_ATTR_REQUESTED_TRANSPORT, 4, 4, STUN_HAS_TRANSPORT, read_transport },
    { STUN_ATTR_ALTERNATE_SERVER, 8, 20, STUN_HAS_ALTERNATE, read_alternate },
    /* between peers: drafts, see wire.h */
    { STUN_ATTR_NOMINATION, 4, 4, STUN_HAS_NOMINATION, read_nomination },
    { STUN_ATTR_DTLS, 0, UINT16_MAX, STUN_HAS_DTLS, read_dtls },
    { STUN_ATTR_DTLS_ACKS, 0, UINT16_MAX, STUN_HAS_DTLS_ACKS, read_dtls_acks },
    /* RFC 5780 §7 */
    { STUN_ATTR_CHANGE_REQUEST, 4, 4, STUN_HAS_CHANGE_REQUEST, read_change_request },
    { STUN_ATTR_OTHER_ADDRESS, 8, 20, STUN_HAS_OTHER_ADDRESS, read_other },
};

static const struct attr_rule *find_rule(uint16_t type)
{
    for (size_t i = 0; i < COUNT(rules); i++)
        if (rules[i].type == type)
            return &rules[i];
    return NULL;
}

/* RFC 8489 §14.5, §14.6: behind the integrity anybody may have added something. */
static bool is_ignored(const struct stun_msg *m, uint16_t type)
{
    if (type == STUN_ATTR_FINGERPRINT)
        return false;
    if (m->has & STUN_HAS_SHA256)
        return true;
    return m->has & STUN_HAS_INTEGRITY && type != STUN_ATTR_INTEGRITY_SHA256;
}

static void note_unknown(struct stun_msg *m, uint16_t type)
{
    if (type < STUN_OPTIONAL_FROM && m->unknown_count < STUN_UNKNOWN_MAX)
        m->unknown[m->unknown_count++] = type;
}

static bool read_attr(struct rd *r, struct stun_msg *m)
{
    uint16_t type = rd_u16(r), len = rd_u16(r);
    struct rd body = rd_sub(r, len);
    const struct attr_rule *rule = find_rule(type);

    rd_skip(r, (4u - len % 4u) % 4u); /* padding is not part of len */
    if (!r->ok)
        return false;
    if (is_ignored(m, type) || (rule && m->has & rule->has))
        return true; /* RFC 8489 §14: only the first of a kind counts */
    if (!rule) {
        note_unknown(m, type);
        return true;
    }
    if (len < rule->len_min || len > rule->len_max)
        return false;
    rule->read(&body, m);
    m->has |= rule->has;
    return body.ok;
}

/* The 14 bits of the type, undone from message_type() in encode.c. */
static void read_type(uint16_t type, struct stun_msg *m)
{
    m->class = (enum stun_class)((type >> 7 & 2) | (type >> 4 & 1));
    m->method = (uint16_t)((type >> 2 & 0xf80) | (type >> 1 & 0x070) | (type & 0x00f));
}

enum verdict stun_decode(struct stun_msg *m, struct bytes dgram)
{
    struct rd r = rd_of(dgram);
    uint16_t type = rd_u16(&r), len = rd_u16(&r);
    uint32_t cookie = rd_u32(&r);
    struct bytes id = rd_bytes(&r, STUN_ID_BYTES);

    *m = (struct stun_msg){ .whole = dgram };
    if (!r.ok || type >> 14 != 0 || cookie != STUN_MAGIC_COOKIE)
        return VERDICT_FOREIGN;
    if (len != rd_left(&r)) /* that it is of whole words, the padding sees to */
        return VERDICT_MALFORMED;
    read_type(type, m);
    memcpy(m->id.bytes, id.data, sizeof m->id.bytes);
    while (rd_left(&r))
        if (!read_attr(&r, m))
            return VERDICT_MALFORMED;
    return VERDICT_TAKEN;
}
