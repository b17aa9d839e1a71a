/* A transfer over paths of several widths: each is found, what was cut for a wide one passes a
 * narrow one, and few probes are spent. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define RATE_BPS   UINT64_C(20000000)
#define BYTES      UINT32_C(150000000) /* a minute's */
#define SEARCH     (12 * SECOND)       /* four sizes, each asked three times, a second each */
#define FILES      5
#define PROBES_MAX 50

static const struct home symmetric_dual = { .kind = HOME_DUAL,
                                            .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                            .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                            .ports = NAT_PORTS_RANDOM,
                                            .line = { .rate_bps = RATE_BPS,
                                                      .delay_us = 5 * MILLISECOND } };

/* Of every peer's line of one family. */
static void set_mtu(struct stage *s, unsigned slot, size_t mtu)
{
    struct link_config line = symmetric_dual.line;

    line.mtu = mtu;
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        net_set_links(s->town.net, s->town.homes[i].accesses[slot], &line, &line);
}

static void set_ipv6(struct stage *s, enum net_state state)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        net_set_access(s->town.net, s->town.homes[i].accesses[1], state);
        peer_check_paths(s->peers[i], s->now);
        stage_drain(s, i);
    }
}

static bool is_relayed(const struct stage *s)
{
    return peer_is_relayed(s->peers[0]) && peer_is_relayed(s->peers[1]);
}

static bool is_direct(const struct stage *s)
{
    return !peer_is_relayed(s->peers[0]) && !peer_is_relayed(s->peers[1]);
}

/* What the sender found is what an IP packet of `mtu` holds, less what is not worth a probe. */
static void claim_width(struct scene *c, struct stage *s, size_t mtu, size_t ip, const char *when)
{
    struct session_info info;

    stage_run(s, s->now + SEARCH, NULL);
    peer_get_info(s->peers[0], &info);
    printf("datagrams of %zu bytes where packets of %zu pass %s\n", info.path_mtu, mtu, when);
    scene_claim(c, info.path_mtu + ip + 8 <= mtu, "they pass", when);
    scene_claim(c, info.path_mtu + ip + 8 + 40 > mtu, "and fill what there is", when);
}

static void change(struct scene *c, struct stage *s)
{
    claim_width(c, s, 1500, 40, "(direct)");
    set_mtu(s, 1, 1400);
    claim_width(c, s, 1400, 40, "(in silence)");
    set_ipv6(s, NET_BLACK);
    scene_claim(c, stage_run(s, s->now + 10 * SECOND, is_relayed), "a relay takes over", "");
    claim_width(c, s, 1450, 20 + 4, "(relayed)");
    set_mtu(s, 1, 1500);
    set_ipv6(s, NET_UP);
    scene_claim(c, stage_run(s, s->now + 5 * SECOND, is_direct), "and gives way", "");
    claim_width(c, s, 1500, 40, "(direct again)");
}

void scene_width(struct scene *c)
{
    static struct stage s;
    struct town_plan plan = scene_town(&symmetric_dual, &symmetric_dual);
    struct session_info info;

    scene_set(c, &s, &plan, &(struct scene_talk){ .has_relay = true, .rx_bytes_max = 4 << 20 });
    set_mtu(&s, 0, 1450);
    set_mtu(&s, 1, 1500);
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", "")) {
        scene_claim(c, is_direct(&s), "directly", "");
        scene_send_one_way(&s, FILES, BYTES);
        change(c, &s);
        scene_claim(c, stage_run(&s, s.now + 5 * MINUTE, stage_have_everything),
                    "everything arrives", "");
        peer_get_info(s.peers[0], &info);
        printf("%llu probes, %llu black holes\n", (unsigned long long)info.sctp.mtu_probes,
               (unsigned long long)info.sctp.mtu_black_holes);
        scene_claim(c, info.sctp.mtu_probes <= PROBES_MAX, "few probes", "");
    }
    scene_end(c, &s, "");
}
