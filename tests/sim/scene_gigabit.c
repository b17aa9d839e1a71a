/* A fast path: the whole of a session, credit, records and all, at 1 Gbit/s and 20 ms. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define RATE_BPS    UINT64_C(1000000000)
#define RTT         (20 * MILLISECOND)
#define GROWS       (2 * SECOND) /* the windows do; not measured */
#define MEASURED    (3 * SECOND)
#define BYTES       UINT32_C(1000000000) /* more than both can take */
#define PACKETS_MAX 8192
#define FILES       5 /* the channel that may queue most */

/* UDP and IPv4, a DTLS record with AES-GCM, an SCTP packet with one DATA chunk, its padding. */
enum { UDP_IP = 28, RECORD = 37, SCTP_DATA = 28, PADDED = 4 };

static double payload_share(const struct stage *s)
{
    struct session_info info;
    size_t payload;

    peer_get_info(s->peers[0], &info);
    payload = (info.path_mtu - RECORD - SCTP_DATA) / PADDED * PADDED;
    return (double)payload / (double)(info.path_mtu + UDP_IP);
}

void scene_gigabit(struct scene *c)
{
    static const struct home open = { .kind = HOME_OPEN };
    static struct stage s;
    struct town_plan plan = scene_town(&open, &open);
    uint32_t before;
    double share;

    plan.homes[0].line = plan.homes[1].line = (struct link_config){ .delay_us = RTT / 4 };
    plan.homes[0].line.rate_bps = RATE_BPS;
    plan.homes[0].line.queue_bytes_max = RATE_BPS / 8 * RTT / SECOND;
    scene_set(c, &s, &plan,
              &(struct scene_talk){ .rx_bytes_max = 14 << 20, .packets_max = PACKETS_MAX });
    if (scene_claim(c, scene_connect(&s, 5 * SECOND), "connects", "")) {
        scene_send_one_way(&s, FILES, BYTES);
        stage_run(&s, s.now + GROWS, NULL);
        before = peer_app(s.peers[1])->received[FILES];
        stage_run(&s, s.now + MEASURED, NULL);
        share = (double)(peer_app(s.peers[1])->received[FILES] - before) * 8 /
                ((double)RATE_BPS * MEASURED / SECOND * payload_share(&s));
        printf("{\"name\":\"gigabit\",\"share\":%.4f}\n", share);
        scene_claim(c, share >= 0.9, "nine tenths of what the payload could be", "");
        scene_claim(c, share <= 1.01, "and no more than all of it", "");
    }
    scene_end(c, &s, "");
}
