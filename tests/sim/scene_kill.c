/* Parts of the network die in the middle of a transfer. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define PIECE_US (10 * MILLISECOND)
#define PIECE    1000
#define TRANSFER (1200 * PIECE) /* 12 s */
#define KILL_AT  (4 * SECOND)
#define GAP_MAX  (3 * SECOND)

static void reboot_nat(struct stage *s, unsigned peer)
{
    nat_reset(net_nat(s->town.net, s->town.homes[peer].outer));
}

static void change_address(struct stage *s, unsigned peer)
{
    struct addr other = addr_ipv4(0xcb0071c8 + peer, 0);

    net_set_outside(s->town.net, s->town.homes[peer].outer, &other);
}

/* From the home's network to a mobile one: the old interface goes, the new one comes, and the
 * watcher of interfaces says so. */
static void swap_interface(struct stage *s, unsigned peer)
{
    struct link_config line = { .delay_us = SCENE_ONE_WAY_US / 2 };
    struct addr old = s->town.homes[peer].sockets[0], ip = addr_ipv4(0x64600002 + peer, 0), now_at;
    struct net_place mobile = {
        .up = line,
        .down = line,
        .nat = { .outside = addr_ipv4(0xc0000264 + peer, 0),
                 .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT },
    };
    unsigned place = net_add_place(s->town.net, &mobile);

    net_set_access(s->town.net, s->town.homes[peer].accesses[0], NET_GONE);
    now_at = town_move_in(&s->town, peer, place, &ip, &(struct link_config){ 0 });
    peer_remove_socket(s->peers[peer], s->now, &old);
    stage_drain(s, peer);
    peer_add_socket(s->peers[peer], s->now, &now_at);
    stage_drain(s, peer);
    peer_restart(s->peers[peer], s->now);
    stage_drain(s, peer);
}

static void silence_stun(struct stage *s, unsigned peer)
{
    (void)peer;
    server_become(&s->servers[TOWN_STUN], SERVER_SILENT);
}

static void restart_relay(struct stage *s, unsigned peer)
{
    (void)peer;
    relay_restart(s->servers[TOWN_RELAY].relay);
}

static const struct row {
    const char *what;
    void (*kill)(struct stage *s, unsigned peer);
    bool is_symmetric; /* so that the path is relayed */
    usec gap_max;
} rows[] = {
    { "NAT rebooted", reboot_nat, false, GAP_MAX },
    { "public address changed", change_address, false, GAP_MAX },
    { "interface swapped", swap_interface, false, GAP_MAX },
    { "STUN server dead", silence_stun, false, 2 * SCENE_RTT_US },
    { "relayed: relay restarted", restart_relay, true, GAP_MAX },
    { "relayed: NAT rebooted", reboot_nat, true, GAP_MAX },
    { "relayed: public address changed", change_address, true, GAP_MAX },
};

static const struct home kinds[2] = {
    { .kind = HOME_NAT, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT, .ports = NAT_PORTS_RANDOM },
    { .kind = HOME_NAT,
      .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
      .ports = NAT_PORTS_RANDOM },
};

static void kill_one(struct scene *c, const struct row *row, unsigned peer)
{
    const struct home *home = &kinds[row->is_symmetric];
    struct town_plan plan = scene_town(home, home);
    static struct stage s;
    char detail[96];

    snprintf(detail, sizeof detail, "(%s, at the %s)", row->what, peer ? "answerer" : "offerer");
    scene_set(
        c, &s, &plan,
        &(struct scene_talk){
            .bytes = PIECE, .paced_every_us = PIECE_US, .paced_bytes = PIECE, .has_relay = true });
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", detail)) {
        scene_send_more(&s, TRANSFER);
        stage_run(&s, s.now + KILL_AT, NULL);
        row->kill(&s, peer);
        scene_claim(c, stage_run(&s, s.now + MINUTE, stage_have_everything), "everything arrives",
                    detail);
        printf("gap %5.0f ms %s\n", (double)scene_gap_us(&s) / 1000, detail);
        scene_claim(c, scene_gap_us(&s) < row->gap_max, "the gap is short", detail);
    }
    scene_end(c, &s, detail);
}

void scene_kill(struct scene *c)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned peer = 0; peer < STAGE_PEERS; peer++)
            kill_one(c, &rows[i], peer);
}
