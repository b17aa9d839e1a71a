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
    uint8_t *at = wr_room(w, COMMON_HEADER_LEN);

    if (!at)
        return;
    put_u16(at, h->source_port);
    put_u16(at + 2, h->destination_port);
    put_u32(at + 4, h->tag);
    put_u32(at + 8, __builtin_bswap32(h->checksum));
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

/* Chunk types in Supported Extensions (RFC 5061 §4.2.7), in the order in which we list ours. */
static const struct extension {
    uint8_t type, bit;
} extensions[] = {
    { CHUNK_RE_CONFIG, INIT_RE_CONFIG }, { CHUNK_FORWARD_TSN, INIT_FORWARD_TSN },
    { CHUNK_I_DATA, INIT_I_DATA },       { CHUNK_I_FORWARD_TSN, INIT_I_FORWARD_TSN },
    { CHUNK_PART, INIT_PARTS },
};

static void read_extensions(struct init_chunk *init, struct bytes types)
{
    for (size_t i = 0; i < types.len; i++)
        for (size_t j = 0; j < COUNT(extensions); j++)
            if (types.data[i] == extensions[j].type)
                init->extensions |= extensions[j].bit;
}

/* RFC 9653 §4: another length or another method is as good as no parameter. */
static void read_zero_checksum(struct init_chunk *init, struct bytes body)
{
    struct rd r = rd_of(body);

    if (body.len == 4 && rd_u32(&r) == ERRORS_FOUND_BY_DTLS)
        init->extensions |= INIT_ZERO_CHECKSUM;
}

/* Known and without meaning for a single-homed association over DTLS: addresses, the cookie
 * preservative, address types, ECN, padding, and RFC 4895's (random, chunk list, algorithms: DTLS
 * authenticates), adaptation (RFC 5061). */
static bool is_known_and_idle(uint16_t type)
{
    static const uint16_t idle[] = { 5, 6, 9, 12, 0x8000, 0x8005, 0x8002, 0x8003, 0x8004, 0xc006 };

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
    } else if (p->type == PARAM_ZERO_CHECKSUM_ACCEPTABLE) {
        read_zero_checksum(init, p->body);
    } else if (p->type == PARAM_FORWARD_TSN_SUPPORTED) {
        init->extensions |= INIT_FORWARD_TSN; /* RFC 3758 §3.1; the list says the same */
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

static void extensions_encode(struct wr *w, uint8_t bits)
{
    size_t at;

    if (bits & INIT_FORWARD_TSN)
        param_encode(w, PARAM_FORWARD_TSN_SUPPORTED, bytes_of(NULL, 0));
    if (bits & INIT_ZERO_CHECKSUM) {
        at = param_begin(w, PARAM_ZERO_CHECKSUM_ACCEPTABLE);
        wr_u32(w, ERRORS_FOUND_BY_DTLS);
        param_end(w, at);
    }
    if (!(bits & ~INIT_ZERO_CHECKSUM))
        return;
    at = param_begin(w, PARAM_SUPPORTED_EXTENSIONS);
    for (size_t i = 0; i < COUNT(extensions); i++)
        if (bits & extensions[i].bit)
            wr_u8(w, extensions[i].type);
    param_end(w, at);
}

void init_encode(struct wr *w, enum chunk_type type, const struct init_chunk *init)
{
    size_t at = chunk_begin(w, type, 0);

    wr_u32(w, init->tag);
    wr_u32(w, init->a_rwnd);
    wr_u16(w, init->out_streams);
    wr_u16(w, init->in_streams);
    wr_u32(w, init->tsn);
    if (init->cookie.len)
        param_encode(w, PARAM_STATE_COOKIE, init->cookie);
    extensions_encode(w, init->extensions);
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
    out->fsn = 0;
    out->payload = rd_rest(&r);
    return r.ok;
}

/* |                    TSN                       |
 * |  stream identifier   |      reserved         |
 * |            message identifier                |
 * |  ppid of the first fragment, else its FSN    | user data … */
bool i_data_decode(struct data_chunk *out, const struct chunk *c)
{
    struct rd r = rd_of(c->body);
    uint32_t last;

    out->flags = c->flags;
    out->tsn = rd_u32(&r);
    out->stream = rd_u16(&r);
    rd_skip(&r, 2);
    out->ssn = rd_u32(&r);
    last = rd_u32(&r);
    out->ppid = c->flags & DATA_BEGINS ? last : 0;
    out->fsn = c->flags & DATA_BEGINS ? 0 : last;
    out->payload = rd_rest(&r);
    return r.ok;
}

void data_header_encode(struct wr *w, const struct data_chunk *d)
{
    uint8_t *at = wr_room(w, DATA_HEADER_LEN);

    if (!at)
        return;
    at[0] = CHUNK_DATA;
    at[1] = d->flags;
    put_u16(at + 2, (uint16_t)(DATA_HEADER_LEN + d->payload.len));
    put_u32(at + 4, d->tsn);
    put_u16(at + 8, d->stream);
    put_u16(at + 10, (uint16_t)d->ssn);
    put_u32(at + 12, d->ppid);
}

void i_data_header_encode(struct wr *w, const struct data_chunk *d)
{
    uint8_t *at = wr_room(w, I_DATA_HEADER_LEN);

    if (!at)
        return;
    at[0] = CHUNK_I_DATA;
    at[1] = d->flags;
    put_u16(at + 2, (uint16_t)(I_DATA_HEADER_LEN + d->payload.len));
    put_u32(at + 4, d->tsn);
    put_u16(at + 8, d->stream);
    put_u16(at + 10, 0);
    put_u32(at + 12, d->ssn);
    put_u32(at + 16, d->flags & DATA_BEGINS ? d->ppid : d->fsn);
}

/* FORWARD-TSN                                     I-FORWARD-TSN
 * |          new cumulative TSN          |        |          new cumulative TSN          |
 * |  stream          |   SSN             | …      |  stream          |   reserved      |U|
 *                                                 |       message identifier             | … */
bool forward_decode(struct forward_chunk *out, const struct chunk *c)
{
    struct rd r = rd_of(c->body);

    out->is_interleaved = c->type == CHUNK_I_FORWARD_TSN;
    out->cum_tsn = rd_u32(&r);
    out->skips = rd_of(rd_rest(&r));
    return r.ok &&
           rd_left(&out->skips) % (out->is_interleaved ? I_FORWARD_SKIP_LEN : FORWARD_SKIP_LEN) ==
               0;
}

bool forward_next(struct forward_chunk *f, struct forward_skip *out)
{
    if (rd_left(&f->skips) == 0)
        return false;
    out->stream = rd_u16(&f->skips);
    out->is_unordered = f->is_interleaved && rd_u16(&f->skips) & SKIP_UNORDERED;
    out->ssn = f->is_interleaved ? rd_u32(&f->skips) : rd_u16(&f->skips);
    return f->skips.ok;
}

void forward_encode(struct wr *w, bool is_interleaved, uint32_t cum_tsn,
                    const struct forward_skip *skips, size_t count)
{
    size_t at = chunk_begin(w, is_interleaved ? CHUNK_I_FORWARD_TSN : CHUNK_FORWARD_TSN, 0);

    wr_u32(w, cum_tsn);
    for (size_t i = 0; i < count; i++) {
        wr_u16(w, skips[i].stream);
        if (is_interleaved) {
            wr_u16(w, skips[i].is_unordered ? SKIP_UNORDERED : 0);
            wr_u32(w, skips[i].ssn);
        } else {
            wr_u16(w, (uint16_t)skips[i].ssn);
        }
    }
    chunk_end(w, at);
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
    out->duplicates = rd_sub(&r, (size_t)out->duplicate_count * 4);
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
