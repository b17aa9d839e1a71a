/* RFC 5769: the four sample messages, read, checked, cut short, bent and written again. */
#include "core/stun/stun.h"
#include "tests/check.h"
#include "tests/support/hex.h"

#define PASSWORD "VOkJxbRl1RmTxUk/WvJxBt"

static const struct vector {
    const char *claim, *hex, *key;
    const char *username, *software, *mapped; /* NULL: not there */
    uint32_t has;
    enum stun_class class;
} vectors[] = {
    { "2.1 request",
      "00010058 2112a442 b7e7a701bc34d686fa87dfae"
      "80220010 5354554e207465737420636c69656e74"
      "00240004 6e0001ff"
      "80290008 932ff9b151263b36"
      "00060009 6576746a3a68367659202020"
      "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
      "80280004 e57a3bcf",
      PASSWORD, "evtj:h6vY", "STUN test client", NULL,
      STUN_HAS_USERNAME | STUN_HAS_SOFTWARE | STUN_HAS_PRIORITY | STUN_HAS_CONTROLLED |
          STUN_HAS_INTEGRITY | STUN_HAS_FINGERPRINT,
      STUN_REQUEST },
    { "2.2 IPv4 response",
      "0101003c 2112a442 b7e7a701bc34d686fa87dfae"
      "8022000b 7465737420766563746f7220"
      "00200008 0001a147e112a643"
      "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
      "80280004 c07d4c96",
      PASSWORD, NULL, "test vector", "192.0.2.1:32853",
      STUN_HAS_SOFTWARE | STUN_HAS_MAPPED | STUN_HAS_XOR_MAPPED | STUN_HAS_INTEGRITY |
          STUN_HAS_FINGERPRINT,
      STUN_SUCCESS },
    { "2.3 IPv6 response",
      "01010048 2112a442 b7e7a701bc34d686fa87dfae"
      "8022000b 7465737420766563746f7220"
      "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
      "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
      "80280004 c8fb0b4c",
      PASSWORD, NULL, "test vector", "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
      STUN_HAS_SOFTWARE | STUN_HAS_MAPPED | STUN_HAS_XOR_MAPPED | STUN_HAS_INTEGRITY |
          STUN_HAS_FINGERPRINT,
      STUN_SUCCESS },
    { "2.4 request with long-term credentials", /* the key is MD5(username:realm:TheMatrIX) */
      "00010060 2112a442 78ad3433c6ad72c029da412e"
      "00060012 e3839ee38388e383aae38383e382afe382b90000"
      "0015001c 662f2f3439396b39353464364f4c33346f4c394653547679363473 41"
      "0014000b 6578616d706c652e6f726700"
      "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666",
      NULL, "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9", NULL, NULL,
      STUN_HAS_USERNAME | STUN_HAS_NONCE | STUN_HAS_REALM | STUN_HAS_INTEGRITY, STUN_REQUEST },
};

static struct bytes key_of(const struct vector *v)
{
    static uint8_t md5[16];

    return v->key ? bytes_of_string(v->key)
                  : hex_decode("e8ca7ad59d5eb0518e312911d2dab2a9", md5, sizeof md5);
}

static bool is_text(struct bytes b, const char *text)
{
    return text ? bytes_equal(b, bytes_of_string(text)) : b.len == 0;
}

TEST(vectors_read_as_the_rfc_says)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        uint8_t raw[256];
        char shown[ADDR_TEXT_MAX];
        struct stun_msg m;

        CHECK(v->claim, stun_decode(&m, hex_decode(v->hex, raw, sizeof raw)) == VERDICT_TAKEN);
        CHECK(v->claim, m.class == v->class && m.method == STUN_BINDING);
        CHECK(v->claim, m.has == v->has && m.unknown_count == 0);
        CHECK(v->claim, is_text(m.username, v->username) && is_text(m.software, v->software));
        CHECK(v->claim, !v->mapped || strcmp(addr_format(&m.mapped, shown), v->mapped) == 0);
        if (v->has & STUN_HAS_PRIORITY)
            CHECK(v->claim, m.priority == 0x6e0001ff && m.tie_breaker == 0x932ff9b151263b36);
    }
}

TEST(integrity_holds_for_the_right_key_only)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        uint8_t raw[256];
        struct stun_msg m;

        stun_decode(&m, hex_decode(v->hex, raw, sizeof raw));
        CHECK(v->claim, stun_has_integrity(&m, key_of(v)));
        CHECK(v->claim, !stun_has_integrity(&m, bytes_of_string("another password")));
        CHECK(v->claim, !stun_has_integrity(&m, bytes_of(NULL, 0)));
    }
}

TEST(every_truncation_is_refused)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint8_t raw[256];
        struct bytes whole = hex_decode(vectors[i].hex, raw, sizeof raw);
        struct stun_msg m;

        for (size_t len = 0; len < whole.len; len++)
            CHECK(vectors[i].claim, stun_decode(&m, bytes_of(raw, len)) != VERDICT_TAKEN);
    }
}

TEST(no_flipped_bit_passes_for_the_original)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        uint8_t raw[256];
        struct bytes whole = hex_decode(vectors[i].hex, raw, sizeof raw);

        for (size_t bit = 0; bit < 8 * whole.len; bit++) {
            struct stun_msg m;
            bool taken;

            raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
            taken = stun_decode(&m, whole) == VERDICT_TAKEN;
            /* In 2.1 to 2.3 only FINGERPRINT's own type, made unknown, leaves a valid message. */
            CHECK(vectors[i].claim, !taken || !stun_has_integrity(&m, key_of(&vectors[i])) ||
                                        (bit / 8 >= whole.len - 8 && bit / 8 < whole.len - 6));
            raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

TEST(the_request_is_written_byte_for_byte)
{
    uint8_t raw[256], made[256];
    struct bytes sample = hex_decode(vectors[0].hex, raw, sizeof raw);
    struct wr w = wr_of(made, sizeof made);
    struct stun_msg m;

    stun_decode(&m, sample);
    stun_encode_header(&w, STUN_REQUEST, STUN_BINDING, &m.id);
    stun_add_bytes(&w, STUN_ATTR_SOFTWARE, m.software);
    stun_add_u32(&w, STUN_ATTR_PRIORITY, m.priority);
    stun_add_u64(&w, STUN_ATTR_ICE_CONTROLLED, m.tie_breaker);
    stun_add_bytes(&w, STUN_ATTR_USERNAME, m.username);
    memset(w.data + w.len - 3, ' ', 3); /* the sample pads with blanks, we with zeroes */
    stun_add_integrity(&w, bytes_of_string(PASSWORD));
    stun_add_fingerprint(&w);
    CHECK("same bytes", bytes_equal(wr_written(&w), sample));
}

TEST(the_responses_are_written_byte_for_byte)
{
    for (size_t i = 1; i <= 2; i++) {
        uint8_t raw[256], made[256];
        struct bytes sample = hex_decode(vectors[i].hex, raw, sizeof raw);
        struct wr w = wr_of(made, sizeof made);
        struct stun_msg m;

        stun_decode(&m, sample);
        stun_encode_header(&w, STUN_SUCCESS, STUN_BINDING, &m.id);
        stun_add_bytes(&w, STUN_ATTR_SOFTWARE, m.software);
        w.data[w.len - 1] = ' ';
        stun_add_xor_mapped(&w, &m.mapped);
        stun_add_integrity(&w, bytes_of_string(PASSWORD));
        stun_add_fingerprint(&w);
        CHECK(vectors[i].claim, bytes_equal(wr_written(&w), sample));
    }
}

TESTS(TEST_ROW(vectors_read_as_the_rfc_says), TEST_ROW(integrity_holds_for_the_right_key_only),
      TEST_ROW(every_truncation_is_refused), TEST_ROW(no_flipped_bit_passes_for_the_original),
      TEST_ROW(the_request_is_written_byte_for_byte),
      TEST_ROW(the_responses_are_written_byte_for_byte))
