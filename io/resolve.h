/* resolve.h: names to addresses without blocking the loop. All calls on the loop's thread. */
#ifndef HAWSER_IO_RESOLVE_H
#define HAWSER_IO_RESOLVE_H

#include "core/base/addr.h"
#include "io/endpoint.h"
#include "io/loop.h"

#define RESOLVE_ADDRS_MAX 8

struct resolve;

/* err is ERR_OK with 1…RESOLVE_ADDRS_MAX addresses in the system's order of preference (RFC 6724),
 * or ERR_WRONG_STATE with none and a text for people: no such name, no resolver. The request is
 * gone when this is called. */
typedef void resolve_fn(void *ctx, int err, const struct addr *addrs, size_t count,
                        const char *why);

/* Looks up the endpoint's host; a port of 0 becomes port_default. Numeric addresses take the same
 * way. fn is called later, never within this call. ERR_NOMEM. */
int resolve_start(struct resolve **out, struct io_loop *loop, const struct endpoint *endpoint,
                  uint16_t port_default, resolve_fn *fn, void *ctx);

/* fn is not called any more. Not after fn was called. NULL is fine. */
void resolve_cancel(struct resolve *r);

#endif
