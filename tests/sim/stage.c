#include "tests/sim/stage.h"

#include "tests/sim/world.h"
#include "tests/support/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX      5000000
#define PACKETS_MAX    1024 /* on one link, unless a scenario wants more */
#define STREAM_AFTER   (100 * MILLISECOND)
#define STANDSTILL_MAX 10000 /* steps without time moving on */

uint32_t stage_between(struct stage *s, uint32_t least, uint32_t most)
{
    return least + rng_below(&s->rng, most - least + 1);
}

void stage_fault(struct stage *s, const char *what)
{
    if (!s->fault)
        s->fault = what; /* the first one tells most */
}

void stage_trace(struct stage *s, const char *what, unsigned peer, const char *detail)
{
    if (s->is_traced)
        printf("%10.3f ms  peer %u  %s %s\n", (double)s->now / 1000, peer, what, detail);
}

static void trace_datagram(struct stage *s, const char *what, unsigned peer, const char *word,
                           const struct addr *addr, struct bytes dgram)
{
    char text[ADDR_TEXT_MAX], line[128];

    if (!s->is_traced)
        return;
    snprintf(line, sizeof line, "%4zu bytes, first %02x, %s %s", dgram.len,
             dgram.len ? dgram.data[0] : 0, word, addr_format(addr, text));
    stage_trace(s, what, peer, line);
}

void stage_init(struct stage *s, uint64_t seed, bool is_traced)
{
    *s = (struct stage){ .chance = seed,
                         .is_traced = is_traced,
                         .span_max = 10 * MINUTE,
                         .packets_max = PACKETS_MAX,
                         .hash = 0xcbf29ce484222325,
                         .post.delay_us = 20 * MILLISECOND };
    s->rng = test_rng(&s->chance);
    world_seed(~seed);
    world_set_time(0);
}

void stage_build(struct stage *s, const struct town_plan *plan)
{
    town_init(&s->town, plan, s->packets_max, &s->rng);
    tcp_init(&s->tcp, s->town.net);
    for (unsigned i = 0; i < TOWN_SERVERS; i++) {
        struct addr ip4 = town_address_of((enum town_server)i, ADDR_IPV4);
        struct addr ip6 = town_address_of((enum town_server)i, ADDR_IPV6);

        server_init(&s->servers[i], i < TOWN_RELAY ? SERVER_STUN : SERVER_RELAY, &ip4, &ip6,
                    &s->rng);
    }
}

void stage_add_peer(struct stage *s, unsigned peer, const struct peer_plan *plan)
{
    s->peers[peer] = peer_new(plan, &s->rng, s->now);
    s->stream_at[peer] = USEC_NEVER;
}

void stage_deinit(struct stage *s)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        if (peer_free(s->peers[i]))
            stage_fault(s, "a session kept blocks of its pool");
    while (s->mail_count)
        free(s->mail[--s->mail_count].text);
    for (unsigned i = 0; i < TOWN_SERVERS; i++)
        server_deinit(&s->servers[i]);
    tcp_deinit(&s->tcp);
    town_deinit(&s->town);
}

static void put_mail(struct stage *s, unsigned from, const char *text, usec due_at)
{
    struct mail m = { .due_at = due_at, .to = 1 - from, .text = strdup(text) };

    if (!m.text || s->mail_count == STAGE_MAIL_MAX)
        exit(2);
    s->mail[s->mail_count++] = m;
}

static bool chance_of(struct stage *s, uint32_t ppm)
{
    return ppm && rng_below(&s->rng, 1000000) < ppm;
}

static void post(struct stage *s, unsigned from, const char *text)
{
    bool is_restart = strncmp(text, "restart ", 8) == 0;
    usec due_at = usec_max(s->now + s->post.delay_us, s->last_mail_at[from]);

    stage_trace(s, "says", from, text);
    if (is_restart && chance_of(s, s->post.loss_ppm)) {
        stage_trace(s, "lost", from, "");
        return;
    }
    if (is_restart && chance_of(s, s->post.repeat_ppm))
        put_mail(s, from, text, due_at + s->post.late_us);
    if (is_restart && chance_of(s, s->post.late_ppm))
        due_at += s->post.late_us;
    else
        s->last_mail_at[from] = due_at;
    put_mail(s, from, text, due_at);
}

static void send_run(struct stage *s, unsigned peer, const struct out *out)
{
    if (out->stream) {
        tcp_send_client(&s->tcp, s->now, peer, out->stream, bytes_of(out->buf, out->len));
        return;
    }
    for (size_t k = 0; k < out->count; k++) {
        struct bytes dgram = out_datagram(out, k);

        s->sent[peer]++;
        trace_datagram(s, "sends", peer, "to", &out->to, dgram);
        if (s->leaves)
            s->leaves(s->ctx, peer, &out->from, &out->to, dgram);
        net_input(s->town.net, s->now, peer, &out->from, &out->to, dgram);
    }
}

void stage_drain(struct stage *s, unsigned peer)
{
    const char *text;
    struct out out;

    out_init(&out, s->run, sizeof s->run);
    while (peer_poll_output(s->peers[peer], s->now, &out))
        send_run(s, peer, &out);
    while ((text = peer_poll_message(s->peers[peer])))
        post(s, peer, text);
    if (peer_fault(s->peers[peer]))
        stage_fault(s, peer_fault(s->peers[peer]));
}

void stage_start(struct stage *s)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        if (peer_has_relays(s->peers[i]))
            s->stream_at[i] = s->now + STREAM_AFTER + (i ? s->post.delay_us : 0);
    peer_start(s->peers[0], s->now);
    stage_drain(s, 0);
}

static void hash(struct stage *s, const void *data, size_t len)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < len; i++)
        s->hash = (s->hash ^ at[i]) * 0x100000001b3; /* FNV-1a */
}

static struct server *server_at(struct stage *s, unsigned host)
{
    return &s->servers[host - town_host_of(TOWN_STUN)];
}

static void drain_server(struct stage *s, unsigned host)
{
    struct relay_packet p;

    while (server_poll_output(server_at(s, host), &p))
        if (p.stream)
            tcp_send_server(&s->tcp, s->now, &p.from, &p.to, p.dgram);
        else
            net_input(s->town.net, s->now, host, &p.from, &p.to, p.dgram);
}

static void serve(struct stage *s, const struct net_packet *p)
{
    server_input(server_at(s, p->host), s->now, &p->packet);
    drain_server(s, p->host);
}

/* What the SDK does: TCP a little after UDP, so that a network without UDP loses nothing. */
static void ask_by_stream(struct stage *s, unsigned peer)
{
    struct addr server, local;

    s->stream_at[peer] = USEC_NEVER;
    if (s->streams[peer] == 0 && peer_seen(s->peers[peer])->relays_live > 0)
        return;
    for (size_t i = 0; i < s->town.homes[peer].socket_count; i++) {
        local = s->town.homes[peer].sockets[i];
        server = town_address_of(TOWN_RELAY, (enum addr_family)local.family);
        server.port = 443;
        local.port = (uint16_t)(local.port + ++s->streams[peer]);
        if (tcp_connect(&s->tcp, s->now, peer, s->streams[peer], &local, &server))
            return;
    }
}

void stage_cut_stream(struct stage *s, unsigned peer)
{
    struct tcp_connection cut;

    if (!tcp_cut(&s->tcp, peer, s->streams[peer], &cut))
        return;
    relay_end_stream(server_at(s, cut.server_host)->relay, &cut.seen, &cut.server);
    peer_end_stream(s->peers[peer], s->now, cut.stream);
    stage_drain(s, peer);
}

static void watch_streams(struct stage *s, unsigned peer)
{
    unsigned failed = peer_seen(s->peers[peer])->streams_failed;

    if (failed > s->streams_failed[peer])
        s->stream_at[peer] = s->now + STREAM_AFTER;
    s->streams_failed[peer] = failed;
}

static void deliver_streams(struct stage *s)
{
    struct tcp_event ev;

    while (tcp_poll_event(&s->tcp, s->now, &ev)) {
        const struct tcp_connection *c = ev.connection;

        if (ev.is_for_server) {
            server_input_stream(server_at(s, c->server_host), s->now, &c->seen, &c->server,
                                ev.data);
            drain_server(s, c->server_host);
            continue;
        }
        if (ev.is_new)
            peer_add_stream_relay(s->peers[c->host], s->now, c->stream, &c->local, &c->server);
        else
            peer_input_stream(s->peers[c->host], s->now, c->stream, ev.data);
        stage_drain(s, c->host);
    }
}

static void deliver_datagrams(struct stage *s)
{
    struct net_packet p;

    while (net_poll_output(s->town.net, s->now, &p)) {
        s->datagrams++;
        hash(s, &s->now, sizeof s->now);
        hash(s, &p.host, sizeof p.host);
        hash(s, p.packet.dgram.data, p.packet.dgram.len);
        if (p.host >= STAGE_PEERS) {
            serve(s, &p);
            continue;
        }
        trace_datagram(s, "hears", p.host, "from", &p.packet.from, p.packet.dgram);
        if (s->arrives)
            s->arrives(s->ctx, &p);
        peer_input(s->peers[p.host], s->now, &p.packet.to, &p.packet.from, p.packet.dgram);
        stage_drain(s, p.host);
    }
}

static void deliver_mail(struct stage *s)
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
        stage_drain(s, m.to);
    }
}

static void tick(struct stage *s)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        watch_streams(s, i);
        if (s->stream_at[i] <= s->now)
            ask_by_stream(s, i);
        if (peer_next_timeout(s->peers[i]) <= s->now) {
            peer_tick(s->peers[i], s->now);
            stage_drain(s, i);
        }
    }
    for (unsigned i = 0; i < TOWN_SERVERS; i++)
        if (server_next_timeout(&s->servers[i]) <= s->now) {
            server_tick(&s->servers[i], s->now);
            drain_server(s, town_host_of((enum town_server)i));
        }
}

static usec next_deadline(const struct stage *s)
{
    usec at = usec_min(net_next_timeout(s->town.net), tcp_next_timeout(&s->tcp));

    for (unsigned i = 0; i < STAGE_PEERS; i++)
        at = usec_min(at, usec_min(s->stream_at[i], peer_next_timeout(s->peers[i])));
    for (unsigned i = 0; i < TOWN_SERVERS; i++)
        at = usec_min(at, server_next_timeout(&s->servers[i]));
    for (size_t i = 0; i < s->mail_count; i++)
        at = usec_min(at, s->mail[i].due_at);
    return at;
}

static void move_to(struct stage *s, usec at)
{
    s->standstill = at > s->now ? 0 : s->standstill + 1;
    s->now = usec_max(s->now, at);
    world_set_time(s->now);
    if (s->standstill > STANDSTILL_MAX)
        stage_fault(s, "time stands still");
    if (s->now > s->span_max || ++s->steps > STEPS_MAX)
        stage_fault(s, "no end within the time simulated at most");
}

void stage_step(struct stage *s)
{
    usec next_at = next_deadline(s);

    if (next_at == USEC_NEVER) {
        stage_fault(s, "nothing more will ever happen");
        return;
    }
    move_to(s, next_at);
    deliver_mail(s);
    deliver_datagrams(s);
    deliver_streams(s);
    tick(s);
}

bool stage_run(struct stage *s, usec until, bool (*is_done)(const struct stage *))
{
    while (!s->fault) {
        if (is_done && is_done(s))
            return true;
        if (next_deadline(s) > until) {
            move_to(s, until);
            return false;
        }
        stage_step(s);
    }
    return false;
}

bool stage_are_open(const struct stage *s)
{
    return peer_is_open(s->peers[0]) && peer_is_open(s->peers[1]);
}

bool stage_have_everything(const struct stage *s)
{
    return peer_has_everything(s->peers[0]) && peer_has_everything(s->peers[1]);
}

bool stage_are_closed(const struct stage *s)
{
    struct peer_end end;

    return peer_is_closed(s->peers[0], &end) && peer_is_closed(s->peers[1], &end);
}
