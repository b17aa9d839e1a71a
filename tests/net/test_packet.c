/* Packets must leave a NAT as the hosts' kernels want them: readable, with right checksums. */
#include "tests/check.h"
#include "tests/net/packet.h"
#include "tests/support/hex.h"

#include <stdlib.h>

#define IP4_UDP "45000021 12344000 4011f461 0a000002 c6336401 13880d96 000d66ad 68656c6c 6f"
#define IP4_UDP_UNSUMMED \
    "45000021 12344000 4011f461 0a000002 c6336401 13880d96 000d0000 68656c6c 6f"
#define IP4_TCP \
    "45000028 12344000 4006f465 0a000002 c6336401 9c4001bb 01020304 00000000 5002faf0 deb90000"
#define IP4_ECHO                                   \
    "45000024 12344000 4001f46e 0a000002 c6336401" \
    " 08002427 42420001 61626364 65666768"
#define IP4_UNREACHABLE "4500003d 12344000 4001f455 c6336401 0a000002 03033152 00000000" IP4_UDP
#define IP6_UDP                                                                                 \
    "60000000 000d1140 20010db8 00020000 00000000 00000001 20010db8 00010000 00000000 00000001" \
    "13880d96 000d3f6d 68656c6c 6f"
#define FRAGMENT "45000021 12340010 4011f461 0a000002 c6336401 13880d96 000d66ad 68656c6c 6f"

static uint8_t data[PACKET_MAX];

static bool parse(struct packet *p, const char *hex)
{
    struct bytes b = hex_decode(hex, data, sizeof data);

    return packet_parse(p, data, b.len);
}

static const struct {
    const char *claim, *hex;
    enum packet_kind kind;
    const char *from, *to;
    bool is_error;
} rows[] = {
    { "UDP", IP4_UDP, PACKET_UDP, "10.0.0.2:5000", "198.51.100.1:3478", false },
    { "TCP", IP4_TCP, PACKET_TCP, "10.0.0.2:40000", "198.51.100.1:443", false },
    { "echo: the identifier is the asker's port", IP4_ECHO, PACKET_ECHO, "10.0.0.2:16962",
      "198.51.100.1:0", false },
    { "an error is of the kind that it quotes", IP4_UNREACHABLE, PACKET_UDP, "198.51.100.1:0",
      "10.0.0.2:0", true },
    { "UDP over IPv6", IP6_UDP, PACKET_UDP, "[2001:db8:2::1]:5000", "[2001:db8:1::1]:3478", false },
    { "a later fragment has no ports", FRAGMENT, PACKET_OTHER, "10.0.0.2:0", "198.51.100.1:0",
      false },
};

TEST(packets_are_read)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
        struct packet p;

        CHECK(rows[i].claim, parse(&p, rows[i].hex));
        CHECK(rows[i].claim, p.kind == rows[i].kind && (p.quoted > 0) == rows[i].is_error);
        CHECK(rows[i].claim, strcmp(addr_format(&p.from, from), rows[i].from) == 0);
        CHECK(rows[i].claim, strcmp(addr_format(&p.to, to), rows[i].to) == 0);
    }
}

/* In memory of just that length, so that the sanitizer sees a read beyond it. */
TEST(a_packet_cut_short_is_no_fault)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes whole = hex_decode(rows[i].hex, data, sizeof data);

        for (size_t len = 0; len < whole.len; len++) {
            uint8_t *cut = malloc(len ? len : 1);
            struct addr other = addr_ipv4(0xcb007101, 40000);
            struct packet p;

            memcpy(cut, whole.data, len);
            if (packet_parse(&p, cut, len) && p.from.family == ADDR_IPV4 && !p.quoted)
                packet_set_from(&p, &other);
            else if (p.quoted)
                packet_set_error_to(&p, &other);
            free(cut);
        }
    }
    CHECK("came this far", true);
}

/* RFC 1071 the plain way: the sum over what a checksum counts, itself included, is all ones. */
static uint16_t sum(uint32_t total, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        total += i % 2 ? at[i] : (uint32_t)at[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

static bool is_summed(const uint8_t *ip, size_t len)
{
    uint32_t pseudo = sum(ip[9] + (uint32_t)len - 20, ip + 12, 8);

    return sum(0, ip, 20) == 0xffff && sum(ip[9] == 1 ? 0 : pseudo, ip + 20, len - 20) == 0xffff;
}

TEST(checksums_follow_the_addresses)
{
    static const char *const hexes[] = { IP4_UDP, IP4_TCP, IP4_ECHO };
    struct addr outside = addr_ipv4(0xcb0071fe, 65535), inside = addr_ipv4(0xc0a80102, 1);

    for (size_t i = 0; i < COUNT(hexes); i++) {
        uint8_t before[PACKET_MAX];
        struct addr from, to;
        struct packet p, again;

        CHECK("the vector is right", parse(&p, hexes[i]) && is_summed(p.data, p.len));
        memcpy(before, p.data, p.len);
        from = p.from;
        to = p.to;
        packet_set_from(&p, &outside);
        CHECK("another source", is_summed(p.data, p.len) && packet_parse(&again, p.data, p.len) &&
                                    addr_equal(&again.from, &outside));
        packet_set_to(&p, &inside);
        CHECK("another destination", is_summed(p.data, p.len));
        packet_set_from(&p, &from);
        packet_set_to(&p, &to);
        CHECK("and back: the same bytes", memcmp(before, p.data, p.len) == 0);
    }
}

TEST(a_checksum_left_out_stays_out)
{
    struct addr outside = addr_ipv4(0xcb0071fe, 65535);
    struct packet p;

    CHECK("parses", parse(&p, IP4_UDP_UNSUMMED));
    packet_set_from(&p, &outside);
    CHECK("still none", p.data[26] == 0 && p.data[27] == 0);
}

TEST(an_error_is_rewritten_with_what_it_quotes)
{
    struct addr outside = addr_ipv4(0xcb0071fe, 40000);
    struct packet p, quoted;

    CHECK("parses", parse(&p, IP4_UNREACHABLE) && is_summed(p.data, p.len));
    packet_set_error_to(&p, &outside);
    CHECK("sums", is_summed(p.data, p.len));
    CHECK("quotes the other source", packet_parse_quoted(&quoted, &p) &&
                                         addr_equal(&quoted.from, &outside) &&
                                         addr_equal_ip(&p.to, &outside));
    CHECK("which is whole itself", is_summed(quoted.data, quoted.len));
}

TEST(too_big_is_told_once)
{
    uint8_t out[PACKET_ERROR_MAX];
    struct addr router = addr_ipv4(0xc0586301, 0);
    struct packet p, error, quoted;
    size_t len;

    CHECK("parses", parse(&p, IP4_UDP));
    len = packet_too_big(out, &p, 1400, &router);
    CHECK("an error", packet_parse(&error, out, len) && error.quoted && is_summed(out, len));
    CHECK("to the sender", addr_equal_ip(&error.to, &p.from));
    CHECK("with the MTU", out[26] == 1400 / 256 && out[27] == 1400 % 256);
    CHECK("of its packet", packet_parse_quoted(&quoted, &error) &&
                               addr_equal(&quoted.from, &p.from) && addr_equal(&quoted.to, &p.to));
    CHECK("none about an error", packet_too_big(out, &error, 1400, &router) == 0);
}

TESTS(TEST_ROW(packets_are_read), TEST_ROW(a_packet_cut_short_is_no_fault),
      TEST_ROW(checksums_follow_the_addresses), TEST_ROW(a_checksum_left_out_stays_out),
      TEST_ROW(an_error_is_rewritten_with_what_it_quotes), TEST_ROW(too_big_is_told_once))
