/* netwatch.h: tells when addresses, links or routes of this host change (rtnetlink). All calls on
 * the loop's thread. Where netlink is forbidden, netwatch_new() says ERR_AUTH and applications call
 * hawser_network_changed() instead. */
#ifndef HAWSER_IO_NETWATCH_H
#define HAWSER_IO_NETWATCH_H

#include "io/loop.h"

#define NETWATCH_SETTLE_US (20 * MILLISECOND) /* changes come in flurries: one call for each */

struct netwatch;

/* fn is called later, once a flurry. ERR_NOMEM, ERR_LIMIT, ERR_AUTH. */
int netwatch_new(struct netwatch **out, struct io_loop *loop, io_fn *fn, void *ctx);
void netwatch_free(struct netwatch *w); /* NULL is fine */

#endif
