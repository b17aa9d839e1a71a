/* packet.h: IP packets taken apart and given other addresses, as a router or a NAT does it.
 *
 * Only IPv4 packets are rewritten: the NATs of the models are IPv4's. Of ICMP, echo has its
 * identifier in place of a port, and errors quote a packet that is rewritten with them. */
#ifndef HAWSER_TESTS_NET_PACKET_H
#define HAWSER_TESTS_NET_PACKET_H

#include "core/base/addr.h"
#include "core/base/bytes.h"

#define PACKET_MAX       2048
#define PACKET_TEXT_MAX  160
#define PACKET_ERROR_MAX 1280 /* of the errors made here */

/* What a NAT keeps apart: each has ports of its own. */
enum packet_kind { PACKET_UDP, PACKET_TCP, PACKET_ECHO, PACKET_KINDS, PACKET_OTHER = PACKET_KINDS };

struct packet {
    uint8_t *data;
    size_t len;
    uint8_t protocol;
    enum packet_kind kind; /* of an ICMP error: that of the packet it quotes */
    struct addr from, to;  /* ports are 0 where the kind has none */
    size_t transport;      /* where the header after IP's begins */
    size_t quoted;         /* where the packet that an ICMP error quotes begins; 0: it is none */
};

/* data is borrowed for as long as p is used. False: no packet that can be passed on. */
bool packet_parse(struct packet *p, uint8_t *data, size_t len);

/* What an ICMP error quotes; its data points into p's. False: p is none, or quotes too little. */
bool packet_parse_quoted(struct packet *quoted, const struct packet *p);

/* Write other addresses and ports, with the checksums; IPv4, and not an ICMP error. */
void packet_set_from(struct packet *p, const struct addr *from);
void packet_set_to(struct packet *p, const struct addr *to);

/* The two of an error: the end of the packet it quotes that is nearer to its own. */
void packet_set_error_from(struct packet *p, const struct addr *from);
void packet_set_error_to(struct packet *p, const struct addr *to);

/* Writes the ICMP error that tells the sender of p that a link carries only mtu bytes, from the
 * router's address of p's family (RFC 1191, RFC 4443 §3.2). Its length; 0: p deserves none. */
size_t packet_too_big(uint8_t out[PACKET_ERROR_MAX], const struct packet *p, size_t mtu,
                      const struct addr *router);

/* "udp 10.0.0.2:5000 > 198.51.100.1:3478 120"; returns out. */
const char *packet_format(const struct packet *p, char out[PACKET_TEXT_MAX]);

#endif
