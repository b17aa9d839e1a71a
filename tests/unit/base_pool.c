#include "core/base/pool.h"

#include <stdlib.h>

#include "tests/check.h"

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

TESTS(TEST_ROW(a_chain_is_first_in_first_out), TEST_ROW(a_full_pool_refuses_and_changes_nothing),
      TEST_ROW(blocks_move_without_copies))
