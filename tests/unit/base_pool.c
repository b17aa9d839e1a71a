#include "core/base/pool.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"

TEST(a_chain_is_first_in_first_out)
{
    struct pool *pool;
    struct chain chain;
    uint8_t in[20000], out[20000];

    CHECK("new", pool_new(&pool, 8) == ERR_OK);
    chain_init(&chain, pool);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 7);
    CHECK("all taken", chain_append(&chain, bytes_of(in, sizeof in)) == sizeof in);
    CHECK("from the middle", chain_copy(&chain, 5000, out, 100) == 100 && out[0] == in[5000]);
    CHECK("given back", chain_take(&chain, out, sizeof out) == sizeof in);
    CHECK("the same", memcmp(in, out, sizeof in) == 0);
    CHECK("an idle chain holds no block", pool_used(pool) == 0);
    pool_free(pool);
}

TEST(a_full_pool_refuses_and_changes_nothing)
{
    struct pool *pool;
    struct chain chain;
    uint8_t in[3 * POOL_BLOCK_BYTES] = { 0 };

    CHECK("new", pool_new(&pool, 2) == ERR_OK);
    chain_init(&chain, pool);
    CHECK("a few", chain_append_all(&chain, bytes_of("abc", 3)) == ERR_OK);
    CHECK("too many", chain_append_all(&chain, bytes_of(in, sizeof in)) == ERR_LIMIT);
    CHECK("as before", chain.len == 3 && pool_used(pool) == 1);
    CHECK("content", bytes_equal(chain_peek(&chain), bytes_of("abc", 3)));
    CHECK("what fits", chain_append(&chain, bytes_of(in, sizeof in)) == 2 * POOL_BLOCK_DATA - 3);
    chain_deinit(&chain);
    CHECK("all back", pool_used(pool) == 0);
    pool_free(pool);
}

TEST(blocks_move_without_copies)
{
    struct pool *pool;
    struct chain a, b;
    uint8_t out[6];

    CHECK("new", pool_new(&pool, 4) == ERR_OK);
    chain_init(&a, pool);
    chain_init(&b, pool);
    chain_append(&a, bytes_of("abc", 3));
    chain_append(&b, bytes_of("def", 3));
    chain_move(&a, &b);
    CHECK("one has all, the other none", a.len == 6 && b.len == 0 && !b.first);
    CHECK("in order", chain_take(&a, out, 6) == 6 && memcmp(out, "abcdef", 6) == 0);
    chain_append(&b, bytes_of("x", 1));
    CHECK("the emptied one works on", b.len == 1);
    chain_deinit(&b);
    pool_free(pool);
}

TEST(blocks_are_filled_by_their_owner_and_split_off)
{
    struct pool *pool;
    struct chain a, b;
    size_t n = 0;

    CHECK("new", pool_new(&pool, 3) == ERR_OK);
    chain_init(&a, pool);
    chain_init(&b, pool);
    CHECK("room for so much", chain_extend(&a, POOL_BLOCK_DATA + 5) == POOL_BLOCK_DATA + 5);
    for (const struct block *at = a.first; at; at = at->next)
        n += at->end - at->start;
    CHECK("in two blocks", n == a.len && pool_used(pool) == 2);
    memset(a.first->data, 1, POOL_BLOCK_DATA);
    memset(a.last->data, 2, 5);
    chain_split(&b, &a, POOL_BLOCK_DATA);
    CHECK("the first", b.len == POOL_BLOCK_DATA && b.first->data[0] == 1 && b.first == b.last);
    CHECK("the rest", a.len == 5 && chain_peek(&a).data[4] == 2);
    CHECK("no more than the pool has", chain_extend(&a, 3 * POOL_BLOCK_DATA) == POOL_BLOCK_DATA);
    chain_deinit(&a);
    chain_deinit(&b);
    CHECK("all back", pool_used(pool) == 0);
    pool_free(pool);
}

TEST(what_a_burst_left_goes_back_when_asked)
{
    struct pool *pool;
    struct chain chain;

    CHECK("new", pool_new(&pool, 1024) == ERR_OK);
    chain_init(&chain, pool);
    CHECK("a burst", chain_extend(&chain, 1024 * POOL_BLOCK_DATA) == 1024 * POOL_BLOCK_DATA);
    chain_deinit(&chain);
    alloc_fail_nth(1);
    CHECK("most of it is kept",
          chain_extend(&chain, 900 * POOL_BLOCK_DATA) == 900 * POOL_BLOCK_DATA &&
              !alloc_has_failed());
    chain_deinit(&chain);
    pool_trim(pool);
    CHECK("until it is given back",
          chain_extend(&chain, 900 * POOL_BLOCK_DATA) < 900 * POOL_BLOCK_DATA &&
              alloc_has_failed());
    alloc_fail_nth(0);
    chain_deinit(&chain);
    pool_free(pool);
}

/* ---- chain_take_over() ---- */

enum { PATTERN_BYTES = 40000, HALF = (int)POOL_BLOCK_DATA / 2 };

static const uint8_t *pattern(void)
{
    static uint8_t bytes[PATTERN_BYTES];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return bytes;
}

/* Two chains of two pools, with `held` bytes in one and `has` in the other, of one pattern. */
struct two {
    struct pool *from_pool, *to_pool;
    struct chain from, to;
};

static bool set_up(struct two *t, size_t from_limit, size_t to_limit, size_t has, size_t held)
{
    memset(t, 0, sizeof *t);
    if (pool_new(&t->from_pool, from_limit) || pool_new(&t->to_pool, to_limit))
        return false;
    chain_init(&t->from, t->from_pool);
    chain_init(&t->to, t->to_pool);
    return !chain_append_all(&t->to, bytes_of(pattern(), has)) &&
           !chain_append_all(&t->from, bytes_of(pattern() + has, held));
}

static void tear_down(struct two *t)
{
    if (t->from.pool)
        chain_deinit(&t->from);
    if (t->to.pool)
        chain_deinit(&t->to);
    CHECK("all blocks are back", !t->from_pool || pool_used(t->from_pool) == 0);
    CHECK("on both sides", !t->to_pool || pool_used(t->to_pool) == 0);
    pool_free(t->from_pool);
    pool_free(t->to_pool);
}

static bool holds(const struct chain *c, size_t at, size_t len)
{
    static uint8_t out[PATTERN_BYTES];

    return c->len == len && chain_copy(c, 0, out, sizeof out) == len &&
           memcmp(out, pattern() + at, len) == 0;
}

/* Two pools of eight blocks in a group of ten, of which each may have three whatever the other
 * has. */
TEST(pools_of_a_group_share_its_limit)
{
    struct pool_group group = { .limit = 10, .floor = 3 };
    struct block *of_a[8], *of_b[8];
    struct pool *a = NULL, *b = NULL;

    CHECK("new", pool_new(&a, 8) == ERR_OK && pool_new(&b, 8) == ERR_OK);
    pool_join(a, &group);
    pool_join(b, &group);
    for (size_t i = 0; i < 8; i++)
        CHECK("its own limit is less", (of_a[i] = pool_get(a)));
    CHECK("which it knows", !pool_get(a) && pool_limit(a) == 8);
    CHECK("the group has two, the floor is three", pool_limit(b) == 3);
    for (size_t i = 0; i < 3; i++)
        CHECK("down to the floor", (of_b[i] = pool_get(b)));
    CHECK("no more", !pool_get(b));
    for (size_t i = 0; i < 8; i++)
        pool_put(a, of_a[i]);
    pool_trim(a);
    CHECK("what one gave back", pool_limit(b) == 8 && group.held == 3);
    for (size_t i = 3; i < 8; i++)
        CHECK("another may have", (of_b[i] = pool_get(b)));
    for (size_t i = 0; i < 8; i++)
        pool_put(b, of_b[i]);
    pool_free(a);
    pool_free(b);
    CHECK("nothing is left", group.held == 0);
}

TEST(bytes_are_taken_over_in_order)
{
    static const struct {
        const char *claim;
        size_t has, held, skipped, len; /* skipped: consumed in front of what moves */
        size_t moved;                   /* blocks that go as they are */
    } rows[] = {
        { "nothing", 0, 100, 0, 0, 0 },
        { "a small message is copied", 0, 64, 0, 64, 0 },
        { "behind others too", 100, 64, 0, 64, 0 },
        { "a whole block goes as it is", 0, POOL_BLOCK_DATA, 0, POOL_BLOCK_DATA, 1 },
        { "behind a block that ends early", 10, POOL_BLOCK_DATA, 0, POOL_BLOCK_DATA, 1 },
        { "and the last one stays where it is", 0, 20000, 0, 3 * POOL_BLOCK_DATA, 3 },
        { "an end within a block", 0, 20000, 0, 3 * POOL_BLOCK_DATA + 5, 3 },
        { "a block that begins late", 7, 20000, 1000, 18000, 4 },
        { "one that is almost consumed is copied", 7, 20000, POOL_BLOCK_DATA - 3, 12000, 2 },
        { "half full is enough", 0, HALF, 0, HALF, 1 },
        { "less is not", 0, HALF - 1, 0, HALF - 1, 0 },
        { "all of it", 3000, 30000, 0, 30000, 7 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t begin = rows[i].has, used, went;
        struct two t;

        CHECK(rows[i].claim, set_up(&t, 16, 16, rows[i].has, rows[i].held));
        chain_drop(&t.from, rows[i].skipped);
        used = pool_used(t.to_pool);
        went = chain_take_over(&t.to, &t.from, rows[i].len);
        CHECK(rows[i].claim, went == rows[i].len);
        CHECK(rows[i].claim, pool_used(t.to_pool) >= used + rows[i].moved);
        CHECK(rows[i].claim, pool_used(t.to_pool) <= used + rows[i].moved + 1);
        chain_drop(&t.to, rows[i].has);
        CHECK(rows[i].claim, holds(&t.to, begin + rows[i].skipped, rows[i].len));
        CHECK(rows[i].claim, holds(&t.from, begin + rows[i].skipped + rows[i].len,
                                   rows[i].held - rows[i].skipped - rows[i].len));
        tear_down(&t);
    }
}

TEST(a_chain_of_uneven_blocks_acts_as_any_other)
{
    uint8_t out[9000];
    struct two t;

    /* Blocks of 2500 bytes that begin at 1500, of 3000 that end early, and a full one. */
    CHECK("set up", set_up(&t, 16, 8, 0, 4000));
    chain_drop(&t.from, 1500);
    CHECK("begins late", chain_take_over(&t.to, &t.from, 2500) == 2500);
    CHECK("next", chain_append(&t.from, bytes_of(pattern() + 4000, 3000)) == 3000);
    CHECK("ends early", chain_take_over(&t.to, &t.from, 3000) == 3000);
    CHECK("next", chain_append(&t.from, bytes_of(pattern() + 7000, 4000)) == 4000);
    CHECK("full", chain_take_over(&t.to, &t.from, 4000) == 4000);
    CHECK("the sum", holds(&t.to, 1500, 9500));

    CHECK("copied across the seams",
          chain_copy(&t.to, 2400, out, 4000) == 4000 && !memcmp(out, pattern() + 3900, 4000));
    CHECK("appended to", chain_append_all(&t.to, bytes_of(pattern() + 11000, 1000)) == ERR_OK);
    CHECK("the sum", holds(&t.to, 1500, 10500));
    CHECK("not more than there is room", chain_append_all(&t.to, bytes_of(pattern(), 40000)) &&
                                             chain_append_all(&t.to, bytes_of(pattern(), 40000)));
    CHECK("cut back", holds(&t.to, 1500, 10500));
    CHECK("peeked at", chain_peek(&t.to).len == 2500);
    chain_drop(&t.to, 2500);
    CHECK("the next", chain_peek(&t.to).len == 3000);
    chain_drop(&t.to, 2999);
    CHECK("its last byte", chain_peek(&t.to).len == 1);
    CHECK("taken across seams",
          chain_take(&t.to, out, 4001) == 4001 && !memcmp(out, pattern() + 6999, 4001));
    tear_down(&t);
}

TEST(a_full_pool_takes_over_what_it_can)
{
    struct two t;

    CHECK("set up", set_up(&t, 16, 3, 100, 30000));
    CHECK("two blocks", chain_take_over(&t.to, &t.from, 30000) == 2 * POOL_BLOCK_DATA);
    CHECK("so many", pool_used(t.to_pool) == 3);
    chain_drop(&t.to, 100);
    CHECK("the front is there", holds(&t.to, 100, 2 * POOL_BLOCK_DATA));
    CHECK("the rest where it was",
          holds(&t.from, 100 + 2 * POOL_BLOCK_DATA, 30000 - 2 * POOL_BLOCK_DATA));
    CHECK("one block was given back", chain_take_over(&t.to, &t.from, 20000) == POOL_BLOCK_DATA);
    CHECK("and no more", chain_take_over(&t.to, &t.from, 10000) == 0);
    tear_down(&t);
}

TEST(a_pool_that_gave_its_blocks_may_take_as_many_anew)
{
    struct two t;

    CHECK("set up", set_up(&t, 4, 16, 0, 4 * POOL_BLOCK_DATA));
    CHECK("full", chain_append(&t.from, bytes_of("x", 1)) == 0);
    CHECK("goes", chain_take_over(&t.to, &t.from, 2 * POOL_BLOCK_DATA) == 2 * POOL_BLOCK_DATA);
    CHECK("room for two",
          chain_append(&t.from, bytes_of(pattern(), 3 * POOL_BLOCK_DATA)) == 2 * POOL_BLOCK_DATA);
    tear_down(&t);
}

TEST(blocks_that_go_round_need_no_heap)
{
    struct two t;

    CHECK("set up", set_up(&t, 16, 16, 0, 8 * POOL_BLOCK_DATA));
    for (int round = 0; round < 3; round++) {
        alloc_fail_nth(round ? 1 : 0); /* the first round takes from the heap what all need */
        if (round)
            CHECK("filled",
                  chain_append_all(&t.from, bytes_of(pattern(), 8 * POOL_BLOCK_DATA)) == ERR_OK);
        CHECK("goes", chain_take_over(&t.to, &t.from, t.from.len) == 8 * POOL_BLOCK_DATA);
        CHECK("all of it", holds(&t.to, 0, 8 * POOL_BLOCK_DATA));
        chain_drop(&t.to, t.to.len);
        CHECK("back", chain_append_all(&t.to, bytes_of(pattern(), 8 * POOL_BLOCK_DATA)) == ERR_OK);
        CHECK("goes back", chain_take_over(&t.from, &t.to, t.to.len) == 8 * POOL_BLOCK_DATA);
        chain_drop(&t.from, t.from.len);
        CHECK("nothing was refused", !alloc_has_failed());
        alloc_fail_nth(0);
    }
    tear_down(&t);
}

TEST(without_memory_what_did_not_go_is_where_it_was)
{
    ALLOC_FAIL_EACH {
        struct two t;
        size_t went = 0;

        if (set_up(&t, 16, 16, 100, 20000)) {
            chain_drop(&t.from, 3000); /* so little is left of the first block that it is copied */
            went = chain_take_over(&t.to, &t.from, 15000);
            CHECK("all, or the heap is exhausted", went == 15000 || alloc_has_failed());
            CHECK("the rest is there", holds(&t.from, 3100 + went, 17000 - went));
            chain_drop(&t.to, 100);
            CHECK("and what went", holds(&t.to, 3100, went));
        }
        tear_down(&t);
    }
}

TESTS(TEST_ROW(a_chain_is_first_in_first_out), TEST_ROW(a_full_pool_refuses_and_changes_nothing),
      TEST_ROW(blocks_move_without_copies),
      TEST_ROW(blocks_are_filled_by_their_owner_and_split_off),
      TEST_ROW(pools_of_a_group_share_its_limit), TEST_ROW(what_a_burst_left_goes_back_when_asked),
      TEST_ROW(bytes_are_taken_over_in_order), TEST_ROW(a_chain_of_uneven_blocks_acts_as_any_other),
      TEST_ROW(a_full_pool_takes_over_what_it_can),
      TEST_ROW(a_pool_that_gave_its_blocks_may_take_as_many_anew),
      TEST_ROW(blocks_that_go_round_need_no_heap),
      TEST_ROW(without_memory_what_did_not_go_is_where_it_was))
