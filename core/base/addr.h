/* addr.h: a transport address, IPv4 or IPv6 with a UDP port. Text is RFC 5952 and RFC 4291. */
#ifndef HAWSER_BASE_ADDR_H
#define HAWSER_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum addr_family { ADDR_NONE, ADDR_IPV4, ADDR_IPV6 };

/* Unused bytes of ip are zero, so two addresses are equal when all fields are. */
struct addr {
    uint8_t family; /* enum addr_family */
    uint16_t port;  /* host order */
    uint32_t scope; /* interface index of a link-local IPv6 address, otherwise 0 */
    uint8_t ip[16]; /* network order; IPv4 uses the first 4 */
};

/* What an address is good for. */
enum addr_scope {
    ADDR_SCOPE_UNUSABLE, /* unspecified, multicast, broadcast, documentation's zero network */
    ADDR_SCOPE_LOOPBACK,
    ADDR_SCOPE_LINK,
    ADDR_SCOPE_PRIVATE, /* RFC 1918, RFC 6598 (carrier-grade NAT), RFC 4193 */
    ADDR_SCOPE_GLOBAL
};

#define ADDR_TEXT_MAX 64 /* "[" + 39 + "%" + 10 + "]:" + 5 + NUL */

bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_equal_ip(const struct addr *a, const struct addr *b);
size_t addr_ip_len(const struct addr *a); /* 4, 16, or 0 for ADDR_NONE */
enum addr_scope addr_scope_of(const struct addr *a);

struct addr addr_ipv4(uint32_t ip, uint16_t port); /* host order: 0x7f000001 */

/* Parse a numeric IP without port; false and *out untouched on anything else. */
bool addr_parse_ip(struct addr *out, const char *text, uint16_t port);

/* Parse "192.0.2.1:80" or "[2001:db8::1]:80". */
bool addr_parse(struct addr *out, const char *text);

/* Write "192.0.2.1:80", "[2001:db8::1]:80" or "none"; returns out. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* The same without brackets and port. */
const char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);

#endif
