/* Servers that are silent or lie, beside one that does its job or alone. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define SEEDS      20
#define VICTIM_MAX 32 /* checks to an address that only a liar named, of both peers together */

static const struct row {
    const char *what;
    enum server_kind first, second;
    enum home_kind home;
} rows[] = {
    { "the first is silent", SERVER_SILENT, SERVER_STUN, HOME_NAT },
    { "the second is silent", SERVER_STUN, SERVER_SILENT, HOME_NAT },
    { "the first lies", SERVER_STUN_LYING, SERVER_STUN, HOME_NAT },
    { "the second lies", SERVER_STUN, SERVER_STUN_LYING, HOME_NAT },
    { "both are silent, nobody needs them", SERVER_SILENT, SERVER_SILENT, HOME_OPEN },
    { "both lie, nobody needs them", SERVER_STUN_LYING, SERVER_STUN_LYING, HOME_OPEN },
};

struct watch {
    const struct addr *victim;
    uint64_t sent; /* to the victim */
};

static void note(void *ctx, unsigned peer, const struct addr *from, const struct addr *to,
                 struct bytes dgram)
{
    struct watch *watch = ctx;

    (void)peer;
    (void)from;
    (void)dgram;
    watch->sent += addr_equal_ip(to, watch->victim);
}

struct attempt {
    const struct row *row;
    uint64_t *sent_to_victim; /* the most of all stages */
};

static usec connect_with(struct scene *c, const void *ctx)
{
    const struct attempt *attempt = ctx;
    const struct row *row = attempt->row;
    struct home home = { .kind = row->home, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
    struct town_plan plan = scene_town(&home, &home);
    struct watch watch = { 0 };
    static struct stage s;
    usec took = 0;

    scene_set(c, &s, &plan, &(struct scene_talk){ .is_stun_doubled = true });
    server_become(&s.servers[TOWN_STUN], row->first);
    server_become(&s.servers[TOWN_STUN_SECOND], row->second);
    watch.victim = &s.servers[0].victim;
    s.leaves = note;
    s.ctx = &watch;
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", row->what)) {
        took = scene_after_candidate_us(&s);
        scene_claim(c, took * 10 <= 25 * SCENE_RTT_US, "within 2.5 round trips", row->what);
        stage_run(&s, s.now + 30 * SECOND, NULL);
        scene_claim(c, watch.sent <= VICTIM_MAX, "a victim hears little", row->what);
        scene_claim(c, stage_are_open(&s) && !stage_are_closed(&s), "and stays", row->what);
    }
    if (watch.sent > *attempt->sent_to_victim)
        *attempt->sent_to_victim = watch.sent;
    scene_end(c, &s, row->what);
    return took;
}

/* Two relays, one of which may be no good; nothing else leads from one symmetric NAT to another. */
static const struct relay_row {
    const char *what;
    enum server_kind first, second, stun;
    bool is_needed; /* else the homes reach each other, and the relays are both bad */
} relay_rows[] = {
    { "the first relay is silent", SERVER_SILENT, SERVER_RELAY, SERVER_STUN, true },
    { "the second relay is silent", SERVER_RELAY, SERVER_SILENT, SERVER_STUN, true },
    { "the first relay lies", SERVER_RELAY_LYING, SERVER_RELAY, SERVER_STUN, true },
    { "the second relay lies", SERVER_RELAY, SERVER_RELAY_LYING, SERVER_STUN, true },
    { "STUN is silent, a relay is there", SERVER_RELAY, SERVER_SILENT, SERVER_SILENT, true },
    { "all relays lie, nobody needs them", SERVER_RELAY_LYING, SERVER_RELAY_LYING, SERVER_STUN,
      false },
    { "all relays are silent, nobody needs them", SERVER_SILENT, SERVER_SILENT, SERVER_STUN,
      false },
    { "relays are STUN liars, nobody needs them", SERVER_STUN_LYING, SERVER_STUN_LYING, SERVER_STUN,
      false },
};

static usec relay_with(struct scene *c, const void *ctx)
{
    const struct relay_row *row = ctx;
    struct home home = { .kind = HOME_NAT,
                         .mapping = row->is_needed ? NAT_ADDRESS_AND_PORT_DEPENDENT
                                                   : NAT_ENDPOINT_INDEPENDENT,
                         .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                         .ports = NAT_PORTS_RANDOM };
    struct town_plan plan = scene_town(&home, &home);
    static struct stage s;
    usec took = 0;

    scene_set(c, &s, &plan, &(struct scene_talk){ .has_relay = true, .are_relays_doubled = true });
    server_become(&s.servers[TOWN_RELAY], row->first);
    server_become(&s.servers[TOWN_RELAY_SECOND], row->second);
    server_become(&s.servers[TOWN_STUN], row->stun);
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", row->what)) {
        took = s.now;
        stage_run(&s, s.now + 30 * SECOND, NULL);
        scene_claim(c, stage_are_open(&s) && !stage_are_closed(&s), "and stays", row->what);
        scene_claim(c, row->is_needed || took <= 200 * MILLISECOND, "and takes no longer",
                    row->what);
    }
    scene_end(c, &s, row->what);
    return took;
}

static void try_relays(struct scene *c)
{
    for (size_t i = 0; i < COUNT(relay_rows); i++) {
        usec worst = scene_worst(c, SEEDS, relay_with, &relay_rows[i]);

        printf("%-42s data after %.0f ms at most\n", relay_rows[i].what, (double)worst / 1000);
    }
}

void scene_servers(struct scene *c)
{
    try_relays(c);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t sent = 0;
        usec worst = scene_worst(c, SEEDS, connect_with, &(struct attempt){ &rows[i], &sent });

        printf("%-36s first data after %.0f ms at most, %llu packets to a victim\n", rows[i].what,
               (double)worst / 1000, (unsigned long long)sent);
    }
}
