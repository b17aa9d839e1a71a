/* Connecting while a tenth of all packets is lost, against connecting while none is. */
#include "tests/sim/scene.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNECTS 200

static int is_more(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return x < y ? -1 : x > y;
}

static usec connect_once(struct scene *c, uint32_t loss_ppm)
{
    static const struct home home = { .kind = HOME_NAT,
                                      .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
    static struct stage s;
    struct town_plan plan = scene_town(&home, &home);
    usec took = USEC_NEVER;

    for (int i = 0; i < 2; i++)
        plan.homes[i].line.loss_ppm = loss_ppm / 2; /* a path crosses two lines */
    scene_set(c, &s, &plan, &(struct scene_talk){ 0 });
    if (scene_claim(c, scene_connect(&s, 30 * SECOND), "connects", ""))
        took = usec_max(peer_seen(s.peers[0])->open_at, peer_seen(s.peers[1])->open_at);
    scene_end(c, &s, "");
    return took;
}

/* Sorted. */
static void connect_often(struct scene *c, uint32_t loss_ppm, usec took[CONNECTS])
{
    struct scene one = *c;

    for (unsigned i = 0; i < CONNECTS; i++) {
        one.seed = SCENE_SEED(c, i);
        took[i] = connect_once(&one, loss_ppm);
    }
    c->failures = one.failures;
    qsort(took, CONNECTS, sizeof took[0], is_more);
}

void scene_loss(struct scene *c)
{
    usec clear[CONNECTS], lossy[CONNECTS], median, p95;

    connect_often(c, 0, clear);
    connect_often(c, 100000, lossy);
    median = clear[CONNECTS / 2];
    p95 = lossy[CONNECTS * 95 / 100];
    printf("loss-free median %.1f ms; at 10 %% loss median %.1f ms, p95 %.1f ms, worst %.1f ms\n",
           (double)median / 1000, (double)lossy[CONNECTS / 2] / 1000, (double)p95 / 1000,
           (double)lossy[CONNECTS - 1] / 1000);
    scene_claim(c, p95 < 3 * median, "p95 at 10 % loss is below 3 loss-free medians", "");
}
