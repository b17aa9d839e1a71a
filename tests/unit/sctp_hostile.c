/* A peer that breaks the rules or stretches them: each packet is counted and answered, or the
 * association ends with its reason; nothing crashes, and nothing grows without bound. */
#include "core/sctp/sctp.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/rng.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults = { .streams_max = 16,
                                             .without = SCTP_I_DATA | SCTP_FORWARD_TSN };

/* Side 1 is the victim; side 0 falls silent and its packets are made by hand. */
static bool up(struct sctp_pair *p, uint64_t seed)
{
    bool is_up = pair_connect(p, seed, &defaults, MILLISECOND);

    p->is_cut = true;
    return is_up;
}

/* The n-th TSN that side 0 would use, n from 1. */
static uint32_t tsn_of(const struct sctp_pair *p, uint32_t n)
{
    return p->initial_tsn[0] + n - 1;
}

static void put_data(struct wr *w, uint8_t flags, uint32_t tsn, uint16_t stream, uint16_t ssn,
                     size_t len)
{
    wr_u8(w, 0);
    wr_u8(w, flags);
    wr_u16(w, (uint16_t)(16 + len));
    wr_u32(w, tsn);
    wr_u16(w, stream);
    wr_u16(w, ssn);
    wr_u32(w, 53);
    wr_zero(w, (len + 3) & ~3u);
}

static enum verdict data(struct sctp_pair *p, uint8_t flags, uint32_t n, uint16_t stream,
                         uint16_t ssn, size_t len)
{
    uint8_t bytes[2048];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum verdict verdict;

    put_data(&w, flags, tsn_of(p, n), stream, ssn, len);
    verdict = pair_inject(p, 1, p->tag[1], wr_written(&w));
    pair_drain(p);
    return verdict;
}

enum { ENDS = 1, BEGINS = 2, WHOLE = 3, UNORDERED = 4 };

struct step {
    uint8_t flags;
    uint32_t n;
    uint16_t stream, ssn;
    size_t len;
    enum verdict verdict;
};

static const struct {
    const char *claim;
    struct step steps[5];
    bool is_end; /* by us, with ABORT */
    uint16_t cause;
    unsigned messages; /* of all streams, delivered whole */
} rows[] = {
    { "in order", { { WHOLE, 1, 0, 0, 9, 0 }, { WHOLE, 2, 0, 1, 9, 0 } }, false, 0, 2 },
    { "a gap holds back its stream only",
      { { WHOLE, 2, 0, 1, 9, 0 }, { WHOLE, 3, 1, 0, 9, 0 } },
      false,
      0,
      1 },
    { "a gap filled",
      { { WHOLE, 2, 0, 1, 9, 0 }, { WHOLE, 3, 1, 0, 9, 0 }, { WHOLE, 1, 0, 0, 9, 0 } },
      false,
      0,
      3 },
    { "fragments backwards",
      { { ENDS, 3, 0, 0, 9, 0 }, { 0, 2, 0, 0, 9, 0 }, { BEGINS, 1, 0, 0, 9, 0 } },
      false,
      0,
      1 },
    { "duplicates are dropped",
      { { WHOLE, 1, 0, 0, 9, 0 },
        { WHOLE, 1, 0, 0, 9, VERDICT_DUPLICATE },
        { WHOLE, 3, 0, 2, 9, 0 },
        { WHOLE, 3, 0, 2, 9, VERDICT_DUPLICATE } },
      false,
      0,
      1 },
    { "unordered overtakes", { { WHOLE | UNORDERED, 2, 0, 0, 9, 0 } }, false, 0, 1 },
    { "unordered in fragments, backwards",
      { { ENDS | UNORDERED, 2, 0, 0, 9, 0 }, { BEGINS | UNORDERED, 1, 0, 0, 9, 0 } },
      false,
      0,
      1 },
    { "unordered waits while a message is half read",
      { { BEGINS, 1, 0, 0, 9, 0 }, { WHOLE | UNORDERED, 3, 0, 0, 9, 0 }, { ENDS, 2, 0, 0, 9, 0 } },
      false,
      0,
      2 },
    { "no user data", { { WHOLE, 1, 0, 0, 0, VERDICT_MALFORMED } }, true, 9, 0 },
    { "no such stream is told and skipped",
      { { WHOLE, 1, 16, 0, 9, VERDICT_MALFORMED }, { WHOLE, 2, 0, 0, 9, 0 } },
      false,
      0,
      1 },
    { "a message begins amid another",
      { { BEGINS, 1, 0, 0, 9, 0 }, { WHOLE, 2, 0, 1, 9, VERDICT_MALFORMED } },
      true,
      13,
      0 },
    { "a fragment changes its SSN",
      { { BEGINS, 1, 0, 0, 9, 0 }, { ENDS, 2, 0, 1, 9, VERDICT_MALFORMED } },
      true,
      13,
      0 },
    { "a fragment becomes unordered",
      { { BEGINS, 1, 0, 0, 9, 0 }, { ENDS | UNORDERED, 2, 0, 0, 9, VERDICT_MALFORMED } },
      true,
      13,
      0 },
    { "a fragment without a beginning", { { ENDS, 1, 0, 0, 9, 0 } }, true, 13, 0 },
    { "an SSN is skipped", { { WHOLE, 1, 0, 1, 9, 0 } }, true, 13, 0 },
    { "an SSN comes twice", { { WHOLE, 1, 0, 0, 9, 0 }, { WHOLE, 2, 0, 0, 9, 0 } }, true, 13, 1 },
    { "two waiting chunks claim one place",
      { { WHOLE, 2, 0, 1, 9, 0 }, { WHOLE, 3, 0, 1, 9, VERDICT_MALFORMED } },
      true,
      13,
      0 },
    { "messages of two streams interleaved",
      { { BEGINS, 1, 0, 0, 9, 0 }, { BEGINS, 2, 1, 0, 9, 0 } },
      true,
      13,
      0 },
    { "a parked fragment of another stream ends the message",
      { { BEGINS, 1, 0, 0, 9, 0 }, { ENDS, 3, 1, 0, 9, 0 }, { 0, 2, 0, 0, 9, 0 } },
      true,
      13,
      0 },
    { "too far ahead", { { WHOLE, 65537, 0, 1, 9, VERDICT_LIMIT } }, false, 0, 0 },
};

static unsigned messages_of(const struct sctp_pair *p)
{
    unsigned sum = 0;

    for (size_t i = 0; i < PAIR_STREAMS; i++)
        sum += (unsigned)p->side[1].received[i].messages;
    return sum;
}

TEST(orders_of_arrival)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sctp_pair p;

        CHECK("up", up(&p, i));
        for (size_t k = 0; k < COUNT(rows[i].steps) && rows[i].steps[k].n; k++) {
            const struct step *s = &rows[i].steps[k];

            CHECK(rows[i].claim, data(&p, s->flags, s->n, s->stream, s->ssn, s->len) == s->verdict);
        }
        CHECK(rows[i].claim, messages_of(&p) == rows[i].messages);
        CHECK(rows[i].claim, p.side[1].is_closed == rows[i].is_end);
        if (rows[i].is_end)
            CHECK(rows[i].claim, p.side[1].closed.reason == SCTP_REASON_PROTOCOL &&
                                     p.side[1].closed.cause_code == rows[i].cause);
        pair_deinit(&p);
    }
}

TEST(when_a_sack_is_sent)
{
    struct sctp_pair p;
    uint64_t before;

    CHECK("up", up(&p, 39));
    before = p.side[1].packets_out;
    data(&p, WHOLE, 1, 0, 0, 9);
    CHECK("not for one packet in order", p.side[1].packets_out == before);
    pair_run(&p, p.now + 20 * MILLISECOND);
    CHECK("but a little later", p.side[1].packets_out == before + 1);
    data(&p, WHOLE, 2, 0, 1, 9);
    data(&p, WHOLE, 3, 0, 2, 9);
    CHECK("for two at once", p.side[1].packets_out == before + 2);
    data(&p, WHOLE, 5, 0, 4, 9);
    CHECK("for a gap at once", p.side[1].packets_out == before + 3);
    data(&p, WHOLE, 4, 0, 3, 9);
    CHECK("and when it is filled", p.side[1].packets_out == before + 4);
    data(&p, WHOLE, 4, 0, 3, 9);
    CHECK("for a duplicate at once", p.side[1].packets_out == before + 5);
    data(&p, WHOLE | 8, 6, 0, 5, 9);
    CHECK("and when asked to", p.side[1].packets_out == before + 6);
    pair_deinit(&p);
}

static const struct {
    const char *claim, *chunks;
    enum verdict verdict;
    bool is_answered;
} unknown[] = {
    { "stop", "3f000004 0a000004", VERDICT_UNEXPECTED, false },
    { "stop and report", "7f000004", VERDICT_UNEXPECTED, true },
    { "skip", "bf000004", VERDICT_TAKEN, false },
    { "skip and report", "ff000008 01020304", VERDICT_TAKEN, true },
    { "FORWARD TSN, which we did not announce", "c0000008 00000000", VERDICT_TAKEN, true },
    { "I-DATA likewise", "40000018 00000001 00000000 00000000 00000000 61626364",
      VERDICT_UNEXPECTED, true },
    { "cut", "ff000009 01020304", VERDICT_MALFORMED, false },
};

TEST(unknown_chunks_are_treated_as_their_type_says)
{
    for (size_t i = 0; i < COUNT(unknown); i++) {
        struct sctp_pair p;
        uint64_t before;

        CHECK("up", up(&p, i));
        before = p.side[1].packets_out;
        CHECK(unknown[i].claim, pair_inject_hex(&p, 1, unknown[i].chunks) == unknown[i].verdict);
        pair_drain(&p);
        CHECK(unknown[i].claim, (p.side[1].packets_out > before) == unknown[i].is_answered);
        CHECK("goes on", !p.side[1].is_closed);
        pair_deinit(&p);
    }
}

static const struct {
    const char *claim;
    uint32_t tag_change;
    const char *chunks;
    enum verdict verdict;
    bool is_end;
} tags[] = {
    { "another tag", 1, "06000004", VERDICT_FORGED, false },
    { "ABORT", 0, "06000004", VERDICT_TAKEN, true },
    { "ABORT with T but our tag", 0, "06010004", VERDICT_FORGED, false },
    { "SHUTDOWN COMPLETE at no time", 0, "0e000004", VERDICT_UNEXPECTED, false },
    { "SHUTDOWN ACK at no time", 0, "08000004", VERDICT_UNEXPECTED, false },
    { "COOKIE ACK at no time", 0, "0b000004", VERDICT_UNEXPECTED, false },
    { "INIT ACK at no time", 0, "02000014 00000001 00100000 0001 0001 00000001", VERDICT_UNEXPECTED,
      false },
    { "INIT with a tag", 0, "01000014 00000001 00100000 0001 0001 00000001", VERDICT_FORGED,
      false },
    { "HEARTBEAT ACK unasked", 0, "05000018 00010014 00000000 00000000 00000000 00000000",
      VERDICT_UNEXPECTED, false },
    { "HEARTBEAT ACK without info", 0, "05000004", VERDICT_MALFORMED, false },
    { "SHUTDOWN cut", 0, "07000006 0000 0000", VERDICT_MALFORMED, false },
    { "ERROR with a cause cut", 0, "0900000c 0003000a 00000000", VERDICT_MALFORMED, false },
    { "nothing behind the header", 0, "", VERDICT_MALFORMED, false },
};

TEST(control_chunks_out_of_place)
{
    for (size_t i = 0; i < COUNT(tags); i++) {
        struct sctp_pair p;

        CHECK("up", up(&p, i));
        p.tag[1] += tags[i].tag_change;
        CHECK(tags[i].claim, pair_inject_hex(&p, 1, tags[i].chunks) == tags[i].verdict);
        pair_drain(&p);
        CHECK(tags[i].claim, p.side[1].is_closed == tags[i].is_end);
        pair_deinit(&p);
    }
}

struct reply {
    uint8_t bytes[64];
    size_t len;
};

static bool keep_reply(void *ctx, int from, struct bytes packet)
{
    struct reply *reply = ctx;

    if (from == 1 && packet.len <= sizeof reply->bytes) {
        memcpy(reply->bytes, packet.data, packet.len);
        reply->len = packet.len;
    }
    return true;
}

static const struct {
    const char *claim;
    uint32_t seq, last; /* relative to what is expected, to what has arrived */
    const char *rest;
    uint16_t type;
    uint8_t result;
    unsigned resets;
} resets[] = {
    { "two streams", 0, 0, "0001 0002", 13, 1, 2 },
    { "in progress while data is missing", 0, 1, "0001", 13, 6, 0 },
    { "another number", 5, 0, "0001", 13, 5, 0 },
    { "no such stream", 0, 0, "0001 0010", 13, 3, 0 },
    { "incoming is denied", 0, 0, "0001", 14, 2, 0 },
    { "SSN and TSN is denied", 0, 0, "", 15, 2, 0 },
    { "more streams are denied", 0, 0, "", 17, 2, 0 },
};

TEST(reset_requests_are_answered)
{
    for (size_t i = 0; i < COUNT(resets); i++) {
        struct sctp_pair p;
        struct reply reply = { .len = 0 };
        char hex[128], body[96];
        size_t digits = 0;

        CHECK("up", up(&p, i));
        p.tap = keep_reply;
        p.tap_ctx = &reply;
        snprintf(body, sizeof body, "%08x %08x %08x %s", p.initial_tsn[0] + resets[i].seq, 0,
                 p.initial_tsn[0] - 1 + resets[i].last, resets[i].rest);
        for (const char *at = body; *at; at++)
            digits += *at != ' ';
        snprintf(hex, sizeof hex, "8200%04x %04x%04x %s%s", (unsigned)(8 + digits / 2),
                 resets[i].type, (unsigned)(4 + digits / 2), body, digits / 2 % 4 ? "0000" : "");
        for (int again = 0; again < 2; again++) {
            reply.len = 0;
            CHECK(resets[i].claim, pair_inject_hex(&p, 1, hex) == VERDICT_TAKEN);
            pair_drain(&p);
            CHECK(resets[i].claim, reply.len == 28 && reply.bytes[12] == 130 &&
                                       reply.bytes[17] == 16 &&
                                       reply.bytes[27] == resets[i].result);
        }
        CHECK("told once", p.side[1].resets == resets[i].resets);
        pair_deinit(&p);
    }
}

TEST(a_flood_of_gaps_is_bounded)
{
    struct sctp_pair p;
    struct sctp_info info;
    unsigned kept = 0;

    CHECK("up", up(&p, 50));
    for (uint32_t n = 2; n < 60000; n += 2)
        kept += data(&p, WHOLE, n, 0, (uint16_t)(n - 1), 4) == VERDICT_TAKEN;
    CHECK("so many ranges", kept == 512);
    CHECK("and blocks", pool_used(p.side[1].pool) < 8);
    sctp_get_info(p.side[1].sctp, &info);
    CHECK("the largest packet tells of some", p.largest_packet <= 1160);
    CHECK("alive", !p.side[1].is_closed);
    pair_deinit(&p);
}

TEST(a_million_tiny_messages_unread_are_bounded)
{
    struct sctp_pair p;
    struct sctp_info info;
    uint8_t bytes[1148];
    uint32_t n = 1;

    CHECK("up", up(&p, 51));
    p.side[1].is_reading = false;
    while (n < 1000000) {
        struct wr w = wr_of(bytes, sizeof bytes);

        for (int k = 0; k < 57; k++, n++)
            put_data(&w, WHOLE, tsn_of(&p, n), 0, (uint16_t)(n - 1), 1);
        pair_inject(&p, 1, p.tag[1], wr_written(&w));
        pair_drain(&p);
    }
    sctp_get_info(p.side[1].sctp, &info);
    CHECK("within the window, headers and all", info.unread_bytes <= 4u << 20);
    CHECK("and the pool", pool_used(p.side[1].pool) <= 1100);
    CHECK("alive", !p.side[1].is_closed);
    pair_deinit(&p);
}

TEST(a_message_behind_the_window_is_not_kept)
{
    struct sctp_pair p;
    struct sctp_info info;
    uint32_t n = 2;

    CHECK("up", up(&p, 52));
    for (; n < 20000; n++)
        if (data(&p, WHOLE, n, 0, (uint16_t)(n - 1), 1100) != VERDICT_TAKEN)
            break;
    CHECK("parked up to the window", n > 3400 && n < 3600);
    CHECK("the first one fits all the same", data(&p, WHOLE, 1, 0, 0, 1100) == VERDICT_TAKEN);
    CHECK("and sets all free", messages_of(&p) == n - 1);
    sctp_get_info(p.side[1].sctp, &info);
    CHECK("nothing is left", info.unread_bytes == 0 && pool_used(p.side[1].pool) == 0);
    pair_deinit(&p);
}

TEST(noise_is_only_counted)
{
    uint64_t seed = 77;
    struct rng rng = test_rng(&seed);
    struct sctp_pair p;
    uint8_t bytes[200];

    CHECK("up", up(&p, 53));
    for (int i = 0; i < 20000; i++) {
        size_t len = rng_below(&rng, sizeof bytes);

        rng_fill(&rng, bytes, len);
        CHECK("not taken", sctp_input(p.side[1].sctp, p.now, bytes_of(bytes, len)) ==
                               (len < 12 ? VERDICT_MALFORMED : VERDICT_FORGED));
    }
    CHECK("alive", sctp_is_up(p.side[1].sctp));
    pair_deinit(&p);
}

TESTS(TEST_ROW(orders_of_arrival), TEST_ROW(when_a_sack_is_sent),
      TEST_ROW(unknown_chunks_are_treated_as_their_type_says),
      TEST_ROW(control_chunks_out_of_place), TEST_ROW(reset_requests_are_answered),
      TEST_ROW(a_flood_of_gaps_is_bounded), TEST_ROW(a_million_tiny_messages_unread_are_bounded),
      TEST_ROW(a_message_behind_the_window_is_not_kept), TEST_ROW(noise_is_only_counted))
