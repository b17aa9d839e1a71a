/* Candidates as text: RFC 8839 §5.1, and what browsers really write. */
#include "core/ice/ice.h"
#include "tests/check.h"

#define UUID "0b5f9e2e-6a44-4f5e-9d3a-3f2b2a1c0d9e"

static const struct {
    const char *claim, *line;
    int err;
    enum ice_type type;
    uint32_t priority;
    const char *addr, *related; /* "none" for no related address */
} rows[] = {
    { "a host", "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host", 0, ICE_HOST, 2130706431,
      "192.0.2.1:4000", "none" },
    { "with a=", "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host\r\n", 0, ICE_HOST,
      2130706431, "192.0.2.1:4000", "none" },
    { "without candidate:", "1 1 udp 2130706431 192.0.2.1 4000 typ host", 0, ICE_HOST, 2130706431,
      "192.0.2.1:4000", "none" },
    { "IPv6", "candidate:1 1 udp 1 2001:db8::1 4000 typ host", 0, ICE_HOST, 1, "[2001:db8::1]:4000",
      "none" },
    { "Chromium's reflexive",
      "candidate:842163049 1 udp 1677729535 203.0.113.7 33723 typ srflx raddr 0.0.0.0 rport 0 "
      "generation 0 ufrag hycL network-cost 999",
      0, ICE_SERVER_REFLEXIVE, 1677729535, "203.0.113.7:33723", "none" },
    { "Firefox's reflexive",
      "candidate:1 1 UDP 1685987327 203.0.113.7 33723 typ srflx raddr 10.0.0.2 rport 5000", 0,
      ICE_SERVER_REFLEXIVE, 1685987327, "203.0.113.7:33723", "10.0.0.2:5000" },
    { "rport before raddr", "1 1 udp 1 192.0.2.1 40 typ srflx rport 5 raddr 10.0.0.2", 0,
      ICE_SERVER_REFLEXIVE, 1, "192.0.2.1:40", "10.0.0.2:5" },
    { "relayed", "1 1 udp 16777215 192.0.2.1 40 typ relay raddr 10.0.0.2 rport 5", 0, ICE_RELAYED,
      16777215, "192.0.2.1:40", "10.0.0.2:5" },
    { "peer-reflexive", "1 1 udp 16777215 192.0.2.1 40 typ prflx", 0, ICE_PEER_REFLEXIVE, 16777215,
      "192.0.2.1:40", "none" },
    { "a related name", "1 1 udp 1 192.0.2.1 40 typ srflx raddr " UUID ".local rport 9", 0,
      ICE_SERVER_REFLEXIVE, 1, "192.0.2.1:40", "none" },
    { "all ice-chars in the foundation", "aZ09+/ 1 udp 1 192.0.2.1 40 typ host", 0, ICE_HOST, 1,
      "192.0.2.1:40", "none" },

    { "mDNS", "candidate:2614810023 1 udp 2113937151 " UUID ".local 33723 typ host generation 0",
      ERR_WRONG_STATE, 0, 0, NULL, NULL },
    { "another name", "1 1 udp 1 stun.example.org 40 typ host", ERR_WRONG_STATE, 0, 0, NULL, NULL },
    { "TCP", "1 1 TCP 1 192.0.2.1 9 typ host tcptype active", ERR_WRONG_STATE, 0, 0, NULL, NULL },
    { "component 2", "1 2 udp 1 192.0.2.1 40 typ host", ERR_WRONG_STATE, 0, 0, NULL, NULL },
    { "a type of the future", "1 1 udp 1 192.0.2.1 40 typ warp", ERR_WRONG_STATE, 0, 0, NULL,
      NULL },

    { "empty", "", ERR_INVALID, 0, 0, NULL, NULL },
    { "only the prefix", "a=candidate:", ERR_INVALID, 0, 0, NULL, NULL },
    { "no type", "1 1 udp 1 192.0.2.1 40", ERR_INVALID, 0, 0, NULL, NULL },
    { "typ without a type", "1 1 udp 1 192.0.2.1 40 typ", ERR_INVALID, 0, 0, NULL, NULL },
    { "another word for typ", "1 1 udp 1 192.0.2.1 40 type host", ERR_INVALID, 0, 0, NULL, NULL },
    { "component 0", "1 0 udp 1 192.0.2.1 40 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "component 257", "1 257 udp 1 192.0.2.1 40 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "priority 0", "1 1 udp 0 192.0.2.1 40 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "priority over 31 bits", "1 1 udp 2147483648 192.0.2.1 40 typ host", ERR_INVALID, 0, 0, NULL,
      NULL },
    { "priority of many digits", "1 1 udp 00000000001 192.0.2.1 40 typ host", ERR_INVALID, 0, 0,
      NULL, NULL },
    { "negative priority", "1 1 udp -1 192.0.2.1 40 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "port 0", "1 1 udp 1 192.0.2.1 0 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "port 65536", "1 1 udp 1 192.0.2.1 65536 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "an address of five parts", "1 1 udp 1 1.2.3.4.5 40 typ host", ERR_INVALID, 0, 0, NULL,
      NULL },
    { "brackets", "1 1 udp 1 [::1] 40 typ host", ERR_INVALID, 0, 0, NULL, NULL },
    { "foundation of 33", "123456789012345678901234567890123 1 udp 1 192.0.2.1 40 typ host",
      ERR_INVALID, 0, 0, NULL, NULL },
    { "foundation with a dash", "1-2 1 udp 1 192.0.2.1 40 typ host", ERR_INVALID, 0, 0, NULL,
      NULL },
    { "an extension without a value", "1 1 udp 1 192.0.2.1 40 typ host generation", ERR_INVALID, 0,
      0, NULL, NULL },
    { "rport that is no number", "1 1 udp 1 192.0.2.1 40 typ host raddr 1.2.3.4 rport x",
      ERR_INVALID, 0, 0, NULL, NULL },
    { "a control character", "1 1 udp 1 192.0.2.1 40 typ ho\x01st", ERR_INVALID, 0, 0, NULL, NULL },
};

TEST(candidate_lines)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ice_candidate c = { .priority = 77 };
        char shown[ADDR_TEXT_MAX];
        int err = ice_candidate_decode(&c, rows[i].line);

        CHECK(rows[i].claim, err == rows[i].err);
        CHECK(rows[i].claim, err == ERR_OK || c.priority == 77);
        if (err != ERR_OK || !rows[i].addr)
            continue;
        CHECK(rows[i].claim, c.type == rows[i].type && c.priority == rows[i].priority);
        CHECK(rows[i].claim, strcmp(addr_format(&c.addr, shown), rows[i].addr) == 0);
        CHECK(rows[i].claim, strcmp(addr_format(&c.related, shown), rows[i].related) == 0);
    }
}

TEST(what_is_encoded_decodes_to_the_same)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ice_candidate c, again;
        char line[ICE_CANDIDATE_TEXT_MAX], twice[ICE_CANDIDATE_TEXT_MAX];

        if (rows[i].err != ERR_OK || ice_candidate_decode(&c, rows[i].line) != ERR_OK)
            continue;
        CHECK(rows[i].claim, ice_candidate_encode(&c, line) == ERR_OK);
        CHECK(rows[i].claim, ice_candidate_decode(&again, line) == ERR_OK);
        CHECK(rows[i].claim, ice_candidate_encode(&again, twice) == ERR_OK);
        CHECK(rows[i].claim, strcmp(line, twice) == 0);
        CHECK(rows[i].claim, addr_equal(&c.addr, &again.addr) && c.type == again.type &&
                                 addr_equal(&c.related, &again.related));
    }
}

TEST(the_longest_candidate_fits)
{
    struct ice_candidate c = { .type = ICE_SERVER_REFLEXIVE, .priority = 2147483647 }, again;
    char line[ICE_CANDIDATE_TEXT_MAX];

    memset(c.foundation, 'x', 32);
    addr_parse(&c.addr, "[2001:1111:2222:3333:4444:5555:6666:7777]:65535");
    c.related = c.addr;
    c.addr.scope = 4000000000;
    CHECK("encodes", ice_candidate_encode(&c, line) == ERR_OK);
    CHECK("without the zone", strchr(line, '%') == NULL);
    CHECK("and comes back", ice_candidate_decode(&again, line) == ERR_OK);
    CHECK("whole", addr_equal(&again.related, &c.related));
}

TEST(every_cut_of_a_line_is_read_without_harm)
{
    static const char whole[] =
        "candidate:1 1 udp 1685987327 203.0.113.7 33723 typ srflx raddr 10.0.0.2 rport 5000";
    char line[sizeof whole];
    size_t taken = 0;

    for (size_t len = 0; len < sizeof whole; len++) {
        struct ice_candidate c;

        memcpy(line, whole, len);
        line[len] = '\0';
        taken += ice_candidate_decode(&c, line) == ERR_OK;
    }
    /* Behind "typ srflx", behind every spelling of the related address, behind digits of rport. */
    CHECK("only where it makes sense", taken > 3 && taken < 20);
}

TEST(a_word_without_end_is_refused)
{
    static char line[100000];
    struct ice_candidate c;

    memset(line, 'a', sizeof line - 1);
    CHECK("refused", ice_candidate_decode(&c, line) == ERR_INVALID);
}

TESTS(TEST_ROW(candidate_lines), TEST_ROW(what_is_encoded_decodes_to_the_same),
      TEST_ROW(the_longest_candidate_fits), TEST_ROW(every_cut_of_a_line_is_read_without_harm),
      TEST_ROW(a_word_without_end_is_refused))
