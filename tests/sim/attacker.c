#include "tests/sim/attacker.h"

void attacker_init(struct attacker *a, const struct rng *rng)
{
    a->rng = rng;
    a->seen = 0;
}

void attacker_input(struct attacker *a, struct bytes dgram)
{
    size_t slot = a->seen % ATTACKER_KEPT;

    if (dgram.len == 0 || dgram.len > ATTACKER_BYTES_MAX)
        return;
    memcpy(a->kept[slot], dgram.data, dgram.len);
    a->len[slot] = dgram.len;
    a->seen++;
}

static size_t copy_one(struct attacker *a)
{
    size_t count = a->seen < ATTACKER_KEPT ? a->seen : ATTACKER_KEPT;
    size_t slot = count ? rng_below(a->rng, (uint32_t)count) : 0;

    if (count == 0)
        return 0;
    memcpy(a->forged, a->kept[slot], a->len[slot]);
    return a->len[slot];
}

static size_t replay(struct attacker *a)
{
    return copy_one(a);
}

static size_t spoil(struct attacker *a)
{
    size_t len = copy_one(a);

    for (uint32_t i = rng_below(a->rng, 8); len && i < 8; i++)
        a->forged[rng_below(a->rng, (uint32_t)len)] = (uint8_t)rng_u32(a->rng);
    return len;
}

static size_t cut(struct attacker *a)
{
    size_t len = copy_one(a);

    return len ? rng_below(a->rng, (uint32_t)len) : 0;
}

/* First bytes of STUN, DTLS and of nobody (RFC 7983), then noise. */
static size_t noise(struct attacker *a)
{
    static const uint8_t first[] = { 0, 1, 3, 4, 19, 20, 21, 22, 23, 24, 63, 64, 127, 255 };
    size_t len = 1 + rng_below(a->rng, ATTACKER_BYTES_MAX);

    rng_fill(a->rng, a->forged, len);
    a->forged[0] = first[rng_below(a->rng, COUNT(first))];
    return len;
}

/* Records without a key, as if the handshake were still going on (RFC 6347 §4.1): a fatal alert,
 * close_notify, a ClientHello, ChangeCipherSpec. */
static size_t plain_record(struct attacker *a)
{
    static const struct {
        uint8_t type, len, body[13];
    } records[] = {
        { 21, 2, { 2, 40 } },
        { 21, 2, { 1, 0 } },
        { 22, 13, { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xfe } },
        { 20, 1, { 1 } },
    };
    size_t i = rng_below(a->rng, COUNT(records));
    struct wr w = wr_of(a->forged, sizeof a->forged);

    wr_u8(&w, records[i].type);
    wr_u16(&w, 0xfefd);
    wr_u16(&w, (uint16_t)rng_below(a->rng, 3)); /* epoch */
    wr_uint(&w, rng_below(a->rng, 4000), 6);
    wr_u16(&w, records[i].len);
    wr_bytes(&w, bytes_of(records[i].body, records[i].len));
    return w.len;
}

/* STUN without integrity: a request with USE-CANDIDATE, a success, an error, an indication. */
static size_t plain_stun(struct attacker *a)
{
    static const uint16_t types[] = { 0x0001, 0x0101, 0x0111, 0x0011 };
    struct wr w = wr_of(a->forged, sizeof a->forged);

    wr_u16(&w, types[rng_below(a->rng, COUNT(types))]);
    wr_u16(&w, 4);
    wr_u32(&w, 0x2112a442);
    wr_u64(&w, rng_u64(a->rng));
    wr_u32(&w, rng_u32(a->rng));
    wr_u16(&w, 0x0025);
    wr_u16(&w, 0);
    return w.len;
}

struct bytes attacker_next(struct attacker *a, struct addr *from)
{
    static size_t (*const tricks[])(struct attacker *) = { replay, spoil,        cut,
                                                           noise,  plain_record, plain_stun };
    size_t len = tricks[rng_below(a->rng, COUNT(tricks))](a);

    if (rng_below(a->rng, 4) == 0)
        *from = addr_ipv4(0x01020304, (uint16_t)(1 + rng_below(a->rng, 65535)));
    return bytes_of(a->forged, len);
}
