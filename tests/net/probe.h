/* probe.h: what the prober and its responder say to each other, in the manner of RFC 5780: the
 * asked answers from another of its addresses, or later, and says how it sees the asker. */
#ifndef HAWSER_TESTS_NET_PROBE_H
#define HAWSER_TESTS_NET_PROBE_H

#include <netinet/in.h>
#include <stdint.h>

/* The responder has two addresses, with two UDP ports each. Bit 1 of a source is the address. */
enum { PROBE_PORT = 7000, PROBE_SOURCES = 4, PROBE_TCP_PORTS = 2 };

static const uint16_t probe_tcp_ports[PROBE_TCP_PORTS] = { 443, 3478 };

/* Both ends run on one machine: host order, and the socket's own structures. */
struct probe_request {
    uint32_t nonce;
    uint32_t source; /* 0…3: where the answer is to come from */
    uint32_t delay_ms;
};

struct probe_answer {
    uint32_t nonce, source;
    struct sockaddr_in6 seen; /* or a sockaddr_in: see its family */
};

/* Answers for ever. Addresses are numeric, both of one family. */
int probe_respond(const char *first, const char *second);

#endif
