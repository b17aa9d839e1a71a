/* How many round trips lie between the answer and the first byte of data. The answer leaves before
 * the answerer knows its own public address, which follows a STUN round trip later; so data flows
 * 2.5 round trips after the answer itself, and both ways 2 after the candidate that is used. */
#include "tests/sim/scene.h"

#include <stdio.h>

#define RELAY_RTT_US (2 * SCENE_RTT_US) /* host to relay to host and back */

static const struct {
    const char *name;
    struct home home;
} cones[] = {
    { "open", { .kind = HOME_OPEN } },
    { "full cone", { .kind = HOME_NAT } },
    { "restricted", { .kind = HOME_NAT, .filtering = NAT_ADDRESS_DEPENDENT } },
    { "port-restricted", { .kind = HOME_NAT, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT } },
};

/* The longest of several connects. */
struct most {
    usec after_answer_us, both_after_answer_us, both_after_candidate_us;
};

static void connect_once(struct scene *c, const struct town_plan *plan, bool is_relayed,
                         struct most *most, const char *detail)
{
    usec limit = is_relayed ? 35 * RELAY_RTT_US : 25 * SCENE_RTT_US;
    static struct stage s;

    scene_set(c, &s, plan, &(struct scene_talk){ .has_relay = is_relayed });
    if (scene_claim(c, scene_connect(&s, 20 * SECOND), "data flows", detail)) {
        usec first = scene_first_after_answer_us(&s), both = scene_after_answer_us(&s);
        usec after_candidate = is_relayed ? both : scene_after_candidate_us(&s);

        scene_claim(c, first * 10 <= limit, "data flows within the round trips", detail);
        scene_claim(c, after_candidate * 10 <= limit, "both ways, from the candidate on", detail);
        scene_claim(c, peer_is_relayed(s.peers[0]) == is_relayed, "by the path there is", detail);
        most->after_answer_us = usec_max(most->after_answer_us, first);
        most->both_after_answer_us = usec_max(most->both_after_answer_us, both);
        most->both_after_candidate_us = usec_max(most->both_after_candidate_us, after_candidate);
    }
    scene_end(c, &s, detail);
}

static void print_most(const char *what, const struct most *most, usec rtt_us)
{
    printf("%s: data flows at most %.2f round trips after the answer; both ways %.2f, which is "
           "%.2f after the candidate in use\n",
           what, (double)most->after_answer_us / (double)rtt_us,
           (double)most->both_after_answer_us / (double)rtt_us,
           (double)most->both_after_candidate_us / (double)rtt_us);
}

static void count_cones(struct scene *c)
{
    struct most most = { 0 };

    for (size_t i = 0; i < COUNT(cones) * COUNT(cones); i++) {
        size_t a = i / COUNT(cones), b = i % COUNT(cones);
        struct town_plan plan = scene_town(&cones[a].home, &cones[b].home);
        char detail[64];

        snprintf(detail, sizeof detail, "(%s to %s)", cones[a].name, cones[b].name);
        connect_once(c, &plan, false, &most, detail);
    }
    print_most("direct", &most, SCENE_RTT_US);
}

static void count_relayed(struct scene *c)
{
    static const struct home symmetric = { .kind = HOME_NAT,
                                           .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                           .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                           .ports = NAT_PORTS_RANDOM };
    struct town_plan plan = scene_town(&symmetric, &symmetric);
    struct most most = { 0 };

    connect_once(c, &plan, true, &most, "(relayed)");
    print_most("relayed", &most, RELAY_RTT_US);
}

/* Without UDP the relay is asked by TCP a tenth of a second after UDP, so this is in milliseconds
 * and from the beginning: the offer takes one way, gathering and the answer run side by side. */
static void time_without_udp(struct scene *c)
{
    static const struct home nat = { .kind = HOME_NAT }, blocked = { .kind = HOME_NO_UDP },
                             only_443 = { .kind = HOME_ONLY_443 };
    const struct home *const pairs[][2] = { { &nat, &blocked },     { &blocked, &nat },
                                            { &blocked, &blocked }, { &only_443, &blocked },
                                            { &nat, &only_443 },    { &only_443, &only_443 } };
    static struct stage s;
    usec most = 0;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct town_plan plan = scene_town(pairs[i][0], pairs[i][1]);
        char detail[32];

        snprintf(detail, sizeof detail, "(UDP blocked, row %d)", (int)i);
        scene_set(c, &s, &plan, &(struct scene_talk){ .has_relay = true });
        if (scene_claim(c, scene_connect(&s, 20 * SECOND), "data flows", detail)) {
            scene_claim(c, s.now <= 600 * MILLISECOND, "within 600 ms", detail);
            most = usec_max(most, s.now);
        }
        scene_end(c, &s, detail);
    }
    printf("UDP blocked at one end or both: data after at most %.0f ms\n", (double)most / 1000);
}

void scene_round_trips(struct scene *c)
{
    count_cones(c);
    count_relayed(c);
    time_without_udp(c);
}
