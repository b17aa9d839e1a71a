#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults;

TEST(one_side_connects_in_one_and_a_half_round_trips)
{
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 1, &defaults));
    p.link.delay_us = 50 * MILLISECOND;
    CHECK("started", sctp_connect(p.side[0].sctp, p.now) == ERR_OK);
    CHECK("up", pair_run_until_up(&p, p.now + 10 * SECOND));
    CHECK("after two round trips", p.now == SECOND + 200 * MILLISECOND);
    CHECK("four packets", p.side[0].packets_out + p.side[1].packets_out == 4);
    pair_deinit(&p);
}

TEST(small_messages_arrive)
{
    struct sctp_pair p;

    CHECK("up", pair_connect(&p, 2, &defaults, MILLISECOND));
    CHECK("taken", pair_send(&p, 0, 3, 53, bytes_of("hello", 5)) == ERR_OK);
    CHECK("taken", pair_send(&p, 1, 3, 51, bytes_of("hello yourself", 14)) == ERR_OK);
    pair_run(&p, p.now + SECOND);
    CHECK("there", pair_is_delivered(&p, 0) && p.side[1].received[3].bytes == 5);
    CHECK("and back", pair_is_delivered(&p, 1) && p.side[0].received[3].messages == 1);
    CHECK("acknowledged", sctp_unacked_bytes(p.side[0].sctp) == 0);
    pair_deinit(&p);
}

static const struct {
    const char *claim;
    unsigned streams;
    size_t total, message_max;
    struct pair_link link;
} rows[] = {
    { "bulk", 1, 8 << 20, 262144, { .delay_us = 1000 } },
    { "eight streams", 8, 4 << 20, 16384, { .delay_us = 20000 } },
    { "tiny messages", 8, 100000, 8, { .delay_us = 5000 } },
    { "1% loss", 8, 2 << 20, 16384, { .delay_us = 20000, .loss_ppm = 10000 } },
    { "5% loss", 4, 1 << 20, 65536, { .delay_us = 10000, .loss_ppm = 50000 } },
    { "20% loss", 4, 200000, 5000, { .delay_us = 10000, .loss_ppm = 200000 } },
    { "reordering", 8, 2 << 20, 16384, { .delay_us = 20000, .jitter_us = 5000 } },
    { "duplicates", 8, 1 << 20, 16384, { .delay_us = 20000, .duplicate_ppm = 300000 } },
    { "corruption", 8, 1 << 20, 16384, { .delay_us = 20000, .corrupt_ppm = 20000 } },
    { "all at once",
      8,
      500000,
      16384,
      { .delay_us = 30000,
        .jitter_us = 30000,
        .loss_ppm = 50000,
        .duplicate_ppm = 50000,
        .corrupt_ppm = 10000 } },
};

TEST(everything_arrives_once_and_in_order)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct sctp_pair p;
            char claim[64];

            CHECK("up", pair_connect(&p, seed, &defaults, MILLISECOND));
            p.link = rows[i].link;
            snprintf(claim, sizeof claim, "%s, seed %u", rows[i].claim, (unsigned)seed);
            CHECK(claim, pair_transfer(&p, 0, rows[i].streams, rows[i].total, rows[i].message_max,
                                       p.now + 1000 * SECOND));
            pair_deinit(&p);
        }
}

TESTS(TEST_ROW(one_side_connects_in_one_and_a_half_round_trips), TEST_ROW(small_messages_arrive),
      TEST_ROW(everything_arrives_once_and_in_order))
