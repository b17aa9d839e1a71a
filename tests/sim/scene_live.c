/* Live pictures on a lossy channel beside a file, over lines that are narrow and lose packets. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define LIFETIME (250 * MILLISECOND)
/* What a line's queue holds. A picture that was sent in time may wait in two of them; and where one
 * before it was lost, for the sender to see that and for its word, through two each. */
#define QUEUE (100 * MILLISECOND)

#define SPAN       (20 * SECOND)
#define FILE_BYTES (256u << 10)

static const struct row {
    const char *detail;
    uint64_t rate_bps;
    uint32_t loss_ppm, reorder_ppm;
    unsigned least; /* percent of the pictures that arrive */
} rows[] = {
    { "on a line that takes all", 20000000, 0, 0, 99 },
    { "with 1 % loss", 20000000, 10000, 0, 95 },
    { "with 5 % loss and 3 % out of order", 20000000, 50000, 30000, 70 },
    { "on a line that takes half of them", 600000, 0, 0, 20 },
};

static void set_lines(struct town_plan *plan, const struct row *row)
{
    for (int i = 0; i < 2; i++) {
        struct link_config *line = &plan->homes[i].line;

        line->rate_bps = row->rate_bps;
        line->queue_bytes_max = (size_t)(row->rate_bps / 8 * QUEUE / SECOND);
        line->loss_ppm = row->loss_ppm / 2; /* a path crosses two lines */
        line->reorder_ppm = row->reorder_ppm / 2;
        line->reorder_us = 10 * MILLISECOND;
    }
}

static void judge(struct scene *c, struct stage *s, const struct row *row)
{
    for (unsigned i = 0; i < STAGE_PEERS; i++) {
        const struct live *from = &peer_app(s->peers[i])->live, *to = &peer_app(s->peers[!i])->live;
        struct session_info info;
        uint64_t lost;

        peer_get_info(s->peers[i], &info);
        lost = info.given_up[LIVE_CHANNEL] + from->refused;
        printf("%llu of %llu pictures, the oldest %.0f ms; %llu given up %s\n",
               (unsigned long long)to->received, (unsigned long long)from->made,
               (double)to->oldest_us / 1000, (unsigned long long)lost, row->detail);
        scene_claim(c, to->received * 100 >= from->made * row->least, "enough of them arrive",
                    row->detail);
        scene_claim(c, to->oldest_us <= LIFETIME + 2 * SCENE_RTT_US + 6 * QUEUE, "none that is old",
                    row->detail);
        scene_claim(c, to->received + lost + 20 >= from->made, "the others were given up",
                    row->detail);
    }
}

static void play(struct scene *c, const struct row *row)
{
    static const struct home home = { .kind = HOME_OPEN };
    static struct stage s;
    struct town_plan plan = scene_town(&home, &home);

    set_lines(&plan, row);
    scene_set(
        c, &s, &plan,
        &(struct scene_talk){
            .live = { .every_us = 33 * MILLISECOND, .lifetime_us = LIFETIME, .bytes = 5000 } });
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "connects", row->detail)) {
        scene_send_one_way(&s, 5, FILE_BYTES);
        stage_run(&s, s.now + 2 * SECOND, NULL);
        for (unsigned i = 0; i < STAGE_PEERS; i++) /* before both knew of the mode, none was lost */
            peer_app(s.peers[i])->live.oldest_us = 0;
        stage_run(&s, s.now + SPAN, NULL);
        judge(c, &s, row);
        for (unsigned i = 0; i < STAGE_PEERS; i++)
            live_stop(&peer_app(s.peers[i])->live);
        scene_claim(c, stage_run(&s, s.now + SPAN, stage_have_everything),
                    "the file beside them is whole", row->detail);
    }
    scene_end(c, &s, row->detail);
}

void scene_live(struct scene *c)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        play(c, &rows[i]);
}
