/* Which stream's bytes leave first: seen at the receiver, over a window that lets little in. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/support/sctp_duo.h"

enum { SENDER, RECEIVER, POOL_BLOCKS = 8192, MESSAGE = 8000, STREAMS = 8 };

struct duo {
    struct sctp_duo two;
    size_t received[STREAMS];
};

static void take(struct duo *d)
{
    struct sctp_event ev;
    struct sctp_piece piece;

    for (int end = 0; end < 2; end++)
        while (sctp_poll_event(d->two.sctp[end], &ev))
            continue;
    for (uint16_t i = 0; i < STREAMS; i++)
        while (sctp_recv(d->two.sctp[RECEIVER], i, &piece)) {
            d->received[i] += piece.data.len;
            sctp_consume(d->two.sctp[RECEIVER], d->two.now, i, piece.data.len);
        }
}

/* One window's worth goes over, and its acknowledgements come back. */
static void round_trip(struct duo *d)
{
    duo_move(&d->two, SENDER);
    d->two.now += 10 * MILLISECOND;
    take(d);
    sctp_tick(d->two.sctp[RECEIVER], d->two.now + 20 * MILLISECOND);
    duo_move(&d->two, RECEIVER);
    d->two.now += 30 * MILLISECOND;
    sctp_tick(d->two.sctp[SENDER], d->two.now);
}

static void open_without(struct duo *d, unsigned without)
{
    const struct sctp_config cfg = { .tx_bytes_max = 8 << 20,
                                     .without = without,
                                     .stream_tx_bytes_max = 4 << 20 };

    memset(d, 0, sizeof *d);
    duo_init(&d->two, 7, POOL_BLOCKS);
    duo_make_both(&d->two, &cfg);
    assert(sctp_connect(d->two.sctp[SENDER], d->two.now) == ERR_OK);
    for (int i = 0; i < 4; i++)
        round_trip(d);
    assert(sctp_is_up(d->two.sctp[SENDER]));
}

static void fill(struct duo *d, uint16_t stream, size_t messages)
{
    static const uint8_t some[MESSAGE];

    while (messages--)
        CHECK("queued", sctp_send(d->two.sctp[SENDER], d->two.now, stream, 53,
                                  bytes_of(some, sizeof some)) == ERR_OK);
}

static void open(struct duo *d)
{
    open_without(d, 0);
}

TEST(a_lower_class_goes_first)
{
    static struct duo d;

    open(&d);
    CHECK("set", sctp_set_stream_priority(d.two.sctp[SENDER], 0, 1, 1) == ERR_OK);
    /* Among equals stream 5 would have 400 KiB at a time. */
    CHECK("set", sctp_set_stream_priority(d.two.sctp[SENDER], 5, 6, SCTP_WEIGHT_MAX) == ERR_OK);
    fill(&d, 5, 100);
    round_trip(&d);
    fill(&d, 0, 1);
    for (int i = 0; i < 2 && !d.received[0]; i++)
        round_trip(&d);
    CHECK("it is there", d.received[0] == MESSAGE);
    CHECK("long before the others have gone", d.received[5] < 50 * MESSAGE);
    duo_deinit(&d.two);
}

/* Without I-DATA fragments of two messages do not mix (RFC 9260 §6.9); with it they do. */
TEST(between_messages_only_or_between_fragments)
{
    for (int mixes = 0; mixes < 2; mixes++) {
        static struct duo d;
        static const uint8_t whole[200000];

        open_without(&d, mixes ? 0 : SCTP_I_DATA);
        CHECK("set", sctp_set_stream_priority(d.two.sctp[SENDER], 0, 1, 1) == ERR_OK);
        CHECK("queued", sctp_send(d.two.sctp[SENDER], d.two.now, 5, 53,
                                  bytes_of(whole, sizeof whole)) == ERR_OK);
        duo_move(&d.two, SENDER);
        fill(&d, 0, 1);
        for (int i = 0; i < 100 && !d.received[0]; i++)
            round_trip(&d);
        CHECK("a message that has begun ends first",
              mixes ? d.received[5] < sizeof whole / 2 : d.received[5] == sizeof whole);
        duo_deinit(&d.two);
    }
}

static const struct {
    const char *claim;
    unsigned weight[2];
    size_t least_percent, most_percent; /* of the first stream, of both */
} rows[] = {
    { "the same weight, the same share", { 1, 1 }, 45, 55 },
    { "three to one", { 3, 1 }, 70, 80 },
    { "the least against the most", { 1, SCTP_WEIGHT_MAX }, 0, 6 },
};

TEST(shares_within_a_class)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct duo d;
        size_t all;

        open(&d);
        for (uint16_t k = 0; k < 2; k++)
            CHECK("set",
                  sctp_set_stream_priority(d.two.sctp[SENDER], k, 3, rows[i].weight[k]) == ERR_OK);
        for (uint16_t k = 0; k < 2; k++)
            fill(&d, k, 500);
        for (int k = 0; k < 400 && d.received[0] + d.received[1] < 350 * MESSAGE; k++)
            round_trip(&d);
        all = d.received[0] + d.received[1];
        CHECK("much has gone", all > 200 * MESSAGE);
        CHECK(rows[i].claim, d.received[0] * 100 >= all * rows[i].least_percent &&
                                 d.received[0] * 100 <= all * rows[i].most_percent);
        duo_deinit(&d.two);
    }
}

/* With I-DATA shares hold within messages, too. */
TEST(shares_of_two_long_messages)
{
    static struct duo d;
    static const uint8_t whole[250000];
    size_t all;

    open(&d);
    for (uint16_t k = 0; k < 2; k++) {
        CHECK("set", sctp_set_stream_priority(d.two.sctp[SENDER], k, 3, k ? 1 : 3) == ERR_OK);
        CHECK("queued", sctp_send(d.two.sctp[SENDER], d.two.now, k, 53,
                                  bytes_of(whole, sizeof whole)) == ERR_OK);
    }
    for (int k = 0; k < 100 && d.received[0] < sizeof whole * 9 / 10; k++)
        round_trip(&d);
    all = d.received[0] + d.received[1];
    CHECK("three to one before either has ended",
          d.received[0] * 100 >= all * 68 && d.received[0] * 100 <= all * 82);
    for (int k = 0; k < 100 && d.received[0] + d.received[1] < 2 * sizeof whole; k++)
        round_trip(&d);
    CHECK("both come whole", d.received[0] == sizeof whole && d.received[1] == sizeof whole);
    duo_deinit(&d.two);
}

TEST(a_class_may_change_while_bytes_wait)
{
    static struct duo d;

    open(&d);
    fill(&d, 1, 50);
    fill(&d, 2, 50);
    fill(&d, 3, 50);
    round_trip(&d);
    CHECK("set", sctp_set_stream_priority(d.two.sctp[SENDER], 2, 0, 1) == ERR_OK);
    for (int i = 0; i < 100 && d.received[2] < 50 * MESSAGE; i++)
        round_trip(&d);
    CHECK("it went before the others",
          d.received[1] < 25 * MESSAGE && d.received[3] < 25 * MESSAGE);
    for (int i = 0; i < 100; i++)
        round_trip(&d);
    CHECK("which come too", d.received[1] == 50 * MESSAGE && d.received[3] == 50 * MESSAGE);
    duo_deinit(&d.two);
}

TEST(what_cannot_be_set)
{
    static struct duo d;

    open(&d);
    CHECK("no such class",
          sctp_set_stream_priority(d.two.sctp[SENDER], 0, SCTP_CLASSES, 1) == ERR_INVALID);
    CHECK("no weight", sctp_set_stream_priority(d.two.sctp[SENDER], 0, 1, 0) == ERR_INVALID);
    CHECK("too much",
          sctp_set_stream_priority(d.two.sctp[SENDER], 0, 1, SCTP_WEIGHT_MAX + 1) == ERR_INVALID);
    CHECK("no such stream",
          sctp_set_stream_priority(d.two.sctp[SENDER], 5000, 1, 1) == ERR_INVALID);
    duo_deinit(&d.two);
}

TESTS(TEST_ROW(a_lower_class_goes_first), TEST_ROW(between_messages_only_or_between_fragments),
      TEST_ROW(shares_within_a_class), TEST_ROW(shares_of_two_long_messages),
      TEST_ROW(a_class_may_change_while_bytes_wait), TEST_ROW(what_cannot_be_set))
