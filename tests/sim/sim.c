#include "tests/sim/sim.h"

#include "tests/sim/attacker.h"
#include "tests/sim/stage.h"

#include <stdio.h>
#include <stdlib.h>

#define REASONS 9 /* closing reasons are 1 to this */

enum phase { PHASE_CONNECTING, PHASE_TALKING, PHASE_CLOSING, PHASE_DONE };

struct sim {
    struct stage stage;
    enum phase phase;
    usec open_at;
    struct link_config up[STAGE_PEERS];
    uint32_t corrupt_ppm[STAGE_PEERS]; /* from the moment both are open */
    struct attacker attacker;
    uint32_t attacks_ppm; /* likewise: forged datagrams per true one */
    unsigned closer, reason;
    usec restart_at[STAGE_PEERS]; /* after both are open; USEC_NEVER: not at all */
    bool has_path;
};

static void choose_links(struct sim *s)
{
    struct stage *g = &s->stage;

    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        s->up[i] = (struct link_config){
            .delay_us = stage_between(g, 500, 100000),
            .jitter_us = stage_between(g, 0, 20000),
            .loss_ppm = stage_between(g, 0, 50000),
            .duplicate_ppm = stage_between(g, 0, 20000),
            .reorder_ppm = stage_between(g, 0, 50000),
            .reorder_us = stage_between(g, 0, 30000),
            .rate_bps = stage_between(g, 0, 1) ? stage_between(g, 2000000, 20000000) : 0,
            .queue_bytes_max = 65536,
        };
        s->corrupt_ppm[i] = stage_between(g, 0, 10000);
    }
    g->post.delay_us = stage_between(g, 1000, 200000);
    s->attacks_ppm = stage_between(g, 0, 1) ? stage_between(g, 0, 300000) : 0;
    attacker_init(&s->attacker, &g->rng);
}

static struct home home_of(struct sim *s, struct nat_kind kind)
{
    return (struct home){
        .kind = HOME_NAT,
        .mapping = kind.mapping,
        .filtering = kind.filtering,
        .ports = stage_between(&s->stage, 0, NAT_PORT_KINDS - 1),
        .hairpinning = stage_between(&s->stage, 0, 1),
        .timeout_us = stage_between(&s->stage, 30, 120) * SECOND,
    };
}

static void choose_bytes(struct sim *s, struct app_plan *a, struct app_plan *b)
{
    uint32_t most = stage_between(&s->stage, 0, 3) ? 20000 : 200000;

    a->tx_key = b->rx_key = rng_u64(&s->stage.rng);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        a->tx_bytes[i] = b->rx_bytes[i] =
            stage_between(&s->stage, 0, 3) ? stage_between(&s->stage, 1, most) : 0;
}

static void make_peers(struct sim *s)
{
    struct stage *g = &s->stage;
    struct peer_plan plans[STAGE_PEERS] = { { .role = SESSION_OFFERER },
                                            { .role = SESSION_ANSWERER } };

    choose_bytes(s, &plans[0].app, &plans[1].app);
    choose_bytes(s, &plans[1].app, &plans[0].app);
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        plans[i].socket_count = plans[i].stun_count = 1;
        plans[i].sockets[0] = g->town.homes[i].sockets[0];
        plans[i].stun_servers[0] = town_address_of(TOWN_STUN, ADDR_IPV4);
        plans[i].rx_bytes_max = (size_t)stage_between(g, 1, 16) << 16;
        plans[i].app.reads_every_us = stage_between(g, 0, 1) ? stage_between(g, 0, 30000) : 0;
        stage_add_peer(g, i, &plans[i]);
    }
}

static void attack(void *ctx, const struct net_packet *p)
{
    struct sim *s = ctx;
    struct addr from = p->packet.from;
    struct bytes forged;
    char line[48];

    attacker_input(&s->attacker, p->packet.dgram);
    if (s->phase == PHASE_CONNECTING || rng_below(&s->stage.rng, 1000000) >= s->attacks_ppm)
        return;
    forged = attacker_next(&s->attacker, &from);
    snprintf(line, sizeof line, "%4zu bytes, first %02x", forged.len,
             forged.len ? forged.data[0] : 0);
    stage_trace(&s->stage, "is sent forged", p->host, line);
    peer_input(s->stage.peers[p->host], s->stage.now, &p->packet.to, &from, forged);
    stage_drain(&s->stage, p->host);
}

static struct sim *sim_new(uint64_t seed, bool is_traced, const struct nat_kind kinds[STAGE_PEERS])
{
    struct sim *s = calloc(1, sizeof *s);
    struct town_plan plan = { .sharing = TOWN_APART };

    if (!s)
        exit(2);
    stage_init(&s->stage, seed, is_traced);
    s->closer = stage_between(&s->stage, 0, STAGE_PEERS - 1);
    s->reason = stage_between(&s->stage, 1, REASONS);
    choose_links(s);
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        plan.homes[i] = home_of(s, kinds[i]);
        s->restart_at[i] = stage_between(&s->stage, 0, 2)
                               ? USEC_NEVER
                               : (usec)stage_between(&s->stage, 0, 3000) * MILLISECOND;
    }
    s->has_path = town_has_direct_path(&plan);
    stage_build(&s->stage, &plan);
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        net_set_links(s->stage.town.net, s->stage.town.homes[i].accesses[0], &s->up[i],
                      &(struct link_config){ 0 });
    make_peers(s);
    s->stage.arrives = attack;
    s->stage.ctx = s;
    return s;
}

/* ICE gives up, or the session's time for opening is over: both run out at the same moment. */
static bool is_never_opened(enum session_end end)
{
    return end == SESSION_END_NO_PATH;
}

static void check_end(struct sim *s, unsigned i, enum session_end wanted, unsigned reason)
{
    struct peer_end end;

    if (!peer_is_closed(s->stage.peers[i], &end))
        return;
    if (s->stage.is_traced)
        printf("%10.3f ms  peer %u  closed, end %d, reason %u\n", (double)s->stage.now / 1000, i,
               (int)end.end, end.reason);
    if (!s->has_path && !is_never_opened(end.end))
        stage_fault(&s->stage, "without a path, the end is another one");
    if (!s->has_path)
        return;
    if (s->phase != PHASE_CLOSING)
        stage_fault(&s->stage, "a session ended before anybody closed it");
    else if (end.end != wanted)
        stage_fault(&s->stage, "a session ended in another way than it should");
    else if (wanted == SESSION_END_PEER_REASON && end.reason != reason)
        stage_fault(&s->stage, "the reason for closing arrived changed");
}

static void begin_talking(struct sim *s)
{
    stage_trace(&s->stage, "and the other are open", 0, "");
    s->phase = PHASE_TALKING;
    s->open_at = s->stage.now;
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        s->up[i].corrupt_ppm = s->corrupt_ppm[i];
        net_set_links(s->stage.town.net, s->stage.town.homes[i].accesses[0], &s->up[i],
                      &(struct link_config){ 0 });
    }
}

/* A restart changes nothing for the application, whatever else happens meanwhile. */
static void restart(struct sim *s)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        if (s->phase != PHASE_TALKING || s->restart_at[i] == USEC_NEVER ||
            s->stage.now < s->open_at + s->restart_at[i])
            continue;
        stage_trace(&s->stage, "restarts", i, "");
        s->restart_at[i] = USEC_NEVER;
        peer_restart(s->stage.peers[i], s->stage.now);
        stage_drain(&s->stage, i);
    }
}

static void advance_phase(struct sim *s)
{
    if (s->phase == PHASE_CONNECTING && stage_are_open(&s->stage))
        begin_talking(s);
    restart(s);
    if (s->phase == PHASE_TALKING && stage_have_everything(&s->stage)) {
        stage_trace(&s->stage, "closes", s->closer, "");
        s->phase = PHASE_CLOSING;
        peer_close(s->stage.peers[s->closer], s->stage.now, s->reason);
        stage_drain(&s->stage, s->closer);
    }
    check_end(s, s->closer, SESSION_END_LOCAL, 0);
    check_end(s, 1 - s->closer, SESSION_END_PEER_REASON, s->reason);
    if (stage_are_closed(&s->stage))
        s->phase = PHASE_DONE;
}

struct sim_result sim_run_behind(uint64_t seed, bool is_traced,
                                 const struct nat_kind kinds[STAGE_PEERS])
{
    struct sim *s = sim_new(seed, is_traced, kinds);
    struct sim_result result;

    stage_start(&s->stage);
    while (s->phase != PHASE_DONE && !s->stage.fault) {
        stage_step(&s->stage);
        advance_phase(s);
    }
    result = (struct sim_result){ .open_at = s->open_at,
                                  .ended_at = s->stage.now,
                                  .datagrams = s->stage.datagrams,
                                  .hash = s->stage.hash };
    stage_deinit(&s->stage);
    result.fault = s->stage.fault;
    free(s);
    return result;
}

/* Port-restricted: any remote finds the same mapping, and only who was sent to gets in. */
struct sim_result sim_run(uint64_t seed, bool is_traced)
{
    static const struct nat_kind kinds[STAGE_PEERS] = {
        { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT },
        { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT },
    };

    return sim_run_behind(seed, is_traced, kinds);
}
