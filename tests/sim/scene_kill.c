/* Parts of the network die in the middle of a transfer. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define PIECE_US (10 * MILLISECOND)
#define PIECE    1000
#define TRANSFER (1200 * PIECE) /* 12 s */
#define GAP_MAX  (3 * SECOND)
#define TIMES    4

/* Where every fiftieth packet is lost, a chunk whose retransmission is lost too waits for a timeout
 * of SCTP: that gap is there without anything dying. */
#define LOSS_US SECOND

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

static void reboot_both(struct stage *s, unsigned peer)
{
    reboot_nat(s, peer);
    reboot_nat(s, 1 - peer);
}

static void swap_both(struct stage *s, unsigned peer)
{
    swap_interface(s, peer);
    swap_interface(s, 1 - peer);
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

static void cut_streams(struct stage *s, unsigned peer)
{
    stage_cut_stream(s, peer);
}

static void cut_all_streams(struct stage *s, unsigned peer)
{
    relay_restart(s->servers[TOWN_RELAY].relay);
    stage_cut_stream(s, peer);
    stage_cut_stream(s, 1 - peer);
}

static const struct row {
    const char *what;
    void (*kill)(struct stage *s, unsigned peer);
    enum { CONES, SYMMETRIC, NO_UDP } homes; /* all but the first are relayed */
    bool has_relay;
    usec gap_max;
} rows[] = {
    { "NAT rebooted", reboot_nat, CONES, true, 500 * MILLISECOND },
    { "NAT rebooted, no relay", reboot_nat, CONES, false, GAP_MAX },
    { "both NATs rebooted, no relay", reboot_both, CONES, false, GAP_MAX },
    { "public address changed", change_address, CONES, true, GAP_MAX },
    { "public address changed, no relay", change_address, CONES, false, GAP_MAX },
    { "interface swapped", swap_interface, CONES, true, GAP_MAX },
    { "both interfaces swapped", swap_both, CONES, false, GAP_MAX },
    { "STUN server dead", silence_stun, CONES, true, 2 * SCENE_RTT_US },
    { "relayed: relay restarted", restart_relay, SYMMETRIC, true, GAP_MAX },
    { "relayed: NAT rebooted", reboot_nat, SYMMETRIC, true, GAP_MAX },
    { "relayed: both NATs rebooted", reboot_both, SYMMETRIC, true, GAP_MAX },
    { "relayed: public address changed", change_address, SYMMETRIC, true, GAP_MAX },
    { "relayed: interface swapped", swap_interface, SYMMETRIC, true, GAP_MAX },
    { "by TCP: connection lost", cut_streams, NO_UDP, true, GAP_MAX },
    { "by TCP: NAT rebooted", reboot_nat, NO_UDP, true, GAP_MAX },
    { "by TCP: relay restarted", cut_all_streams, NO_UDP, true, GAP_MAX },
};

static const struct home kinds[] = {
    { .kind = HOME_NAT, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT, .ports = NAT_PORTS_RANDOM },
    { .kind = HOME_NAT,
      .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
      .ports = NAT_PORTS_RANDOM },
    { .kind = HOME_NO_UDP, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT, .ports = NAT_PORTS_RANDOM },
};

/* Even seeds lose packets all the time, and signaling is slow. */
static void make_hard(struct town_plan *plan, uint64_t seed)
{
    for (int i = 0; i < 2 && seed % 2 == 0; i++) {
        plan->homes[i].line.loss_ppm = 10000;
        plan->homes[i].line.jitter_us = 5 * MILLISECOND;
    }
}

static usec kill_one(struct scene *c, const struct row *row, unsigned peer, const char *detail)
{
    const struct home *home = &kinds[row->homes];
    struct town_plan plan = scene_town(home, home);
    usec gap_us = 0, allowed_us = row->gap_max + (c->seed % 2 ? 0 : LOSS_US);
    static struct stage s;

    make_hard(&plan, c->seed);
    scene_set(c, &s, &plan,
              &(struct scene_talk){ .bytes = PIECE,
                                    .paced_every_us = PIECE_US,
                                    .paced_bytes = PIECE,
                                    .has_relay = row->has_relay });
    s.post.delay_us = c->seed % 2 ? 20 * MILLISECOND : 200 * MILLISECOND;
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", detail)) {
        scene_send_more(&s, TRANSFER);
        stage_run(&s, s.now + stage_between(&s, 1000, 9000) * MILLISECOND, NULL);
        row->kill(&s, peer);
        scene_claim(c, stage_run(&s, s.now + MINUTE, stage_have_everything), "everything arrives",
                    detail);
        gap_us = scene_gap_us(&s);
        scene_claim(c, gap_us < allowed_us, "the gap is short", detail);
    }
    scene_end(c, &s, detail);
    return gap_us;
}

static void kill_often(struct scene *c, const struct row *row, unsigned peer)
{
    struct scene one = *c;
    usec most = 0;
    char detail[96];

    snprintf(detail, sizeof detail, "(%s, at the %s)", row->what, peer ? "answerer" : "offerer");
    for (unsigned k = 0; k < TIMES; k++) {
        one.seed = SCENE_SEED(c, k) + k; /* both kinds */
        most = usec_max(most, kill_one(&one, row, peer, detail));
    }
    c->failures = one.failures;
    printf("gap at most %5.0f ms %s\n", (double)most / 1000, detail);
}

void scene_kill(struct scene *c)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned peer = 0; peer < STAGE_PEERS; peer++)
            kill_often(c, &rows[i], peer);
}
