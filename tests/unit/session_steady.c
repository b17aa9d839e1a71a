/* session_steady.c: data that flows needs no memory that was not there before. */
#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/session_pair.h"

enum { CHANNEL = 5, PIECE = 100000, POOL_BLOCKS = 64 };

static struct session_pair p;
static struct pool *pool;
static struct chain ring; /* as the SDK has one: of a pool of its own */

static void fill_ring(void)
{
    static uint8_t data[PIECE];

    memset(data, CHANNEL, sizeof data);
    (void)chain_append(&ring, bytes_of(data, sizeof data - ring.len));
}

/* Keeps the offerer's queue filled until so many bytes more have arrived. */
static bool move(uint64_t len)
{
    uint64_t until = p.seen[ANSWERER].received[CHANNEL] + len;

    for (int i = 0; i < 100000 && p.seen[ANSWERER].received[CHANNEL] < until; i++) {
        fill_ring();
        (void)session_send_chain(p.end[OFFERER], p.now, CHANNEL, &ring, ring.len);
        session_pair_drain(&p, OFFERER);
        session_pair_run(&p, p.now + MILLISECOND);
    }
    return p.seen[ANSWERER].received[CHANNEL] >= until;
}

/* Every 97th datagram is lost, where asked for. */
static bool move_with_losses(uint64_t len)
{
    bool has_moved = true;

    for (uint64_t done = 0; done < len && has_moved; done += len / 16) {
        p.lose_nth = 97;
        has_moved = move(len / 16);
    }
    p.lose_nth = 0;
    return has_moved;
}

static void begin(void)
{
    CHECK("made", session_pair_init(&p, &(struct session_config){ .dead_us = 6 * SECOND }) == 0);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    CHECK("a pool", pool_new(&pool, POOL_BLOCKS) == ERR_OK);
    chain_init(&ring, pool);
    session_pair_run(&p, p.now + SECOND);
    CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
}

static void end(void)
{
    CHECK("every byte right", p.seen[ANSWERER].wrong == 0);
    chain_deinit(&ring);
    session_pair_deinit(&p);
    pool_free(pool);
}

TEST(a_steady_flow_allocates_nothing)
{
    begin();
    CHECK("it grows to its size", move(24 << 20));
    alloc_fail_nth(1);
    CHECK("flows on", move(12 << 20));
    CHECK("and met no allocation", !alloc_has_failed());
    alloc_fail_nth(0);
    end();
}

TEST(nor_does_one_that_loses_datagrams)
{
    begin();
    CHECK("it grows to its size", move_with_losses(24 << 20));
    alloc_fail_nth(1);
    CHECK("flows on", move_with_losses(12 << 20));
    CHECK("and met no allocation", !alloc_has_failed());
    alloc_fail_nth(0);
    end();
}

TESTS(TEST_ROW(a_steady_flow_allocates_nothing), TEST_ROW(nor_does_one_that_loses_datagrams))
