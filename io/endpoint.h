/* endpoint.h: "scheme://host:port" and its relatives, taken apart. [any thread] */
#ifndef HAWSER_IO_ENDPOINT_H
#define HAWSER_IO_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

struct endpoint {
    char scheme[16]; /* lower case; empty if there was none */
    char host[256];  /* name or numeric address, without brackets */
    uint16_t port;   /* 0 if there was none */
};

/* Takes "host", "host:port", "[v6]:port", "stun:host:port" (RFC 7064) and "mqtts://host:port/";
 * queries, paths and user names are refused, as is a bare IPv6 address. ERR_INVALID. */
int endpoint_parse(struct endpoint *out, const char *text);

#endif
