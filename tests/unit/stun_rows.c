/* STUN attribute by attribute, what we write read back, and the resend schedule. */
#include "core/stun/stun.h"
#include "tests/check.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"

#define COOKIE_AND_ID "2112a442 0102030405060708090a0b0c "
#define TWENTY_ZEROES "00000000 00000000 00000000 00000000 00000000"

static const struct {
    const char *claim, *hex;
    enum verdict verdict;
    uint32_t has;
} rows[] = {
    { "a bare request", "00010000" COOKIE_AND_ID, VERDICT_TAKEN, 0 },
    { "nothing", "", VERDICT_FOREIGN, 0 },
    { "first two bits set", "80010000" COOKIE_AND_ID, VERDICT_FOREIGN, 0 },
    { "another cookie", "00010000 2112a443 0102030405060708090a0b0c", VERDICT_FOREIGN, 0 },
    { "length says more", "00010004" COOKIE_AND_ID, VERDICT_MALFORMED, 0 },
    { "length says less", "00010000" COOKIE_AND_ID "00240004 00000001", VERDICT_MALFORMED, 0 },
    { "length not of words", "00010006" COOKIE_AND_ID "00240002 0000", VERDICT_MALFORMED, 0 },
    { "half an attribute header", "00010002" COOKIE_AND_ID "0024", VERDICT_MALFORMED, 0 },
    { "value past the end", "00010004" COOKIE_AND_ID "00240004", VERDICT_MALFORMED, 0 },
    { "padding past the end", "00010008" COOKIE_AND_ID "80220005 41414141", VERDICT_MALFORMED, 0 },
    { "priority", "00010008" COOKIE_AND_ID "00240004 6e0001ff", VERDICT_TAKEN, STUN_HAS_PRIORITY },
    { "priority of three", "00010008" COOKIE_AND_ID "00240003 6e000100", VERDICT_MALFORMED, 0 },
    { "use-candidate", "00010004" COOKIE_AND_ID "00250000", VERDICT_TAKEN, STUN_HAS_USE_CANDIDATE },
    { "use-candidate with a value", "00010008" COOKIE_AND_ID "00250004 00000000", VERDICT_MALFORMED,
      0 },
    { "controlling", "0001000c" COOKIE_AND_ID "802a0008 0000000000000001", VERDICT_TAKEN,
      STUN_HAS_CONTROLLING },
    { "controlled cut short", "00010008" COOKIE_AND_ID "80290004 00000001", VERDICT_MALFORMED, 0 },
    { "empty user name", "00010004" COOKIE_AND_ID "00060000", VERDICT_MALFORMED, 0 },
    { "mapped address", "0101000c" COOKIE_AND_ID "00010008 0001 1f90 c0000201", VERDICT_TAKEN,
      STUN_HAS_MAPPED },
    { "unknown family", "0101000c" COOKIE_AND_ID "00010008 0003 1f90 c0000201", VERDICT_MALFORMED,
      0 },
    { "IPv6 in four bytes", "0101000c" COOKIE_AND_ID "00010008 0002 1f90 c0000201",
      VERDICT_MALFORMED, 0 },
    { "IPv4 in sixteen",
      "01010018" COOKIE_AND_ID "00200014 0001 1f90 00000000000000000000000000000000",
      VERDICT_MALFORMED, 0 },
    { "address of nine bytes", "01010010" COOKIE_AND_ID "00200009 0001 1f90 c0000201 00000000",
      VERDICT_MALFORMED, 0 },
    { "error 487", "01110008" COOKIE_AND_ID "00090004 00000457", VERDICT_TAKEN, STUN_HAS_ERROR },
    { "error class 2", "01110008" COOKIE_AND_ID "00090004 00000200", VERDICT_MALFORMED, 0 },
    { "error class 7", "01110008" COOKIE_AND_ID "00090004 00000700", VERDICT_MALFORMED, 0 },
    { "error number 100", "01110008" COOKIE_AND_ID "00090004 00000464", VERDICT_MALFORMED, 0 },
    { "optional and unknown", "00010008" COOKIE_AND_ID "c0570004 00000000", VERDICT_TAKEN, 0 },
    { "integrity of 19", "00010018" COOKIE_AND_ID "00080013 " TWENTY_ZEROES, VERDICT_MALFORMED, 0 },
    { "behind the integrity nothing counts",
      "00010020" COOKIE_AND_ID "00080014 " TWENTY_ZEROES "00240004 6e0001ff", VERDICT_TAKEN,
      STUN_HAS_INTEGRITY },
    { "not even a required one we do not know",
      "0001001c" COOKIE_AND_ID "00080014 " TWENTY_ZEROES "7fff0000", VERDICT_TAKEN,
      STUN_HAS_INTEGRITY },
    { "SHA-256 may follow SHA-1",
      "0001002c" COOKIE_AND_ID "00080014 " TWENTY_ZEROES
      "001c0010 00000000 00000000 00000000 00000000",
      VERDICT_TAKEN, STUN_HAS_INTEGRITY | STUN_HAS_SHA256 },
    { "behind SHA-256 nothing counts either",
      "0001001c" COOKIE_AND_ID "001c0010 00000000 00000000 00000000 00000000 00240004 6e0001ff",
      VERDICT_TAKEN, STUN_HAS_SHA256 },
    { "channel number", "0009 0008" COOKIE_AND_ID "000c0004 40000000", VERDICT_TAKEN,
      STUN_HAS_CHANNEL },
    { "channel number of two", "0009 0008" COOKIE_AND_ID "000c0002 40000000", VERDICT_MALFORMED,
      0 },
    { "lifetime", "0004 0008" COOKIE_AND_ID "000d0004 00000258", VERDICT_TAKEN, STUN_HAS_LIFETIME },
    { "lifetime of three", "0004 0008" COOKIE_AND_ID "000d0003 00025800", VERDICT_MALFORMED, 0 },
    { "peer and data", "0016 0014" COOKIE_AND_ID "00120008 00013e82 e112a643 00130002 61620000",
      VERDICT_TAKEN, STUN_HAS_PEER | STUN_HAS_DATA },
    { "peer of 21 bytes", "0016 001c" COOKIE_AND_ID "00120015 00023e82" TWENTY_ZEROES "00000000",
      VERDICT_MALFORMED, 0 },
    { "empty data is data", "0016 0004" COOKIE_AND_ID "00130000", VERDICT_TAKEN, STUN_HAS_DATA },
    { "relayed address", "0103 000c" COOKIE_AND_ID "00160008 00013e82 e112a643", VERDICT_TAKEN,
      STUN_HAS_RELAYED },
    { "relayed address without an IP", "0103 0008" COOKIE_AND_ID "00160004 00013e82",
      VERDICT_MALFORMED, 0 },
    { "family", "0003 0008" COOKIE_AND_ID "00170004 02000000", VERDICT_TAKEN, STUN_HAS_FAMILY },
    { "family of one byte", "0003 0008" COOKIE_AND_ID "00170001 02000000", VERDICT_MALFORMED, 0 },
    { "transport", "0003 0008" COOKIE_AND_ID "00190004 11000000", VERDICT_TAKEN,
      STUN_HAS_TRANSPORT },
    { "transport of eight", "0003 000c" COOKIE_AND_ID "00190008 11000000 00000000",
      VERDICT_MALFORMED, 0 },
    { "alternate server", "0113 0014" COOKIE_AND_ID "00090004 00000300 80230008 00010d96 c0000202",
      VERDICT_TAKEN, STUN_HAS_ERROR | STUN_HAS_ALTERNATE },
    { "alternate server of family 0", "0113 000c" COOKIE_AND_ID "80230008 00000d96 c0000202",
      VERDICT_MALFORMED, 0 },
    { "nomination", "0001 0008" COOKIE_AND_ID "c0010004 00000007", VERDICT_TAKEN,
      STUN_HAS_NOMINATION },
    { "nomination of eight", "0001 000c" COOKIE_AND_ID "c0010008 00000007 00000000",
      VERDICT_MALFORMED, 0 },
    { "DTLS and its acks, both empty", "0001 0008" COOKIE_AND_ID "c0700000 c0710000", VERDICT_TAKEN,
      STUN_HAS_DTLS | STUN_HAS_DTLS_ACKS },
    { "change request", "0001 0008" COOKIE_AND_ID "00030004 00000006", VERDICT_TAKEN,
      STUN_HAS_CHANGE_REQUEST },
    { "change request of two", "0001 0008" COOKIE_AND_ID "00030002 00000000", VERDICT_MALFORMED,
      0 },
    { "other address and response origin",
      "0101 0018" COOKIE_AND_ID "802c0008 00010d97 c0000202 802b0008 00010d96 c0000201",
      VERDICT_TAKEN, STUN_HAS_OTHER_ADDRESS },
    { "wrong fingerprint", "00010008" COOKIE_AND_ID "80280004 00000000", VERDICT_MALFORMED, 0 },
};

TEST(attribute_rows)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t raw[256];
        struct stun_msg m;
        enum verdict verdict = stun_decode(&m, hex_decode(rows[i].hex, raw, sizeof raw));

        CHECK(rows[i].claim, verdict == rows[i].verdict);
        CHECK(rows[i].claim, verdict != VERDICT_TAKEN || m.has == rows[i].has);
        CHECK(rows[i].claim, verdict != VERDICT_TAKEN || m.unknown_count == 0);
    }
}

static bool is_at(const struct addr *a, const char *text)
{
    char shown[ADDR_TEXT_MAX];

    return strcmp(addr_format(a, shown), text) == 0;
}

/* RFC 8656 §18, RFC 5780 §7 and the two drafts: the values, not only that they are there. */
TEST(values_of_the_attributes_between_peers_and_of_servers)
{
    static const char hex[] =
        "0109 007c" COOKIE_AND_ID "000c0004 4001ffff 000d0004 00000258 00120008 00013e82 e112a643"
        "00130005 6461746121000000 00160008 00013e83 e112a642 00170004 02ffffff 00190004 11ffffff"
        "80230008 00010d96 c0000204 c0010004 80000001 c0700003 16fefd00 c0710004 01020304"
        "00030004 00000006 802c0008 00010d97 c0000205";
    uint8_t raw[256];
    struct stun_msg m;

    CHECK("taken", stun_decode(&m, hex_decode(hex, raw, sizeof raw)) == VERDICT_TAKEN);
    CHECK("numbers", m.channel == 0x4001 && m.lifetime_s == 600 && m.nomination == 0x80000001 &&
                         m.change_request == 6);
    CHECK("bytes of their own", m.family == STUN_FAMILY_IPV6 && m.transport == 17);
    CHECK("XORed", is_at(&m.peer, "192.0.2.1:8080") && is_at(&m.relayed, "192.0.2.0:8081"));
    CHECK("plain", is_at(&m.alternate, "192.0.2.4:3478") && is_at(&m.other, "192.0.2.5:3479"));
    CHECK("data", bytes_equal(m.data, bytes_of("data!", 5)));
    CHECK("DTLS", m.dtls.len == 3 && m.dtls_acks.len == 4 && m.dtls_acks.data[3] == 4);
    for (size_t len = 0; len < 20 + 0x7c; len++)
        CHECK("cut short", stun_decode(&m, bytes_of(raw, len)) != VERDICT_TAKEN);
}

TEST(every_address_is_written_and_read_back)
{
    static const char *const addrs[] = { "192.0.2.1:1", "[2001:db8::1]:65535" };
    struct stun_id id = { { 1, 2, 3 } };

    for (size_t i = 0; i < COUNT(addrs); i++) {
        uint8_t raw[256];
        struct wr w = wr_of(raw, sizeof raw);
        struct stun_msg m;
        struct addr at;

        addr_parse(&at, addrs[i]);
        stun_encode_header(&w, STUN_SUCCESS, STUN_ALLOCATE, &id);
        stun_add_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, &at);
        stun_add_xor_addr(&w, STUN_ATTR_XOR_RELAYED_ADDRESS, &at);
        stun_add_addr(&w, STUN_ATTR_ALTERNATE_SERVER, &at);
        stun_add_addr(&w, STUN_ATTR_OTHER_ADDRESS, &at);
        CHECK("reads", stun_decode(&m, wr_written(&w)) == VERDICT_TAKEN);
        CHECK("peer", addr_equal(&m.peer, &at));
        CHECK("relayed", addr_equal(&m.relayed, &at));
        CHECK("alternate", addr_equal(&m.alternate, &at));
        CHECK("other", addr_equal(&m.other, &at));
    }
}

TEST(the_first_of_a_kind_counts)
{
    uint8_t raw[64];
    struct stun_msg m;

    CHECK("taken",
          stun_decode(&m, hex_decode("00010010" COOKIE_AND_ID "00240004 00000001 00240004 00000002",
                                     raw, sizeof raw)) == VERDICT_TAKEN);
    CHECK("the first", m.priority == 1);
}

TEST(xor_mapped_wins_wherever_it_stands)
{
    static const char *const orders[] = {
        "01010018" COOKIE_AND_ID "00010008 0001 0001 01010101 00200008 0001 3e82 e112a643",
        "01010018" COOKIE_AND_ID "00200008 0001 3e82 e112a643 00010008 0001 0001 01010101",
    };

    for (size_t i = 0; i < COUNT(orders); i++) {
        uint8_t raw[64];
        char shown[ADDR_TEXT_MAX];
        struct stun_msg m;

        CHECK("taken", stun_decode(&m, hex_decode(orders[i], raw, sizeof raw)) == VERDICT_TAKEN);
        CHECK("unmasked", strcmp(addr_format(&m.mapped, shown), "192.0.2.1:8080") == 0);
    }
}

TEST(required_unknown_attributes_are_listed_to_a_limit)
{
    uint8_t raw[256];
    struct wr w = wr_of(raw, sizeof raw);
    struct stun_id id = { { 0 } };
    struct stun_msg m, answer;
    uint8_t written[256];
    struct wr a = wr_of(written, sizeof written);

    stun_encode_header(&w, STUN_REQUEST, STUN_BINDING, &id);
    for (unsigned i = 0; i < 20; i++)
        stun_add_bytes(&w, (enum stun_attr)(0x7f00 + i), bytes_of("x", 1));
    CHECK("taken", stun_decode(&m, wr_written(&w)) == VERDICT_TAKEN);
    CHECK("eight", m.unknown_count == STUN_UNKNOWN_MAX && m.unknown[7] == 0x7f07);
    stun_encode_header(&a, STUN_ERROR, STUN_BINDING, &id);
    stun_add_error(&a, 420, "Unknown Attribute");
    stun_add_unknown(&a, &m);
    CHECK("the answer reads", stun_decode(&answer, wr_written(&a)) == VERDICT_TAKEN);
    CHECK("as 420 with a list",
          answer.error_code == 420 && answer.has == (STUN_HAS_ERROR | STUN_HAS_UNKNOWN));
}

TEST(what_is_written_is_read_back)
{
    static const char *const addrs[] = { "192.0.2.1:1", "[2001:db8::1]:65535" };
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);

    for (unsigned round = 0; round < 200; round++) {
        uint8_t raw[700], name[STUN_ID_BYTES];
        struct wr w = wr_of(raw, sizeof raw);
        struct bytes user = bytes_of("abcdefghijklmnop", 1 + rng_below(&rng, 16));
        enum stun_class class = (enum stun_class)rng_below(&rng, 4);
        uint16_t method = (uint16_t)rng_below(&rng, 0x1000);
        uint64_t tie_breaker = rng_u64(&rng);
        struct addr at;
        struct stun_id id;
        struct stun_msg m;

        rng_fill(&rng, name, sizeof name);
        memcpy(id.bytes, name, sizeof name);
        addr_parse(&at, addrs[round % 2]);
        stun_encode_header(&w, class, method, &id);
        stun_add_bytes(&w, STUN_ATTR_USERNAME, user);
        stun_add_u64(&w, STUN_ATTR_ICE_CONTROLLING, tie_breaker);
        stun_add_bytes(&w, STUN_ATTR_USE_CANDIDATE, bytes_of(NULL, 0));
        stun_add_mapped(&w, &at);
        stun_add_xor_mapped(&w, &at);
        stun_add_integrity(&w, user);
        stun_add_fingerprint(&w);
        CHECK("reads", stun_decode(&m, wr_written(&w)) == VERDICT_TAKEN);
        CHECK("type and id", m.class == class && m.method == method && stun_id_equal(&id, &m.id));
        CHECK("values", bytes_equal(m.username, user) && m.tie_breaker == tie_breaker &&
                            addr_equal(&m.mapped, &at));
        CHECK("integrity", stun_has_integrity(&m, user));
    }
}

TEST(a_fingerprint_is_the_last_attribute)
{
    uint8_t raw[64];
    struct wr w = wr_of(raw, sizeof raw);
    struct stun_id id = { { 0 } };
    struct stun_msg m;

    stun_encode_header(&w, STUN_REQUEST, STUN_BINDING, &id);
    stun_add_fingerprint(&w);
    CHECK("last", stun_decode(&m, wr_written(&w)) == VERDICT_TAKEN);
    stun_add_u32(&w, STUN_ATTR_PRIORITY, 1);
    CHECK("not last", stun_decode(&m, wr_written(&w)) == VERDICT_MALFORMED);
}

TEST(too_little_room_is_said_not_overrun)
{
    struct stun_id id = { { 0 } };
    struct addr at = addr_ipv4(0xc0000201, 1);

    for (size_t cap = 0; cap <= 72; cap++) {
        uint8_t raw[80];
        struct wr w = wr_of(raw, cap);

        memset(raw, 0xa5, sizeof raw);
        stun_encode_header(&w, STUN_SUCCESS, STUN_BINDING, &id);
        stun_add_xor_mapped(&w, &at);
        stun_add_integrity(&w, bytes_of("k", 1));
        stun_add_fingerprint(&w);
        CHECK("fits at 64 bytes and not before", w.ok == (cap >= 64));
        for (size_t i = cap; i < sizeof raw; i++)
            CHECK("nothing behind the end", raw[i] == 0xa5);
    }
}

TEST(a_long_key_is_hashed_first)
{
    /* RFC 2202 has no STUN framing; two keys that hash alike by RFC 2104 must agree. */
    static const uint8_t sha1_of_80_a[20] = { /* SHA-1 of 80 times 'a' */
                                              0x86, 0xf3, 0x36, 0x52, 0xfc, 0xff, 0xd7,
                                              0xfa, 0x14, 0x43, 0xe2, 0x46, 0xdd, 0x34,
                                              0xfe, 0x5d, 0x00, 0xe2, 0x5f, 0xfd
    };
    uint8_t key[80], raw[64];
    struct stun_id id = { { 0 } };
    struct wr w = wr_of(raw, sizeof raw);
    struct stun_msg m;

    memset(key, 'a', sizeof key);
    stun_encode_header(&w, STUN_SUCCESS, STUN_BINDING, &id);
    stun_add_integrity(&w, bytes_of(key, sizeof key));
    stun_decode(&m, wr_written(&w));
    CHECK("the key's hash is the key", stun_has_integrity(&m, bytes_of(sha1_of_80_a, 20)));
}

TEST(requests_are_resent_on_the_schedule_of_the_rfc)
{
    /* RFC 8489 §6.2.1: 0, 500, 1500, 3500, 7500, 15500, 31500 ms; here the wait is capped. */
    static const usec sends_ms[] = { 0, 500, 1500, 3500, 7500, 11500, 15500 };
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);
    struct stun_txn txn;
    usec start = 7 * SECOND;

    stun_txn_init(&txn);
    CHECK("idle", !stun_txn_is_live(&txn) && stun_txn_tick(&txn, start) == STUN_TXN_WAIT);
    stun_txn_start(&txn, start, &rng, SECOND / 2, 4 * SECOND, 7);
    for (size_t i = 0; i < COUNT(sends_ms); i++) {
        usec at = start + sends_ms[i] * MILLISECOND;

        CHECK("due when said", stun_txn_next_timeout(&txn) == at);
        CHECK("not before", i == 0 || stun_txn_tick(&txn, at - 1) == STUN_TXN_WAIT);
        CHECK("sent", stun_txn_tick(&txn, at) == STUN_TXN_SEND && txn.sent_at == at);
    }
    CHECK("gives up", stun_txn_tick(&txn, start + 19500 * MILLISECOND) == STUN_TXN_GIVE_UP);
    CHECK("idle again", stun_txn_next_timeout(&txn) == USEC_NEVER);
}

TESTS(TEST_ROW(attribute_rows), TEST_ROW(values_of_the_attributes_between_peers_and_of_servers),
      TEST_ROW(every_address_is_written_and_read_back), TEST_ROW(the_first_of_a_kind_counts),
      TEST_ROW(xor_mapped_wins_wherever_it_stands),
      TEST_ROW(required_unknown_attributes_are_listed_to_a_limit),
      TEST_ROW(what_is_written_is_read_back), TEST_ROW(too_little_room_is_said_not_overrun),
      TEST_ROW(a_long_key_is_hashed_first), TEST_ROW(a_fingerprint_is_the_last_attribute),
      TEST_ROW(requests_are_resent_on_the_schedule_of_the_rfc))
