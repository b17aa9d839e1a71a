#include "core/sctp/chunk.h"

/* |     source port      |   destination port    |
 * |              verification tag                |
 * |                  checksum                    | */
bool header_decode(struct common_header *out, struct rd *packet)
{
    out->source_port = rd_u16(packet);
    out->destination_port = rd_u16(packet);
    out->tag = rd_u32(packet);
    out->checksum = __builtin_bswap32(rd_u32(packet));
    return packet->ok;
}

void header_encode(struct wr *w, const struct common_header *h)
{
    wr_u16(w, h->source_port);
    wr_u16(w, h->destination_port);
    wr_u32(w, h->tag);
    wr_u32(w, __builtin_bswap32(h->checksum));
}

/* Skips up to three bytes of padding; the last chunk of a packet may come without. */
static void skip_padding(struct rd *r, size_t len)
{
    size_t pad = padded(len) - len;

    rd_skip(r, pad < rd_left(r) ? pad : rd_left(r));
}

/* | type | flags | length: header and value, without padding | value … */
bool chunk_read(struct rd *packet, struct chunk *out)
{
    struct rd header = *packet;
    uint16_t len;

    if (!packet->ok || rd_left(packet) == 0)
        return false;
    out->type = rd_u8(&header);
    out->flags = rd_u8(&header);
    len = rd_u16(&header);
    out->whole = rd_bytes(packet, len < CHUNK_HEADER_LEN ? SIZE_MAX : len);
    if (!header.ok || !packet->ok)
        return packet->ok = false;
    out->body = bytes_of(header.p, len - (size_t)CHUNK_HEADER_LEN);
    skip_padding(packet, len);
    return true;
}

/* | type         | length: header and value, without padding | value … */
bool param_read(struct rd *params, struct param *out)
{
    struct rd header = *params;
    uint16_t len;

    if (!params->ok || rd_left(params) == 0)
        return false;
    out->type = rd_u16(&header);
    len = rd_u16(&header);
    out->whole = rd_bytes(params, len < PARAM_HEADER_LEN ? SIZE_MAX : len);
    if (!header.ok || !params->ok)
        return params->ok = false;
    out->body = bytes_of(header.p, len - (size_t)PARAM_HEADER_LEN);
    skip_padding(params, len);
    return true;
}

static void read_extensions(struct init_chunk *init, struct bytes types)
{
    for (size_t i = 0; i < types.len; i++)
        if (types.data[i] == CHUNK_RE_CONFIG)
            init->re_config = true;
}

/* Known and without meaning for a single-homed association over DTLS: addresses, the cookie
 * preservative, address types, ECN, padding, FORWARD-TSN (RFC 3758: we never announce it), and
 * RFC 4895's (random, chunk list, algorithms: DTLS authenticates), adaptation (RFC 5061). */
static bool is_known_and_idle(uint16_t type)
{
    static const uint16_t idle[] = { 5,      6,      9,      12,     0x8000, 0x8005,
                                     0x8002, 0x8003, 0x8004, 0xc000, 0xc006 };

    for (size_t i = 0; i < COUNT(idle); i++)
        if (idle[i] == type)
            return true;
    return false;
}

/* False: the rest of the parameters must not be looked at (RFC 9260 §3.2.1). */
static bool read_init_param(struct init_chunk *init, const struct param *p)
{
    if (p->type == PARAM_STATE_COOKIE) {
        init->cookie = p->body;
    } else if (p->type == PARAM_SUPPORTED_EXTENSIONS) {
        read_extensions(init, p->body);
    } else if (!is_known_and_idle(p->type) && p->type != PARAM_UNRECOGNIZED) {
        if (p->type & PARAM_IF_UNKNOWN_REPORT && init->unknown_count < UNKNOWN_PARAMS_MAX)
            init->unknown[init->unknown_count++] = p->whole;
        return p->type & PARAM_IF_UNKNOWN_SKIP;
    }
    return true;
}

/* |               initiate tag                   |
 * |                 a_rwnd                       |
 * |  outbound streams    |   inbound streams     |
 * |               initial TSN                    | parameters … */
bool init_decode(struct init_chunk *out, struct bytes body)
{
    struct rd r = rd_of(body);
    struct param p;

    *out = (struct init_chunk){ .tag = rd_u32(&r) };
    out->a_rwnd = rd_u32(&r);
    out->out_streams = rd_u16(&r);
    out->in_streams = rd_u16(&r);
    out->tsn = rd_u32(&r);
    while (param_read(&r, &p))
        if (!read_init_param(out, &p))
            return true;
    return r.ok;
}

void init_encode(struct wr *w, enum chunk_type type, const struct init_chunk *init)
{
    static const uint8_t extensions[] = { CHUNK_RE_CONFIG };
    size_t at = chunk_begin(w, type, 0);

    wr_u32(w, init->tag);
    wr_u32(w, init->a_rwnd);
    wr_u16(w, init->out_streams);
    wr_u16(w, init->in_streams);
    wr_u32(w, init->tsn);
    if (init->cookie.len)
        param_encode(w, PARAM_STATE_COOKIE, init->cookie);
    if (init->re_config)
        param_encode(w, PARAM_SUPPORTED_EXTENSIONS, bytes_of(extensions, sizeof extensions));
    for (size_t i = 0; i < init->unknown_count; i++)
        param_encode(w, PARAM_UNRECOGNIZED, init->unknown[i]);
    chunk_end(w, at);
}

/* |                    TSN                       |
 * |  stream identifier   | stream sequence number|
 * |        payload protocol identifier           | user data … */
bool data_decode(struct data_chunk *out, const struct chunk *c)
{
    struct rd r = rd_of(c->body);

    out->flags = c->flags;
    out->tsn = rd_u32(&r);
    out->stream = rd_u16(&r);
    out->ssn = rd_u16(&r);
    out->ppid = rd_u32(&r);
    out->payload = rd_rest(&r);
    return r.ok;
}

void data_header_encode(struct wr *w, const struct data_chunk *d)
{
    wr_u8(w, CHUNK_DATA);
    wr_u8(w, d->flags);
    wr_u16(w, (uint16_t)(DATA_HEADER_LEN + d->payload.len));
    wr_u32(w, d->tsn);
    wr_u16(w, d->stream);
    wr_u16(w, d->ssn);
    wr_u32(w, d->ppid);
}

/* |             cumulative TSN ack               |
 * |                 a_rwnd                       |
 * |  gap ack blocks      |   duplicate TSNs      |
 * |  gap start offset    |   gap end offset      | …
 * |               duplicate TSN                  | … */
bool sack_decode(struct sack_chunk *out, struct bytes body)
{
    struct rd r = rd_of(body);

    out->cum_tsn = rd_u32(&r);
    out->a_rwnd = rd_u32(&r);
    out->gap_count = rd_u16(&r);
    out->duplicate_count = rd_u16(&r);
    out->gaps = rd_sub(&r, (size_t)out->gap_count * GAP_BLOCK_LEN);
    rd_skip(&r, (size_t)out->duplicate_count * 4);
    return r.ok;
}

bool reset_request_decode(struct reset_request *out, struct bytes param_body)
{
    struct rd r = rd_of(param_body);

    out->request_seq = rd_u32(&r);
    out->response_seq = rd_u32(&r);
    out->last_tsn = rd_u32(&r);
    out->streams = rd_rest(&r);
    return r.ok && out->streams.len % 2 == 0;
}

size_t chunk_begin(struct wr *w, enum chunk_type type, uint8_t flags)
{
    size_t at = w->len;

    wr_u8(w, (uint8_t)type);
    wr_u8(w, flags);
    wr_u16(w, 0);
    return at;
}

size_t param_begin(struct wr *w, uint16_t type)
{
    size_t at = padded(w->len);

    wr_zero(w, at - w->len);
    wr_u16(w, type);
    wr_u16(w, 0);
    return at;
}

void param_end(struct wr *w, size_t at)
{
    wr_patch_u16(w, at + 2, (uint16_t)(w->len - at));
}

void chunk_end(struct wr *w, size_t at)
{
    size_t len = w->len - at;

    wr_patch_u16(w, at + 2, (uint16_t)len);
    wr_zero(w, padded(len) - len);
}

void param_encode(struct wr *w, uint16_t type, struct bytes body)
{
    size_t at = param_begin(w, type);

    wr_bytes(w, body);
    param_end(w, at);
}
