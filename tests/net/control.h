/* control.h: what can happen to a laboratory while it runs, as lines of text.
 *
 *     reboot NAT                      it forgets its mappings
 *     readdress NAT IP                another public address, and no mappings
 *     move HOST DEVICE IP[,IP...]     other addresses for an interface
 *     cut HOST DEVICE | mend HOST DEVICE    the cable carries nothing; the host is not told
 *     down HOST DEVICE | up HOST DEVICE     the interface goes, with addresses and routes
 *     link HOST DEVICE LINK...        settings of topology.h, over those there are
 *     state HOST DEVICE               ok NOW_US, then of its link up and that down: us until what
 *                                     waits for the rate has left, and packets: offered, lost,
 *                                     duplicated, reordered, dropped for want of room
 *     counts                          ok PACKETS DROPPED LATE_MEAN_US LATE_MAX_US; and from zero */
#ifndef HAWSER_TESTS_NET_CONTROL_H
#define HAWSER_TESTS_NET_CONTROL_H

#include "tests/net/lab.h"

/* Does what the line says and prints one line, `ok`, or `error` and why. */
void control_obey(struct lab *l, char *line);

#endif
