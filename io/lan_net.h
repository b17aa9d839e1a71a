/* lan_net.h: which interfaces reach a local network, and who is on one. [any thread] */
#ifndef HAWSER_IO_LAN_NET_H
#define HAWSER_IO_LAN_NET_H

#include "io/lan.h"

#define LAN_FACES_MAX    8
#define LAN_PREFIXES_MAX 64

struct lan_face {
    unsigned index;
    uint8_t families; /* bit f: has an address of enum addr_family f */
    struct addr v4;   /* to send from; ADDR_NONE: the system's choice */
};

/* An address of this host and its network. */
struct lan_prefix {
    unsigned index;
    unsigned bits;
    struct addr addr;
};

struct lan_nets {
    size_t face_count, prefix_count;
    struct lan_face face[LAN_FACES_MAX];
    struct lan_prefix prefix[LAN_PREFIXES_MAX];
};

/* Interfaces that are up, can multicast and are no tunnels to one other end. */
void lan_nets_read(struct lan_nets *out, const struct lan_config *cfg);

/* Whether this address is on the network of one of the faces. index 0: any of them. */
bool lan_nets_has(const struct lan_nets *n, const struct addr *a, unsigned index);

#endif
