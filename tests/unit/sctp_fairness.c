/* Several flows through one bottleneck: what each gets against CUBIC and against its like. */
#include "tests/check.h"
#include "tests/support/flows.h"

#define H                   \
    {                       \
        .kind = FLOW_HAWSER \
    }
#define C                  \
    {                      \
        .kind = FLOW_CUBIC \
    }
#define LATE(k)                              \
    {                                        \
        .kind = (k), .start_at = 10 * SECOND \
    }

/* Rows are 100 Mbit/s and 20 ms unless they say otherwise. */
static const struct mix {
    const char *claim;
    struct flow_config flows[FLOWS_MAX];
    double queue;       /* in products of rate and round trip */
    uint64_t rate_bps;  /* 0: 100 Mbit/s */
    usec delay_us;      /* 0: 10 ms */
    double least, most; /* the first one's share by that of the second; 0: not asked */
    double jain;        /* mean of the runs */
    uint64_t runs;      /* each from another seed */
} mixes[] = {
    { "one CUBIC beside, a product of queue", { H, C }, 1, 0, 0, 1 / 3.0, 3, 0, 3 },
    { "CUBIC was there before", { LATE(FLOW_HAWSER), C }, 1, 0, 0, 1 / 3.0, 3, 0, 1 },
    { "CUBIC comes later", { H, LATE(FLOW_CUBIC) }, 1, 0, 0, 1 / 3.0, 3, 0, 1 },
    { "half a product of queue", { H, C }, 0.5, 0, 0, 1 / 4.0, 4, 0, 1 },
    { "four products", { H, C }, 4, 0, 0, 1 / 5.0, 4, 0, 1 },
    { "20 Mbit/s, 100 ms", { H, C }, 1, 20000000, 50 * MILLISECOND, 1 / 3.0, 3, 0, 1 },
    { "two hawsers", { H, H }, 1, 0, 0, 0, 0, 0.95, 3 },
    { "the second joins late", { H, LATE(FLOW_HAWSER) }, 1, 0, 0, 0, 0, 0.95, 3 },
    { "three", { H, H, H }, 1, 0, 0, 0, 0, 0.95, 1 },
    { "eight", { H, H, H, H, H, H, H, H }, 1, 0, 0, 0, 0, 0.95, 1 },
    { "two, much queue", { H, H }, 4, 0, 0, 0, 0, 0.9, 1 },
    { "two on an uplink of 10 Mbit/s", { H, LATE(FLOW_HAWSER) }, 10, 10000000, 0, 0, 0, 0.9, 1 },
};

static size_t count_of(const struct mix *m)
{
    size_t n = 0;

    while (n < FLOWS_MAX && m->flows[n].kind != FLOW_NONE)
        n++;
    return n;
}

/* Shares of 30 seconds, from the fifteenth on. */
static void run(const struct mix *m, uint64_t seed, double share[FLOWS_MAX])
{
    uint64_t rate = m->rate_bps ? m->rate_bps : 100000000, before[FLOWS_MAX];
    usec delay_us = m->delay_us ? m->delay_us : 10 * MILLISECOND;
    double product = (double)rate / 8 * 2 * (double)delay_us / SECOND;
    struct link_config link = { .delay_us = delay_us,
                                .rate_bps = rate,
                                .queue_bytes_max = (size_t)(m->queue * product) };
    struct flow_config list[FLOWS_MAX];
    size_t count = count_of(m);
    struct flows *f;

    for (size_t i = 0; i < count; i++) {
        list[i] = m->flows[i];
        list[i].start_at += (usec)((seed * 7919 + i * 104729) % 31) * 3 * MILLISECOND;
    }
    f = flows_new(seed, &link, NULL, list, count);
    flows_run(f, f->now + 15 * SECOND);
    for (size_t i = 0; i < count; i++)
        before[i] = flow_received(&f->flow[i]);
    flows_run(f, f->now + 30 * SECOND);
    for (size_t i = 0; i < count; i++)
        share[i] = (double)(flow_received(&f->flow[i]) - before[i]) * 8 / 30 / (double)rate;
    flows_free(f);
}

static void judge(const struct mix *m)
{
    double jain = 0, least = 1e9, most = 0, used = 1;

    for (uint64_t seed = 1; seed <= m->runs; seed++) {
        double share[FLOWS_MAX], sum = 0;

        run(m, seed, share);
        for (size_t i = 0; i < count_of(m); i++)
            sum += share[i];
        used = sum < used ? sum : used;
        least = share[0] / share[1] < least ? share[0] / share[1] : least;
        most = share[0] / share[1] > most ? share[0] / share[1] : most;
        jain += flows_jain(share, count_of(m)) / (double)m->runs;
    }
    print_message("%-40s first by second %.2f to %.2f, Jain's index %.3f, of the link %.2f\n",
                  m->claim, least, most, jain, used);
    CHECK(m->claim, jain >= m->jain);
    CHECK(m->claim, m->most == 0 || (least >= m->least && most <= m->most));
    CHECK("and the link is used", used > 0.88);
}

TEST(who_gets_what)
{
    for (size_t i = 0; i < COUNT(mixes); i++)
        judge(&mixes[i]);
}

TESTS(TEST_ROW(who_gets_what))
