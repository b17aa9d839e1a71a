/* wiring.h: the namespaces of a laboratory's hosts, and their devices, addresses and routes. */
#ifndef HAWSER_TESTS_NET_WIRING_H
#define HAWSER_TESTS_NET_WIRING_H

#include "tests/net/lab.h"

/* Makes the host of this port, unless an earlier port has, and its device. False: printed why. */
bool wiring_add_port(struct lab *l, int port);

/* Returns when all that was made carries packets. */
bool wiring_wait(const struct lab *l);

/* Takes the interface down, as the host sees it. */
bool wiring_set_down(struct lab *l, int port);

/* Takes it up with the addresses that the plan names now, in place of those before. */
bool wiring_set_addresses(struct lab *l, int port);

#endif
