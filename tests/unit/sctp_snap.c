/* INIT chunks by signaling (draft-hancke-tsvwg-snap), also when only one of two arrived. */
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults;

/* Gives side `to` the other's chunk. */
static int tell(struct sctp_pair *p, int to)
{
    uint8_t init[SCTP_INIT_MAX];
    size_t len = sctp_get_init(p->side[!to].sctp, init);

    return sctp_set_remote_init(p->side[to].sctp, bytes_of(init, len));
}

/* Counts packets by the type of their first chunk. */
struct census {
    unsigned of_type[256];
};

static bool count_packet(void *ctx, int from, struct bytes packet)
{
    struct census *c = ctx;

    (void)from;
    c->of_type[packet.data[12]]++;
    return true;
}

TEST(both_stand_without_a_packet)
{
    struct sctp_pair p;
    struct census census = { { 0 } };

    CHECK("made", pair_init(&p, 1, &defaults));
    p.tap = count_packet;
    p.tap_ctx = &census;
    p.link.delay_us = 50 * MILLISECOND;
    CHECK("taken", tell(&p, 0) == ERR_OK && tell(&p, 1) == ERR_OK);
    CHECK("no state yet",
          !sctp_is_up(p.side[0].sctp) && sctp_next_timeout(p.side[0].sctp) == USEC_NEVER);
    for (int i = 0; i < 2; i++) {
        pair_send(&p, i, 0, 51, bytes_of("early", 5));
        CHECK("connects", sctp_connect(p.side[i].sctp, p.now) == ERR_OK);
        CHECK("up at once", sctp_is_up(p.side[i].sctp) && p.side[i].packets_out == 0);
    }
    pair_run(&p, p.now + 50 * MILLISECOND);
    CHECK("data after half a round trip", pair_is_delivered(&p, 0) && pair_is_delivered(&p, 1));
    CHECK("usable", pair_transfer(&p, 0, 3, 200000, 30000, p.now + 10 * SECOND) &&
                        pair_transfer(&p, 1, 3, 200000, 30000, p.now + 10 * SECOND));
    CHECK("no handshake",
          !census.of_type[1] && !census.of_type[2] && !census.of_type[10] && !census.of_type[11]);
    CHECK("told once", p.side[0].ups == 1 && p.side[1].ups == 1);
    CHECK("streams can be reset", sctp_reset_stream(p.side[0].sctp, p.now, 1) == ERR_OK &&
                                      (pair_run(&p, p.now + 5 * SECOND), p.side[1].resets == 1));
    pair_deinit(&p);
}

/* Every combination of who got the other's chunk and who connects; loss and reordering by seed. */
static void meet(unsigned has, unsigned connects, uint64_t seed)
{
    struct sctp_pair p;

    CHECK("made", pair_init(&p, seed, &defaults));
    p.link.delay_us = 10 * MILLISECOND;
    p.link.jitter_us = seed % 2 ? 25 * MILLISECOND : 0;
    p.link.loss_ppm = seed % 3 ? 150000 : 0;
    p.link.duplicate_ppm = seed % 5 ? 0 : 200000;
    for (int i = 0; i < 2; i++) {
        uint8_t init[SCTP_INIT_MAX];

        CHECK("has one to tell", sctp_get_init(p.side[i].sctp, init) > 20);
        if (has >> i & 1)
            CHECK("taken", tell(&p, i) == ERR_OK);
        pair_send(&p, i, 2, 51, bytes_of("early", 5));
    }
    for (int i = 0; i < 2; i++) {
        if (connects >> i & 1)
            sctp_connect(p.side[i].sctp, p.now);
        pair_run(&p, p.now + (usec)(seed % 4) * 12 * MILLISECOND);
    }
    CHECK("both up", pair_run_until_up(&p, p.now + 60 * SECOND));
    CHECK("both ways", pair_transfer(&p, 0, 3, 20000, 3000, p.now + 100 * SECOND) &&
                           pair_transfer(&p, 1, 3, 20000, 3000, p.now + 100 * SECOND));
    CHECK("up once", p.side[0].ups == 1 && p.side[1].ups == 1);
    CHECK("none closed", !p.side[0].is_closed && !p.side[1].is_closed);
    p.link = (struct pair_link){ .delay_us = MILLISECOND };
    sctp_shutdown(p.side[seed % 2].sctp, p.now);
    CHECK("and they part in peace", pair_run_until_closed(&p, p.now + 60 * SECOND) &&
                                        p.side[0].closed.reason == SCTP_REASON_SHUTDOWN);
    pair_deinit(&p);
}

TEST(one_association_whoever_got_what)
{
    for (unsigned has = 0; has < 4; has++)
        for (unsigned connects = 1; connects < 4; connects++)
            for (uint64_t seed = 0; seed < 60; seed++)
                meet(has, connects, seed);
}

TEST(what_went_out_in_vain_goes_again_with_the_cookie)
{
    struct sctp_pair p;
    usec start;

    CHECK("made", pair_init(&p, 3, &defaults));
    p.link.delay_us = 10 * MILLISECOND;
    start = p.now;
    CHECK("one side only", tell(&p, 0) == ERR_OK);
    pair_send(&p, 0, 0, 51, bytes_of("early", 5));
    sctp_connect(p.side[0].sctp, p.now);
    sctp_connect(p.side[1].sctp, p.now);
    pair_run(&p, start + 40 * MILLISECOND);
    CHECK("with COOKIE ACK, no timer needed", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

/* The peer stands by our chunk, and comes back with another INIT than it told. */
TEST(another_init_than_was_told_is_taken_while_nothing_came)
{
    struct sctp_pair p;
    uint8_t init[SCTP_INIT_MAX];
    size_t len;

    CHECK("made", pair_init(&p, 4, &defaults));
    len = sctp_get_init(p.side[1].sctp, init);
    init[4] ^= 0x55;  /* tag */
    init[18] ^= 0x55; /* initial TSN */
    CHECK("well formed", sctp_set_remote_init(p.side[0].sctp, bytes_of(init, len)) == ERR_OK);
    pair_send(&p, 0, 0, 51, bytes_of("early", 5));
    sctp_connect(p.side[0].sctp, p.now);
    sctp_connect(p.side[1].sctp, p.now);
    CHECK("works", pair_transfer(&p, 0, 1, 5000, 1000, p.now + 5 * SECOND) &&
                       pair_transfer(&p, 1, 1, 5000, 1000, p.now + 5 * SECOND));
    CHECK("as one", p.side[0].ups == 1 && p.side[1].ups == 1 && !p.side[0].is_closed);
    pair_deinit(&p);
}

TEST(the_chunk_is_always_the_same)
{
    struct sctp_pair p;
    uint8_t a[SCTP_INIT_MAX], b[SCTP_INIT_MAX];
    size_t len;

    CHECK("made", pair_init(&p, 5, &defaults));
    len = sctp_get_init(p.side[0].sctp, a);
    CHECK("its length is its own", len > 20 && a[0] == 1 && a[2] == 0 && a[3] == len);
    CHECK("twice", sctp_get_init(p.side[0].sctp, b) == len && memcmp(a, b, len) == 0);
    CHECK("too late", (sctp_connect(p.side[0].sctp, p.now), tell(&p, 0) == ERR_WRONG_STATE));
    pair_deinit(&p);
}

static const struct {
    const char *claim, *hex;
    int err;
} rows[] = {
    { "Chromium's", "0100001e 1d9a4f77 00500000 ffff ffff 8b0f55aa c0000004 80080006 82c0",
      ERR_OK },
    { "Chromium's with I-DATA",
      "01000020 1d9a4f77 00500000 ffff ffff 8b0f55aa c0000004 80080008 82c040c2", ERR_OK },
    { "no parameters", "01000014 00000001 00001000 0001 0001 00000000", ERR_OK },
    { "padding", "0100001e 1d9a4f77 00500000 ffff ffff 8b0f55aa c0000004 80080006 82c0 0000",
      ERR_INVALID },
    { "tag zero", "01000014 00000000 00001000 0001 0001 00000000", ERR_INVALID },
    { "no streams out", "01000014 00000001 00001000 0000 0001 00000000", ERR_INVALID },
    { "no streams in", "01000014 00000001 00001000 0001 0000 00000000", ERR_INVALID },
    { "INIT ACK", "02000014 00000001 00001000 0001 0001 00000000", ERR_INVALID },
    { "length beyond the end", "01000018 00000001 00001000 0001 0001 00000000", ERR_INVALID },
    { "length within", "01000010 00000001 00001000 0001 0001 00000000", ERR_INVALID },
    { "length below its header", "01000003 00000001 00001000 0001 0001 00000000", ERR_INVALID },
    { "a second chunk", "01000014 00000001 00001000 0001 0001 00000000 0b000004", ERR_INVALID },
    { "extensions twice",
      "01000024 00000001 00001000 0001 0001 00000000 8008000582000000 80080005c0000000",
      ERR_INVALID },
    { "an unknown one twice", "0100001c 00000001 00001000 0001 0001 00000000 c00f0004 c00f0004",
      ERR_INVALID },
    { "an unknown one", "01000018 00000001 00001000 0001 0001 00000000 c00f0004", ERR_OK },
    { "a cookie", "0100001c 00000001 00001000 0001 0001 00000000 00070008 01020304", ERR_INVALID },
    { "a parameter beyond the end", "01000018 00000001 00001000 0001 0001 00000000 80080008",
      ERR_INVALID },
    { "a parameter below its header", "01000018 00000001 00001000 0001 0001 00000000 80080003",
      ERR_INVALID },
    { "one hidden behind one that stops reading",
      "0100001c 00000001 00001000 0001 0001 00000000 000f0004 80080003", ERR_INVALID },
    { "as long as can be",
      "01000040 00000001 00001000 0001 0001 00000000 800f002c" /* 40 bytes follow */
      "0000000000000000000000000000000000000000000000000000000000000000 0000000000000000",
      ERR_OK },
    { "longer",
      "01000044 00000001 00001000 0001 0001 00000000 800f0030"
      "0000000000000000000000000000000000000000000000000000000000000000 000000000000000000000000",
      ERR_INVALID },
    { "nothing", "", ERR_INVALID },
};

/* A refused one leaves an association that sends its INIT as ever. */
static void check_row(const char *claim, struct bytes init, int err)
{
    struct sctp_pair p;
    struct census census = { { 0 } };

    CHECK("made", pair_init(&p, 6, &defaults));
    p.tap = count_packet;
    p.tap_ctx = &census;
    CHECK(claim, sctp_set_remote_init(p.side[0].sctp, init) == err);
    sctp_connect(p.side[0].sctp, p.now);
    pair_drain(&p);
    CHECK(claim, sctp_is_up(p.side[0].sctp) == (err == ERR_OK));
    CHECK(claim, census.of_type[1] == (err != ERR_OK));
    pair_deinit(&p);
}

TEST(what_signaling_may_bring)
{
    uint8_t bytes[128];

    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(rows[i].claim, hex_decode(rows[i].hex, bytes, sizeof bytes), rows[i].err);
}

TEST(every_truncation_is_refused)
{
    uint8_t bytes[128];

    for (size_t i = 0; i < 3; i++) {
        struct bytes whole = hex_decode(rows[i].hex, bytes, sizeof bytes);

        for (size_t len = 0; len < whole.len; len++)
            check_row("cut", bytes_of(bytes, len), ERR_INVALID);
    }
}

TEST(any_bytes)
{
    uint64_t seed = 9;
    struct rng rng = test_rng(&seed);
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 7, &defaults));
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        struct bytes b = hex_decode(rows[i % 3].hex, bytes, sizeof bytes);
        int err;

        for (uint32_t n = rng_below(&rng, 4); n; n--)
            bytes[rng_below(&rng, (uint32_t)b.len)] = (uint8_t)rng_u32(&rng);
        err = sctp_set_remote_init(p.side[0].sctp, b);
        CHECK("taken or refused", err == ERR_OK || err == ERR_INVALID);
    }
    pair_deinit(&p);
}

TEST(memory_may_run_out)
{
    ALLOC_FAIL_EACH {
        struct sctp_pair p;

        alloc_pause();
        CHECK("made", pair_init(&p, 8, &defaults));
        alloc_resume();
        CHECK("no memory needed", tell(&p, 0) == ERR_OK && tell(&p, 1) == ERR_OK);
        sctp_connect(p.side[0].sctp, p.now);
        sctp_connect(p.side[1].sctp, p.now);
        CHECK("up", p.side[0].ups + p.side[1].ups == 0 && sctp_is_up(p.side[0].sctp));
        CHECK("usable", pair_transfer(&p, 0, 4, 4000, 1000, p.now + 20 * SECOND));
        pair_deinit(&p);
    }
}

TESTS(TEST_ROW(both_stand_without_a_packet), TEST_ROW(one_association_whoever_got_what),
      TEST_ROW(what_went_out_in_vain_goes_again_with_the_cookie),
      TEST_ROW(another_init_than_was_told_is_taken_while_nothing_came),
      TEST_ROW(the_chunk_is_always_the_same), TEST_ROW(what_signaling_may_bring),
      TEST_ROW(every_truncation_is_refused), TEST_ROW(any_bytes), TEST_ROW(memory_may_run_out))
