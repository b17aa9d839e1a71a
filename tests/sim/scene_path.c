/* Paths that get better, and a path that turns black while another one is warm. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define PIECE_US   (10 * MILLISECOND)
#define PIECE      1000
#define TRANSFER   (1200 * PIECE) /* 12 s */
#define RESENT_MAX 16             /* chunks; a window's worth would be a storm */

static const struct scene_talk paced = {
    .bytes = PIECE, .paced_every_us = PIECE_US, .paced_bytes = PIECE, .has_relay = true
};

static const struct home symmetric_dual = { .kind = HOME_DUAL,
                                            .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                            .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                            .ports = NAT_PORTS_RANDOM };

static void set_ipv6(struct stage *s, enum net_state state)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        net_set_access(s->town.net, s->town.homes[i].accesses[1], state);
}

static bool is_direct(const struct stage *s)
{
    return !peer_is_relayed(s->peers[0]) && !peer_is_relayed(s->peers[1]);
}

static uint64_t resent(const struct stage *s)
{
    struct session_info info[STAGE_PEERS];

    for (unsigned i = 0; i < STAGE_PEERS; i++)
        peer_get_info(s->peers[i], &info[i]);
    return info[0].sctp.retransmitted_chunks + info[1].sctp.retransmitted_chunks;
}

static void tell_of_change(struct stage *s)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        peer_check_paths(s->peers[i], s->now);
        stage_drain(s, i);
    }
}

/* IPv6 comes up in the middle of a relayed transfer; `is_told`: a network event says so, else the
 * sessions' own schedule finds it. */
static void climb(struct scene *c, bool is_told)
{
    const char *how = is_told ? "(told of the change)" : "(by its own schedule)";
    struct town_plan plan = scene_town(&symmetric_dual, &symmetric_dual);
    usec within = is_told ? 2 * SECOND : 3 * MINUTE, came_at;
    usec before = is_told ? 3 * SECOND : 40 * SECOND; /* until all first tries are over */
    static struct stage s;

    scene_set(c, &s, &plan, &paced);
    set_ipv6(&s, NET_BLACK);
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", how)) {
        scene_claim(c, !is_direct(&s), "the first path is relayed", how);
        scene_send_more(&s, is_told ? TRANSFER : 10 * TRANSFER);
        stage_run(&s, s.now + before, NULL);
        set_ipv6(&s, NET_UP);
        came_at = s.now;
        if (is_told)
            tell_of_change(&s);
        scene_claim(c, stage_run(&s, s.now + within, is_direct), "the better path is taken", how);
        printf("direct after %.0f ms %s\n", (double)(s.now - came_at) / 1000, how);
        scene_claim(c, stage_run(&s, s.now + 5 * MINUTE, stage_have_everything),
                    "everything arrives", how);
        printf("gap %.0f ms, %llu chunks resent %s\n", (double)scene_gap_us(&s) / 1000,
               (unsigned long long)resent(&s), how);
        scene_claim(c, scene_gap_us(&s) <= PIECE_US + SCENE_RTT_US * 2, "no visible gap", how);
        scene_claim(c, resent(&s) <= RESENT_MAX, "no retransmission storm", how);
    }
    scene_end(c, &s, how);
}

static unsigned blacked_out; /* whose access of the selected family went black */
static unsigned paths_before[STAGE_PEERS];

static bool have_left(const struct stage *s)
{
    return peer_seen(s->peers[0])->paths > paths_before[0] &&
           peer_seen(s->peers[1])->paths > paths_before[1];
}

static void black_out(struct stage *s, unsigned peer)
{
    struct session_info info;
    unsigned slot;

    peer_get_info(s->peers[peer], &info);
    slot = info.path.local.family == ADDR_IPV6 ? 1 : 0;
    blacked_out = s->town.homes[peer].accesses[slot];
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        paths_before[i] = peer_seen(s->peers[i])->paths;
    net_set_access(s->town.net, blacked_out, NET_BLACK);
}

/* Both have two families; the one in use is lost in silence on one side. */
static void turn_black(struct scene *c, unsigned peer)
{
    static const struct home dual = { .kind = HOME_DUAL,
                                      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
    struct town_plan plan = scene_town(&dual, &dual);
    const char *how = peer ? "(black at the answerer)" : "(black at the offerer)";
    static struct stage s;
    usec black_at;

    scene_set(c, &s, &plan, &paced);
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", how)) {
        scene_send_more(&s, TRANSFER);
        stage_run(&s, s.now + 3 * SECOND, NULL);
        black_out(&s, peer);
        black_at = s.now;
        scene_claim(c, stage_run(&s, s.now + 2 * SECOND, have_left), "noticed and left within 2 s",
                    how);
        printf("left after %.0f ms %s\n", (double)(s.now - black_at) / 1000, how);
        scene_claim(c, stage_run(&s, s.now + MINUTE, stage_have_everything), "everything arrives",
                    how);
        printf("gap %.0f ms, %llu chunks resent %s\n", (double)scene_gap_us(&s) / 1000,
               (unsigned long long)resent(&s), how);
        scene_claim(c, scene_gap_us(&s) < 500 * MILLISECOND, "a warm path takes over in 500 ms",
                    how);
    }
    scene_end(c, &s, how);
}

/* The only path there is breaks for a moment: nothing is lost, nobody gives up. */
static void break_for(struct scene *c, usec outage_us, const char *how)
{
    static const struct home home = { .kind = HOME_NAT,
                                      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
    struct town_plan plan = scene_town(&home, &home);
    struct scene_talk talk = paced;
    static struct stage s;

    talk.has_relay = false;
    scene_set(c, &s, &plan, &talk);
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", how)) {
        scene_send_more(&s, TRANSFER);
        stage_run(&s, s.now + 3 * SECOND, NULL);
        net_set_access(s.town.net, s.town.homes[0].accesses[0], NET_BLACK);
        stage_run(&s, s.now + outage_us, NULL);
        net_set_access(s.town.net, s.town.homes[0].accesses[0], NET_UP);
        scene_claim(c, stage_run(&s, s.now + MINUTE, stage_have_everything), "everything arrives",
                    how);
        printf("gap %.0f ms, of which %.0f ms without a path, %llu chunks resent %s\n",
               (double)scene_gap_us(&s) / 1000, (double)outage_us / 1000,
               (unsigned long long)resent(&s), how);
        scene_claim(c, scene_gap_us(&s) <= outage_us + 3 * SECOND, "it goes on soon", how);
    }
    scene_end(c, &s, how);
}

void scene_path(struct scene *c)
{
    break_for(c, 400 * MILLISECOND, "(a moment)");
    break_for(c, 5 * SECOND, "(5 s)");
    break_for(c, 20 * SECOND, "(20 s)");
    climb(c, true);
    climb(c, false);
    turn_black(c, 0);
    turn_black(c, 1);
}
