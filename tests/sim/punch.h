/* punch.h: whether two hosts behind NATs can reach each other at all, found by trying everything.
 *
 * An oracle for ICE that shares nothing with it: both hosts know each other's server-reflexive
 * address, send to every address they know, learn the sources of what arrives, and go on until
 * nothing new is learned. A path exists if a request arrives and its answer comes back from the
 * address the request was sent to (RFC 8445 §7.2.5.2.1). */
#ifndef HAWSER_TESTS_SIM_PUNCH_H
#define HAWSER_TESTS_SIM_PUNCH_H

#include "tests/net/model/nat.h"

struct punch_kind {
    enum nat_rule mapping, filtering;
};

bool punch_is_possible(const struct punch_kind kinds[2]);

#endif
