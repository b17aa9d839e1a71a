#include "tests/net/packet.h"

#include <stdio.h>

/* IPv4 (RFC 791) and IPv6 (RFC 8200); the offsets of what is read and written here. */
enum {
    IP4_HEADER = 20,
    IP4_FRAGMENT = 6,
    IP4_PROTOCOL = 9,
    IP4_CHECKSUM = 10,
    IP4_FROM = 12,
    IP4_TO = 16,
    IP6_HEADER = 40,
    IP6_NEXT = 6,
    IP6_FROM = 8,
    IP6_TO = 24,
    UDP_CHECKSUM = 6,
    TCP_CHECKSUM = 16,
    ICMP_HEADER = 8,
    ICMP_CHECKSUM = 2,
    ICMP_IDENTIFIER = 4
};

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMP6 = 58 };
enum { ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_ECHO = 8, ICMP_TIME_EXCEEDED = 11 };
enum { ICMP6_ERROR_LAST = 127, ICMP6_ECHO = 128, ICMP6_ECHO_REPLY = 129, ICMP6_TOO_BIG = 2 };

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t sum(uint32_t before, const uint8_t *data, size_t len)
{
    for (; len > 1; len -= 2, data += 2)
        before += get16(data);
    return len ? before + (uint32_t)(data[0] << 8) : before;
}

static uint16_t fold(uint32_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

/* RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m'), for `len` bytes of change. */
static void adjust(uint8_t *checksum, const uint8_t *before, const uint8_t *after, size_t len)
{
    uint32_t total = (uint16_t)~get16(checksum);

    for (size_t i = 0; i < len; i += 2)
        total += (uint32_t)(uint16_t)~get16(before + i) + get16(after + i);
    put16(checksum, (uint16_t)~fold(total));
}

static struct addr address(enum addr_family family, const uint8_t *ip, size_t len)
{
    struct addr a = { .family = (uint8_t)family };

    memcpy(a.ip, ip, len);
    return a;
}

static void read_ports(struct packet *p)
{
    p->from.port = get16(p->data + p->transport);
    p->to.port = get16(p->data + p->transport + 2);
}

static void read_icmp(struct packet *p)
{
    uint8_t type = p->data[p->transport];
    bool is_six = p->from.family == ADDR_IPV6;
    struct packet quoted;

    if (type == (is_six ? ICMP6_ECHO : ICMP_ECHO) ||
        type == (is_six ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY)) {
        bool is_reply = type == (is_six ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY);

        p->kind = PACKET_ECHO;
        *(is_reply ? &p->to.port : &p->from.port) = get16(p->data + p->transport + ICMP_IDENTIFIER);
    } else if (is_six ? type <= ICMP6_ERROR_LAST
                      : type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED) {
        p->quoted = p->transport + ICMP_HEADER;
        if (packet_parse_quoted(&quoted, p))
            p->kind = quoted.kind;
    }
}

static void read_transport(struct packet *p)
{
    p->kind = PACKET_OTHER;
    if (p->len < p->transport + ICMP_HEADER)
        return;
    if (p->protocol == PROTOCOL_UDP || p->protocol == PROTOCOL_TCP) {
        p->kind = p->protocol == PROTOCOL_UDP ? PACKET_UDP : PACKET_TCP;
        read_ports(p);
    } else if (p->protocol == PROTOCOL_ICMP || p->protocol == PROTOCOL_ICMP6) {
        read_icmp(p);
    }
}

bool packet_parse(struct packet *p, uint8_t *data, size_t len)
{
    *p = (struct packet){ .data = data, .len = len };
    if (len >= IP4_HEADER && data[0] >> 4 == 4) {
        p->protocol = data[IP4_PROTOCOL];
        p->from = address(ADDR_IPV4, data + IP4_FROM, 4);
        p->to = address(ADDR_IPV4, data + IP4_TO, 4);
        p->transport = (size_t)(data[0] & 15) * 4;
        if (get16(data + IP4_FRAGMENT) & 0x1fff)
            p->transport = len; /* a later fragment has no ports */
    } else if (len >= IP6_HEADER && data[0] >> 4 == 6) {
        p->protocol = data[IP6_NEXT];
        p->from = address(ADDR_IPV6, data + IP6_FROM, 16);
        p->to = address(ADDR_IPV6, data + IP6_TO, 16);
        p->transport = IP6_HEADER;
    } else {
        return false;
    }
    read_transport(p);
    return true;
}

bool packet_parse_quoted(struct packet *quoted, const struct packet *p)
{
    return p->quoted && p->len > p->quoted &&
           packet_parse(quoted, p->data + p->quoted, p->len - p->quoted) && !quoted->quoted &&
           quoted->kind != PACKET_OTHER;
}

/* Where the transport's checksum is; NULL: it has none, or UDP leaves it out. */
static uint8_t *checksum_of(struct packet *p)
{
    size_t at = p->transport + (p->kind == PACKET_TCP   ? TCP_CHECKSUM
                                : p->kind == PACKET_UDP ? UDP_CHECKSUM
                                                        : ICMP_CHECKSUM);

    if (p->kind == PACKET_OTHER || p->quoted || p->len < at + 2 ||
        (p->kind == PACKET_UDP && get16(p->data + at) == 0))
        return NULL;
    return p->data + at;
}

/* Writes `len` bytes, keeping both checksums that may count them right. */
static void rewrite(struct packet *p, size_t at, const uint8_t *value, size_t len)
{
    uint8_t *checksum = checksum_of(p);
    bool is_ip = at < IP4_HEADER;

    if (checksum && !(is_ip && p->kind == PACKET_ECHO)) /* ICMP's does not count addresses */
        adjust(checksum, p->data + at, value, len);
    if (is_ip)
        adjust(p->data + IP4_CHECKSUM, p->data + at, value, len);
    memcpy(p->data + at, value, len);
}

static void rewrite_port(struct packet *p, size_t at, uint16_t port)
{
    uint8_t value[2];

    put16(value, port);
    rewrite(p, p->transport + at, value, sizeof value);
}

/* Of an echo only the asker's end has an identifier to be rewritten. */
static void set_end(struct packet *p, struct addr *end, const struct addr *value)
{
    bool has_identifier = p->kind == PACKET_ECHO && end->port;

    *end = *value;
    if (has_identifier)
        rewrite_port(p, ICMP_IDENTIFIER, value->port);
    else if (p->kind == PACKET_ECHO)
        end->port = 0;
}

void packet_set_from(struct packet *p, const struct addr *from)
{
    rewrite(p, IP4_FROM, from->ip, 4);
    if (p->kind == PACKET_UDP || p->kind == PACKET_TCP)
        rewrite_port(p, 0, from->port);
    set_end(p, &p->from, from);
}

void packet_set_to(struct packet *p, const struct addr *to)
{
    rewrite(p, IP4_TO, to->ip, 4);
    if (p->kind == PACKET_UDP || p->kind == PACKET_TCP)
        rewrite_port(p, 2, to->port);
    set_end(p, &p->to, to);
}

static void sum_icmp(uint8_t *icmp, size_t len)
{
    put16(icmp + ICMP_CHECKSUM, 0);
    put16(icmp + ICMP_CHECKSUM, (uint16_t)~fold(sum(0, icmp, len)));
}

void packet_set_error_from(struct packet *p, const struct addr *from)
{
    struct packet quoted;

    rewrite(p, IP4_FROM, from->ip, 4);
    p->from = address(ADDR_IPV4, from->ip, 4);
    if (packet_parse_quoted(&quoted, p))
        packet_set_to(&quoted, from);
    sum_icmp(p->data + p->transport, p->len - p->transport);
}

void packet_set_error_to(struct packet *p, const struct addr *to)
{
    struct packet quoted;

    rewrite(p, IP4_TO, to->ip, 4);
    p->to = address(ADDR_IPV4, to->ip, 4);
    if (packet_parse_quoted(&quoted, p))
        packet_set_from(&quoted, to);
    sum_icmp(p->data + p->transport, p->len - p->transport);
}

static size_t too_big4(uint8_t *out, const struct packet *p, size_t mtu, const struct addr *router)
{
    size_t quoted = p->len < 548 ? p->len : 548, len = IP4_HEADER + ICMP_HEADER + quoted;
    uint8_t *icmp = out + IP4_HEADER;

    memset(out, 0, IP4_HEADER + ICMP_HEADER);
    out[0] = 0x45;
    put16(out + 2, (uint16_t)len);
    out[8] = 64; /* hops */
    out[IP4_PROTOCOL] = PROTOCOL_ICMP;
    memcpy(out + IP4_FROM, router->ip, 4);
    memcpy(out + IP4_TO, p->from.ip, 4);
    put16(out + IP4_CHECKSUM, (uint16_t)~fold(sum(0, out, IP4_HEADER)));
    icmp[0] = ICMP_UNREACHABLE;
    icmp[1] = 4; /* fragmentation needed and DF set */
    put16(icmp + 6, (uint16_t)mtu);
    memcpy(icmp + ICMP_HEADER, p->data, quoted);
    sum_icmp(icmp, ICMP_HEADER + quoted);
    return len;
}

static size_t too_big6(uint8_t *out, const struct packet *p, size_t mtu, const struct addr *router)
{
    size_t quoted = p->len < 1232 ? p->len : 1232, len = IP6_HEADER + ICMP_HEADER + quoted;
    uint8_t *icmp = out + IP6_HEADER;
    uint32_t pseudo;

    memset(out, 0, IP6_HEADER + ICMP_HEADER);
    out[0] = 0x60;
    put16(out + 4, (uint16_t)(ICMP_HEADER + quoted));
    out[IP6_NEXT] = PROTOCOL_ICMP6;
    out[7] = 64; /* hops */
    memcpy(out + IP6_FROM, router->ip, 16);
    memcpy(out + IP6_TO, p->from.ip, 16);
    icmp[0] = ICMP6_TOO_BIG;
    put16(icmp + 6, (uint16_t)mtu);
    memcpy(icmp + ICMP_HEADER, p->data, quoted);
    pseudo = sum((uint32_t)(ICMP_HEADER + quoted + PROTOCOL_ICMP6), out + IP6_FROM, 32);
    put16(icmp + ICMP_CHECKSUM, (uint16_t)~fold(sum(pseudo, icmp, ICMP_HEADER + quoted)));
    return len;
}

size_t packet_too_big(uint8_t out[PACKET_ERROR_MAX], const struct packet *p, size_t mtu,
                      const struct addr *router)
{
    if (p->quoted || router->family != p->from.family)
        return 0;
    return p->from.family == ADDR_IPV4 ? too_big4(out, p, mtu, router)
                                       : too_big6(out, p, mtu, router);
}

const char *packet_format(const struct packet *p, char out[PACKET_TEXT_MAX])
{
    static const char *const kinds[] = { "udp", "tcp", "echo", "ip" };
    char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

    (void)snprintf(out, PACKET_TEXT_MAX, "%s%s %s > %s %zu", p->quoted ? "error " : "",
                   kinds[p->kind], addr_format(&p->from, from), addr_format(&p->to, to), p->len);
    return out;
}
