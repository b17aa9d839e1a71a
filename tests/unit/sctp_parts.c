/* The small state modules below an association: sets of TSNs, parked chunks, RTO, window. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

TEST(serial_numbers_wrap)
{
    CHECK("plain", tsn_before(1, 2) && !tsn_before(2, 1) && !tsn_before(2, 2));
    CHECK("around", tsn_before(0xffffffff, 0) && !tsn_before(0, 0xffffffff));
    CHECK("most", tsn_max(0xffffffff, 3) == 3 && tsn_min(0xffffffff, 3) == 0xffffffff);
}

static bool is_well_formed(const struct tsn_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (tsn_before(set->ranges[i].last, set->ranges[i].first))
            return false;
        if (i && !tsn_before(set->ranges[i - 1].last + 1, set->ranges[i].first))
            return false;
    }
    return true;
}

enum { SPAN = 300 };
static const uint32_t base = 0xffffff80; /* so that the numbers wrap */

static void add_some(struct tsn_set *set, bool *bits, struct rng *rng)
{
    for (int i = 0; i < 250; i++) {
        uint32_t at = rng_below(rng, SPAN);

        if (bits[at])
            continue;
        CHECK("added", tsn_set_add(set, base + at) == ERR_OK);
        bits[at] = rng_below(rng, 4) > 0;
        if (!bits[at])
            tsn_set_remove(set, base + at);
        CHECK("ordered and apart", is_well_formed(set));
    }
}

TEST(a_set_of_tsns_is_what_was_added)
{
    uint64_t seed = 5;
    struct rng rng = test_rng(&seed);

    for (int round = 0; round < 50; round++) {
        bool bits[SPAN] = { false };
        uint32_t cut = rng_below(&rng, SPAN);
        struct tsn_set set;

        tsn_set_init(&set, SPAN);
        add_some(&set, bits, &rng);
        tsn_set_drop_to(&set, base + cut);
        for (uint32_t i = 0; i < SPAN; i++)
            CHECK("in it or not", tsn_set_has(&set, base + i) == (bits[i] && i > cut));
        CHECK("ordered and apart", is_well_formed(&set));
        tsn_set_deinit(&set);
    }
}

TEST(ranges_join_what_they_touch)
{
    static const struct {
        const char *claim;
        struct tsn_range range;
        size_t count;
    } list[] = {
        { "alone", { 10, 19 }, 1 },           { "behind", { 40, 49 }, 2 },
        { "between", { 25, 34 }, 3 },         { "touching the one before", { 20, 22 }, 3 },
        { "touching the next", { 7, 9 }, 3 }, { "filling a hole", { 23, 24 }, 2 },
        { "the last hole", { 35, 39 }, 1 },
    };
    struct tsn_set set;

    tsn_set_init(&set, 3);
    for (size_t i = 0; i < COUNT(list); i++) {
        struct tsn_range r = { base + list[i].range.first + 110, base + list[i].range.last + 110 };

        CHECK(list[i].claim, tsn_set_add_range(&set, r) == ERR_OK && set.count == list[i].count);
        CHECK(list[i].claim, tsn_set_has(&set, r.first) && tsn_set_has(&set, r.last));
        CHECK(list[i].claim, is_well_formed(&set));
    }
    CHECK("all in one", set.ranges[0].first == base + 117 && set.ranges[0].last == base + 159);
    tsn_set_deinit(&set);
}

static void collect(void *ctx, struct tsn_range range)
{
    bool *bits = ctx;

    for (uint32_t tsn = range.first; tsn != range.last + 1; tsn++) {
        CHECK("once", !bits[tsn]);
        bits[tsn] = true;
    }
}

TEST(differences_are_what_one_set_has_more)
{
    enum { NUMBERS = 64 };
    uint64_t seed = 6;
    struct rng rng = test_rng(&seed);

    for (int round = 0; round < 300; round++) {
        bool found[NUMBERS] = { false };
        struct tsn_set a, b;

        tsn_set_init(&a, NUMBERS);
        tsn_set_init(&b, NUMBERS);
        for (uint32_t i = 0; i < NUMBERS; i++) {
            if (rng_below(&rng, 3) > 0)
                tsn_set_append(&a, (struct tsn_range){ i, i });
            if (rng_below(&rng, 3) > 0)
                tsn_set_append(&b, (struct tsn_range){ i, i });
        }
        tsn_set_difference(&a, &b, found, collect);
        for (uint32_t i = 0; i < NUMBERS; i++)
            CHECK("in a, not in b", found[i] == (tsn_set_has(&a, i) && !tsn_set_has(&b, i)));
        tsn_set_deinit(&a);
        tsn_set_deinit(&b);
    }
}

TEST(a_full_set_says_so_and_stays)
{
    struct tsn_set set;

    tsn_set_init(&set, 20);
    for (uint32_t i = 0; i < 20; i++)
        CHECK("room", tsn_set_add(&set, 2 * i) == ERR_OK);
    CHECK("full", tsn_set_add(&set, 100) == ERR_LIMIT && !tsn_set_has(&set, 100));
    CHECK("joining needs no room", tsn_set_add(&set, 1) == ERR_OK && set.count == 19);
    tsn_set_deinit(&set);
    ALLOC_FAIL_EACH {
        int err;

        tsn_set_init(&set, 20);
        err = tsn_set_add(&set, 1);
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("and stays", set.count == (err == ERR_OK));
        tsn_set_deinit(&set);
    }
}

static struct data_chunk fragment(uint32_t tsn, uint16_t stream, uint16_t ssn, uint8_t flags,
                                  const char *text)
{
    return (struct data_chunk){
        .flags = flags,
        .stream = stream,
        .ssn = ssn,
        .tsn = tsn,
        .payload = bytes_of_string(text),
    };
}

static uint32_t first_of(const struct park *p, uint32_t ssn)
{
    return park_first(p, park_find_message(p, 1, PARK_ORDERED, ssn));
}

TEST(parked_chunks_are_found_by_what_they_wait_for)
{
    struct pool *pool;
    struct park park = { 0 };
    struct park_lane lanes[PARK_KINDS] = { 0 };
    struct data_chunk d;

    CHECK("pool", pool_new(&pool, 16) == ERR_OK);
    park_init(&park, pool, 99);
    d = fragment(10, 1, 7, DATA_BEGINS, "first");
    CHECK("message", park_add(&park, &d, lanes) == ERR_OK);
    CHECK("its place is taken", park_add(&park, &d, lanes) == ERR_INVALID);
    d = fragment(11, 1, 7, DATA_ENDS, "second");
    CHECK("fragment", park_add(&park, &d, lanes) == ERR_OK);
    d = fragment(12, 1, 0, DATA_BEGINS | DATA_ENDS | DATA_UNORDERED, "third");
    CHECK("unordered", park_add(&park, &d, lanes) == ERR_OK);
    CHECK("one block for all", pool_used(pool) == 1 && park.count == 3);
    CHECK("not there",
          park_find_message(&park, 1, PARK_ORDERED, 8) == 0 && park_find(&park, 0, 13) == 0);
    d = park_get(&park, first_of(&park, 7));
    CHECK("there", d.tsn == 10 && bytes_equal(d.payload, bytes_of_string("first")));
    d = park_get(&park, park_find(&park, 0, 11));
    CHECK("there", d.flags == DATA_ENDS && bytes_equal(d.payload, bytes_of_string("second")));
    d = park_get(&park, park_first(&park, lanes[PARK_UNORDERED].begun.first));
    CHECK("there", d.tsn == 12);
    park_remove(&park, park_first(&park, lanes[PARK_UNORDERED].begun.first), lanes);
    park_remove(&park, first_of(&park, 7), lanes);
    CHECK("the others stay", park_find(&park, 0, 11) && !lanes[0].count && !lanes[1].count);
    park_remove(&park, park_find(&park, 0, 11), lanes);
    CHECK("empty", park.count == 0 && park.bytes == 0 && pool_used(pool) == 0);
    park_deinit(&park);
    pool_free(pool);
}

TEST(parking_is_bounded_and_leaves_a_quarter_of_the_pool)
{
    struct pool *pool;
    struct park park = { 0 };
    struct park_lane lanes[PARK_KINDS] = { 0 };
    static const uint8_t bytes[1100];
    uint32_t tsn = 0;

    CHECK("pool", pool_new(&pool, 16) == ERR_OK);
    park_init(&park, pool, 1);
    for (;; tsn++) {
        struct data_chunk d = fragment(tsn, 0, 0, 0, "");

        d.payload = bytes_of(bytes, sizeof bytes);
        if (park_add(&park, &d, lanes) != ERR_OK)
            break;
    }
    CHECK("three quarters", pool_used(pool) == 12 && tsn == 36);
    park_deinit(&park);
    CHECK("all back", pool_used(pool) == 0);
    for (tsn = 0;; tsn++) {
        struct data_chunk d = fragment(tsn, 0, 0, 0, "x");

        if (park_add(&park, &d, lanes) != ERR_OK)
            break;
    }
    CHECK("so many", tsn == PARK_SLOTS_MAX);
    CHECK("and still found", park_find(&park, 0, 12345) != 0);
    park_deinit(&park);
    pool_free(pool);
}

TEST(parking_survives_every_failing_allocation)
{
    ALLOC_FAIL_EACH {
        struct pool *pool = NULL;
        struct park park = { 0 };
        struct park_lane lanes[PARK_KINDS] = { 0 };
        bool is_made = pool_new(&pool, 16) == ERR_OK;

        park_init(&park, pool, 1);
        for (uint32_t tsn = 0; is_made && tsn < 100; tsn++) {
            struct data_chunk d = fragment(tsn, 0, 0, 0, "x");
            int err = park_add(&park, &d, lanes);

            CHECK("there or not", (park_find(&park, 0, tsn) != 0) == (err == ERR_OK));
        }
        park_deinit(&park);
        pool_free(pool);
    }
}

TEST(rto_follows_the_rfc)
{
    struct rto r;

    rto_init(&r, SECOND, 200 * MILLISECOND, 10 * SECOND);
    CHECK("initial", r.rto_us == SECOND);
    rto_add_sample(&r, 400 * MILLISECOND);
    CHECK("first: RTT and half of it, four times", r.rto_us == 1200 * MILLISECOND);
    rto_add_sample(&r, 480 * MILLISECOND);
    CHECK("variance 3/4 200 + 1/4 80", r.rttvar_us == 170 * MILLISECOND);
    CHECK("smoothed by an eighth", r.srtt_us == 410 * MILLISECOND);
    rto_back_off(&r);
    CHECK("twice", r.rto_us == 2 * 1090 * MILLISECOND);
    for (int i = 0; i < 9; i++)
        rto_back_off(&r);
    CHECK("no longer than allowed", r.rto_us == 10 * SECOND);
    rto_restore(&r);
    CHECK("back to what was measured", r.rto_us == 1090 * MILLISECOND);
    for (int i = 0; i < 100; i++)
        rto_add_sample(&r, 1);
    CHECK("no shorter than allowed", r.rto_us == 200 * MILLISECOND);
    rto_add_sample(&r, -5);
    CHECK("a clock that stepped does no harm", r.srtt_us > 0 && r.rttvar_us >= 0);
}

/* However often it is asked, and not more after a pause than a burst. */
TEST(pacing_counts_every_byte)
{
    static const usec steps[] = { 1, 3, 7, 19, 250, MILLISECOND, 10 * MILLISECOND };

    for (size_t i = 0; i < COUNT(steps); i++) {
        struct sctp s = { .cc = { .pacing_rate = 100000, .packet_bytes = 1000 } };
        usec end = 15 * SECOND / 100;

        s.tx.tokens = -15000;
        for (usec now = steps[i]; now <= end; now += steps[i])
            pace_refill(&s, now);
        CHECK("as much as the rate says", s.tx.tokens <= 0 && s.tx.tokens > -1600);
        pace_refill(&s, 2 * SECOND);
        CHECK("a burst", s.tx.tokens == 10000);
        pace_refill(&s, 3 * SECOND);
        pace_take(&s, 10000);
        pace_refill(&s, 3 * SECOND);
        CHECK("and no second one", s.tx.tokens == 0 && !pace_allows(&s));
    }
}

/* Rates and round trips as a lying peer would have them. */
TEST(a_model_of_lies_stays_within_its_limits)
{
    static const uint64_t rates[] = { 0, 1, 1000000, UINT64_C(8) << 40, UINT64_MAX };
    static const usec rtts[] = { 0, 1, 50 * MILLISECOND, 60 * SECOND, UINT32_MAX };
    struct cc cc = { .ops = &cc_bbr, .packet_bytes = 1000, .cwnd_bytes_max = 9 << 20 };
    usec now = SECOND;

    cc.ops->start(&cc, now);
    for (unsigned i = 0; i < 100000; i++, now += 777) {
        struct cc_sample sample = { .acked = 1000,
                                    .lost = i % 7 == 0 ? 5000 : 0,
                                    .flight = i % 50000,
                                    .rate = rates[i / 3 % COUNT(rates)],
                                    .rtt_us = rtts[i / 5 % COUNT(rtts)],
                                    .is_round = i % 3 == 0,
                                    .is_limited = true };

        cc.ops->on_ack(&cc, now, &sample);
        CHECK("a window", cc.cwnd_bytes >= 1000 && cc.cwnd_bytes <= cc.cwnd_bytes_max);
        CHECK("a rate whose sums fit", cc.pacing_rate <= UINT64_C(1) << 35);
    }
}

TESTS(TEST_ROW(pacing_counts_every_byte), TEST_ROW(a_model_of_lies_stays_within_its_limits),
      TEST_ROW(serial_numbers_wrap), TEST_ROW(a_set_of_tsns_is_what_was_added),
      TEST_ROW(ranges_join_what_they_touch), TEST_ROW(differences_are_what_one_set_has_more),
      TEST_ROW(a_full_set_says_so_and_stays),
      TEST_ROW(parked_chunks_are_found_by_what_they_wait_for),
      TEST_ROW(parking_is_bounded_and_leaves_a_quarter_of_the_pool),
      TEST_ROW(parking_survives_every_failing_allocation), TEST_ROW(rto_follows_the_rfc))
