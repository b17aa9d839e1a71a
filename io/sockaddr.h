/* sockaddr.h: between the core's addresses and the system's. [any thread] */
#ifndef HAWSER_IO_SOCKADDR_H
#define HAWSER_IO_SOCKADDR_H

#include <sys/socket.h>

#include "core/base/addr.h"

/* Returns how long the result is; 0 for ADDR_NONE. */
socklen_t sockaddr_encode(struct sockaddr_storage *out, const struct addr *a);

/* False, with *out ADDR_NONE, for families other than IPv4 and IPv6. */
bool sockaddr_decode(struct addr *out, const struct sockaddr *sa);

#endif
