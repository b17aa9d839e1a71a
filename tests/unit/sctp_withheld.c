/* A peer that does not play along while messages are given up: it withholds SACKs, reports now this
 * and now that, claims what was never sent, or shuts its window. What that costs is bounded. */
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/lossy.h"
#include "tests/support/rng.h"

enum { SACK_MAX = 256, TX_BYTES_MAX = 4 << 20 };

static const struct lossy_limits brief = { 50 * MILLISECOND, 1 };

/* TSNs count from 1, the first that side 0 sent. Pairs of offsets end with 0. */
static enum verdict sack(struct lossy *s, uint32_t cum, uint32_t window, const uint16_t *gaps)
{
    uint8_t chunk[SACK_MAX];
    struct wr w = wr_of(chunk, sizeof chunk);
    uint16_t count = 0;

    while (gaps && gaps[2 * count])
        count++;
    wr_u8(&w, 3);
    wr_u8(&w, 0);
    wr_u16(&w, (uint16_t)(16 + 4 * count));
    wr_u32(&w, s->pair.initial_tsn[0] + cum - 1);
    wr_u32(&w, window);
    wr_u16(&w, count);
    wr_u16(&w, 0);
    for (size_t i = 0; i < 2u * count; i++)
        wr_u16(&w, gaps[i]);
    return pair_inject(&s->pair, 0, s->pair.tag[0], wr_written(&w));
}

static unsigned told(const struct lossy *s)
{
    return s->forwards + s->i_forwards;
}

static size_t blocks(const struct lossy *s)
{
    return pool_used(s->pair.side[0].pool);
}

/* Side 1 hears nothing and says nothing; what side 0 sends is counted and lost. */
static bool open_deaf(struct lossy *s, size_t kind)
{
    bool is_up = lossy_open(s, kind, &lossy_kinds[kind]);

    s->pair.is_cut = true;
    return is_up;
}

TEST(who_withholds_sacks_costs_little)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        uint64_t before;
        size_t most = 0;

        CHECK("up", open_deaf(&s, kind));
        before = s.pair.side[0].packets_out;
        for (int i = 0; i < 20000 && !s.pair.side[0].is_closed; i++) {
            (void)lossy_send(&s, LOSSY, &brief, 900);
            lossy_run(&s, MILLISECOND);
            most = blocks(&s) > most ? blocks(&s) : most;
        }
        CHECK("what expires takes no memory", most <= 40);
        CHECK("and is not sent", s.data <= 30);
        CHECK("the peer is told now and then", told(&s) > 3 && told(&s) <= 30);
        CHECK("in few packets", s.pair.side[0].packets_out - before <= 60);
        lossy_run(&s, 100 * SECOND);
        CHECK("until it counts as gone",
              s.pair.side[0].is_closed && s.pair.side[0].closed.reason == SCTP_REASON_TIMEOUT);
        pair_deinit(&s.pair);
    }
}

/* Ten messages of one chunk each are out; all reports come at one moment. */
TEST(floods_of_reports)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        struct rng *rng = &s.pair.rng;

        CHECK("up", open_deaf(&s, kind));
        for (int i = 0; i < 10; i++)
            CHECK("sent", lossy_send(&s, LOSSY, &(struct lossy_limits){ 0, 0 }, 500) == ERR_OK);
        pair_drain(&s.pair);
        for (int i = 0; i < 20000; i++) {
            uint16_t first = (uint16_t)(2 + rng_below(rng, 8));
            uint16_t last = (uint16_t)(first + rng_below(rng, 11u - first));

            (void)sack(&s, 0, 100000, (const uint16_t[]){ first, last, 0 });
            pair_drain(&s.pair);
        }
        CHECK("alive", !s.pair.side[0].is_closed);
        CHECK("nothing is sent again", lossy_info(&s).retransmitted_chunks == 0);
        CHECK("the peer is told once, not for every report", told(&s) <= 10);
        CHECK("it ends well", sack(&s, 10, 100000, NULL) == VERDICT_TAKEN);
        CHECK("with nothing kept", blocks(&s) == 0 && lossy_info(&s).flight_bytes == 0);
        pair_deinit(&s.pair);
    }
}

/* Of a long message two packets are out, ten chunks at most, and its time is over: one TSN that was
 * never sent stands for its end. */
static uint32_t give_up_begun(struct lossy *s)
{
    uint32_t chunks;

    CHECK("sent", lossy_send(s, LOSSY, &brief, 50000) == ERR_OK);
    pair_drain(&s->pair);
    chunks = s->data;
    lossy_run(s, 60 * MILLISECOND);
    CHECK("given up", lossy_info(s).given_up_messages == 1);
    return chunks;
}

static const struct {
    const char *claim;
    uint32_t behind; /* cumulative: so many TSNs behind the last that was sent */
    uint16_t gap;    /* or a report of one TSN: as many */
    bool is_broken;
} claims[] = {
    { "all that was sent", 0, 0, false }, { "the end that was not", 1, 0, false },
    { "a report of it", 0, 1, false },    { "more than that", 2, 0, true },
    { "a report of more", 0, 2, true },
};

TEST(what_was_never_sent_is_acknowledged)
{
    for (size_t i = 0; i < COUNT(claims) * LOSSY_KINDS; i++) {
        static struct lossy s;
        size_t row = i / LOSSY_KINDS, kind = i % LOSSY_KINDS;
        uint16_t gaps[] = { 0, 0, 0 };
        uint32_t chunks;

        CHECK("up", open_deaf(&s, kind));
        chunks = give_up_begun(&s);
        if (claims[row].gap)
            gaps[0] = gaps[1] = (uint16_t)(chunks + claims[row].gap);
        (void)sack(&s, claims[row].gap ? 0 : chunks + claims[row].behind, 100000, gaps);
        pair_drain(&s.pair);
        CHECK(claims[row].claim, s.pair.side[0].is_closed == claims[row].is_broken);
        (void)sack(&s, chunks + 1, 100000, NULL);
        pair_drain(&s.pair);
        CHECK("nothing is kept",
              claims[row].is_broken || (blocks(&s) == 0 && lossy_info(&s).flight_bytes == 0 &&
                                        sctp_unacked_bytes(s.pair.side[0].sctp) == 0));
        pair_deinit(&s.pair);
    }
}

TEST(a_window_that_is_shut)
{
    for (size_t kind = 0; kind < LOSSY_KINDS; kind++) {
        static struct lossy s;
        unsigned data;

        CHECK("up", open_deaf(&s, kind));
        CHECK("sent", lossy_send(&s, LOSSY, &brief, 900) == ERR_OK);
        pair_drain(&s.pair);
        (void)sack(&s, 1, 0, NULL);
        data = s.data;
        for (int i = 0; i < 5000; i++) {
            (void)lossy_send(&s, LOSSY, &brief, 900);
            lossy_run(&s, MILLISECOND);
            (void)sack(&s, 1, 0, NULL); /* it lives, and that is all */
        }
        CHECK("alive", !s.pair.side[0].is_closed);
        CHECK("nothing but probes", s.data - data <= 60);
        CHECK("no memory", blocks(&s) <= 40);
        s.pair.is_cut = false;
        lossy_run(&s, 5 * SECOND);
        CHECK("it goes on when it opens", lossy_send(&s, RELIABLE, &lossy_reliable, 900) == ERR_OK);
        lossy_run(&s, 5 * SECOND);
        CHECK("there", s.reader[RELIABLE].count == 1);
        CHECK("and nothing is kept", blocks(&s) == 0);
        pair_deinit(&s.pair);
    }
}

TESTS(TEST_ROW(who_withholds_sacks_costs_little), TEST_ROW(floods_of_reports),
      TEST_ROW(what_was_never_sent_is_acknowledged), TEST_ROW(a_window_that_is_shut))
