#include "tests/sim/scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AS_ROW(name, claim) { #name, claim, scene_##name },
static const struct {
    const char *name, *claim;
    void (*run)(struct scene *c);
} rows[] = { SCENES(AS_ROW) };
#undef AS_ROW

bool scene_claim(struct scene *c, bool is_so, const char *claim, const char *detail)
{
    if (!is_so) {
        c->failures++;
        printf("scenario %s, seed %" PRIu64 ": not so: %s %s\n", c->name, c->seed, claim, detail);
    }
    return is_so;
}

usec scene_worst(struct scene *c, unsigned count, usec (*one)(struct scene *c, const void *ctx),
                 const void *ctx)
{
    struct scene stage = *c;
    usec worst = 0;

    for (unsigned k = 0; k < count; k++) {
        stage.seed = SCENE_SEED(c, k);
        worst = usec_max(worst, one(&stage, ctx));
    }
    c->failures = stage.failures;
    return worst;
}

struct town_plan scene_town(const struct home *a, const struct home *b)
{
    struct link_config half = { .delay_us = SCENE_ONE_WAY_US / 2 };
    struct town_plan plan = { .homes = { *a, *b }, .server = half };

    plan.homes[0].line = plan.homes[1].line = half;
    return plan;
}

static void add_servers(struct peer_plan *plan, const struct scene_talk *talk)
{
    static const enum town_server stun[] = { TOWN_STUN, TOWN_STUN_SECOND };
    static const enum town_server relays[] = { TOWN_RELAY, TOWN_RELAY_SECOND };
    static const enum addr_family families[] = { ADDR_IPV4, ADDR_IPV6 };

    for (size_t i = 0; i < (talk->is_stun_doubled ? 2 : 1); i++)
        for (size_t k = 0; k < COUNT(families); k++)
            plan->stun_servers[plan->stun_count++] = town_address_of(stun[i], families[k]);
    for (unsigned i = 0; talk->has_relay && i < (talk->are_relays_doubled ? 2 : 1); i++)
        for (size_t k = 0; k < COUNT(families); k++)
            plan->relays[plan->relay_count++] =
                (struct session_relay){ .server = town_address_of(relays[i], families[k]),
                                        .preference = (uint16_t)(100 - k - 2 * i),
                                        .username = SERVER_USERNAME,
                                        .password = SERVER_PASSWORD };
}

void scene_set(struct scene *c, struct stage *s, const struct town_plan *plan,
               const struct scene_talk *talk)
{
    stage_init(s, c->seed, c->is_traced);
    if (talk->packets_max)
        s->packets_max = talk->packets_max;
    stage_build(s, plan);
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        struct peer_plan peer = {
            .role = i ? SESSION_ANSWERER : SESSION_OFFERER,
            .rx_bytes_max = talk->rx_bytes_max ? talk->rx_bytes_max : 1 << 20,
            .app = { .tx_key = i,
                     .rx_key = 1 - i,
                     .paced_every_us = talk->paced_every_us,
                     .paced_bytes = talk->paced_bytes,
                     .live = talk->live },
        };

        peer.app.tx_bytes[0] = peer.app.rx_bytes[0] = talk->bytes ? talk->bytes : 1;
        peer.socket_count = s->town.homes[i].socket_count;
        memcpy(peer.sockets, s->town.homes[i].sockets, sizeof peer.sockets);
        add_servers(&peer, talk);
        stage_add_peer(s, i, &peer);
    }
}

bool scene_has_flowed(const struct stage *s)
{
    return stage_are_open(s) && peer_app(s->peers[0])->first_data_at != USEC_NEVER &&
           peer_app(s->peers[1])->first_data_at != USEC_NEVER;
}

bool scene_connect(struct stage *s, usec within)
{
    stage_start(s);
    return stage_run(s, s->now + within, scene_has_flowed);
}

void scene_send_more(struct stage *s, uint32_t bytes)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        app_watch(peer_app(s->peers[i]), s->now);
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        peer_send_more(s->peers[i], s->now, 0, bytes, bytes);
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        stage_drain(s, i);
}

void scene_send_one_way(struct stage *s, unsigned channel, uint32_t bytes)
{
    peer_send_more(s->peers[1], s->now, channel, 0, bytes);
    peer_send_more(s->peers[0], s->now, channel, bytes, 0);
    stage_drain(s, 0);
    stage_drain(s, 1);
}

usec scene_gap_us(const struct stage *s)
{
    return usec_max(peer_app(s->peers[0])->gap_us, peer_app(s->peers[1])->gap_us);
}

static usec first_data_at(const struct stage *s)
{
    return usec_max(peer_app(s->peers[0])->first_data_at, peer_app(s->peers[1])->first_data_at);
}

usec scene_after_answer_us(const struct stage *s)
{
    return first_data_at(s) - peer_seen(s->peers[0])->answer_at;
}

usec scene_first_after_answer_us(const struct stage *s)
{
    usec first =
        usec_min(peer_app(s->peers[0])->first_data_at, peer_app(s->peers[1])->first_data_at);

    return first - peer_seen(s->peers[0])->answer_at;
}

usec scene_after_candidate_us(const struct stage *s)
{
    return first_data_at(s) - peer_ready_at(s->peers[0]);
}

void scene_end(struct scene *c, struct stage *s, const char *detail)
{
    stage_deinit(s);
    if (s->fault)
        scene_claim(c, false, s->fault, detail);
}

int scene_run(const char *name, uint64_t seed, bool is_traced)
{
    struct scene c = { .name = name, .seed = seed, .is_traced = is_traced };
    char wanted[32];

    snprintf(wanted, sizeof wanted, "%s", name);
    for (char *dash; (dash = strchr(wanted, '-'));)
        *dash = '_';
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].name, wanted) == 0) {
            rows[i].run(&c);
            printf("scenario %s, seed %" PRIu64 ": %s\n", name, seed, c.failures ? "FAILED" : "ok");
            return (int)c.failures;
        }
    return -1;
}

void scene_print_names(void)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        fprintf(stderr, "    %-12s %s\n", rows[i].name, rows[i].claim);
}
