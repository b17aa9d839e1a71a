/* relay.h: what a STUN server answers (RFC 8489 §6.3, §12). Stateless: a Binding request tells its
 * sender the address it came from. */
#ifndef HAWSER_RELAY_H
#define HAWSER_RELAY_H

#include "core/base/addr.h"
#include "core/base/bytes.h"

#define RELAY_ANSWER_MAX 128 /* the longest answer */

/* Writes the answer to one request, or returns false where none is due: not a Binding request,
 * malformed, or from an address nobody can be at. `answer` is empty at first. */
bool relay_answer_binding(struct bytes request, const struct addr *from, struct wr *answer);

#endif
