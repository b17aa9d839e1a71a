#include "apps/common/record.h"

#include "tests/check.h"

static struct record parameters(void)
{
    struct record r = { .kind = RECORD_PARAMETERS };

    r.parameters = (struct record_parameters){ .media = RECORD_VIDEO,
                                               .codec = "h264",
                                               .tick_num = 1,
                                               .tick_den = 15360,
                                               .width = 1280,
                                               .height = 720,
                                               .profile = 100,
                                               .level = -99,
                                               .extradata = bytes_of("\x01\x64", 2) };
    return r;
}

static struct record unit(void)
{
    struct record r = { .kind = RECORD_UNIT, .flags = RECORD_KEY, .pts_us = -23220 };

    r.unit.dts_us = -66667;
    r.unit.duration_us = 33333;
    r.unit.data = bytes_of("frame", 5);
    return r;
}

/* The record after its length, as it arrives; checks the length. */
static struct bytes encode(const struct record *r, uint8_t *buf, size_t cap)
{
    struct wr w = wr_of(buf, cap);
    struct rd length;

    record_encode(&w, r);
    if (r->kind == RECORD_UNIT)
        wr_bytes(&w, r->unit.data);
    CHECK("it fits", w.ok);
    length = rd_of(wr_written(&w));
    CHECK("the length is of all that follows", rd_u32(&length) == w.len - 4);
    return rd_rest(&length);
}

TEST(what_is_decoded_is_what_was_encoded)
{
    struct record in, out;
    uint8_t buf[256];

    in = parameters();
    CHECK("parameters", !record_decode(&out, encode(&in, buf, sizeof buf)));
    CHECK("codec", strcmp(out.parameters.codec, "h264") == 0);
    CHECK("media", out.parameters.media == RECORD_VIDEO);
    CHECK("tick", out.parameters.tick_num == 1 && out.parameters.tick_den == 15360);
    CHECK("picture", out.parameters.width == 1280 && out.parameters.height == 720);
    CHECK("signed numbers", out.parameters.profile == 100 && out.parameters.level == -99);
    CHECK("extradata", bytes_equal(out.parameters.extradata, in.parameters.extradata));

    in = unit();
    CHECK("unit", !record_decode(&out, encode(&in, buf, sizeof buf)));
    CHECK("times", out.pts_us == -23220 && out.unit.dts_us == -66667);
    CHECK("duration and flag", out.unit.duration_us == 33333 && out.flags == RECORD_KEY);
    CHECK("the access unit", bytes_equal(out.unit.data, in.unit.data));

    in = (struct record){ .kind = RECORD_END, .unit_count = UINT64_MAX };
    CHECK("end", !record_decode(&out, encode(&in, buf, sizeof buf)));
    CHECK("count", out.kind == RECORD_END && out.unit_count == UINT64_MAX);
}

TEST(a_record_cut_short_is_refused)
{
    struct record records[] = { parameters(), unit(), { .kind = RECORD_END, .unit_count = 7 } };
    struct record out;
    uint8_t buf[256];

    for (size_t i = 0; i < COUNT(records); i++) {
        struct bytes body = encode(&records[i], buf, sizeof buf);
        size_t open_ended = records[i].kind == RECORD_UNIT         ? 5
                            : records[i].kind == RECORD_PARAMETERS ? 2
                                                                   : 0;

        for (size_t len = 0; len < body.len - open_ended; len++)
            CHECK("every truncation", record_decode(&out, bytes_of(body.data, len)));
    }
}

TEST(impossible_values_are_refused)
{
    static const struct {
        const char *claim;
        size_t at;
        uint8_t value;
    } rows[] = {
        { "kind 0", 0, 0 },         { "kind 4", 0, 4 },          { "media 3", 10, 3 },
        { "no codec name", 11, 0 }, { "a long one", 11, 32 },    { "NUL in it", 12, 0 },
        { "time base 0", 19, 0 },   { "negative one", 16, 128 }, { "a huge picture", 25, 1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record in = parameters(), out;
        uint8_t buf[256];
        struct bytes body = encode(&in, buf, sizeof buf);

        buf[4 + rows[i].at] = rows[i].value;
        CHECK(rows[i].claim, record_decode(&out, body));
    }
}

TEST(bounds_are_kept_by_the_encoder)
{
    struct record r = unit();
    uint8_t buf[RECORD_HEAD_BYTES];
    struct wr w = wr_of(buf, sizeof buf);

    r.unit.data = bytes_of(NULL, RECORD_BYTES_MAX - (RECORD_HEAD_BYTES - 4));
    record_encode(&w, &r);
    CHECK("the longest", w.ok && w.len == RECORD_HEAD_BYTES);
    w = wr_of(buf, sizeof buf);
    r.unit.data.len++;
    record_encode(&w, &r);
    CHECK("one byte more", !w.ok);
    w = wr_of(buf, sizeof buf - 1);
    r.unit.data.len = 1;
    record_encode(&w, &r);
    CHECK("no room", !w.ok);
}

TEST(ticks_survive_microseconds)
{
    static const uint32_t dens[] = { 1000, 15360, 44100, 48000, 90000, 240000 };
    static const int64_t ticks[] = { 0, 1, -1, -1024, 1001, 512 * 3600, INT64_C(1) << 33 };

    for (size_t i = 0; i < COUNT(dens); i++)
        for (size_t j = 0; j < COUNT(ticks); j++) {
            int64_t us = record_us_of_ticks(ticks[j], 1, dens[i]);

            CHECK("there and back", record_ticks_of_us(us, 1, dens[i]) == ticks[j]);
        }
    CHECK("no time stays none", record_ticks_of_us(INT64_MIN, 1, 90000) == INT64_MIN);
    CHECK("nor the other way", record_us_of_ticks(INT64_MIN, 1, 90000) == INT64_MIN);
    CHECK("saturates", record_us_of_ticks(INT64_MAX, 1, 1) == INT64_MAX);
    CHECK("below too", record_us_of_ticks(-INT64_MAX, 1, 1) == -INT64_MAX);
    CHECK("to the nearest", record_us_of_ticks(1, 1, 90000) == 11);
    CHECK("1001/30000", record_us_of_ticks(1, 1001, 30000) == 33367);
}

TESTS(TEST_ROW(what_is_decoded_is_what_was_encoded), TEST_ROW(a_record_cut_short_is_refused),
      TEST_ROW(impossible_values_are_refused), TEST_ROW(bounds_are_kept_by_the_encoder),
      TEST_ROW(ticks_survive_microseconds))
