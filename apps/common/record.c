#include "apps/common/record.h"

#include <limits.h>

enum { US_PER_SECOND = 1000000 };

static const char *decode_parameters(struct rd *r, struct record_parameters *p)
{
    uint8_t media = rd_u8(r);
    struct bytes codec = rd_bytes(r, rd_u8(r));

    if (media != RECORD_VIDEO && media != RECORD_AUDIO)
        return "parameters of neither video nor audio";
    if (!codec.len || codec.len >= sizeof p->codec || memchr(codec.data, 0, codec.len))
        return "a codec name of an impossible length";
    p->media = media;
    memcpy(p->codec, codec.data, codec.len);
    p->tick_num = rd_u32(r);
    p->tick_den = rd_u32(r);
    p->width = rd_u32(r);
    p->height = rd_u32(r);
    p->sample_rate = rd_u32(r);
    p->channels = rd_u16(r);
    p->frame_size = rd_u32(r);
    p->profile = (int32_t)rd_u32(r);
    p->level = (int32_t)rd_u32(r);
    p->extradata = rd_rest(r);
    if (!r->ok)
        return "parameters cut short";
    if (!p->tick_num || !p->tick_den || p->tick_num > INT32_MAX || p->tick_den > INT32_MAX)
        return "an impossible time base";
    if (p->width > INT16_MAX || p->height > INT16_MAX || p->sample_rate > INT32_MAX)
        return "an impossible picture size or sample rate";
    if (p->extradata.len > RECORD_EXTRADATA_MAX)
        return "too much extradata";
    return NULL;
}

static const char *decode_unit(struct rd *r, struct record *out)
{
    out->unit.dts_us = (int64_t)rd_u64(r);
    out->unit.duration_us = (int64_t)rd_u64(r);
    out->unit.data = rd_rest(r);
    if (!r->ok)
        return "a unit cut short";
    return out->unit.duration_us < 0 ? "a unit of negative duration" : NULL;
}

static const char *decode_end(struct rd *r, struct record *out)
{
    out->unit_count = rd_u64(r);
    return r->ok && !rd_left(r) ? NULL : "an end record of the wrong length";
}

const char *record_decode(struct record *out, struct bytes body)
{
    struct rd r = rd_of(body);

    *out = (struct record){ 0 };
    out->kind = rd_u8(&r);
    out->flags = rd_u8(&r);
    out->pts_us = (int64_t)rd_u64(&r);
    if (!r.ok)
        return "a record cut short";
    switch (out->kind) {
    case RECORD_PARAMETERS:
        return decode_parameters(&r, &out->parameters);
    case RECORD_UNIT:
        return decode_unit(&r, out);
    case RECORD_END:
        return decode_end(&r, out);
    }
    return "a record of unknown kind";
}

static void encode_parameters(struct wr *w, const struct record_parameters *p)
{
    struct bytes codec = bytes_of_string(p->codec);

    wr_u8(w, (uint8_t)p->media);
    wr_u8(w, (uint8_t)codec.len);
    wr_bytes(w, codec);
    wr_u32(w, p->tick_num);
    wr_u32(w, p->tick_den);
    wr_u32(w, p->width);
    wr_u32(w, p->height);
    wr_u32(w, p->sample_rate);
    wr_u16(w, p->channels);
    wr_u32(w, p->frame_size);
    wr_u32(w, (uint32_t)p->profile);
    wr_u32(w, (uint32_t)p->level);
    wr_bytes(w, p->extradata);
}

static void encode_body(struct wr *w, const struct record *r)
{
    switch (r->kind) {
    case RECORD_PARAMETERS:
        encode_parameters(w, &r->parameters);
        break;
    case RECORD_UNIT:
        wr_u64(w, (uint64_t)r->unit.dts_us);
        wr_u64(w, (uint64_t)r->unit.duration_us);
        break;
    case RECORD_END:
        wr_u64(w, r->unit_count);
        break;
    }
}

void record_encode(struct wr *w, const struct record *r)
{
    size_t at = w->len, follows = r->kind == RECORD_UNIT ? r->unit.data.len : 0;
    struct wr length;

    wr_u32(w, 0);
    wr_u8(w, (uint8_t)r->kind);
    wr_u8(w, r->flags);
    wr_u64(w, (uint64_t)r->pts_us);
    encode_body(w, r);
    if (!w->ok || follows > RECORD_BYTES_MAX || w->len - at - 4 > RECORD_BYTES_MAX - follows) {
        w->ok = false;
        return;
    }
    length = wr_of(w->data + at, 4);
    wr_u32(&length, (uint32_t)(w->len - at - 4 + follows));
}

__extension__ typedef unsigned __int128 wide; /* no 64 bits hold a product of ticks */

/* value * mul / div to the nearest, halves away from zero; saturates where it would overflow. */
static int64_t rescale(int64_t value, uint64_t mul, uint64_t div)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t whole = size / div, rest = size % div;
    wide scaled = (wide)whole * mul + ((wide)rest * mul + div / 2) / div;

    if (scaled > INT64_MAX)
        scaled = INT64_MAX;
    return value < 0 ? -(int64_t)scaled : (int64_t)scaled;
}

int64_t record_us_of_ticks(int64_t ticks, uint32_t tick_num, uint32_t tick_den)
{
    return ticks == INT64_MIN ? ticks
                              : rescale(ticks, (uint64_t)tick_num * US_PER_SECOND, tick_den);
}

int64_t record_ticks_of_us(int64_t us, uint32_t tick_num, uint32_t tick_den)
{
    return us == INT64_MIN ? us : rescale(us, tick_den, (uint64_t)tick_num * US_PER_SECOND);
}
