/* What the STUN server answers, and to whom it says nothing. */
#include "core/relay/relay.h"
#include "core/stun/stun.h"
#include "tests/check.h"
#include "tests/support/hex.h"

#define COOKIE_AND_ID "2112a442 0102030405060708090a0b0c "

static const struct {
    const char *claim, *hex, *from;
    const char *mapped; /* NULL: no success */
    uint16_t error_code;
} rows[] = {
    { "an address told", "00010000" COOKIE_AND_ID, "192.0.2.1:80", "192.0.2.1:80", 0 },
    { "IPv6 too", "00010000" COOKIE_AND_ID, "[2001:db8::1]:80", "[2001:db8::1]:80", 0 },
    { "from a private network", "00010000" COOKIE_AND_ID, "10.0.0.1:80", "10.0.0.1:80", 0 },
    { "an optional attribute", "00010008" COOKIE_AND_ID "80220004 41414141", "192.0.2.1:80",
      "192.0.2.1:80", 0 },
    { "a required one unknown", "00010008" COOKIE_AND_ID "00030004 00000006", "192.0.2.1:80", NULL,
      420 },
    { "an indication", "00110000" COOKIE_AND_ID, "192.0.2.1:80", NULL, 0 },
    { "a response", "01010000" COOKIE_AND_ID, "192.0.2.1:80", NULL, 0 },
    { "an error", "01110000" COOKIE_AND_ID, "192.0.2.1:80", NULL, 0 },
    { "another method", "00030000" COOKIE_AND_ID, "192.0.2.1:80", NULL, 0 },
    { "without the cookie", "00010000 00000000 0102030405060708090a0b0c", "192.0.2.1:80", NULL, 0 },
    { "wrong fingerprint", "00010008" COOKIE_AND_ID "80280004 00000000", "192.0.2.1:80", NULL, 0 },
    { "cut short", "00010000 2112a442", "192.0.2.1:80", NULL, 0 },
    { "from port 0", "00010000" COOKIE_AND_ID, "192.0.2.1:0", NULL, 0 },
    { "from multicast", "00010000" COOKIE_AND_ID, "224.0.0.1:80", NULL, 0 },
    { "from broadcast", "00010000" COOKIE_AND_ID, "255.255.255.255:80", NULL, 0 },
};

TEST(binding_rows)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t raw[64], written[RELAY_ANSWER_MAX];
        char shown[ADDR_TEXT_MAX];
        struct wr w = wr_of(written, sizeof written);
        struct addr from;
        struct stun_msg m;
        bool answered;

        addr_parse(&from, rows[i].from);
        answered = relay_answer_binding(hex_decode(rows[i].hex, raw, sizeof raw), &from, &w);
        CHECK(rows[i].claim, answered == (rows[i].mapped || rows[i].error_code));
        if (!answered)
            continue;
        CHECK(rows[i].claim, stun_decode(&m, wr_written(&w)) == VERDICT_TAKEN);
        CHECK(rows[i].claim, memcmp(m.id.bytes, raw + 8, STUN_ID_BYTES) == 0);
        CHECK(rows[i].claim, m.error_code == rows[i].error_code);
        CHECK(rows[i].claim, m.class == (rows[i].mapped ? STUN_SUCCESS : STUN_ERROR));
        if (rows[i].mapped)
            CHECK(rows[i].claim, strcmp(addr_format(&m.mapped, shown), rows[i].mapped) == 0);
    }
}

TEST(a_fingerprint_is_answered_with_one)
{
    uint8_t raw[64], written[RELAY_ANSWER_MAX];
    struct addr from = addr_ipv4(0xc0000201, 80);
    struct wr request = wr_of(raw, sizeof raw), w = wr_of(written, sizeof written);
    struct stun_id id = { { 1 } };
    struct stun_msg m;

    stun_encode_header(&request, STUN_REQUEST, STUN_BINDING, &id);
    stun_add_fingerprint(&request);
    CHECK("answered", relay_answer_binding(wr_written(&request), &from, &w));
    CHECK("reads", stun_decode(&m, wr_written(&w)) == VERDICT_TAKEN);
    CHECK("has one", m.has & STUN_HAS_FINGERPRINT);
}

TEST(the_longest_answer_fits)
{
    uint8_t raw[256], written[RELAY_ANSWER_MAX];
    struct addr from = addr_ipv4(0xc0000201, 80);
    struct wr request = wr_of(raw, sizeof raw), w = wr_of(written, sizeof written);
    struct stun_id id = { { 1 } };

    stun_encode_header(&request, STUN_REQUEST, STUN_BINDING, &id);
    for (unsigned i = 0; i < 20; i++)
        stun_add_bytes(&request, (enum stun_attr)(0x7f00 + i), bytes_of(NULL, 0));
    stun_add_fingerprint(&request);
    CHECK("answered", relay_answer_binding(wr_written(&request), &from, &w));
    CHECK("no amplification", w.len <= request.len);
}

TESTS(TEST_ROW(binding_rows), TEST_ROW(a_fingerprint_is_answered_with_one),
      TEST_ROW(the_longest_answer_fits))
