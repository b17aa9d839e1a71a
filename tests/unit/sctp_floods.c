/* I-DATA from a peer that sends as much as it can of what can never be read: memory and work stay
 * bounded, and what is waited for gets in. */
#include "core/sctp/assoc.h"

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

enum { STREAMS = 16 };

/* Side 1 is the victim, and reads nothing; side 0 falls silent. */
static bool up(struct sctp_pair *p)
{
    struct sctp_config cfg = { .streams_max = STREAMS };
    bool is_up = pair_connect(p, 1, &cfg, MILLISECOND);

    p->is_cut = true;
    p->side[1].is_reading = false;
    return is_up && sctp_has(p->side[1].sctp, SCTP_I_DATA);
}

/* The payload of d is its length only; n counts its TSN from 1. */
static enum verdict weave(struct sctp_pair *p, uint32_t n, struct data_chunk d)
{
    uint8_t bytes[1500];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum verdict verdict;

    d.tsn = p->initial_tsn[0] + n - 1;
    i_data_header_encode(&w, &d);
    wr_zero(&w, padded(d.payload.len));
    verdict = pair_inject(p, 1, p->tag[1], wr_written(&w));
    pair_drain(p);
    return verdict;
}

static void check_bounded(const struct sctp_pair *p)
{
    struct sctp_info info;

    sctp_get_info(p->side[1].sctp, &info);
    CHECK("within the window", info.unread_bytes <= 4u << 20);
    CHECK("and the pool", pool_used(p->side[1].pool) <= 1100);
    CHECK("alive", !p->side[1].is_closed);
}

TEST(messages_begun_and_never_ended_are_bounded)
{
    struct sctp_pair p;
    size_t kept = 0;

    CHECK("up", up(&p));
    for (uint32_t n = 1; n < 100000; n++)
        kept += weave(&p, n,
                      (struct data_chunk){
                          .stream = (uint16_t)(n % STREAMS),
                          .ssn = n / STREAMS,
                          .flags = (uint8_t)(n & 1 ? DATA_BEGINS | DATA_UNORDERED : DATA_BEGINS),
                          .payload.len = 1 }) == VERDICT_TAKEN;
    CHECK("as many as there are slots", kept <= 16384 + STREAMS);
    check_bounded(&p);
    pair_deinit(&p);
}

TEST(fragments_far_from_each_other_are_bounded)
{
    struct sctp_pair p;

    CHECK("up", up(&p));
    for (uint32_t n = 1; n < 20000; n++)
        weave(&p, n,
              (struct data_chunk){
                  .stream = (uint16_t)(n % STREAMS), .fsn = n * 1000003u, .payload.len = 1000 });
    check_bounded(&p);
    pair_deinit(&p);
}

TEST(a_million_tiny_messages_woven_are_bounded)
{
    struct sctp_pair p;
    size_t taken = 0;

    CHECK("up", up(&p));
    for (uint32_t n = 1; n < 1000000; n++) {
        taken += weave(&p, n,
                       (struct data_chunk){ .stream = (uint16_t)(n % STREAMS),
                                            .ssn = (n - 1) / STREAMS,
                                            .flags = 3,
                                            .payload.len = 1 }) == VERDICT_TAKEN;
        if (n > 400000 && n % 1000)
            n += 17; /* the window is shut, so it matters not which they are */
    }
    CHECK("many fit", taken > 250000 && taken < 400000);
    check_bounded(&p);
    pair_deinit(&p);
}

/* Two long messages of one stream, whose fragments alternate: what waits for the end of the first
 * must not keep out what that waits for. The peer sends again what was not taken. */
TEST(what_waits_does_not_keep_out_what_it_waits_for)
{
    enum { FRAGMENTS = 400, LEN = 1000 };
    static bool is_in[2 * FRAGMENTS];
    struct sctp_config cfg = { .streams_max = STREAMS, .rx_bytes_max = 65536 };
    struct sctp_pair p;
    unsigned left = 2 * FRAGMENTS;

    CHECK("up", pair_connect(&p, 1, &cfg, MILLISECOND));
    p.is_cut = true;
    for (int round = 0; left && round < 100; round++)
        for (uint32_t i = 0; i < 2 * FRAGMENTS; i++) {
            uint8_t kind = i & 1 ? DATA_UNORDERED : 0;
            uint8_t flags = i < 2 ? DATA_BEGINS : i >= 2 * FRAGMENTS - 2 ? DATA_ENDS : 0;
            enum verdict v;

            if (is_in[i])
                continue;
            v = weave(&p, i + 1,
                      (struct data_chunk){ .stream = 3,
                                           .fsn = i / 2,
                                           .flags = (uint8_t)(flags | kind),
                                           .payload.len = LEN });
            is_in[i] = v == VERDICT_TAKEN || v == VERDICT_DUPLICATE;
            left -= is_in[i];
        }
    CHECK("all came in", left == 0);
    CHECK("and was read", p.side[1].received[3].bytes == 2 * FRAGMENTS * LEN &&
                              p.side[1].received[3].messages == 2);
    pair_deinit(&p);
}

static void forward_by_hand(struct sctp_pair *p, uint32_t n, uint32_t mid)
{
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct forward_skip skip = { 0, false, mid };

    forward_encode(&w, true, p->initial_tsn[0] + n - 1, &skip, 1);
    pair_inject(p, 1, p->tag[1], wr_written(&w));
}

/* Work is counted where it is done: the numbers that one packet lets a stream go over. */
TEST(a_jump_over_much_that_waits_takes_several_packets)
{
    enum { WAITING = 9000 };
    struct sctp_pair p;
    const struct stream *st;
    uint32_t before = 0;

    CHECK("up", up(&p));
    for (uint32_t n = 1; n <= WAITING; n++)
        weave(&p, n + 1, (struct data_chunk){ .ssn = n, .flags = DATA_BEGINS, .payload.len = 1 });
    st = stream_find(p.side[1].sctp, 0);
    for (uint32_t i = 0; i < 20; i++) {
        forward_by_hand(&p, WAITING + 10 + i, 0x40000000);
        CHECK("so many at most",
              st->rx.due[0] > 0x40000000 || st->rx.due[0] - before <= SKIP_STEPS_MAX + 1);
        before = st->rx.due[0];
    }
    CHECK("in the end all are gone", before == 0x40000001 && p.side[1].sctp->rx.park.count == 0);
    CHECK("alive", !p.side[1].is_closed);
    pair_deinit(&p);
}

static void put_data(const struct sctp_pair *p, struct wr *w, uint32_t n, uint8_t flags)
{
    const struct data_chunk d = { .tsn = p->initial_tsn[0] + n - 1,
                                  .flags = flags,
                                  .payload.len = 1 };

    data_header_encode(w, &d);
    wr_zero(w, 4);
}

/* In DATA: while a message is being read another one waits that is whole, in very many fragments,
 * and is not to be skipped. To find that out for each fragment that is read would take this test
 * many times as long. */
TEST(what_waits_behind_an_open_message_is_not_searched_for_each_of_its_fragments)
{
    enum { READ = 60000, FIRST = READ + 2, WAITING = 5000, PER_PACKET = 50 };
    struct sctp_config cfg = { .streams_max = STREAMS, .without = SCTP_I_DATA };
    struct forward_skip skip = { 0, false, 5 };
    uint8_t bytes[64 + 20 * PER_PACKET];
    struct wr w = wr_of(bytes, sizeof bytes);
    const struct stream *st;
    struct sctp_pair p;

    CHECK("up", pair_connect(&p, 1, &cfg, MILLISECOND));
    p.is_cut = true;
    put_data(&p, &w, 1, DATA_UNORDERED | DATA_BEGINS);
    pair_inject(&p, 1, p.tag[1], wr_written(&w));
    for (uint32_t i = 0; i < WAITING; i++) {
        w = wr_of(bytes, sizeof bytes);
        put_data(&p, &w, FIRST + i,
                 (uint8_t)((i == 0 ? DATA_BEGINS : 0) | (i + 1 == WAITING ? DATA_ENDS : 0)));
        pair_inject(&p, 1, p.tag[1], wr_written(&w));
        pair_drain(&p);
    }
    w = wr_of(bytes, sizeof bytes);
    forward_encode(&w, false, p.initial_tsn[0], &skip, 1);
    pair_inject(&p, 1, p.tag[1], wr_written(&w));
    st = stream_find(p.side[1].sctp, 0);
    for (uint32_t n = 2; n <= READ;) {
        w = wr_of(bytes, sizeof bytes);
        for (unsigned i = 0; i < PER_PACKET && n <= READ; i++, n++)
            put_data(&p, &w, n, DATA_UNORDERED);
        pair_inject(&p, 1, p.tag[1], wr_written(&w));
        pair_drain(&p);
    }
    CHECK("it waits", p.side[1].sctp->rx.park.count == WAITING && st->rx.due[0] == 0);
    w = wr_of(bytes, sizeof bytes);
    put_data(&p, &w, READ + 1, DATA_UNORDERED | DATA_ENDS);
    pair_inject(&p, 1, p.tag[1], wr_written(&w));
    pair_drain(&p);
    CHECK("it was not skipped",
          p.side[1].received[0].messages == 2 && p.side[1].received[0].bytes == READ + 1 + WAITING);
    CHECK("those behind it were", st->rx.due[0] == 6 && !p.side[1].is_closed);
    pair_deinit(&p);
}

TEST(messages_are_told_when_they_are_whole)
{
    struct sctp_pair p;
    struct sctp_event ev;
    struct sctp *s;
    unsigned told = 0;

    CHECK("up", up(&p));
    s = p.side[1].sctp;
    weave(&p, 1,
          (struct data_chunk){ .flags = DATA_BEGINS,
                               .payload.len = 9 }); /* its event is taken by the drain */
    for (uint32_t n = 2; n < 5; n++) {
        uint8_t bytes[64];
        struct wr w = wr_of(bytes, sizeof bytes);
        struct data_chunk d = { .flags = n == 4 ? DATA_ENDS : 0,
                                .tsn = p.initial_tsn[0] + n - 1,
                                .fsn = n - 1,
                                .payload.len = 4 };

        i_data_header_encode(&w, &d);
        wr_zero(&w, 4);
        pair_inject(&p, 1, p.tag[1], wr_written(&w));
        while (sctp_poll_event(s, &ev))
            told += ev.type == SCTP_EVENT_READABLE && n == 4;
    }
    CHECK("at its end", told == 1);
    pair_deinit(&p);
}

TESTS(TEST_ROW(messages_begun_and_never_ended_are_bounded),
      TEST_ROW(fragments_far_from_each_other_are_bounded),
      TEST_ROW(a_million_tiny_messages_woven_are_bounded),
      TEST_ROW(what_waits_does_not_keep_out_what_it_waits_for),
      TEST_ROW(a_jump_over_much_that_waits_takes_several_packets),
      TEST_ROW(what_waits_behind_an_open_message_is_not_searched_for_each_of_its_fragments),
      TEST_ROW(messages_are_told_when_they_are_whole))
