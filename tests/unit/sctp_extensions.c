/* What two ends agree on by INIT, INIT ACK, cookie and SNAP, and what then goes over the wire. */
#include "core/sctp/chunk.h"
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

/* What a side sent, by kind of packet and of chunk. */
struct census {
    unsigned zero, summed;   /* packets by their checksum */
    unsigned zero_in_making; /* of those with zero, ones with INIT, INIT ACK or COOKIE ECHO */
    unsigned wrong;          /* checksums that are neither */
    unsigned chunks[256];
};

static bool is_sum_right(struct bytes packet)
{
    uint8_t again[2048];

    memcpy(again, packet.data, packet.len);
    pair_seal(again, packet.len);
    return memcmp(again, packet.data, packet.len) == 0;
}

static bool count_packet(void *ctx, int from, struct bytes packet)
{
    static const uint8_t zero[4];
    struct census *c = (struct census *)ctx + from;
    bool is_zero = memcmp(packet.data + CHECKSUM_AT, zero, sizeof zero) == 0;
    struct rd r = rd_of(packet);
    struct chunk chunk;

    rd_skip(&r, COMMON_HEADER_LEN);
    while (chunk_read(&r, &chunk)) {
        c->chunks[chunk.type]++;
        c->zero_in_making += is_zero && (chunk.type == CHUNK_INIT || chunk.type == CHUNK_INIT_ACK ||
                                         chunk.type == CHUNK_COOKIE_ECHO);
    }
    c->zero += is_zero;
    c->summed += !is_zero;
    c->wrong += !is_zero && !is_sum_right(packet);
    return true;
}

enum meeting { BY_ONE, BY_BOTH, BY_SNAP, BY_HALF_A_SNAP, MEETINGS };

static void tell_init(struct sctp_pair *p, int to)
{
    uint8_t init[SCTP_INIT_MAX];
    size_t len = sctp_get_init(p->side[!to].sctp, init);

    CHECK("taken", sctp_set_remote_init(p->side[to].sctp, bytes_of(init, len)) == ERR_OK);
}

static bool meet(struct sctp_pair *p, uint64_t seed, const struct sctp_config cfg[2],
                 enum meeting how, struct census census[2])
{
    if (!pair_init_each(p, seed, cfg))
        return false;
    memset(census, 0, 2 * sizeof *census);
    p->tap = count_packet;
    p->tap_ctx = census;
    p->link.delay_us = 10 * MILLISECOND;
    if (how == BY_SNAP)
        tell_init(p, 0);
    if (how == BY_SNAP || how == BY_HALF_A_SNAP)
        tell_init(p, 1);
    CHECK("nothing is agreed before", !sctp_has(p->side[0].sctp, SCTP_ZERO_CHECKSUM));
    sctp_connect(p->side[0].sctp, p->now);
    if (how != BY_ONE)
        sctp_connect(p->side[1].sctp, p->now);
    return pair_run_until_up(p, p->now + 10 * SECOND);
}

static const char *const meetings[] = { "one asks", "both ask", "both were told",
                                        "one of them was told" };

/* What both have who are each without something. */
static void check_agreed(const struct sctp_pair *p, const char *claim, unsigned without)
{
    static const enum sctp_extension all[] = { SCTP_I_DATA, SCTP_ZERO_CHECKSUM, SCTP_FORWARD_TSN };

    for (size_t x = 0; x < COUNT(all); x++)
        for (int i = 0; i < 2; i++)
            CHECK(claim, sctp_has(p->side[i].sctp, all[x]) == !(without & all[x]));
}

TEST(both_ends_must_have_an_extension)
{
    for (int how = 0; how < MEETINGS; how++)
        for (unsigned without = 0; without < 64; without++) {
            struct sctp_config cfg[2] = { { .without = without % 8, .is_protected = true },
                                          { .without = without / 8, .is_protected = true } };
            struct census census[2];
            struct sctp_pair p;

            CHECK(meetings[how], meet(&p, without, cfg, (enum meeting)how, census));
            check_agreed(&p, meetings[how], without % 8 | without / 8);
            pair_deinit(&p);
        }
}

/* Which sides are protected and have zero checksum, and who then sends zeros. */
static const struct {
    const char *claim;
    struct sctp_config cfg[2];
    bool sends_zero;
} zeros[] = {
    { "both", { { .is_protected = true }, { .is_protected = true } }, true },
    { "one without DTLS", { { .is_protected = false }, { .is_protected = true } }, false },
    { "the other without DTLS", { { .is_protected = true }, { .is_protected = false } }, false },
    { "one that does not want to",
      { { .is_protected = true, .without = SCTP_ZERO_CHECKSUM }, { .is_protected = true } },
      false },
    { "the other does not want to",
      { { .is_protected = true }, { .is_protected = true, .without = SCTP_ZERO_CHECKSUM } },
      false },
    { "neither", { { .is_protected = false }, { .is_protected = false } }, false },
};

TEST(checksums_are_zero_where_both_agreed)
{
    for (int how = 0; how < MEETINGS; how++)
        for (size_t i = 0; i < COUNT(zeros); i++) {
            struct census census[2];
            struct sctp_pair p;

            CHECK(zeros[i].claim, meet(&p, i, zeros[i].cfg, (enum meeting)how, census));
            CHECK(zeros[i].claim, pair_transfer(&p, 0, 3, 50000, 5000, p.now + 10 * SECOND) &&
                                      pair_transfer(&p, 1, 3, 50000, 5000, p.now + 10 * SECOND));
            for (int from = 0; from < 2; from++) {
                CHECK(zeros[i].claim, (census[from].zero > 10) == zeros[i].sends_zero);
                CHECK(zeros[i].claim, zeros[i].sends_zero || census[from].zero == 0);
                CHECK("never in the making", census[from].zero_in_making == 0);
                CHECK("at most the handshake is summed",
                      !zeros[i].sends_zero || census[from].summed <= 3);
                CHECK("a sum is right", census[from].wrong == 0);
            }
            pair_deinit(&p);
        }
}

/* Messages that may be given up, some of which are, and one at the end that arrives. */
static bool send_lossy(struct sctp_pair *p)
{
    static uint8_t bytes[4000];
    struct sctp_message m = { .stream = 5, .ppid = 53, .give_up_at = USEC_NEVER };

    p->link.loss_ppm = 200000;
    for (int i = 0; i < 100; i++) {
        (void)sctp_send_message(p->side[0].sctp, p->now, &m, bytes_of(bytes, sizeof bytes));
        pair_run(p, p->now + 20 * MILLISECOND);
        p->now += MILLISECOND;
    }
    p->link.loss_ppm = 0;
    return sctp_send(p->side[0].sctp, p->now, 5, 99, bytes_of(bytes, 1)) == ERR_OK &&
           (pair_run(p, p->now + 20 * SECOND), sctp_unacked_bytes(p->side[0].sctp) == 0);
}

/* The plain packets of two associations that are each without something. */
TEST(what_was_agreed_is_what_is_sent)
{
    for (unsigned without = 0; without < 64; without++) {
        struct sctp_config cfg[2] = { { .without = without % 8, .is_protected = true },
                                      { .without = without / 8, .is_protected = true } };
        unsigned lacks = without % 8 | without / 8;
        bool is_woven = !(lacks & SCTP_I_DATA), gives_up = !(lacks & SCTP_FORWARD_TSN);
        struct census c[2];
        struct sctp_pair p;

        CHECK("up", meet(&p, without, cfg, without % 2 ? BY_SNAP : BY_ONE, c));
        CHECK("moved", pair_transfer(&p, 0, 3, 50000, 5000, p.now + 10 * SECOND));
        CHECK("the last one arrives", send_lossy(&p));
        CHECK("I-DATA", (c[0].chunks[CHUNK_I_DATA] > 0) == is_woven);
        CHECK("or DATA", (c[0].chunks[CHUNK_DATA] > 0) == !is_woven);
        CHECK("I-FORWARD-TSN", (c[0].chunks[CHUNK_I_FORWARD_TSN] > 0) == (is_woven && gives_up));
        CHECK("or FORWARD-TSN", (c[0].chunks[CHUNK_FORWARD_TSN] > 0) == (!is_woven && gives_up));
        CHECK("zero", (c[0].zero > 0) == !(lacks & SCTP_ZERO_CHECKSUM) &&
                          (c[1].zero > 0) == !(lacks & SCTP_ZERO_CHECKSUM));
        pair_deinit(&p);
    }
}

TEST(a_zero_that_was_not_offered_is_dropped)
{
    uint8_t packet[] = { 0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 4 };

    for (int is_protected = 0; is_protected < 2; is_protected++)
        for (int wrong = 0; wrong < 2; wrong++) {
            struct sctp_config cfg = { .is_protected = is_protected };
            struct sctp_pair p;
            struct wr w = wr_of(packet + 4, 4);
            enum verdict v;

            CHECK("up", pair_connect(&p, 5, &cfg, MILLISECOND));
            wr_u32(&w, p.tag[1]);
            packet[CHECKSUM_AT] = (uint8_t)wrong;
            v = sctp_input(p.side[1].sctp, p.now, bytes_of(packet, sizeof packet));
            CHECK("zero only, and only under DTLS",
                  (v == VERDICT_FORGED) == (wrong || !is_protected));
            pair_deinit(&p);
        }
}

TESTS(TEST_ROW(both_ends_must_have_an_extension), TEST_ROW(checksums_are_zero_where_both_agreed),
      TEST_ROW(what_was_agreed_is_what_is_sent), TEST_ROW(a_zero_that_was_not_offered_is_dropped))
