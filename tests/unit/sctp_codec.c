#include "core/sctp/chunk.h"
#include "core/sctp/cookie.h"

#include "tests/check.h"
#include "tests/support/hex.h"

static uint8_t scratch[512];

enum {
    ALL_EXTENSIONS =
        INIT_RE_CONFIG | INIT_I_DATA | INIT_FORWARD_TSN | INIT_I_FORWARD_TSN | INIT_ZERO_CHECKSUM
};

static struct chunk chunk_of(const char *hex)
{
    struct rd r = rd_of(hex_decode(hex, scratch, sizeof scratch));
    struct chunk c = { 0 };

    CHECK("a chunk", chunk_read(&r, &c) && r.ok && rd_left(&r) == 0);
    return c;
}

/* Chromium's, as its SDP carries it (draft-hancke-tsvwg-snap), and Firefox's with I-DATA. */
static const struct {
    const char *claim, *hex;
    bool is_good;
    unsigned extensions;
    uint32_t tag, a_rwnd, tsn;
    uint16_t streams;
    size_t cookie_len, unknown_count;
} inits[] = {
    { "Chromium", "0100001e 1d9a4f77 00500000 ffff ffff 8b0f55aa c0000004 80080006 82c0 0000", true,
      INIT_RE_CONFIG | INIT_FORWARD_TSN, 0x1d9a4f77, 0x500000, 0x8b0f55aa, 65535, 0, 0 },
    { "Firefox", "01000020 00000001 01000000 ffff ffff ffffffff c0000004 80080008 82c040c2", true,
      ALL_EXTENSIONS & ~INIT_ZERO_CHECKSUM, 1, 0x1000000, 0xffffffff, 65535, 0, 0 },
    { "without parameters", "01000014 00000001 00001000 0001 0001 00000000", true, 0, 1, 4096, 0, 1,
      0, 0 },
    { "INIT ACK with a cookie", "0200001c 00000002 00001000 0001 0001 00000000 00070008 01020304",
      true, 0, 2, 4096, 0, 1, 4, 0 },
    { "unknown, stop", "01000020 00000001 00001000 0001 0001 00000000 000f0004 8008000582000000",
      true, 0, 1, 4096, 0, 1, 0, 0 },
    { "unknown, stop and report", "01000018 00000001 00001000 0001 0001 00000000 400f0004", true, 0,
      1, 4096, 0, 1, 0, 1 },
    { "unknown, skip", "01000020 00000001 00001000 0001 0001 00000000 800f0004 8008000582000000",
      true, INIT_RE_CONFIG, 1, 4096, 0, 1, 0, 0 },
    { "unknown, skip and report",
      "01000020 00000001 00001000 0001 0001 00000000 c00f0004 8008000582000000", true,
      INIT_RE_CONFIG, 1, 4096, 0, 1, 0, 1 },
    { "addresses and cookie preservative are known and ignored",
      "01000024 00000001 00001000 0001 0001 00000000 00050008 7f000001 00090008 00000000", true, 0,
      1, 4096, 0, 1, 0, 0 },
    { "cut short", "01000013 00000001 00001000 0001 0001 000000 00", false, 0, 0, 0, 0, 0, 0, 0 },
    { "a parameter longer than the chunk",
      "0100001c 00000001 00001000 0001 0001 00000000 80080009 82c00000", false, 0, 0, 0, 0, 0, 0,
      0 },
    { "a parameter shorter than its header",
      "01000018 00000001 00001000 0001 0001 00000000 80080003", false, 0, 0, 0, 0, 0, 0, 0 },
    { "zero checksum over DTLS", "0100001c 00000001 00001000 0001 0001 00000000 80010008 00000001",
      true, INIT_ZERO_CHECKSUM, 1, 4096, 0, 1, 0, 0 },
    { "zero checksum over something else",
      "0100001c 00000001 00001000 0001 0001 00000000 80010008 00000002", true, 0, 1, 4096, 0, 1, 0,
      0 },
    { "zero checksum of a length that is none",
      "01000020 00000001 00001000 0001 0001 00000000 8001000c 00000001 00000000", true, 0, 1, 4096,
      0, 1, 0, 0 },
    { "zero checksum without its method", "01000018 00000001 00001000 0001 0001 00000000 80010004",
      true, 0, 1, 4096, 0, 1, 0, 0 },
    { "FORWARD-TSN by its parameter alone",
      "01000018 00000001 00001000 0001 0001 00000000 c0000004", true, INIT_FORWARD_TSN, 1, 4096, 0,
      1, 0, 0 },
    { "extensions nobody knows", "0100001c 00000001 00001000 0001 0001 00000000 80080008 c180ff00",
      true, 0, 1, 4096, 0, 1, 0, 0 },
};

TEST(init_chunks)
{
    for (size_t i = 0; i < COUNT(inits); i++) {
        struct init_chunk init;
        bool is_good = init_decode(&init, chunk_of(inits[i].hex).body);

        CHECK(inits[i].claim, is_good == inits[i].is_good);
        if (!inits[i].is_good)
            continue;
        CHECK(inits[i].claim, init.tag == inits[i].tag && init.a_rwnd == inits[i].a_rwnd);
        CHECK(inits[i].claim, init.tsn == inits[i].tsn && init.in_streams == inits[i].streams);
        CHECK(inits[i].claim, init.out_streams == inits[i].streams);
        CHECK(inits[i].claim, init.extensions == inits[i].extensions);
        CHECK(inits[i].claim, init.cookie.len == inits[i].cookie_len);
        CHECK(inits[i].claim, init.unknown_count == inits[i].unknown_count);
    }
}

TEST(every_truncation_of_an_init_is_refused_or_shorter)
{
    struct chunk c = chunk_of(inits[0].hex);

    for (size_t len = 0; len < c.body.len; len++) {
        struct init_chunk init;
        bool is_good = init_decode(&init, bytes_of(c.body.data, len));

        /* 16 bytes are a whole INIT without parameters, 20 one with the first of them. */
        CHECK("only between parameters", is_good == (len == 16 || len == 20));
    }
}

TEST(init_survives_the_round_trip)
{
    uint8_t bytes[256], cookie[5] = { 9, 8, 7, 6, 5 };
    uint8_t unknown[8] = { 0xc0, 0x0f, 0, 6, 1, 2, 0, 0 };
    struct init_chunk in = {
        .tag = 7,
        .a_rwnd = 1 << 22,
        .out_streams = 12,
        .in_streams = 13,
        .tsn = 0xfffffff0,
        .extensions = ALL_EXTENSIONS,
        .cookie = bytes_of(cookie, sizeof cookie),
        .unknown = { bytes_of(unknown, 6) },
        .unknown_count = 1,
    };
    struct init_chunk out;
    struct wr w = wr_of(bytes, sizeof bytes);
    struct rd r;
    struct chunk c;

    init_encode(&w, CHUNK_INIT_ACK, &in);
    r = rd_of(wr_written(&w));
    CHECK("one chunk", chunk_read(&r, &c) && rd_left(&r) == 0 && c.type == CHUNK_INIT_ACK);
    CHECK("decodes", init_decode(&out, c.body));
    CHECK("numbers", out.tag == 7 && out.a_rwnd == 1 << 22 && out.tsn == 0xfffffff0);
    CHECK("streams", out.out_streams == 12 && out.in_streams == 13);
    CHECK("extensions", out.extensions == ALL_EXTENSIONS);
    CHECK("cookie", bytes_equal(out.cookie, in.cookie));
    CHECK("reports are not reported back", out.unknown_count == 0);
}

static const struct {
    const char *claim, *hex;
    bool is_good;
    uint32_t tsn, ppid;
    uint16_t stream, ssn;
    uint8_t flags;
    size_t len;
} datas[] = {
    { "a whole message", "00030013 00000005 0003 0001 00000033 61626300", true, 5, 51, 3, 1, 3, 3 },
    { "unordered, SACK wanted", "000f0011 80000000 0000 0000 00000035 ff000000", true, 0x80000000,
      53, 0, 0, 15, 1 },
    { "no user data", "00030010 00000005 0003 0001 00000033", true, 5, 51, 3, 1, 3, 0 },
    { "header cut", "0003000f 00000005 0003 0001 000000 00", false, 0, 0, 0, 0, 0, 0 },
};

TEST(data_chunks)
{
    for (size_t i = 0; i < COUNT(datas); i++) {
        struct chunk c = chunk_of(datas[i].hex);
        struct data_chunk d;
        bool is_good = data_decode(&d, &c);

        CHECK(datas[i].claim, is_good == datas[i].is_good);
        if (!is_good)
            continue;
        CHECK(datas[i].claim, d.tsn == datas[i].tsn && d.ppid == datas[i].ppid);
        CHECK(datas[i].claim, d.stream == datas[i].stream && d.ssn == datas[i].ssn);
        CHECK(datas[i].claim, d.flags == datas[i].flags && d.payload.len == datas[i].len);

        uint8_t again[64];
        struct wr w = wr_of(again, sizeof again);

        data_header_encode(&w, &d);
        wr_bytes(&w, d.payload);
        CHECK("and back", bytes_equal(wr_written(&w), c.whole));
    }
}

static const struct {
    const char *claim, *hex;
    bool is_good;
    uint32_t tsn, ppid, mid, fsn;
    uint16_t stream;
    uint8_t flags;
    size_t len;
} i_datas[] = {
    { "a whole message", "40030017 00000005 0003 0000 00000007 00000033 61626300", true, 5, 51, 7,
      0, 3, 3, 3 },
    { "a fragment amid", "40000018 00000006 0003 0000 fffffffe 00000009 61626364", true, 6, 0,
      0xfffffffe, 9, 3, 0, 4 },
    { "the last one, unordered, SACK wanted",
      "400d0015 80000000 0000 0000 00000000 ffffffff ff000000", true, 0x80000000, 0, 0, 0xffffffff,
      0, 13, 1 },
    { "no user data", "40030014 00000005 0003 0000 00000001 00000033", true, 5, 51, 1, 0, 3, 3, 0 },
    { "DATA's header", "40030010 00000005 0003 0001 00000033", false, 0, 0, 0, 0, 0, 0, 0 },
};

TEST(i_data_chunks)
{
    for (size_t i = 0; i < COUNT(i_datas); i++) {
        struct chunk c = chunk_of(i_datas[i].hex);
        struct data_chunk d;
        bool is_good = i_data_decode(&d, &c);

        CHECK(i_datas[i].claim, is_good == i_datas[i].is_good);
        if (!is_good)
            continue;
        CHECK(i_datas[i].claim, d.tsn == i_datas[i].tsn && d.ppid == i_datas[i].ppid);
        CHECK(i_datas[i].claim, d.ssn == i_datas[i].mid && d.fsn == i_datas[i].fsn);
        CHECK(i_datas[i].claim, d.stream == i_datas[i].stream && d.flags == i_datas[i].flags);
        CHECK(i_datas[i].claim, d.payload.len == i_datas[i].len);

        uint8_t again[64];
        struct wr w = wr_of(again, sizeof again);

        i_data_header_encode(&w, &d);
        wr_bytes(&w, d.payload);
        CHECK("and back", bytes_equal(wr_written(&w), c.whole));
        for (size_t len = 0; len < c.body.len; len++) {
            struct chunk cut = { .flags = c.flags, .body = bytes_of(c.body.data, len) };

            CHECK("cut short", i_data_decode(&d, &cut) == (len >= 16));
        }
    }
}

static const struct {
    const char *claim, *hex;
    bool is_good;
    uint32_t cum_tsn;
    size_t count;
    struct forward_skip last;
} forwards[] = {
    { "nothing but a TSN", "c0000008 fffffff0", true, 0xfffffff0, 0, { 0 } },
    { "two streams", "c0000010 00000009 0001 0002 0003 ffff", true, 9, 2, { 3, false, 0xffff } },
    { "half an entry", "c000000a 00000009 0001 0000", false, 0, 0, { 0 } },
    { "TSN cut", "c0000006 0000 0000", false, 0, 0, { 0 } },
    { "interleaved, nothing but a TSN", "c2000008 00000009", true, 9, 0, { 0 } },
    { "interleaved, ordered and unordered",
      "c2000018 00000009 0001 0000 00000002 0001 0001 fffffffe",
      true,
      9,
      2,
      { 1, true, 0xfffffffe } },
    { "entries of the other kind", "c200000c 00000009 0001 0002", false, 0, 0, { 0 } },
};

TEST(forward_tsn_chunks)
{
    for (size_t i = 0; i < COUNT(forwards); i++) {
        struct chunk c = chunk_of(forwards[i].hex);
        struct forward_chunk f;
        struct forward_skip skips[4];
        size_t count = 0;
        bool is_good = forward_decode(&f, &c);
        uint8_t again[64];
        struct wr w = wr_of(again, sizeof again);

        CHECK(forwards[i].claim, is_good == forwards[i].is_good);
        if (!is_good)
            continue;
        while (forward_next(&f, &skips[count]))
            count++;
        CHECK(forwards[i].claim, f.cum_tsn == forwards[i].cum_tsn && count == forwards[i].count);
        if (count) {
            struct forward_skip last = skips[count - 1];

            CHECK(forwards[i].claim, last.stream == forwards[i].last.stream &&
                                         last.is_unordered == forwards[i].last.is_unordered &&
                                         last.ssn == forwards[i].last.ssn);
        }
        forward_encode(&w, f.is_interleaved, f.cum_tsn, skips, count);
        CHECK("and back", bytes_equal(wr_written(&w), c.whole));
        for (size_t len = 0; len < c.body.len; len++) {
            struct chunk cut = { .type = c.type, .body = bytes_of(c.body.data, len) };
            size_t entry = f.is_interleaved ? 8 : 4;

            CHECK("whole entries only",
                  forward_decode(&f, &cut) == (len >= 4 && (len - 4) % entry == 0));
        }
    }
}

static const struct {
    const char *claim, *hex;
    bool is_good;
    uint16_t gaps, duplicates;
} sacks[] = {
    { "plain", "03000010 00000009 00010000 0000 0000", true, 0, 0 },
    { "gaps and duplicates",
      "03000020 00000009 00010000 0002 0002 0002 0003 0005 0005 00000001 00000002", true, 2, 2 },
    { "fewer gaps than said", "03000014 00000009 00010000 0002 0000 0002 0003", false, 0, 0 },
    { "fewer duplicates than said", "03000014 00000009 00010000 0001 0001 0002 0003", false, 0, 0 },
    { "header cut", "0300000c 00000009 00010000", false, 0, 0 },
};

TEST(sack_chunks)
{
    for (size_t i = 0; i < COUNT(sacks); i++) {
        struct sack_chunk s;
        bool is_good = sack_decode(&s, chunk_of(sacks[i].hex).body);

        CHECK(sacks[i].claim, is_good == sacks[i].is_good);
        if (is_good)
            CHECK(sacks[i].claim, s.gap_count == sacks[i].gaps && s.cum_tsn == 9 &&
                                      s.duplicate_count == sacks[i].duplicates &&
                                      rd_left(&s.gaps) == 4u * sacks[i].gaps);
    }
}

TEST(chunks_in_a_packet)
{
    struct {
        const char *claim, *hex;
        unsigned chunks;
        bool is_good;
    } rows[] = {
        { "none", "", 0, true },
        { "two", "0b000004 0e000004", 2, true },
        { "padding is skipped", "06000005 ff000000 0b000004", 2, true },
        { "the last one's padding may be missing", "0b000004 06000005 ff", 2, true },
        { "length below the header's", "0b000003", 0, false },
        { "length zero", "0b000004 0b000000", 1, false },
        { "longer than the packet", "0b000004 06000006 ff", 1, false },
        { "half a header", "0b000004 0b00", 1, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rd r = rd_of(hex_decode(rows[i].hex, scratch, sizeof scratch));
        struct chunk c;
        unsigned chunks = 0;

        while (chunk_read(&r, &c))
            chunks++;
        CHECK(rows[i].claim, chunks == rows[i].chunks && r.ok == rows[i].is_good);
    }
}

TEST(reset_requests)
{
    struct {
        const char *claim, *hex;
        bool is_good;
        size_t streams;
    } rows[] = {
        { "all streams", "00000001 00000002 00000003", true, 0 },
        { "two streams", "00000001 00000002 00000003 0004 0005", true, 2 },
        { "half a stream", "00000001 00000002 00000003 0004 05", false, 0 },
        { "cut", "00000001 00000002 000000", false, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reset_request q;
        bool is_good = reset_request_decode(&q, hex_decode(rows[i].hex, scratch, sizeof scratch));

        CHECK(rows[i].claim, is_good == rows[i].is_good);
        if (is_good)
            CHECK(rows[i].claim, q.request_seq == 1 && q.response_seq == 2 && q.last_tsn == 3 &&
                                     q.streams.len == 2 * rows[i].streams);
    }
}

static const uint8_t key[COOKIE_KEY_LEN] = { 1, 2, 3 };
static const struct cookie sample = {
    .made_at = 123456789012,
    .local_port = 5000,
    .remote_port = 5001,
    .local_tag = 1,
    .peer_tag = 2,
    .local_tsn = 3,
    .peer_tsn = 4,
    .peer_rwnd = 5,
    .peer_out_streams = 6,
    .peer_in_streams = 7,
    .local_tie = 8,
    .peer_tie = 9,
    .peer_extensions = ALL_EXTENSIONS,
};

TEST(a_cookie_comes_back_as_it_went)
{
    uint8_t bytes[COOKIE_LEN];
    struct cookie k = { 0 };

    CHECK("made", cookie_encode(bytes, &sample, key) == ERR_OK);
    CHECK("ours", cookie_decode(&k, bytes_of(bytes, sizeof bytes), key));
    CHECK("time", k.made_at == sample.made_at);
    CHECK("tags", k.local_tag == 1 && k.peer_tag == 2 && k.local_tie == 8 && k.peer_tie == 9);
    CHECK("TSNs", k.local_tsn == 3 && k.peer_tsn == 4 && k.peer_rwnd == 5);
    CHECK("streams", k.peer_out_streams == 6 && k.peer_in_streams == 7);
    CHECK("extensions", k.peer_extensions == ALL_EXTENSIONS);
    CHECK("ports", k.local_port == 5000 && k.remote_port == 5001);
}

TEST(no_other_cookie_is_taken)
{
    uint8_t bytes[COOKIE_LEN + 1] = { 0 }, other[COOKIE_KEY_LEN] = { 1, 2, 4 };
    struct cookie k;

    CHECK("made", cookie_encode(bytes, &sample, key) == ERR_OK);
    CHECK("another key", !cookie_decode(&k, bytes_of(bytes, COOKIE_LEN), other));
    for (size_t len = 0; len <= sizeof bytes; len++)
        CHECK("another length",
              cookie_decode(&k, bytes_of(bytes, len), key) == (len == COOKIE_LEN));
    for (size_t i = 0; i < COOKIE_LEN; i++) {
        bytes[i] ^= 1;
        CHECK("one bit", !cookie_decode(&k, bytes_of(bytes, COOKIE_LEN), key));
        bytes[i] ^= 1;
    }
}

TESTS(TEST_ROW(init_chunks), TEST_ROW(every_truncation_of_an_init_is_refused_or_shorter),
      TEST_ROW(init_survives_the_round_trip), TEST_ROW(data_chunks), TEST_ROW(i_data_chunks),
      TEST_ROW(forward_tsn_chunks), TEST_ROW(sack_chunks), TEST_ROW(chunks_in_a_packet),
      TEST_ROW(reset_requests), TEST_ROW(a_cookie_comes_back_as_it_went),
      TEST_ROW(no_other_cookie_is_taken))
