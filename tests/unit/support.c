/* The tests' own tools: what they are trusted with below must hold first. */
#include "core/base/pool.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"

#include <stdlib.h>

TEST(each_allocation_fails_once)
{
    unsigned rounds = 0, failed_in[4] = { 0 };

    ALLOC_FAIL_EACH {
        void *a[3] = { malloc(1), calloc(1, 1), strdup("x") };

        rounds++;
        for (size_t i = 0; i < COUNT(a); i++)
            if (!a[i])
                failed_in[i] = rounds;
        CHECK("told", alloc_has_failed() == (rounds <= 3));
        for (size_t i = 0; i < COUNT(a); i++)
            free(a[i]);
    }
    CHECK("three failures and a clean round", rounds == 4);
    CHECK("first, second, third", failed_in[0] == 1 && failed_in[1] == 2 && failed_in[2] == 3);
    CHECK("off afterwards", !alloc_has_failed());
}

TEST(allocations_of_the_core_are_reached)
{
    unsigned rounds = 0;

    ALLOC_FAIL_EACH {
        struct pool *p = NULL;
        int err = pool_new(&p, 4);

        rounds++;
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("gives nothing half-made", (p != NULL) == (err == ERR_OK));
        pool_free(p);
    }
    CHECK("at least one could fail", rounds >= 2);
}

TEST(pause_leaves_out)
{
    unsigned rounds = 0;

    ALLOC_FAIL_EACH {
        alloc_pause();

        void *volatile left_out = malloc(1); /* volatile: the compiler may not drop the pair */

        alloc_resume();
        void *volatile counted = malloc(1);

        CHECK("kept", left_out != NULL);
        CHECK("refused or not", (counted == NULL) == alloc_has_failed());
        free(left_out);
        free(counted);
        rounds++;
    }
    CHECK("one counted", rounds == 2);
}

TEST(hex_skips_white_space)
{
    uint8_t buf[8];

    CHECK("digits",
          bytes_equal(hex_decode("00 fF\n9a", buf, sizeof buf), bytes_of("\x00\xff\x9a", 3)));
    CHECK("empty", hex_decode("", buf, sizeof buf).len == 0);
}

TEST(same_seed_same_bytes)
{
    uint64_t a = 1, b = 1, c = 2;
    struct rng ra = test_rng(&a), rb = test_rng(&b), rc = test_rng(&c);
    uint64_t first = rng_u64(&ra);

    CHECK("SplitMix64 of seed 1 is 910a2dec89025cc1", first == 0x910a2dec89025cc1);
    CHECK("repeats", rng_u64(&rb) == first);
    CHECK("another seed differs", rng_u64(&rc) != first);
}

TESTS(TEST_ROW(each_allocation_fails_once), TEST_ROW(allocations_of_the_core_are_reached),
      TEST_ROW(pause_leaves_out), TEST_ROW(hex_skips_white_space), TEST_ROW(same_seed_same_bytes))
