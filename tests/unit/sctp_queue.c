/* What is queued to be sent: by bytes, or by chains whose blocks are taken over as they are. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"
#include "tests/support/sctp_duo.h"

enum { A, B, STREAM = 3, POOL_BLOCKS = 2048, BYTES_MAX = 1 << 20 };

struct fixture {
    struct sctp_duo two;
    struct pool *pool; /* the application's */
    struct chain chain;
    uint64_t seed;
    struct rng rng;
    size_t sent, received, messages; /* bytes; messages read to their ends */
    uint8_t content[BYTES_MAX];
    bool is_same;
};

static void open(struct fixture *f, const struct sctp_config *cfg, uint32_t blocks)
{
    memset(f, 0, sizeof *f);
    duo_init(&f->two, 3, blocks);
    f->seed = 8;
    f->rng = test_rng(&f->seed);
    rng_fill(&f->rng, f->content, sizeof f->content);
    assert(pool_new(&f->pool, POOL_BLOCKS) == ERR_OK);
    chain_init(&f->chain, f->pool);
    f->is_same = true;
    duo_make_both(&f->two, cfg);
    assert(sctp_connect(f->two.sctp[A], f->two.now) == ERR_OK);
    while (duo_move(&f->two, A) || duo_move(&f->two, B))
        continue;
    assert(sctp_is_up(f->two.sctp[A]));
}

static void drop(struct fixture *f)
{
    chain_deinit(&f->chain);
    duo_deinit(&f->two);
    pool_free(f->pool);
}

static void read_all(struct fixture *f)
{
    struct sctp_event ev;
    struct sctp_piece piece;

    for (int end = 0; end < 2; end++)
        while (sctp_poll_event(f->two.sctp[end], &ev))
            continue;
    while (sctp_recv(f->two.sctp[B], STREAM, &piece)) {
        f->is_same &= f->received + piece.data.len <= f->sent &&
                      memcmp(f->content + f->received, piece.data.data, piece.data.len) == 0;
        f->received += piece.data.len;
        f->messages += piece.ends;
        sctp_consume(f->two.sctp[B], f->two.now, STREAM, piece.data.len);
    }
}

static void run(struct fixture *f)
{
    for (int i = 0; i < 2000 && f->received < f->sent; i++) {
        while (duo_move(&f->two, A) || duo_move(&f->two, B))
            read_all(f);
        read_all(f);
        duo_wait(&f->two, 5 * MILLISECOND);
    }
}

static struct sctp_message plain(void)
{
    return (struct sctp_message){
        .stream = STREAM,
        .ppid = 53,
        .give_up_at = USEC_NEVER,
        .retransmits_max = SCTP_RETRANSMITS_ANY,
    };
}

/* len more bytes of the content lie in the application's chain, the first `gap` of a block of its
 * own left out, as if they had been taken already. */
static void put_into_chain(struct fixture *f, size_t len, size_t gap)
{
    struct chain more;

    chain_init(&more, f->pool);
    assert(chain_append(&more, bytes_of(f->content, gap)) == gap);
    assert(chain_append(&more, bytes_of(f->content + f->sent + f->chain.len, len)) == len);
    if (gap)
        chain_drop(&more, gap);
    chain_move(&f->chain, &more);
}

static int hand_over(struct fixture *f, size_t len)
{
    struct sctp_message m = plain();
    int err = sctp_send_chain(f->two.sctp[A], f->two.now, &m, &f->chain, len);

    f->sent += err == ERR_OK ? len : 0;
    return err;
}

static int send_bytes(struct fixture *f, size_t len)
{
    struct sctp_message m = plain();
    int err =
        sctp_send_message(f->two.sctp[A], f->two.now, &m, bytes_of(f->content + f->sent, len));

    f->sent += err == ERR_OK ? len : 0;
    return err;
}

static const struct {
    const char *claim;
    size_t lens[6], gaps[6]; /* one message each; of a gap SIZE_MAX by bytes */
} rows[] = {
    { "one small message", { 64 }, { 0 } },
    { "from the middle of a block", { 64 }, { 2000 } },
    { "a block exactly", { 4080 }, { 0 } },
    { "many blocks", { 200000 }, { 0 } },
    { "many blocks, the first begun", { 200000 }, { 17 } },
    { "blocks that end early, one behind the other", { 3000, 3000, 3000, 3000 }, { 0 } },
    { "blocks that begin late and end early", { 3000, 3000, 5000 }, { 1000, 500, 3000 } },
    { "small ones are copied together", { 10, 20, 30, 40, 50, 60 }, { 0, 9, 0, 4000 } },
    { "bytes behind a chain", { 3000, 5000, 3000 }, { 0, SIZE_MAX, 0 } },
    { "a chain behind bytes", { 5000, 5000, 70000 }, { SIZE_MAX, 4, SIZE_MAX } },
};

static size_t send_row(struct fixture *f, size_t i, bool gradually)
{
    size_t count = 0;

    for (; count < COUNT(rows[i].lens) && rows[i].lens[count]; count++) {
        size_t len = rows[i].lens[count], gap = rows[i].gaps[count];

        if (gap != SIZE_MAX)
            put_into_chain(f, len, gap);
        CHECK(rows[i].claim, (gap == SIZE_MAX ? send_bytes(f, len) : hand_over(f, len)) == ERR_OK);
        CHECK("all of it", f->chain.len == 0 && pool_used(f->pool) == 0);
        if (gradually)
            run(f);
    }
    CHECK("counted", gradually || sctp_unacked_bytes(f->two.sctp[A]) == f->sent);
    return count;
}

TEST(chains_are_taken_over)
{
    static const struct sctp_config cfg;

    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        static struct fixture f;
        size_t row = i / 2, count;

        open(&f, &cfg, POOL_BLOCKS);
        count = send_row(&f, row, i % 2);
        run(&f);
        CHECK(rows[row].claim, f.received == f.sent && f.is_same && f.messages == count);
        duo_wait(&f.two, SECOND);
        while (duo_move(&f.two, B) || duo_move(&f.two, A))
            continue;
        CHECK("nothing is kept", pool_used(f.two.pool) == 0);
        drop(&f);
    }
}

TEST(any_mixture_arrives)
{
    static const struct sctp_config cfg;
    static struct fixture f;
    size_t count = 0;

    open(&f, &cfg, POOL_BLOCKS);
    while (f.sent < BYTES_MAX - 40000) {
        size_t most = rng_below(&f.rng, 4) ? 300 : 40000,
               len = 1 + rng_below(&f.rng, (uint32_t)most);
        uint32_t kind = rng_below(&f.rng, 3);
        int err;

        if (kind)
            put_into_chain(&f, len, kind == 1 ? 0 : rng_below(&f.rng, 4079));
        err = kind ? hand_over(&f, len) : send_bytes(&f, len);
        CHECK("there is room", err == ERR_OK);
        count++;
        if (rng_below(&f.rng, 3) == 0)
            run(&f);
    }
    run(&f);
    CHECK("all of it", f.received == f.sent && f.is_same && f.messages == count);
    drop(&f);
}

TEST(a_part_of_a_chain)
{
    static const struct sctp_config cfg;
    static struct fixture f;
    uint8_t rest[100];

    open(&f, &cfg, POOL_BLOCKS);
    put_into_chain(&f, 10100, 0);
    CHECK("more than there is", hand_over(&f, 10101) == ERR_INVALID);
    CHECK("nothing", hand_over(&f, 0) == ERR_INVALID);
    CHECK("a part", hand_over(&f, 10000) == ERR_OK);
    CHECK("the rest stays", chain_take(&f.chain, rest, sizeof rest) == sizeof rest &&
                                memcmp(rest, f.content + 10000, sizeof rest) == 0);
    run(&f);
    CHECK("it arrives", f.received == 10000 && f.is_same && f.messages == 1);
    drop(&f);
}

/* The chain still holds the same bytes. */
static bool is_chain_whole(const struct fixture *f, size_t len)
{
    static uint8_t bytes[BYTES_MAX];

    return f->chain.len == len && chain_copy(&f->chain, 0, bytes, len) == len &&
           memcmp(bytes, f->content + f->sent, len) == 0;
}

TEST(without_blocks_nothing_is_taken)
{
    static const struct sctp_config cfg;
    static struct fixture f;
    struct block *taken[64];
    size_t count = 0;

    open(&f, &cfg, COUNT(taken));
    while (count < COUNT(taken) && (taken[count] = pool_get(f.two.pool)))
        count++;
    for (int i = 0; i < 20; i++)
        put_into_chain(&f, 1000, 0);
    put_into_chain(&f, 30000, 0);
    for (size_t left = 0; left < 20; left++) {
        CHECK("not now", hand_over(&f, f.chain.len) == ERR_LIMIT);
        CHECK("all or nothing",
              is_chain_whole(&f, 50000) && sctp_unacked_bytes(f.two.sctp[A]) == 0);
        CHECK("and no block kept", pool_used(f.two.pool) == count);
        pool_put(f.two.pool, taken[--count]);
    }
    while (count)
        pool_put(f.two.pool, taken[--count]);
    drop(&f);
}

TEST(every_allocation_may_fail)
{
    static const struct sctp_config cfg;
    size_t failed = 0;

    ALLOC_FAIL_EACH {
        static struct fixture f;
        int err;

        alloc_pause();
        open(&f, &cfg, POOL_BLOCKS);
        for (int i = 0; i < 50; i++)
            put_into_chain(&f, 1900, 0);
        alloc_resume();
        err = hand_over(&f, 50 * 1900);
        alloc_pause();
        failed += alloc_has_failed();
        CHECK("only for want of memory", err == ERR_OK || alloc_has_failed());
        CHECK("all or nothing", err == ERR_OK ? f.chain.len == 0 : is_chain_whole(&f, 50 * 1900));
        CHECK("nothing half-queued", sctp_unacked_bytes(f.two.sctp[A]) == f.sent);
        CHECK("then it goes", err == ERR_OK || hand_over(&f, 50 * 1900) == ERR_OK);
        run(&f);
        CHECK("and arrives", f.received == f.sent && f.is_same);
        drop(&f);
        alloc_resume();
    }
    CHECK("there were some", failed > 3);
}

TESTS(TEST_ROW(chains_are_taken_over), TEST_ROW(any_mixture_arrives), TEST_ROW(a_part_of_a_chain),
      TEST_ROW(without_blocks_nothing_is_taken), TEST_ROW(every_allocation_may_fail))
