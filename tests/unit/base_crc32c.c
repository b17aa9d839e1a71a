#include "core/base/crc32c.h"

#include "tests/check.h"
#include "tests/support/hex.h"

static const struct {
    const char *claim, *hex;
    uint32_t crc;
} rows[] = {
    { "nothing", "", 0 },
    { "RFC 3720 B.4, zeros", "0000000000000000000000000000000000000000000000000000000000000000",
      0x8a9136aa },
    { "RFC 3720 B.4, ones", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      0x62a8ab43 },
    { "RFC 3720 B.4, counting up",
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e },
    { "RFC 3720 B.4, counting down",
      "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c },
    { "RFC 3720 B.4, a read command",
      "01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000"
      "000000",
      0xd9963a56 },
    { "the usual check string", "313233343536373839", 0xe3069283 },
};

TEST(vectors)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t bytes[64];
        struct bytes b = hex_decode(rows[i].hex, bytes, sizeof bytes);

        CHECK(rows[i].claim, crc32c(0, b) == rows[i].crc);
        CHECK("the same by tables", crc32c_by_table(0, b) == rows[i].crc);
    }
}

/* One bit at a time: what the table and the instruction must amount to. */
static uint32_t slowly(uint32_t crc, struct bytes b)
{
    crc = ~crc;
    for (size_t i = 0; i < b.len; i++) {
        crc ^= b.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

TEST(every_length_alignment_and_split)
{
    uint8_t bytes[96];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t at = 0; at < 9; at++)
        for (size_t len = 0; at + len <= sizeof bytes; len++) {
            struct bytes b = bytes_of(bytes + at, len);
            uint32_t expected = slowly(0, b), first = crc32c(0, bytes_of(b.data, len / 3));

            CHECK("whole", crc32c(0, b) == expected);
            CHECK("by tables", crc32c_by_table(0, b) == expected);
            CHECK("in two", crc32c(first, bytes_of(b.data + len / 3, len - len / 3)) == expected);
        }
}

TEST(long_strings)
{
    static uint8_t bytes[4000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 3);
    for (size_t len = 300; len <= sizeof bytes; len += 13)
        CHECK("as bit by bit", crc32c(7, bytes_of(bytes, len)) == slowly(7, bytes_of(bytes, len)));
}

TESTS(TEST_ROW(long_strings), TEST_ROW(vectors), TEST_ROW(every_length_alignment_and_split))
