/* errno.h: what the system refused, as our errors. [any thread] */
#ifndef HAWSER_IO_ERRNO_H
#define HAWSER_IO_ERRNO_H

#include "core/base/err.h"

/* ERR_LIMIT or ERR_NOMEM where descriptors or memory ran out, else `other`. `error` is an errno,
 * which is what libuv's codes are with their sign changed. */
int errno_decode(int error, int other);

#endif
