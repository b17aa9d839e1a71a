/* pipe.h: what send and recv share: a channel and a file descriptor. */
#ifndef HAWSER_APPS_HAWSER_PIPE_H
#define HAWSER_APPS_HAWSER_PIPE_H

#include <stdatomic.h>
#include <stdint.h>

#define PIPE_NOWHERE (-1) /* instead of a descriptor: what comes is only taken and counted */

/* Writes what the channel brings to fd, until *most bytes (may change meanwhile), the end of the
 * session or a signal. *done counts. 0; a code of the library; or EXIT_CODE_FAILED, said. */
int pipe_receive(int handle, int channel, int fd, const atomic_ullong *most, uint64_t *done);

#endif
