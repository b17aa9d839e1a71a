/* scene.h: scenarios: what must hold of two sessions in situations that were made on purpose, each
 * counted in virtual time and in packets. Each prints its figures, and what does not hold together
 * with the seed that shows it. */
#ifndef HAWSER_TESTS_SIM_SCENE_H
#define HAWSER_TESTS_SIM_SCENE_H

#include "tests/sim/stage.h"

/* A run of one scenario. */
struct scene {
    const char *name;
    uint64_t seed;
    bool is_traced;
    unsigned failures;
};

/* The seed of its k-th stage: the scenario begun with that seed begins with that stage. Runs whose
 * seeds are below 1000 share none. */
#define SCENE_SEED(c, k) ((c)->seed + 1000u * (k))

/* Notes and prints what is not so; `detail` says where, or is "". Returns `is_so`. */
bool scene_claim(struct scene *c, bool is_so, const char *claim, const char *detail);

/* Runs `one` on so many stages of this scenario, each with its seed; the longest that it took. */
usec scene_worst(struct scene *c, unsigned count, usec (*one)(struct scene *c, const void *ctx),
                 const void *ctx);

/* 20 ms one way between any two hosts, nothing lost: the laboratory's ideal. */
#define SCENE_ONE_WAY_US (20 * MILLISECOND)
#define SCENE_RTT_US     (2 * SCENE_ONE_WAY_US)

struct town_plan scene_town(const struct home *a, const struct home *b);

/* What the applications do: the same in both directions, on channel 0. */
struct scene_talk {
    uint32_t bytes;      /* 0: one */
    usec paced_every_us; /* 0: as fast as it goes */
    uint32_t paced_bytes;
    bool has_relay;          /* the town's first, by UDP, and where that is blocked by TCP */
    bool are_relays_doubled; /* both relays are asked */
    bool is_stun_doubled;    /* both STUN servers are asked */
    size_t rx_bytes_max;     /* of each session; 0: 1 MiB */
    size_t packets_max;      /* on each link at once; 0: 1024 */
    struct live_plan live;
};

/* Builds the stage with both peers on it, not started: servers and links may still be changed. */
void scene_set(struct scene *c, struct stage *s, const struct town_plan *plan,
               const struct scene_talk *talk);

/* From now on both send so much more, paced if so they talk, and the longest gap is looked for. */
void scene_send_more(struct stage *s, uint32_t bytes);

/* The same from the first peer to the second alone, on any channel. */
void scene_send_one_way(struct stage *s, unsigned channel, uint32_t bytes);

/* The longest gap seen by either side since. */
usec scene_gap_us(const struct stage *s);

/* Starts, and runs until both are open and one byte has gone each way: false after `within`. */
bool scene_connect(struct stage *s, usec within);
bool scene_has_flowed(const struct stage *s);

/* How long after it the last of both first bytes arrived, once they did: after the answer alone,
 * and after the answer with the candidate in use, which it may precede by a STUN round trip. */
usec scene_after_answer_us(const struct stage *s);
usec scene_after_candidate_us(const struct stage *s);

/* How long after the answer alone the first of both first bytes arrived. */
usec scene_first_after_answer_us(const struct stage *s);

/* What must hold of every stage in the end; then it is taken down. */
void scene_end(struct scene *c, struct stage *s, const char *detail);

#define SCENES(X)                                                                                \
    X(oracle, "the oracle knows what RFC 4787 defines")                                          \
    X(round_trips, "data flows 2.5 round trips after the answer, 3.5 over a relay")              \
    X(loss, "at 10 % loss the p95 of 200 connects is below 3 loss-free medians")                 \
    X(matrix, "every pair of homes connects as the oracle says, direct wherever ICE can be")     \
    X(path, "the best path there is, a black one left, nothing lost, no storm")                  \
    X(kill, "NATs, addresses, interfaces, servers die in a transfer: nothing lost, gaps short")  \
    X(idle, "an idle hour behind NATs of 30 s timeout lives on one check per 15 s")              \
    X(live, "pictures on a lossy channel are whole and never old, what is beside them is whole") \
    X(width, "the width of each path is found, and a transfer passes all of them")               \
    X(gigabit, "1 Gbit/s at 20 ms is full")                                                      \
    X(glare, "restarts of both sides at once, lost, repeated, late")                             \
    X(hostile, "a peer cannot make us send much to others")                                      \
    X(servers, "lying and silent servers cost their own candidates only")

/* Runs the scenario of this name, dashes as underscores; -1: there is none, else its failures. */
int scene_run(const char *name, uint64_t seed, bool is_traced);
void scene_print_names(void);

#define AS_SCENE(name, claim) void scene_##name(struct scene *c);
SCENES(AS_SCENE)
#undef AS_SCENE

#endif
