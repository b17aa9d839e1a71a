#include "tests/sim/sim.h"

#include "core/relay/relay.h"
#include "tests/sim/attacker.h"
#include "tests/sim/net.h"
#include "tests/sim/peer.h"
#include "tests/sim/world.h"
#include "tests/support/rng.h"

#include <stdio.h>
#include <stdlib.h>

#define PEERS          2
#define MAIL_MAX       128
#define STEPS_MAX      5000000
#define STANDSTILL_MAX 10000 /* steps without time moving on */
#define SPAN_MAX       (10 * MINUTE)
#define REASONS        9 /* closing reasons are 1 to this */

enum phase { PHASE_CONNECTING, PHASE_TALKING, PHASE_CLOSING, PHASE_DONE };

/* A signaling message under way. The broker keeps each sender's order. */
struct mail {
    usec due_at;
    unsigned to;
    char *text;
};

struct sim {
    uint64_t chance;
    struct rng rng;
    bool is_traced;
    usec now;
    uint64_t standstill;
    enum phase phase;
    struct net *net;
    unsigned stun_host; /* the peers are hosts 0 and 1 */
    struct peer *peers[PEERS];
    struct link_config up[PEERS];
    uint32_t corrupt_ppm[PEERS]; /* from the moment both are open */
    struct attacker attacker;
    uint32_t attacks_ppm; /* likewise: forged datagrams per true one */
    usec mail_delay_us, last_mail_at[PEERS];
    struct mail mail[MAIL_MAX];
    size_t mail_count;
    unsigned closer, reason;
    struct punch_kind kinds[PEERS];
    bool has_path;
    struct sim_result result;
    uint8_t run[OUT_BYTES_MAX];
};

static uint32_t between(struct sim *s, uint32_t least, uint32_t most)
{
    return least + rng_below(&s->rng, most - least + 1);
}

static void fault(struct sim *s, const char *what)
{
    if (!s->result.fault)
        s->result.fault = what; /* the first one tells most */
}

static void hash(struct sim *s, const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++)
        s->result.hash = (s->result.hash ^ at[i]) * 0x100000001b3; /* FNV-1a */
}

static void trace(struct sim *s, const char *what, unsigned who, const char *detail)
{
    if (s->is_traced)
        printf("%10.3f ms  peer %u  %s %s\n", (double)s->now / 1000, who, what, detail);
}

static void trace_arrival(struct sim *s, const struct net_packet *p)
{
    char from[ADDR_TEXT_MAX], line[128];

    if (!s->is_traced)
        return;
    snprintf(line, sizeof line, "%4zu bytes, first %02x, from %s", p->packet.dgram.len,
             p->packet.dgram.len ? p->packet.dgram.data[0] : 0, addr_format(&p->packet.from, from));
    trace(s, "hears", p->host, line);
}

static void choose_links(struct sim *s)
{
    for (unsigned i = 0; i < PEERS; i++) {
        s->up[i] = (struct link_config){
            .delay_us = between(s, 500, 100000),
            .jitter_us = between(s, 0, 20000),
            .loss_ppm = between(s, 0, 50000),
            .duplicate_ppm = between(s, 0, 20000),
            .reorder_ppm = between(s, 0, 50000),
            .reorder_us = between(s, 0, 30000),
            .rate_bps = between(s, 0, 1) ? between(s, 2000000, 20000000) : 0,
            .queue_bytes_max = 65536,
        };
        s->corrupt_ppm[i] = between(s, 0, 10000);
    }
    s->mail_delay_us = between(s, 1000, 200000);
    s->attacks_ppm = between(s, 0, 1) ? between(s, 0, 300000) : 0;
    attacker_init(&s->attacker, &s->rng);
}

static struct net_access access_of(struct sim *s, unsigned i, const struct addr *inside)
{
    return (struct net_access){
        .ip = *inside,
        .up = s->up[i],
        .has_nat = true,
        .nat = { .outside = addr_ipv4(0xcb007101 + i, 0),
                 .mapping = s->kinds[i].mapping,
                 .filtering = s->kinds[i].filtering,
                 .ports = between(s, 0, NAT_PORT_KINDS - 1),
                 .hairpinning = between(s, 0, 1),
                 .timeout_us = between(s, 30, 120) * SECOND },
    };
}

static void choose_bytes(struct sim *s, struct peer_plan *a, struct peer_plan *b)
{
    uint32_t most = between(s, 0, 3) ? 20000 : 200000;

    a->tx_key = b->rx_key = rng_u64(&s->rng);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        a->tx_bytes[i] = b->rx_bytes[i] = between(s, 0, 3) ? between(s, 1, most) : 0;
}

static void make_peers(struct sim *s)
{
    struct addr stun = addr_ipv4(0x08080808, 3478);
    struct peer_plan plans[PEERS] = { { .role = SESSION_OFFERER }, { .role = SESSION_ANSWERER } };

    choose_bytes(s, &plans[0], &plans[1]);
    choose_bytes(s, &plans[1], &plans[0]);
    for (unsigned i = 0; i < PEERS; i++) {
        /* Two homes often have the same private addresses. */
        struct addr socket = addr_ipv4(between(s, 0, 1) ? 0x0a000002 : 0xc0a80102, 0);
        struct net_access access = access_of(s, i, &socket);

        socket.port = (uint16_t)between(s, 1024, 65535);
        plans[i].socket = socket;
        plans[i].stun_server = stun;
        plans[i].rx_bytes_max = (size_t)between(s, 1, 16) << 16;
        plans[i].reads_every_us = between(s, 0, 1) ? between(s, 0, 30000) : 0;
        s->peers[i] = peer_new(&plans[i], &s->rng, s->now);
        net_add_host(s->net, &access);
    }
    s->stun_host = net_add_host(s->net, &(struct net_access){ .ip = stun });
}

static struct sim *sim_new(uint64_t seed, bool is_traced, const struct punch_kind kinds[PEERS])
{
    struct sim *s = calloc(1, sizeof *s);

    if (!s)
        exit(2);
    s->chance = seed;
    s->rng = test_rng(&s->chance);
    s->is_traced = is_traced;
    memcpy(s->kinds, kinds, sizeof s->kinds);
    s->has_path = punch_is_possible(kinds);
    s->result.hash = 0xcbf29ce484222325;
    world_seed(~seed);
    world_set_time(0);
    s->closer = between(s, 0, PEERS - 1);
    s->reason = between(s, 1, REASONS);
    choose_links(s);
    s->net = net_new(&s->rng);
    make_peers(s);
    return s;
}

static void sim_free(struct sim *s)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (peer_free(s->peers[i]))
            fault(s, "a session kept blocks of its pool");
    while (s->mail_count)
        free(s->mail[--s->mail_count].text);
    net_free(s->net);
    free(s);
}

static void post(struct sim *s, unsigned from, const char *text)
{
    usec due_at = usec_max(s->now + s->mail_delay_us, s->last_mail_at[from]);
    struct mail m = { .due_at = due_at, .to = 1 - from, .text = strdup(text) };

    if (!m.text || s->mail_count == MAIL_MAX)
        exit(2);
    trace(s, "says", from, text);
    s->last_mail_at[from] = due_at;
    s->mail[s->mail_count++] = m;
}

/* Whoever calls a non-const function of a peer drains it next. */
static void drain(struct sim *s, unsigned i)
{
    const char *text;
    struct out out;

    out_init(&out, s->run, sizeof s->run);
    while (peer_poll_output(s->peers[i], s->now, &out))
        for (size_t k = 0; k < out.count; k++)
            net_input(s->net, s->now, i, &out.from, &out.to, out_datagram(&out, k));
    while ((text = peer_poll_message(s->peers[i])))
        post(s, i, text);
    if (peer_fault(s->peers[i]))
        fault(s, peer_fault(s->peers[i]));
}

static void answer_binding(struct sim *s, const struct link_packet *p)
{
    uint8_t buf[RELAY_ANSWER_MAX];
    struct wr answer = wr_of(buf, sizeof buf);

    if (relay_answer_binding(p->dgram, &p->from, &answer))
        net_input(s->net, s->now, s->stun_host, &p->to, &p->from, wr_written(&answer));
}

static void attack(struct sim *s, const struct net_packet *p)
{
    struct addr from = p->packet.from;
    struct bytes forged;

    attacker_input(&s->attacker, p->packet.dgram);
    if (s->phase == PHASE_CONNECTING || rng_below(&s->rng, 1000000) >= s->attacks_ppm)
        return;
    forged = attacker_next(&s->attacker, &from);
    peer_input(s->peers[p->host], s->now, &from, forged);
    drain(s, p->host);
}

static void deliver_datagrams(struct sim *s)
{
    struct net_packet p;

    while (net_poll_output(s->net, s->now, &p)) {
        s->result.datagrams++;
        hash(s, &s->now, sizeof s->now);
        hash(s, &p.host, sizeof p.host);
        hash(s, p.packet.dgram.data, p.packet.dgram.len);
        if (p.host == s->stun_host) {
            answer_binding(s, &p.packet);
            continue;
        }
        trace_arrival(s, &p);
        attack(s, &p);
        peer_input(s->peers[p.host], s->now, &p.packet.from, p.packet.dgram);
        drain(s, p.host);
    }
}

static void deliver_mail(struct sim *s)
{
    for (size_t i = 0; i < s->mail_count;) {
        struct mail m = s->mail[i];

        if (m.due_at > s->now) {
            i++;
            continue;
        }
        s->mail_count--;
        memmove(&s->mail[i], &s->mail[i + 1], (s->mail_count - i) * sizeof m);
        peer_input_message(s->peers[m.to], s->now, m.text);
        free(m.text);
        drain(s, m.to);
    }
}

static void tick(struct sim *s)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (peer_next_timeout(s->peers[i]) <= s->now) {
            peer_tick(s->peers[i], s->now);
            drain(s, i);
        }
}

static usec next_deadline(const struct sim *s)
{
    usec at = net_next_timeout(s->net);

    for (unsigned i = 0; i < PEERS; i++)
        at = usec_min(at, peer_next_timeout(s->peers[i]));
    for (size_t i = 0; i < s->mail_count; i++)
        at = usec_min(at, s->mail[i].due_at);
    return at;
}

/* ICE gives up, or the session's time for opening is over: both run out at the same moment. */
static bool is_never_opened(enum session_end end)
{
    return end == SESSION_END_NO_PATH;
}

static void check_end(struct sim *s, unsigned i, enum session_end wanted, unsigned reason)
{
    struct peer_end end;

    if (!peer_is_closed(s->peers[i], &end))
        return;
    if (s->is_traced)
        printf("%10.3f ms  peer %u  closed, end %d, reason %u\n", (double)s->now / 1000, i,
               (int)end.end, end.reason);
    if (!s->has_path && !is_never_opened(end.end))
        fault(s, "without a path, the end is another one");
    if (!s->has_path)
        return;
    if (s->phase != PHASE_CLOSING)
        fault(s, "a session ended before anybody closed it");
    else if (end.end != wanted)
        fault(s, "a session ended in another way than it should");
    else if (wanted == SESSION_END_PEER_REASON && end.reason != reason)
        fault(s, "the reason for closing arrived changed");
}

static bool is_everywhere(struct sim *s, bool (*is)(const struct peer *))
{
    return is(s->peers[0]) && is(s->peers[1]);
}

static void advance_phase(struct sim *s)
{
    struct peer_end end;

    if (s->phase == PHASE_CONNECTING && is_everywhere(s, peer_is_open)) {
        trace(s, "and the other are open", 0, "");
        s->phase = PHASE_TALKING;
        s->result.open_at = s->now;
        for (unsigned i = 0; i < PEERS; i++) {
            s->up[i].corrupt_ppm = s->corrupt_ppm[i];
            net_set_links(s->net, i, &s->up[i], &(struct link_config){ 0 });
        }
    }
    if (s->phase == PHASE_TALKING && is_everywhere(s, peer_has_everything)) {
        trace(s, "closes", s->closer, "");
        s->phase = PHASE_CLOSING;
        peer_close(s->peers[s->closer], s->now, s->reason);
        drain(s, s->closer);
    }
    check_end(s, s->closer, SESSION_END_LOCAL, 0);
    check_end(s, 1 - s->closer, SESSION_END_PEER_REASON, s->reason);
    if (peer_is_closed(s->peers[0], &end) && peer_is_closed(s->peers[1], &end))
        s->phase = PHASE_DONE;
}

static void step(struct sim *s)
{
    usec next_at = next_deadline(s);

    if (next_at == USEC_NEVER) {
        fault(s, "nothing more will ever happen");
        return;
    }
    s->standstill = next_at > s->now ? 0 : s->standstill + 1;
    s->now = usec_max(s->now, next_at);
    world_set_time(s->now);
    if (s->standstill > STANDSTILL_MAX)
        fault(s, "time stands still");
    if (s->now > SPAN_MAX || ++s->result.steps > STEPS_MAX)
        fault(s, "no end within ten simulated minutes");
    deliver_mail(s);
    deliver_datagrams(s);
    tick(s);
    advance_phase(s);
}

struct sim_result sim_run_behind(uint64_t seed, bool is_traced,
                                 const struct punch_kind kinds[PEERS])
{
    struct sim *s = sim_new(seed, is_traced, kinds);
    struct sim_result result;

    peer_start(s->peers[0], s->now);
    drain(s, 0);
    while (s->phase != PHASE_DONE && !s->result.fault)
        step(s);
    s->result.ended_at = s->now;
    result = s->result;
    sim_free(s);
    return result;
}

/* Port-restricted: any remote finds the same mapping, and only who was sent to gets in. */
struct sim_result sim_run(uint64_t seed, bool is_traced)
{
    static const struct punch_kind kinds[PEERS] = {
        { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT },
        { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT },
    };

    return sim_run_behind(seed, is_traced, kinds);
}
