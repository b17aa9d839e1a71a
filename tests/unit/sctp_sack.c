/* What a peer may claim to have received, by SACKs made by hand: true, false and changing. */
#include "core/sctp/sctp.h"
#include "tests/check.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults = { .streams_max = 16, .without = SCTP_I_DATA };

/* Side 1 sends; side 0 falls silent and its SACKs are made by hand. */
static bool up(struct sctp_pair *p, uint64_t seed)
{
    bool is_up = pair_connect(p, seed, &defaults, MILLISECOND);

    p->is_cut = true;
    return is_up;
}

/* Side 1 has three chunks in flight: TSNs 1 to 3. */
static const struct {
    const char *claim;
    uint32_t cum; /* relative to the TSN before the first */
    const char *rest;
    enum verdict verdict;
    bool is_end;
    size_t unacked; /* messages of 1000 bytes */
} sacks[] = {
    { "all", 3, "00100000 0000 0000", 0, false, 0 },
    { "none", 0, "00100000 0000 0000", 0, false, 3 },
    { "one", 1, "00100000 0000 0000", 0, false, 2 },
    { "a gap", 0, "00100000 0001 0000 0002 0003", 0, false, 3 },
    { "before the first", 0xffffffff, "00100000 0000 0000", VERDICT_DUPLICATE, false, 3 },
    { "never sent", 4, "00100000 0000 0000", VERDICT_MALFORMED, true, 3 },
    { "far away", 0x7fffffff, "00100000 0000 0000", VERDICT_MALFORMED, true, 3 },
    { "a gap never sent", 0, "00100000 0001 0000 0002 0004", VERDICT_MALFORMED, true, 3 },
    { "a gap backwards", 0, "00100000 0001 0000 0003 0002", 0, false, 3 },
    { "gaps out of order", 0, "00100000 0002 0000 0003 0003 0002 0002", 0, false, 3 },
    { "gaps overlap", 0, "00100000 0002 0000 0002 0003 0003 0003", 0, false, 3 },
    { "a gap of offset zero", 0, "00100000 0001 0000 0000 0003", 0, false, 3 },
    { "more gaps than there are bytes", 0, "00100000 ffff 0000", VERDICT_MALFORMED, false, 3 },
    { "a window shut", 3, "00000000 0000 0000", 0, false, 0 },
    { "a window of all ones", 3, "ffffffff 0000 0000", 0, false, 0 },
};

static enum verdict sack(struct sctp_pair *p, uint32_t cum, const char *rest)
{
    char hex[128];

    size_t digits = 0;

    for (const char *at = rest; *at; at++)
        digits += *at != ' ';
    snprintf(hex, sizeof hex, "0300%04x%08x %s", (unsigned)(8 + digits / 2),
             p->initial_tsn[1] - 1 + cum, rest);
    return pair_inject_hex(p, 1, hex);
}

TEST(acknowledgements)
{
    static const uint8_t bytes[1000];

    for (size_t i = 0; i < COUNT(sacks); i++) {
        struct sctp_pair p;

        CHECK("up", up(&p, i));
        for (int k = 0; k < 3; k++)
            CHECK("sent", pair_send(&p, 1, 0, 53, bytes_of(bytes, sizeof bytes)) == ERR_OK);
        pair_drain(&p);
        CHECK(sacks[i].claim, sack(&p, sacks[i].cum, sacks[i].rest) == sacks[i].verdict);
        pair_drain(&p);
        CHECK(sacks[i].claim, p.side[1].is_closed == sacks[i].is_end);
        CHECK(sacks[i].claim, sctp_unacked_bytes(p.side[1].sctp) == 1000 * sacks[i].unacked);
        pair_deinit(&p);
    }
}

static size_t flight_of(const struct sctp_pair *p)
{
    struct sctp_info info;

    sctp_get_info(p->side[1].sctp, &info);
    return info.flight_bytes;
}

enum { PAYLOAD_BYTES = 300, CHUNK_BYTES = PAYLOAD_BYTES + 16 };

/* Side 1 has sent `count` messages of a chunk each, three to a packet, so that none counts as lost
 * at once because of those behind it; side 0 has got none of them. */
static bool up_with_chunks_out(struct sctp_pair *p, uint64_t seed, int count)
{
    static const uint8_t bytes[PAYLOAD_BYTES];
    bool ok = up(p, seed);

    for (int k = 0; ok && k < count; k++)
        ok = pair_send(p, 1, 0, 53, bytes_of(bytes, sizeof bytes)) == ERR_OK;
    pair_drain(p);
    p->now += 40 * MILLISECOND;
    return ok;
}

/* Now all, now nothing: were each SACK believed, each would have us go through the whole flight. */
TEST(a_report_stays_whatever_later_ones_say)
{
    static const struct {
        const char *claim, *rest;
        size_t flight;
    } list[] = {
        { "two", "00100000 0001 0000 0002 0003", 4 * CHUNK_BYTES },
        { "nothing", "00100000 0000 0000", 4 * CHUNK_BYTES },
        { "one of them", "00100000 0001 0000 0003 0003", 4 * CHUNK_BYTES },
        { "that and others", "00100000 0002 0000 0003 0003 0005 0006", 2 * CHUNK_BYTES },
        { "nothing again", "00100000 0000 0000", 2 * CHUNK_BYTES },
        { "all but the first", "00100000 0001 0000 0002 0006", CHUNK_BYTES },
        { "still nothing", "00100000 0000 0000", CHUNK_BYTES },
    };
    struct sctp_pair p;

    CHECK("up", up_with_chunks_out(&p, 40, 6));
    for (size_t i = 0; i < COUNT(list); i++) {
        CHECK(list[i].claim, sack(&p, 0, list[i].rest) == VERDICT_TAKEN);
        CHECK(list[i].claim, flight_of(&p) == list[i].flight);
    }
    CHECK("the first is the last", sack(&p, 6, "00100000 0000 0000") == VERDICT_TAKEN);
    CHECK("none is out", flight_of(&p) == 0 && sctp_unacked_bytes(p.side[1].sctp) == 0);
    pair_deinit(&p);
}

TEST(what_was_reported_and_dropped_arrives_in_the_end)
{
    static const char *const reports[] = {
        "00100000 0001 0000 0002 0003", /* of three */
        "00100000 0001 0000 0001 0003",
        "00100000 0001 0000 0002 0002",
        "00100000 0002 0000 0001 0001 0003 0003",
    };

    for (size_t i = 0; i < COUNT(reports); i++) {
        struct sctp_pair p;

        CHECK("up", up_with_chunks_out(&p, 60 + i, 3));
        CHECK(reports[i], sack(&p, 0, reports[i]) == VERDICT_TAKEN);
        p.is_cut = false;
        pair_run(&p, p.now + 10 * SECOND);
        CHECK(reports[i], pair_is_delivered(&p, 1));
        CHECK(reports[i], !p.side[1].is_closed && flight_of(&p) == 0);
        pair_deinit(&p);
    }
}

TEST(what_was_reported_is_not_sent_again)
{
    struct sctp_pair p;
    struct sctp_info info;

    CHECK("up", up_with_chunks_out(&p, 41, 3));
    CHECK("gap", sack(&p, 0, "00100000 0001 0000 0002 0003") == VERDICT_TAKEN);
    pair_run(&p, p.now + 4 * SECOND);
    sctp_get_info(p.side[1].sctp, &info);
    CHECK("T3 alone sends, and the first alone",
          info.timeouts > 1 && info.retransmitted_chunks == info.timeouts);
    pair_deinit(&p);
}

TESTS(TEST_ROW(acknowledgements), TEST_ROW(a_report_stays_whatever_later_ones_say),
      TEST_ROW(what_was_reported_and_dropped_arrives_in_the_end),
      TEST_ROW(what_was_reported_is_not_sent_again))
