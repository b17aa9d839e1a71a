/* space.h: network namespaces without names, and TUN devices in them. A namespace ends by itself
 * with the last process in it and the last descriptor of it, however these end. */
#ifndef HAWSER_TESTS_NET_SPACE_H
#define HAWSER_TESTS_NET_SPACE_H

#include <stdbool.h>

/* Why there can be no laboratory here; NULL: there can. */
const char *space_missing(void);

/* The descriptor of a new namespace, or -1. */
int space_new(void);

/* Makes a TUN device in it, not yet up. Its descriptor, which does not block; or -1. */
int space_open_tun(int space, const char *device);

/* Writes a setting of the kernel: path below /proc/sys/net. */
bool space_set(int space, const char *path, const char *value);

/* Runs a command in it, with this text as its input. False: it failed; its messages are printed. */
bool space_run(int space, const char *const argv[], const char *input);

#endif
