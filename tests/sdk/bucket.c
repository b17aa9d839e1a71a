/* bucket.c: how often something may happen. */
#include "sdk/bucket.h"
#include "tests/check.h"

TEST(a_bucket_fills_again)
{
    struct bucket b = { .interval_us = SECOND, .burst = 3 };
    int taken = 0;

    for (int i = 0; i < 10; i++)
        taken += bucket_take(&b, 5 * SECOND);
    CHECK("a burst", taken == 3);
    CHECK("not yet", !bucket_take(&b, 5 * SECOND + 999999));
    CHECK("one more", bucket_take(&b, 6 * SECOND) && !bucket_take(&b, 6 * SECOND));
    CHECK("not more than a burst",
          bucket_take(&b, 1000 * SECOND) && bucket_take(&b, 1000 * SECOND) &&
              bucket_take(&b, 1000 * SECOND) && !bucket_take(&b, 1000 * SECOND));
}

TESTS(TEST_ROW(a_bucket_fills_again))
