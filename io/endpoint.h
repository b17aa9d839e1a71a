/* endpoint.h: "scheme://host:port" and its relatives, taken apart. [any thread] */
#ifndef HAWSER_IO_ENDPOINT_H
#define HAWSER_IO_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

enum endpoint_transport { ENDPOINT_ANY, ENDPOINT_UDP, ENDPOINT_TCP };

struct endpoint {
    char scheme[16]; /* lower case; empty if there was none */
    char host[256];  /* name or numeric address, without brackets; of mqtt+unix: the path */
    uint16_t port;   /* 0 if there was none */
    enum endpoint_transport transport; /* as a TURN URI asks for */
};

/* Takes "host", "host:port", "[v6]:port", "stun:host:port" (RFC 7064),
 * "turn:host:port?transport=udp" and "turns:…" (RFC 7065), "mqtts://host:port/" and
 * "mqtt+unix:///path/of/a/socket"; other queries, paths and user names are refused, as is a bare
 * IPv6 address. ERR_INVALID. */
int endpoint_parse(struct endpoint *out, const char *text);

#endif
