/* gate.h: how many probes are looked at: of each source and in all. What is above costs a look into
 * a small table and no HMAC. */
#ifndef HAWSER_LAN_GATE_H
#define HAWSER_LAN_GATE_H

#include "core/base/addr.h"
#include "core/base/usec.h"

#define LAN_GATE_SOURCES      64 /* known at once; the stalest gives its place */
#define LAN_GATE_SOURCE_BURST 40
#define LAN_GATE_SOURCE_US    (SECOND / 20) /* 20 a second from one source */
#define LAN_GATE_ALL_BURST    200
#define LAN_GATE_ALL_US       (SECOND / 200)

/* Full again at full_at: the earlier, the more it lets through. */
struct lan_gate {
    usec full_at;
    struct lan_gate_source {
        struct addr from; /* without its port */
        usec full_at;
    } source[LAN_GATE_SOURCES];
};

/* Of a gate of zeroes, too. */
bool lan_gate_take(struct lan_gate *g, usec now, const struct addr *from);

#endif
