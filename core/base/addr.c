#include "core/base/addr.h"

#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"

size_t addr_ip_len(const struct addr *a)
{
    return a->family == ADDR_IPV4 ? 4 : a->family == ADDR_IPV6 ? 16 : 0;
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_equal_ip(a, b);
}

struct addr addr_ipv4(uint32_t ip, uint16_t port)
{
    struct addr a = { .family = ADDR_IPV4, .port = port };

    for (size_t i = 0; i < 4; i++)
        a.ip[i] = (uint8_t)(ip >> 8 * (3 - i));
    return a;
}

/* Networks by prefix; the first row that holds the address decides. */
static const struct {
    uint8_t family, prefix_bits, ip[4];
    uint8_t scope;
} networks[] = {
    { ADDR_IPV4, 8, { 0 }, ADDR_SCOPE_UNUSABLE },        /* RFC 1122: this network */
    { ADDR_IPV4, 8, { 127 }, ADDR_SCOPE_LOOPBACK },      /* RFC 1122 */
    { ADDR_IPV4, 16, { 169, 254 }, ADDR_SCOPE_LINK },    /* RFC 3927 */
    { ADDR_IPV4, 8, { 10 }, ADDR_SCOPE_PRIVATE },        /* RFC 1918 */
    { ADDR_IPV4, 12, { 172, 16 }, ADDR_SCOPE_PRIVATE },  /* RFC 1918 */
    { ADDR_IPV4, 16, { 192, 168 }, ADDR_SCOPE_PRIVATE }, /* RFC 1918 */
    { ADDR_IPV4, 10, { 100, 64 }, ADDR_SCOPE_PRIVATE },  /* RFC 6598 */
    { ADDR_IPV4, 3, { 224 }, ADDR_SCOPE_UNUSABLE },      /* multicast, class E, broadcast */
    { ADDR_IPV6, 10, { 0xfe, 0x80 }, ADDR_SCOPE_LINK },  /* RFC 4291 §2.5.6 */
    { ADDR_IPV6, 7, { 0xfc }, ADDR_SCOPE_PRIVATE },      /* RFC 4193 */
    { ADDR_IPV6, 8, { 0xff }, ADDR_SCOPE_UNUSABLE },     /* multicast */
};

static bool has_prefix(const uint8_t *ip, const uint8_t *network, unsigned bits)
{
    uint8_t mask = (uint8_t)(0xff00u >> bits % 8);

    return memcmp(ip, network, bits / 8) == 0 &&
           (bits % 8 == 0 || ((ip[bits / 8] ^ network[bits / 8]) & mask) == 0);
}

enum addr_scope addr_scope_of(const struct addr *a)
{
    static const uint8_t zero[16];

    if (a->family == ADDR_NONE || memcmp(a->ip, zero, 16) == 0)
        return ADDR_SCOPE_UNUSABLE;
    if (a->family == ADDR_IPV6 && memcmp(a->ip, zero, 15) == 0 && a->ip[15] == 1)
        return ADDR_SCOPE_LOOPBACK;
    if (a->family == ADDR_IPV6 && memcmp(a->ip, zero, 10) == 0 && a->ip[10] == 0xff &&
        a->ip[11] == 0xff)
        return ADDR_SCOPE_UNUSABLE; /* IPv4-mapped: must come as IPv4, or a filter is passed by */
    for (size_t i = 0; i < COUNT(networks); i++)
        if (networks[i].family == a->family &&
            has_prefix(a->ip, networks[i].ip, networks[i].prefix_bits))
            return (enum addr_scope)networks[i].scope;
    return ADDR_SCOPE_GLOBAL;
}

/* Text comes from peers, so each parser stops at the first character it does not know. */
struct text {
    const char *p;
    bool ok;
};

static bool text_take(struct text *t, char c)
{
    if (*t->p != c)
        return false;
    t->p++;
    return true;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

static uint32_t text_number(struct text *t, int base, int digits_max, uint32_t most)
{
    uint32_t value = 0;
    int digits = 0;

    while (digits <= digits_max && digit_value(*t->p) < base) {
        value = value * (uint32_t)base + (uint32_t)digit_value(*t->p++);
        digits++;
    }
    if (digits == 0 || digits > digits_max || value > most)
        t->ok = false;
    return value;
}

static void text_ipv4(struct text *t, uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !text_take(t, '.'))
            t->ok = false;
        ip[i] = (uint8_t)text_number(t, 10, 3, 255);
    }
}

/* Whether a dotted quad comes before the next colon: the tail of ::ffff:192.0.2.1. */
static bool text_is_ipv4(const char *p)
{
    while (digit_value(*p) < 10)
        p++;
    return *p == '.';
}

/* Reads groups up to the end; `gap` is where "::" stood, or -1. Returns bytes written. */
static int text_groups(struct text *t, uint8_t ip[16], int *gap)
{
    int at = 0;

    *gap = -1;
    if (t->p[0] == ':' && t->p[1] != ':')
        t->ok = false;
    while (t->ok && at < 16 && (*t->p == ':' || digit_value(*t->p) < 16)) {
        if (t->p[0] == ':' && t->p[1] == ':') {
            t->ok = *gap < 0;
            *gap = at;
            t->p += 2;
            if (digit_value(*t->p) >= 16)
                break;
        } else if (at > 0 && *gap != at) {
            t->ok = text_take(t, ':');
        }
        if (at <= 12 && text_is_ipv4(t->p)) {
            text_ipv4(t, ip + at);
            return at + 4;
        }
        uint32_t group = text_number(t, 16, 4, 0xffff);
        ip[at++] = (uint8_t)(group >> 8);
        ip[at++] = (uint8_t)group;
    }
    return at;
}

static void text_ipv6(struct text *t, uint8_t ip[16])
{
    uint8_t read[16] = { 0 };
    int gap, len = text_groups(t, read, &gap);

    if (!t->ok || (gap < 0 ? len != 16 : len > 14)) {
        t->ok = false;
        return;
    }
    memset(ip, 0, 16);
    if (gap < 0)
        gap = len;
    memcpy(ip, read, (size_t)gap);
    memcpy(ip + 16 - (len - gap), read + gap, (size_t)(len - gap));
}

static void text_ip(struct text *t, struct addr *a)
{
    if (text_is_ipv4(t->p)) {
        a->family = ADDR_IPV4;
        text_ipv4(t, a->ip);
        return;
    }
    a->family = ADDR_IPV6;
    text_ipv6(t, a->ip);
    if (t->ok && text_take(t, '%'))
        a->scope = text_number(t, 10, 9, 999999999);
}

bool addr_parse_ip(struct addr *out, const char *text, uint16_t port)
{
    struct text t = { .p = text, .ok = true };
    struct addr a = { .port = port };

    text_ip(&t, &a);
    if (!t.ok || *t.p != '\0')
        return false;
    *out = a;
    return true;
}

bool addr_parse(struct addr *out, const char *text)
{
    struct text t = { .p = text, .ok = true };
    struct addr a = { 0 };
    bool bracket = text_take(&t, '[');

    text_ip(&t, &a);
    if (!t.ok || bracket != (a.family == ADDR_IPV6) || (bracket && !text_take(&t, ']')) ||
        !text_take(&t, ':'))
        return false;
    a.port = (uint16_t)text_number(&t, 10, 5, 65535);
    if (!t.ok || *t.p != '\0')
        return false;
    *out = a;
    return true;
}

/* RFC 5952 §4.2: the longest run of at least two zero groups becomes "::"; the first if equal. */
static int longest_zero_run(const uint8_t ip[16], int *length)
{
    int best = -1, best_len = 1;

    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && ip[2 * (i + n)] == 0 && ip[2 * (i + n) + 1] == 0)
            n++;
        if (n > best_len) {
            best = i;
            best_len = n;
        }
        i += n;
    }
    *length = best_len;
    return best;
}

static size_t format_ipv6(const struct addr *a, char *out, size_t cap)
{
    int run_len, run = longest_zero_run(a->ip, &run_len);
    size_t len = 0;

    for (int i = 0; i < 8; i++) {
        if (i == run) {
            len += (size_t)snprintf(out + len, cap - len, "::");
            i += run_len - 1;
            continue;
        }
        const char *colon = i == 0 || i == run + run_len ? "" : ":";

        if (run < 0 && i > 0)
            colon = ":";
        len += (size_t)snprintf(out + len, cap - len, "%s%x", colon,
                                (unsigned)(a->ip[2 * i] << 8 | a->ip[2 * i + 1]));
    }
    if (a->scope)
        len += (size_t)snprintf(out + len, cap - len, "%%%u", (unsigned)a->scope);
    return len;
}

const char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    if (a->family == ADDR_IPV4)
        snprintf(out, ADDR_TEXT_MAX, "%u.%u.%u.%u", a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
    else if (a->family == ADDR_IPV6)
        format_ipv6(a, out, ADDR_TEXT_MAX);
    else
        snprintf(out, ADDR_TEXT_MAX, "none");
    return out;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];

    addr_format_ip(a, ip);
    if (a->family == ADDR_IPV4)
        snprintf(out, ADDR_TEXT_MAX, "%.15s:%u", ip, a->port);
    else if (a->family == ADDR_IPV6)
        snprintf(out, ADDR_TEXT_MAX, "[%.49s]:%u", ip, a->port);
    else
        snprintf(out, ADDR_TEXT_MAX, "none");
    return out;
}
