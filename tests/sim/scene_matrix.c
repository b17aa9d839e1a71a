/* Pairs of homes drawn by seed, against the oracle: whoever has a path connects, directly wherever
 * that is possible, by the relay only where it is not. */
#include "tests/sim/scene.h"
#include "tests/support/rng.h"

#include <stdio.h>

#define PAIRS      300
#define CONNECT_US (15 * SECOND)
#define CLIMB_US   (100 * SECOND) /* from the first path to the best one, at most */

enum class { CLASS_DIRECT, CLASS_RELAYED, CLASS_NONE, CLASSES };

static const char *const class_names[CLASSES] = { "direct", "relayed", "no path" };

static struct home draw_home(struct rng *rng)
{
    return (struct home){
        .kind = (enum home_kind)rng_below(rng, HOME_KINDS),
        .mapping = (enum nat_rule)rng_below(rng, NAT_RULES),
        .filtering = (enum nat_rule)rng_below(rng, NAT_RULES),
        .ports = (enum nat_ports)rng_below(rng, NAT_PORT_KINDS),
        .hairpinning = rng_below(rng, 2),
    };
}

/* Every other town is ideal, the rest like the world. */
static void draw_line(struct rng *rng, struct link_config *line)
{
    *line = (struct link_config){
        .delay_us = (usec)rng_below(rng, 60000),
        .jitter_us = (usec)rng_below(rng, 10000),
        .loss_ppm = rng_below(rng, 20000),
        .duplicate_ppm = rng_below(rng, 10000),
        .reorder_ppm = rng_below(rng, 20000),
        .reorder_us = (usec)rng_below(rng, 30000),
    };
}

static struct town_plan draw_town(uint64_t seed)
{
    uint64_t chance = ~seed;
    struct rng rng = test_rng(&chance);
    struct home a = draw_home(&rng), b = draw_home(&rng);
    struct town_plan plan = scene_town(&a, &b);

    plan.sharing = rng_below(&rng, 2) ? TOWN_APART : (enum town_sharing)rng_below(&rng, 3);
    if (plan.sharing == TOWN_ONE_HOME && a.kind == HOME_OPEN)
        plan.homes[0].kind = HOME_NAT;
    if (plan.sharing == TOWN_ONE_CARRIER)
        plan.homes[0].kind = plan.homes[1].kind = HOME_STACKED;
    for (int i = 0; i < 2 && seed / 1000 % 2; i++)
        draw_line(&rng, &plan.homes[i].line);
    return plan;
}

static bool is_served(const struct town_plan *plan, unsigned peer)
{
    return town_is_served(plan, peer, NAT_UDP) || town_is_served(plan, peer, NAT_TCP);
}

static enum class class_wanted(const struct town_plan *plan) {
    if (town_has_direct_path(plan)) return CLASS_DIRECT;
    return is_served(plan, 0) && is_served(plan, 1) ? CLASS_RELAYED : CLASS_NONE;
}

static bool are_both_direct(const struct stage *s)
{
    return stage_are_open(s) && !peer_is_relayed(s->peers[0]) && !peer_is_relayed(s->peers[1]);
}

static enum class class_of(struct stage *s) {
    if (!scene_connect(s, CONNECT_US)) return CLASS_NONE;
    return stage_run(s, s->now + CLIMB_US, are_both_direct) ? CLASS_DIRECT : CLASS_RELAYED;
}

/* Whether both send to a socket of the other, as it is at home: nothing passes the router. */
static bool are_on_lan(const struct stage *s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        struct session_info info;

        peer_get_info(s->peers[i], &info);
        for (size_t k = 0; k < s->town.homes[1 - i].socket_count; k++)
            count += addr_equal(&info.path.remote, &s->town.homes[1 - i].sockets[k]);
    }
    return count == STAGE_PEERS;
}

static enum class try_pair(struct scene *c) {
    struct town_plan plan = draw_town(c->seed); enum class wanted = class_wanted(&plan), got;
    static struct stage s;
    char detail[160];

    scene_set(c, &s, &plan, &(struct scene_talk){ .has_relay = true });
    got = class_of(&s);
    snprintf(detail, sizeof detail,
             "(kinds %d and %d, mapping %d and %d, filtering %d and %d, sharing %d: %s, not %s)",
             (int)plan.homes[0].kind, (int)plan.homes[1].kind, (int)plan.homes[0].mapping,
             (int)plan.homes[1].mapping, (int)plan.homes[0].filtering, (int)plan.homes[1].filtering,
             (int)plan.sharing, class_names[got], class_names[wanted]);
    scene_claim(c, got == wanted, "the class is the oracle's", detail);
    if (got == CLASS_DIRECT && plan.sharing == TOWN_ONE_HOME)
        scene_claim(c, stage_run(&s, s.now + CLIMB_US, are_on_lan), "one home: by its LAN", detail);
    scene_end(c, &s, detail);
    return got;
}

void scene_matrix(struct scene *c)
{
    unsigned count[CLASSES] = { 0 };
    struct scene one = *c;

    for (unsigned i = 0; i < PAIRS; i++) {
        one.seed = SCENE_SEED(c, i);
        count[try_pair(&one)]++;
    }
    c->failures = one.failures;
    printf("%d pairs: %u direct, %u relayed, %u without a path\n", PAIRS, count[CLASS_DIRECT],
           count[CLASS_RELAYED], count[CLASS_NONE]);
}
