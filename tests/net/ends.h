/* ends.h: what the two programs at the ends of the laboratory share. They know only the public
 * face of the library.
 *
 * On channel 0 the device first says when it had the session; then it answers each byte with when
 * that came: 8 bytes, microseconds of the clock that all namespaces share. The other channels it
 * echoes. */
#ifndef HAWSER_TESTS_NET_ENDS_H
#define HAWSER_TESTS_NET_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "hawser/device.h"
#include "tests/net/now.h"

enum { CHANNEL_TIMES = 0, CHANNEL_ECHO = 5 };

/* argv: PROGRAM HOME BROKER [OPTION=VALUE...]. With VERBOSE in the environment the library's log
 * goes to the standard error, each line with its time. False: printed why. */
bool ends_begin(int argc, char **argv);

/* Sends all of it or as much as the session lives for. */
bool ends_send(int handle, int channel, const void *data, int len);

bool ends_receive(int handle, int channel, void *data, int len, int timeout_ms);

#endif
