/* channel_messages.c: messages on the channels, lossy channels, priorities. */
#include <assert.h>

#include "core/channel/wire.h"
#include "tests/check.h"
#include "tests/support/channel_duo.h"

static void fill_pattern(struct chain *c, size_t len, unsigned seed)
{
    uint8_t some[1024];

    for (size_t done = 0; done < len;) {
        size_t n = len - done < sizeof some ? len - done : sizeof some;

        for (size_t i = 0; i < n; i++)
            some[i] = (uint8_t)((done + i) * 31 + ((done + i) >> 8) + seed);
        assert(chain_append(c, bytes_of(some, n)) == n);
        done += n;
    }
}

static bool is_pattern(struct chain *c, size_t len, unsigned seed)
{
    uint8_t some[1024];
    bool is_so = c->len == len;

    for (size_t done = 0; is_so && done < len;) {
        size_t n = chain_take(c, some, sizeof some);

        for (size_t i = 0; i < n; i++)
            is_so &= some[i] == (uint8_t)((done + i) * 31 + ((done + i) >> 8) + seed);
        done += n;
    }
    return is_so;
}

static int send_pattern(struct channel_duo *d, int end, unsigned channel, size_t len, unsigned seed)
{
    struct chain c;
    int err;

    chain_init(&c, d->two.pool);
    fill_pattern(&c, len, seed);
    err = channel_send_message(&d->channels[end], d->two.now, channel, &c, len, d->two.now);
    CHECK("all or none", c.len == (err ? len : 0));
    chain_deinit(&c);
    return err;
}

static const size_t lengths[] = { 1,     2,     1100,  1200,   4080,   4096,
                                  16383, 16384, 16385, 100000, 262143, CHANNEL_WHOLE_MAX };

TEST(messages_arrive_as_they_were_on_every_channel_both_ways)
{
    static struct channel_duo d;

    channel_duo_open(&d, false, true);
    for (unsigned channel = 0; channel < CHANNEL_COUNT; channel++)
        for (unsigned from = 0; from < 2; from++)
            for (size_t i = 0; i < COUNT(lengths); i++) {
                struct chain got;

                chain_init(&got, d.two.pool);
                CHECK("taken", send_pattern(&d, (int)from, channel, lengths[i], channel) == ERR_OK);
                channel_duo_run(&d, 6);
                CHECK("whole", channel_duo_recv(&d, !from, channel, &got));
                CHECK("as it was", is_pattern(&got, lengths[i], channel));
                CHECK("and nothing else",
                      !channel_duo_recv(&d, !from, channel, &got) && got.len == 0);
                chain_deinit(&got);
                channel_duo_run(&d, 2);
            }
    channel_duo_close(&d);
}

/* Even where the receiver has not found it worth a word that a little was read. */
TEST(the_longest_message_always_finds_credit_in_the_end)
{
    for (size_t before = 0; before < 2 * CREDIT_FIRST; before += 24001) {
        static struct channel_duo d;
        struct chain c;
        size_t left = before;
        int err = ERR_LIMIT;

        channel_duo_open(&d, false, true);
        chain_init(&c, d.two.pool);
        fill_pattern(&c, before, 0);
        for (unsigned i = 0; i < 60 && (left || err); i++) {
            left -= channel_send_chain(&d.channels[DUO_APP], d.two.now, 4, &c, left);
            if (!left)
                err = send_pattern(&d, DUO_APP, 4, CHANNEL_WHOLE_MAX, 0);
            channel_duo_run(&d, 2);
            (void)channel_duo_drain(&d, DUO_DEVICE, 4);
        }
        CHECK("all of it", c.len == 0 && err == ERR_OK);
        chain_deinit(&c);
        channel_duo_close(&d);
    }
}

TEST(bytes_and_messages_mix_in_their_order)
{
    static struct channel_duo d;
    struct chain c;
    bool ends;

    channel_duo_open(&d, false, true);
    chain_init(&c, d.two.pool);
    CHECK("bytes", channel_send(&d.channels[DUO_APP], d.two.now, 2, bytes_of("abc", 3)) == 3);
    CHECK("a message", send_pattern(&d, DUO_APP, 2, 1000, 5) == ERR_OK);
    CHECK("bytes", channel_send(&d.channels[DUO_APP], d.two.now, 2, bytes_of("de", 2)) == 2);
    CHECK("counted", d.channels[DUO_APP].count[2].sent == 1005);
    channel_duo_run(&d, 4);
    CHECK("in parts",
          channel_recv_chain(&d.channels[DUO_DEVICE], d.two.now, 2, &c, 2, &ends) == 2 && !ends);
    CHECK("to its end",
          channel_recv_chain(&d.channels[DUO_DEVICE], d.two.now, 2, &c, 2, &ends) == 1 && ends);
    chain_drop(&c, 3);
    CHECK("not beyond an end", channel_duo_recv(&d, DUO_DEVICE, 2, &c) && is_pattern(&c, 1000, 5));
    CHECK("the rest", channel_duo_recv(&d, DUO_DEVICE, 2, &c) && c.len == 2);
    CHECK("counted", d.channels[DUO_DEVICE].count[2].received == 1005);
    chain_deinit(&c);
    channel_duo_close(&d);
}

TEST(what_does_not_fit_is_refused_and_told_when_it_does)
{
    static struct channel_duo d;

    channel_duo_open(&d, false, true);
    CHECK("empty", send_pattern(&d, DUO_APP, 0, 0, 0) == ERR_INVALID);
    CHECK("too long", send_pattern(&d, DUO_APP, 0, CHANNEL_WHOLE_MAX + 1, 0) == ERR_INVALID);
    CHECK("one", send_pattern(&d, DUO_APP, 0, 200000, 0) == ERR_OK);
    CHECK("no credit for two", send_pattern(&d, DUO_APP, 0, 200000, 0) == ERR_LIMIT);
    CHECK("room for what is left",
          channel_send_room(&d.channels[DUO_APP], 0) <= CREDIT_FIRST - 200000);
    channel_duo_run(&d, 10);
    CHECK("unread: still none", d.writable[DUO_APP][0] == 0);
    CHECK("read", channel_duo_drain(&d, DUO_DEVICE, 0) == 1);
    channel_duo_run(&d, 10);
    CHECK("told", d.writable[DUO_APP][0] >= 1);
    CHECK("and so it is", send_pattern(&d, DUO_APP, 0, 200000, 0) == ERR_OK);
    channel_duo_close(&d);
}

/* ---- Lossy channels -------------------------------------------------------------------------- */

TEST(a_lossy_channel_needs_no_credit_once_the_peer_knows)
{
    static struct channel_duo d;
    size_t sent = 0, got = 0;

    channel_duo_open(&d, false, true);
    CHECK("none yet", !channel_is_lossy(&d.channels[DUO_APP], 2));
    CHECK("set", channel_set_lossy(&d.channels[DUO_APP], d.two.now, 2, SECOND, 0) == ERR_OK);
    CHECK("ours", channel_is_lossy(&d.channels[DUO_APP], 2));
    CHECK("the peer has not heard", !channel_peer_is_lossy(&d.channels[DUO_DEVICE], 2));
    CHECK("so credit counts", channel_credit(&d.channels[DUO_APP], 2) == CREDIT_FIRST);
    channel_duo_run(&d, 4);
    CHECK("now it has", channel_peer_is_lossy(&d.channels[DUO_DEVICE], 2));
    CHECK("of this channel", !channel_peer_is_lossy(&d.channels[DUO_DEVICE], 1));
    CHECK("one way", !channel_peer_is_lossy(&d.channels[DUO_APP], 2));
    CHECK("and credit is without end", channel_credit(&d.channels[DUO_APP], 2) > SIZE_MAX / 2);
    while (sent < 40) {
        sent += send_pattern(&d, DUO_APP, 2, 100000, (unsigned)sent) == ERR_OK;
        channel_duo_run(&d, 2);
        if (sent > 20) /* more than any window of credit before anybody reads */
            got += channel_duo_drain(&d, DUO_DEVICE, 2);
    }
    channel_duo_run(&d, 10);
    got += channel_duo_drain(&d, DUO_DEVICE, 2);
    CHECK("each of them, as nothing was lost", got == sent);
    CHECK("no peer overran anything", d.overruns[DUO_DEVICE] == 0);
    channel_duo_close(&d);
}

/* The first part of a message must not be taken for all of it. */
TEST(of_a_lossy_peer_only_whole_messages_are_given)
{
    static struct channel_duo d;
    struct chain c;
    unsigned parts = 0;
    bool ends;

    channel_duo_open(&d, false, true);
    chain_init(&c, d.two.pool);
    CHECK("set", channel_set_lossy(&d.channels[DUO_APP], d.two.now, 1, USEC_NEVER, 3) == ERR_OK);
    channel_duo_run(&d, 4);
    CHECK("sent", send_pattern(&d, DUO_APP, 1, CHANNEL_WHOLE_MAX, 9) == ERR_OK);
    while (c.len == 0 && parts++ < 1000) {
        size_t n = channel_recv_chain(&d.channels[DUO_DEVICE], d.two.now, 1, &c, 1, &ends);

        CHECK("all or none", n == 0 || (n == CHANNEL_WHOLE_MAX && ends));
        (void)duo_move(&d.two, DUO_APP);
        (void)duo_move(&d.two, DUO_DEVICE);
        duo_wait(&d.two, MILLISECOND);
    }
    CHECK("it came in parts", parts > 2);
    CHECK("as it was", is_pattern(&c, CHANNEL_WHOLE_MAX, 9));
    chain_deinit(&c);
    channel_duo_close(&d);
}

TEST(a_foreign_peer_is_not_told)
{
    static struct channel_duo d;
    struct sctp_piece piece;

    channel_duo_open(&d, true, false);
    CHECK("set", channel_set_lossy(&d.channels[DUO_DEVICE], d.two.now, 2, SECOND, 0) == ERR_OK);
    CHECK("sent", send_pattern(&d, DUO_DEVICE, 2, 1000, 0) == ERR_OK);
    channel_duo_run(&d, 4);
    CHECK("nothing on stream 8", !sctp_recv(d.two.sctp[DUO_APP], CHANNEL_CONTROL_STREAM, &piece));
    CHECK("the message", sctp_recv(d.two.sctp[DUO_APP], 2, &piece) && piece.ppid == PPID_BINARY);
    channel_duo_close(&d);
}

static const struct {
    const char *claim;
    uint8_t type;
    bool is_lossy;
} open_rows[] = {
    { "reliable", 0x00, false },
    { "reliable, unordered", 0x80, false },
    { "by retransmissions", 0x01, true },
    { "the same, unordered", 0x81, true },
    { "by time", 0x02, true },
    { "the same, unordered", 0x82, true },
};

TEST(a_foreign_peer_says_by_its_open_whether_it_may_lose_messages)
{
    for (size_t i = 0; i < COUNT(open_rows); i++) {
        static struct channel_duo d;
        const uint8_t message[] = { DCEP_OPEN, open_rows[i].type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

        channel_duo_open(&d, true, false);
        CHECK("said", sctp_send(d.two.sctp[DUO_APP], d.two.now, 3, PPID_DCEP,
                                bytes_of(message, sizeof message)) == ERR_OK);
        channel_duo_run(&d, 2);
        CHECK(open_rows[i].claim,
              channel_peer_is_lossy(&d.channels[DUO_DEVICE], 3) == open_rows[i].is_lossy);
        CHECK("no other", !channel_peer_is_lossy(&d.channels[DUO_DEVICE], 2));
        channel_duo_close(&d);
    }
}

/* One that never said so: what was read of a message that it gives up is not joined to the next,
 * and from then on whole ones alone are given. */
TEST(a_message_given_up_while_it_is_read_ends_there)
{
    static uint8_t some[200000];
    static struct channel_duo d;
    struct sctp_message m = { .stream = 3,
                              .ppid = PPID_BINARY,
                              .retransmits_max = SCTP_RETRANSMITS_ANY };
    struct chain c;
    size_t n = 1, begun = 0;
    bool ends = false;

    channel_duo_open(&d, true, false);
    chain_init(&c, d.two.pool);
    m.give_up_at = d.two.now + 100 * MILLISECOND;
    CHECK("sent", sctp_send_message(d.two.sctp[DUO_APP], d.two.now, &m,
                                    bytes_of(some, sizeof some)) == ERR_OK);
    (void)duo_move(&d.two, DUO_APP);
    while (n) {
        n = channel_recv_chain(&d.channels[DUO_DEVICE], d.two.now, 3, &c, sizeof some, &ends);
        begun += n;
    }
    CHECK("a part of it was read", begun > 0 && begun < sizeof some && !ends);
    duo_wait(&d.two, 200 * MILLISECOND);
    m.give_up_at = USEC_NEVER;
    CHECK("the next",
          sctp_send_message(d.two.sctp[DUO_APP], d.two.now, &m, bytes_of(some, 5000)) == ERR_OK);
    channel_duo_run(&d, 20);
    chain_drop(&c, c.len);
    CHECK("the rest will not come",
          channel_recv_chain(&d.channels[DUO_DEVICE], d.two.now, 3, &c, sizeof some, &ends) == 0 &&
              ends);
    CHECK("it may lose more", channel_peer_is_lossy(&d.channels[DUO_DEVICE], 3));
    CHECK("the next is whole", channel_duo_recv(&d, DUO_DEVICE, 3, &c) && c.len == 5000);
    chain_deinit(&c);
    channel_duo_close(&d);
}

/* ---- Priorities ------------------------------------------------------------------------------ */

static size_t arrived(const struct channel_duo *d, uint16_t channel)
{
    return sctp_stream_unread_bytes(d->two.sctp[DUO_DEVICE], channel);
}

/* Queues 300 KB on two channels at once and lets the first of it arrive, so much in all. */
static void race(struct channel_duo *d, unsigned one, unsigned other, size_t len)
{
    static const uint8_t some[300000];

    CHECK("queued", channel_send(&d->channels[DUO_APP], d->two.now, one,
                                 bytes_of(some, sizeof some)) == sizeof some);
    CHECK("queued", channel_send(&d->channels[DUO_APP], d->two.now, other,
                                 bytes_of(some, sizeof some)) == sizeof some);
    for (unsigned i = 0; i < 10000 && arrived(d, (uint16_t)one) + arrived(d, (uint16_t)other) < len;
         i++) {
        (void)duo_move(&d->two, DUO_APP);
        (void)duo_move(&d->two, DUO_DEVICE);
        duo_wait(&d->two, MILLISECOND);
    }
}

static const struct {
    const char *claim;
    unsigned class[2], weight[2]; /* of channels 2 and 3 */
    unsigned least, most;         /* percent of what arrives first that is channel 2's */
} races[] = {
    { "the same", { 4, 4 }, { 1, 1 }, 40, 60 },
    { "three to one", { 4, 4 }, { 3, 1 }, 65, 85 },
    { "one to a hundred", { 7, 7 }, { 1, 100 }, 0, 10 },
    { "a lower class goes first", { 1, 2 }, { 1, 100 }, 100, 100 },
    { "a higher one last", { 7, 6 }, { 100, 1 }, 0, 0 },
    { "as it is without a word: audio before playback", { 0, 0 }, { 0, 0 }, 100, 100 },
};

TEST(classes_and_weights_decide_what_goes_first)
{
    for (size_t i = 0; i < COUNT(races); i++) {
        static struct channel_duo d;
        size_t share;

        channel_duo_open(&d, false, true);
        for (unsigned k = 0; races[i].class[0] && k < 2; k++)
            CHECK("set", channel_set_priority(&d.channels[DUO_APP], 2 + k, races[i].class[k],
                                              races[i].weight[k]) == ERR_OK);
        race(&d, 2, 3, 150000);
        share = arrived(&d, 2) * 100 / (arrived(&d, 2) + arrived(&d, 3));
        CHECK(races[i].claim, share >= races[i].least && share <= races[i].most);
        channel_duo_close(&d);
    }
}

TEST(priorities_that_there_are_not)
{
    static struct channel_duo d;

    channel_duo_open(&d, false, true);
    CHECK("class 0 is the control stream's",
          channel_set_priority(&d.channels[DUO_APP], 0, 0, 1) == ERR_INVALID);
    CHECK("class 8", channel_set_priority(&d.channels[DUO_APP], 0, 8, 1) == ERR_INVALID);
    CHECK("no weight", channel_set_priority(&d.channels[DUO_APP], 0, 1, 0) == ERR_INVALID);
    CHECK("too much", channel_set_priority(&d.channels[DUO_APP], 0, 1, 101) == ERR_INVALID);
    CHECK("channel 8", channel_set_priority(&d.channels[DUO_APP], 8, 1, 1) == ERR_INVALID);
    CHECK("nothing has changed",
          d.channels[DUO_APP].priority_class[0] == 1 && d.channels[DUO_APP].weight[0] == 1);
    channel_duo_close(&d);
}

TESTS(TEST_ROW(messages_arrive_as_they_were_on_every_channel_both_ways),
      TEST_ROW(the_longest_message_always_finds_credit_in_the_end),
      TEST_ROW(bytes_and_messages_mix_in_their_order),
      TEST_ROW(what_does_not_fit_is_refused_and_told_when_it_does),
      TEST_ROW(a_lossy_channel_needs_no_credit_once_the_peer_knows),
      TEST_ROW(of_a_lossy_peer_only_whole_messages_are_given), TEST_ROW(a_foreign_peer_is_not_told),
      TEST_ROW(a_foreign_peer_says_by_its_open_whether_it_may_lose_messages),
      TEST_ROW(a_message_given_up_while_it_is_read_ends_there),
      TEST_ROW(classes_and_weights_decide_what_goes_first), TEST_ROW(priorities_that_there_are_not))
