/* Restarts that cross each other, and signaling that loses, repeats and delays them. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define PIECE_US (10 * MILLISECOND)
#define PIECE    1000
#define TRANSFER (1500 * PIECE) /* 15 s */
#define SEEDS    10

static const struct row {
    const char *what;
    struct stage_post post;
    bool is_alone;  /* only the offerer restarts */
    bool is_needed; /* a NAT reboots too: without a new path nothing goes on */
} rows[] = {
    { "one side", { .delay_us = 20 * MILLISECOND }, true, false },
    { "both sides", { .delay_us = 20 * MILLISECOND }, false, false },
    { "both, a NAT rebooted", { .delay_us = 20 * MILLISECOND }, false, true },
    { "repeated",
      { .delay_us = 20 * MILLISECOND, .repeat_ppm = 800000, .late_us = SECOND },
      false,
      true },
    { "late",
      { .delay_us = 20 * MILLISECOND, .late_ppm = 500000, .late_us = SECOND },
      false,
      true },
    { "lost", { .delay_us = 20 * MILLISECOND, .loss_ppm = 100000 }, false, true },
    { "everything",
      { .delay_us = 50 * MILLISECOND,
        .loss_ppm = 100000,
        .repeat_ppm = 300000,
        .late_ppm = 300000,
        .late_us = 700 * MILLISECOND },
      false,
      true },
};

static bool is_settled(const struct stage *s)
{
    struct session_info info[STAGE_PEERS];

    for (unsigned i = 0; i < STAGE_PEERS; i++)
        peer_get_info(s->peers[i], &info[i]);
    return !info[0].is_restarting && !info[1].is_restarting;
}

static void restart(struct stage *s, const struct row *row)
{
    if (row->is_needed)
        nat_reset(net_nat(s->town.net, s->town.homes[rng_below(&s->rng, 2)].outer));
    for (unsigned i = 0; i < (row->is_alone ? 1 : STAGE_PEERS); i++)
        peer_restart(s->peers[i], s->now);
    for (unsigned i = 0; i < STAGE_PEERS; i++)
        stage_drain(s, i);
}

static usec meet(struct scene *c, const void *ctx)
{
    const struct row *row = ctx;
    static const struct home home = { .kind = HOME_NAT,
                                      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                      .ports = NAT_PORTS_RANDOM };
    struct town_plan plan = scene_town(&home, &home);
    static struct stage s;
    usec gap_us = 0;

    scene_set(
        c, &s, &plan,
        &(struct scene_talk){ .bytes = PIECE, .paced_every_us = PIECE_US, .paced_bytes = PIECE });
    s.post = row->post;
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", row->what)) {
        scene_send_more(&s, TRANSFER);
        stage_run(&s, s.now + 2 * SECOND, NULL);
        restart(&s, row);
        scene_claim(c, stage_run(&s, s.now + MINUTE, stage_have_everything), "everything arrives",
                    row->what);
        scene_claim(c, stage_run(&s, s.now + MINUTE, is_settled), "the restart comes to an end",
                    row->what);
        gap_us = scene_gap_us(&s);
        if (!row->is_needed)
            scene_claim(c, gap_us <= PIECE_US + 2 * SCENE_RTT_US, "data goes on meanwhile",
                        row->what);
    }
    scene_end(c, &s, row->what);
    return gap_us;
}

void scene_glare(struct scene *c)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        usec worst = scene_worst(c, SEEDS, meet, &rows[i]);

        printf("%-22s longest gap of %d seeds: %.0f ms\n", rows[i].what, SEEDS,
               (double)worst / 1000);
    }
}
