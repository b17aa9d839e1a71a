/* A peer that acknowledges as it likes: late, in crumbs, never, or what it has not got. It gets no
 * flood from us, and costs us neither memory nor work without bound. */
#include "tests/check.h"
#include "tests/support/sctp_pair.h"

#include "core/sctp/assoc.h"

enum { CHUNK_BYTES = 1000 };

/* Side 1 sends and is not heard; what side 0 acknowledges is made by hand. */
static bool up(struct sctp_pair *p, uint64_t seed)
{
    static const struct sctp_config cfg = { .streams_max = 16 };
    bool is_up = pair_connect(p, seed, &cfg, 10 * MILLISECOND);

    p->is_cut = true;
    return is_up;
}

static void fill(struct sctp_pair *p)
{
    static const uint8_t bytes[CHUNK_BYTES];

    while (pair_send(p, 1, 0, 53, bytes_of(bytes, sizeof bytes)) == ERR_OK)
        continue;
    pair_drain(p);
}

static void sack(struct sctp_pair *p, uint32_t cum, const uint32_t *duplicates, unsigned count)
{
    uint8_t bytes[1024];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_u16(&w, 0x0300);
    wr_u16(&w, (uint16_t)(16 + 4 * count));
    wr_u32(&w, p->initial_tsn[1] - 1 + cum);
    wr_u32(&w, 1 << 20);
    wr_u16(&w, 0);
    wr_u16(&w, (uint16_t)count);
    for (unsigned i = 0; i < count; i++)
        wr_u32(&w, p->initial_tsn[1] - 1 + duplicates[i]);
    CHECK("taken", pair_inject(p, 1, p->tag[1], wr_written(&w)) == VERDICT_TAKEN);
    pair_drain(p);
}

static struct sctp_info info_of(const struct sctp_pair *p)
{
    struct sctp_info info;

    sctp_get_info(p->side[1].sctp, &info);
    return info;
}

/* How many TSNs there have been. */
static uint32_t told(const struct sctp_pair *p)
{
    struct sctp_info info = info_of(p);

    return (uint32_t)(info.data_chunks_sent - info.retransmitted_chunks);
}

TEST(silence_is_no_invitation)
{
    struct sctp_pair p;
    uint64_t before;

    CHECK("up", up(&p, 1));
    before = p.side[1].packets_out;
    fill(&p);
    pair_run(&p, p.now + 8 * SECOND);
    CHECK("a first window and what timeouts send", p.side[1].packets_out - before < 40);
    CHECK("still asking", info_of(&p).timeouts > 2 && !p.side[1].is_closed);
    pair_run(&p, p.now + 100 * SECOND);
    CHECK("until it is enough", p.side[1].is_closed);
    pair_deinit(&p);
}

/* One chunk of a window at a time: as a rate that is what it is, no more. */
TEST(crumbs_are_no_feast)
{
    struct sctp_pair p;
    uint64_t sent;

    CHECK("up", up(&p, 2));
    fill(&p);
    sent = info_of(&p).data_chunks_sent;
    for (uint32_t n = 1; n <= 200; n++) {
        pair_run(&p, p.now + 5 * MILLISECOND);
        sack(&p, n, NULL, 0);
        fill(&p);
    }
    CHECK("as many as were acknowledged, and a few windows",
          info_of(&p).data_chunks_sent - sent < 200 * 3);
    CHECK("in flight as the rate is", info_of(&p).flight_bytes < 400 * CHUNK_BYTES);
    CHECK("alive", !p.side[1].is_closed);
    pair_deinit(&p);
}

/* Acknowledged as soon as sent, received or not: the rate has no bound that we could know, but each
 * round trip may at most multiply it, and what is queued bounds what is in flight. */
TEST(optimism_is_paced)
{
    struct sctp_pair p;
    uint32_t n = 0;

    CHECK("up", up(&p, 3));
    for (int i = 0; i < 2000; i++) {
        fill(&p);
        pair_run(&p, p.now + MILLISECOND);
        n = told(&p);
        sack(&p, n, NULL, 0);
        CHECK("bounded", info_of(&p).flight_bytes <= 5u << 20 && pool_used(p.side[1].pool) <= 1200);
        if (p.side[1].is_closed)
            break;
    }
    CHECK("and of what was never sent it hears", !p.side[1].is_closed);
    pair_deinit(&p);
}

/* The least round trip looks long, so that much is let out: by the rate that was acknowledged. */
TEST(held_back_acknowledgements)
{
    struct sctp_pair p;
    uint32_t n = 0;
    uint64_t sent = 0;

    CHECK("up", up(&p, 4));
    for (int i = 0; i < 12; i++) {
        uint32_t before = told(&p);

        fill(&p);
        pair_run(&p, p.now + 150 * MILLISECOND);
        n = told(&p);
        sent = n - before;
        sack(&p, n, NULL, 0);
    }
    CHECK("no more in a round trip than is queued", sent * CHUNK_BYTES <= 2u << 20);
    CHECK("alive", !p.side[1].is_closed);
    pair_deinit(&p);
}

/* All of it was there twice, it says, again and again. */
TEST(duplicates_that_were_none)
{
    struct sctp_pair p;
    uint32_t twice[100];
    struct sctp_info info;

    CHECK("up", up(&p, 5));
    fill(&p);
    for (uint32_t n = 1; n <= 300; n++) {
        for (uint32_t i = 0; i < COUNT(twice); i++)
            twice[i] = n + i - 50;
        pair_run(&p, p.now + 20 * MILLISECOND);
        sack(&p, n / 20, twice, COUNT(twice));
    }
    info = info_of(&p);
    CHECK("none counts that did not go twice, and each once",
          info.spurious_chunks <= info.retransmitted_chunks);
    CHECK("what is late is waited for no longer than a round trip",
          p.side[1].sctp->tx.late_steps <= LATE_STEPS_MAX);
    CHECK("lost ones still go again", info.retransmitted_chunks > 0);
    pair_deinit(&p);
}

TESTS(TEST_ROW(silence_is_no_invitation), TEST_ROW(crumbs_are_no_feast),
      TEST_ROW(optimism_is_paced), TEST_ROW(held_back_acknowledgements),
      TEST_ROW(duplicates_that_were_none))
