#include "core/base/addr.h"

#include <string.h>

#include "core/base/bytes.h"
#include "tests/check.h"

static const struct {
    const char *claim, *text, *shown; /* shown NULL: refused */
} rows[] = {
    { "IPv4", "192.0.2.1:80", "192.0.2.1:80" },
    { "IPv6", "[2001:db8::1]:80", "[2001:db8::1]:80" },
    { "all groups", "[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1" },
    { "zeroes are cut, letters lowered", "[2001:0DB8:0:0:0:0:0:0001]:1", "[2001:db8::1]:1" },
    { "only the longest run", "[1:0:0:2:0:0:0:3]:1", "[1:0:0:2::3]:1" },
    { "the unspecified address", "[::]:1", "[::]:1" },
    { "a gap at the end", "[fe80::]:1", "[fe80::]:1" },
    { "a zone", "[fe80::1%3]:1", "[fe80::1%3]:1" },
    { "a dotted tail", "[::ffff:1.2.3.4]:1", "[::ffff:102:304]:1" },
    { "two gaps", "[1::2::3]:1", NULL },
    { "too many groups", "[1:2:3:4:5:6:7:8:9]:1", NULL },
    { "too few", "[1:2:3]:1", NULL },
    { "five digits", "[12345::]:1", NULL },
    { "octet over 255", "1.2.3.256:1", NULL },
    { "three octets", "1.2.3:1", NULL },
    { "no port", "1.2.3.4", NULL },
    { "port over 65535", "1.2.3.4:65536", NULL },
    { "something behind", "1.2.3.4:5x", NULL },
    { "a colon alone", "[:]:1", NULL },
    { "a trailing colon", "[1:2:3:4:5:6:7:]:1", NULL },
    { "nothing", "", NULL },
};

TEST(text_forms)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr a;
        char shown[ADDR_TEXT_MAX];
        bool ok = addr_parse(&a, rows[i].text);

        CHECK(rows[i].claim, ok == (rows[i].shown != NULL));
        if (ok && rows[i].shown)
            CHECK(rows[i].claim, strcmp(addr_format(&a, shown), rows[i].shown) == 0);
    }
}

static const struct {
    const char *ip;
    enum addr_scope scope;
} scopes[] = {
    { "0.0.0.0", ADDR_SCOPE_UNUSABLE },
    { "127.0.0.1", ADDR_SCOPE_LOOPBACK },
    { "10.1.2.3", ADDR_SCOPE_PRIVATE },
    { "172.31.0.1", ADDR_SCOPE_PRIVATE },
    { "172.32.0.1", ADDR_SCOPE_GLOBAL },
    { "100.64.0.1", ADDR_SCOPE_PRIVATE },
    { "224.0.0.1", ADDR_SCOPE_UNUSABLE },
    { "255.255.255.255", ADDR_SCOPE_UNUSABLE },
    { "169.254.1.1", ADDR_SCOPE_LINK },
    { "8.8.8.8", ADDR_SCOPE_GLOBAL },
    { "::", ADDR_SCOPE_UNUSABLE },
    { "::1", ADDR_SCOPE_LOOPBACK },
    { "fe80::1", ADDR_SCOPE_LINK },
    { "fd00::1", ADDR_SCOPE_PRIVATE },
    { "ff02::1", ADDR_SCOPE_UNUSABLE },
    { "2001:db8::1", ADDR_SCOPE_GLOBAL },
    { "::ffff:1.2.3.4", ADDR_SCOPE_UNUSABLE },
};

TEST(scopes_by_prefix)
{
    for (size_t i = 0; i < COUNT(scopes); i++) {
        struct addr a;

        CHECK(scopes[i].ip, addr_parse_ip(&a, scopes[i].ip, 0));
        CHECK(scopes[i].ip, addr_scope_of(&a) == scopes[i].scope);
    }
}

TESTS(TEST_ROW(text_forms), TEST_ROW(scopes_by_prefix))
