/* The TCP flow of tests/net/model: it must be a rival worth its name, or being fair to it is
 * nothing. */
#include "tests/check.h"
#include "tests/support/flows.h"

static const struct flow_config flows[2] = { { .kind = FLOW_CUBIC }, { .kind = FLOW_CUBIC } };

#define PAYLOAD ((double)CUBIC_PAYLOAD_BYTES / 1500)

static const struct {
    const char *claim;
    struct link_config link;
    size_t count;
    double least, most; /* of the rate, all flows together, from the tenth second on */
    double jain;
} rows[] = {
    { "one fills a path with a queue of its product",
      { .delay_us = 10000, .rate_bps = 100000000, .queue_bytes_max = 250000 },
      1,
      0.99,
      1.01,
      1 },
    { "two share it",
      { .delay_us = 10000, .rate_bps = 100000000, .queue_bytes_max = 250000 },
      2,
      0.99,
      1.01,
      0.9 },
    { "losses throttle it",
      { .delay_us = 50000, .rate_bps = 100000000, .queue_bytes_max = 1250000, .loss_ppm = 10000 },
      1,
      0.005,
      0.05,
      1 },
};

TEST(a_rival)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct flows *f = flows_new(1, &rows[i].link, NULL, flows, rows[i].count);
        double share[COUNT(flows)], sum = 0;
        uint64_t before[COUNT(flows)];

        flows_run(f, f->now + 10 * SECOND);
        for (size_t k = 0; k < rows[i].count; k++)
            before[k] = flow_received(&f->flow[k]);
        flows_run(f, f->now + 20 * SECOND);
        for (size_t k = 0; k < rows[i].count; k++) {
            share[k] = (double)(flow_received(&f->flow[k]) - before[k]) /
                       ((double)rows[i].link.rate_bps / 8 * 20 * PAYLOAD);
            sum += share[k];
        }
        CHECK(rows[i].claim, sum >= rows[i].least && sum <= rows[i].most);
        CHECK(rows[i].claim, flows_jain(share, rows[i].count) >= rows[i].jain - 0.001);
        flows_free(f);
    }
}

TESTS(TEST_ROW(a_rival))
