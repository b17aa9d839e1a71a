#include "core/lan/gate.h"

static bool has_room(usec full_at, usec now, int burst, usec each)
{
    return full_at - now <= (burst - 1) * each;
}

static struct lan_gate_source *find_source(struct lan_gate *g, const struct addr *from)
{
    struct lan_gate_source *stalest = &g->source[0];

    for (size_t i = 0; i < LAN_GATE_SOURCES; i++) {
        struct lan_gate_source *s = &g->source[i];

        if (addr_equal_ip(&s->from, from) && s->from.scope == from->scope)
            return s;
        if (s->full_at < stalest->full_at)
            stalest = s;
    }
    *stalest = (struct lan_gate_source){ .from = *from };
    return stalest;
}

bool lan_gate_take(struct lan_gate *g, usec now, const struct addr *from)
{
    struct lan_gate_source *s = find_source(g, from);
    usec source = usec_max(s->full_at, now), all = usec_max(g->full_at, now);

    if (!has_room(source, now, LAN_GATE_SOURCE_BURST, LAN_GATE_SOURCE_US) ||
        !has_room(all, now, LAN_GATE_ALL_BURST, LAN_GATE_ALL_US))
        return false;
    s->full_at = source + LAN_GATE_SOURCE_US;
    g->full_at = all + LAN_GATE_ALL_US;
    return true;
}
