/* interfaces.h: which addresses of this host are worth offering to a peer. [any thread]
 *
 * Left out: interfaces that are down, IPv6 addresses still tentative or already deprecated, those
 * that RFC 8445 §5.1.1.1 forbids, and stable IPv6 ones beside a temporary one of their prefix. */
#ifndef HAWSER_IO_INTERFACES_H
#define HAWSER_IO_INTERFACES_H

#include "core/base/addr.h"

#define INTERFACES_MAX 16

enum interfaces_flags {
    INTERFACES_LOOPBACK = 1, /* loopback addresses too, not only where there is nothing else */
    INTERFACES_IPV4_ONLY = 2,
    INTERFACES_IPV6_ONLY = 4
};

struct interface_addr {
    struct addr addr;    /* port 0; link-local IPv6 carries its scope */
    uint16_t preference; /* for ice_add_host(): different for each, larger is better */
    char name[16];       /* of the interface */
};

/* Fills up to INTERFACES_MAX, best first: IPv6 before IPv4 (RFC 6724, RFC 8421), global before
 * private before link-local; link-local IPv6 and loopback only where there is nothing better of
 * any family. Returns how many; 0 also when the system would not say. */
size_t interfaces_list(struct interface_addr out[INTERFACES_MAX], unsigned flags);

/* Whether an interface that is up has this IP, whatever its port. */
bool interfaces_has(const struct addr *ip);

/* What the interface that has this IP carries; 0: nobody knows. */
size_t interfaces_mtu(const struct addr *ip);

/* Where the routes of now would have a packet to this address leave from, port 0. False: nothing
 * leads there. Nothing is sent. */
bool interfaces_source(struct addr *out, const struct addr *to);

#endif
