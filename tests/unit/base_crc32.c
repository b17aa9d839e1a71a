#include "core/base/crc32.h"

#include "tests/check.h"

static const struct {
    const char *claim, *text;
    uint32_t crc;
} rows[] = {
    { "nothing", "", 0 },
    { "the usual check string", "123456789", 0xcbf43926 },
    { "one byte", "a", 0xe8b7be43 },
    { "a sentence", "The quick brown fox jumps over the lazy dog", 0x414fa339 },
};

TEST(vectors)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes b = bytes_of_string(rows[i].text);

        CHECK(rows[i].claim, crc32_ieee(0, b) == rows[i].crc);
        for (size_t cut = 0; cut <= b.len; cut++)
            CHECK("in two parts", crc32_ieee(crc32_ieee(0, bytes_of(b.data, cut)),
                                             bytes_of(b.data + cut, b.len - cut)) == rows[i].crc);
    }
}

TESTS(TEST_ROW(vectors))
