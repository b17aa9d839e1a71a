/* channel_messages.c: messages on the channels, lossy channels, and peers that abuse either. */
#include "core/channel/channel.h"
#include "core/channel/wire.h"

#include <assert.h>

#include "tests/check.h"
#include "tests/support/hex.h"
#include "tests/support/sctp_duo.h"

enum { APP, DEVICE, POOL_BLOCKS = 8192 };

#define ROUND (25 * MILLISECOND)

struct duo {
    struct sctp_duo two;
    struct channel_set channels[2];
    bool is_raw[2]; /* that end is plain SCTP: the test reads and writes its streams itself */
    unsigned readable[2][CHANNEL_COUNT], writable[2][CHANNEL_COUNT], overruns[2], closes[2];
};

static void take_events(struct duo *d, int end)
{
    struct sctp_event ev;
    struct channel_event told;

    while (sctp_poll_event(d->two.sctp[end], &ev))
        if (!d->is_raw[end] && ev.type != SCTP_EVENT_UP && ev.type != SCTP_EVENT_CLOSED)
            channel_input(&d->channels[end], d->two.now, &ev);
    while (channel_poll_event(&d->channels[end], &told)) {
        d->readable[end][told.channel] += told.type == CHANNEL_EVENT_READABLE;
        d->writable[end][told.channel] += told.type == CHANNEL_EVENT_WRITABLE;
        d->overruns[end] += told.type == CHANNEL_EVENT_OVERRUN;
        d->closes[end] += told.type == CHANNEL_EVENT_CLOSE;
    }
}

static void run(struct duo *d, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        bool has_moved = true;

        while (has_moved) {
            has_moved = duo_move(&d->two, APP);
            has_moved |= duo_move(&d->two, DEVICE);
            take_events(d, APP);
            take_events(d, DEVICE);
        }
        duo_wait(&d->two, ROUND);
    }
}

/* Two hawsers, or ours (DEVICE) and an association that the test drives by hand. */
static void open(struct duo *d, bool is_app_raw, bool has_credit)
{
    static const struct sctp_config cfg = { .tx_bytes_max = 8 << 20,
                                            .stream_tx_bytes_max = 4 << 20,
                                            .rx_bytes_max = CHANNEL_UNREAD_MAX };

    memset(d, 0, sizeof *d);
    duo_init(&d->two, 11, POOL_BLOCKS);
    duo_make_both(&d->two, &cfg);
    d->is_raw[APP] = is_app_raw;
    for (int end = 0; end < 2; end++) {
        assert(channel_init(&d->channels[end], d->two.sctp[end]) == ERR_OK);
        if (has_credit)
            channel_use_credit(&d->channels[end], d->two.now);
    }
    assert(sctp_connect(d->two.sctp[APP], d->two.now) == ERR_OK);
    run(d, 2);
    CHECK("up", sctp_is_up(d->two.sctp[APP]) && sctp_is_up(d->two.sctp[DEVICE]));
}

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

static int send_pattern(struct duo *d, int end, unsigned channel, size_t len, unsigned seed)
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

/* Takes what is there up to a message's end; false: there was no end. */
static bool recv_one(struct duo *d, int end, unsigned channel, struct chain *to)
{
    bool ends = false;

    while (!ends && channel_recv_chain(&d->channels[end], d->two.now, channel, to, 100000, &ends))
        continue;
    return ends;
}

static size_t drain(struct duo *d, int end, unsigned channel)
{
    struct chain c;
    size_t count = 0;

    chain_init(&c, d->two.pool);
    while (recv_one(d, end, channel, &c)) {
        count++;
        chain_drop(&c, c.len);
    }
    chain_deinit(&c);
    return count;
}

static const size_t lengths[] = { 1,     2,     1100,  1200,   4080,   4096,
                                  16383, 16384, 16385, 100000, 262143, CHANNEL_WHOLE_MAX };

TEST(messages_arrive_as_they_were_on_every_channel_both_ways)
{
    static struct duo d;

    open(&d, false, true);
    for (unsigned channel = 0; channel < CHANNEL_COUNT; channel++)
        for (unsigned from = 0; from < 2; from++)
            for (size_t i = 0; i < COUNT(lengths); i++) {
                struct chain got;

                chain_init(&got, d.two.pool);
                CHECK("taken", send_pattern(&d, (int)from, channel, lengths[i], channel) == ERR_OK);
                run(&d, 6);
                CHECK("whole", recv_one(&d, !from, channel, &got));
                CHECK("as it was", is_pattern(&got, lengths[i], channel));
                CHECK("and nothing else", !recv_one(&d, !from, channel, &got) && got.len == 0);
                chain_deinit(&got);
                run(&d, 2);
            }
    duo_deinit(&d.two);
}

/* Even where the receiver has not found it worth a word that a little was read. */
TEST(the_longest_message_always_finds_credit_in_the_end)
{
    for (size_t before = 0; before < 2 * CREDIT_FIRST; before += 24001) {
        static struct duo d;
        struct chain c;
        size_t left = before;
        int err = ERR_LIMIT;

        open(&d, false, true);
        chain_init(&c, d.two.pool);
        fill_pattern(&c, before, 0);
        for (unsigned i = 0; i < 60 && (left || err); i++) {
            left -= channel_send_chain(&d.channels[APP], d.two.now, 4, &c, left);
            if (!left)
                err = send_pattern(&d, APP, 4, CHANNEL_WHOLE_MAX, 0);
            run(&d, 2);
            (void)drain(&d, DEVICE, 4);
        }
        CHECK("all of it", c.len == 0 && err == ERR_OK);
        chain_deinit(&c);
        duo_deinit(&d.two);
    }
}

TEST(bytes_and_messages_mix_in_their_order)
{
    static struct duo d;
    struct chain c;
    bool ends;

    open(&d, false, true);
    chain_init(&c, d.two.pool);
    CHECK("bytes", channel_send(&d.channels[APP], d.two.now, 2, bytes_of("abc", 3)) == 3);
    CHECK("a message", send_pattern(&d, APP, 2, 1000, 5) == ERR_OK);
    CHECK("bytes", channel_send(&d.channels[APP], d.two.now, 2, bytes_of("de", 2)) == 2);
    CHECK("counted", d.channels[APP].count[2].sent == 1005);
    run(&d, 4);
    CHECK("in parts",
          channel_recv_chain(&d.channels[DEVICE], d.two.now, 2, &c, 2, &ends) == 2 && !ends);
    CHECK("to its end",
          channel_recv_chain(&d.channels[DEVICE], d.two.now, 2, &c, 2, &ends) == 1 && ends);
    chain_drop(&c, 3);
    CHECK("not beyond an end", recv_one(&d, DEVICE, 2, &c) && is_pattern(&c, 1000, 5));
    CHECK("the rest", recv_one(&d, DEVICE, 2, &c) && c.len == 2);
    CHECK("counted", d.channels[DEVICE].count[2].received == 1005);
    chain_deinit(&c);
    duo_deinit(&d.two);
}

TEST(what_does_not_fit_is_refused_and_told_when_it_does)
{
    static struct duo d;

    open(&d, false, true);
    CHECK("empty", send_pattern(&d, APP, 0, 0, 0) == ERR_INVALID);
    CHECK("too long", send_pattern(&d, APP, 0, CHANNEL_WHOLE_MAX + 1, 0) == ERR_INVALID);
    CHECK("one", send_pattern(&d, APP, 0, 200000, 0) == ERR_OK);
    CHECK("no credit for two", send_pattern(&d, APP, 0, 200000, 0) == ERR_LIMIT);
    CHECK("room for what is left", channel_send_room(&d.channels[APP], 0) <= CREDIT_FIRST - 200000);
    run(&d, 10);
    CHECK("unread: still none", d.writable[APP][0] == 0);
    CHECK("read", drain(&d, DEVICE, 0) == 1);
    run(&d, 10);
    CHECK("told", d.writable[APP][0] >= 1);
    CHECK("and so it is", send_pattern(&d, APP, 0, 200000, 0) == ERR_OK);
    duo_deinit(&d.two);
}

/* ---- Lossy channels -------------------------------------------------------------------------- */

TEST(a_lossy_channel_needs_no_credit_once_the_peer_knows)
{
    static struct duo d;
    size_t sent = 0, got = 0;

    open(&d, false, true);
    CHECK("none yet", !channel_is_lossy(&d.channels[APP], 2));
    CHECK("set", channel_set_lossy(&d.channels[APP], d.two.now, 2, SECOND, 0) == ERR_OK);
    CHECK("ours", channel_is_lossy(&d.channels[APP], 2));
    CHECK("the peer has not heard", !channel_peer_is_lossy(&d.channels[DEVICE], 2));
    CHECK("so credit counts", channel_credit(&d.channels[APP], 2) == CREDIT_FIRST);
    run(&d, 4);
    CHECK("now it has", channel_peer_is_lossy(&d.channels[DEVICE], 2));
    CHECK("of this channel", !channel_peer_is_lossy(&d.channels[DEVICE], 1));
    CHECK("one way", !channel_peer_is_lossy(&d.channels[APP], 2));
    CHECK("and credit is without end", channel_credit(&d.channels[APP], 2) > SIZE_MAX / 2);
    while (sent < 40) {
        sent += send_pattern(&d, APP, 2, 100000, (unsigned)sent) == ERR_OK;
        run(&d, 2);
        if (sent > 20) /* more than any window of credit before anybody reads */
            got += drain(&d, DEVICE, 2);
    }
    run(&d, 10);
    got += drain(&d, DEVICE, 2);
    CHECK("each of them, as nothing was lost", got == sent);
    CHECK("no peer overran anything", d.overruns[DEVICE] == 0);
    duo_deinit(&d.two);
}

/* The first part of a message must not be taken for all of it. */
TEST(of_a_lossy_peer_only_whole_messages_are_given)
{
    static struct duo d;
    struct chain c;
    unsigned parts = 0;
    bool ends;

    open(&d, false, true);
    chain_init(&c, d.two.pool);
    CHECK("set", channel_set_lossy(&d.channels[APP], d.two.now, 1, USEC_NEVER, 3) == ERR_OK);
    run(&d, 4);
    CHECK("sent", send_pattern(&d, APP, 1, CHANNEL_WHOLE_MAX, 9) == ERR_OK);
    while (c.len == 0 && parts++ < 1000) {
        size_t n = channel_recv_chain(&d.channels[DEVICE], d.two.now, 1, &c, 1, &ends);

        CHECK("all or none", n == 0 || (n == CHANNEL_WHOLE_MAX && ends));
        (void)duo_move(&d.two, APP);
        (void)duo_move(&d.two, DEVICE);
        duo_wait(&d.two, MILLISECOND);
    }
    CHECK("it came in parts", parts > 2);
    CHECK("as it was", is_pattern(&c, CHANNEL_WHOLE_MAX, 9));
    chain_deinit(&c);
    duo_deinit(&d.two);
}

TEST(a_foreign_peer_is_not_told)
{
    static struct duo d;
    struct sctp_piece piece;

    open(&d, true, false);
    CHECK("set", channel_set_lossy(&d.channels[DEVICE], d.two.now, 2, SECOND, 0) == ERR_OK);
    CHECK("sent", send_pattern(&d, DEVICE, 2, 1000, 0) == ERR_OK);
    run(&d, 4);
    CHECK("nothing on stream 8", !sctp_recv(d.two.sctp[APP], CHANNEL_CONTROL_STREAM, &piece));
    CHECK("the message", sctp_recv(d.two.sctp[APP], 2, &piece) && piece.ppid == PPID_BINARY);
    duo_deinit(&d.two);
}

/* ---- A hostile hawser ------------------------------------------------------------------------ */

static void say(struct duo *d, uint16_t stream, struct bytes message)
{
    CHECK("queued",
          sctp_send(d->two.sctp[APP], d->two.now, stream, PPID_BINARY, message) == ERR_OK);
}

/* Answers of ours on the control stream: how many, and the last one. */
static unsigned answers(struct duo *d, uint8_t last[CHANNEL_CONTROL_MAX], size_t *len)
{
    struct sctp_piece piece;
    unsigned count = 0;

    while (sctp_recv(d->two.sctp[APP], CHANNEL_CONTROL_STREAM, &piece)) {
        count++;
        *len = piece.data.len;
        memcpy(last, piece.data.data, piece.data.len);
        sctp_consume(d->two.sctp[APP], d->two.now, CHANNEL_CONTROL_STREAM, piece.data.len);
    }
    return count;
}

static const struct {
    const char *claim, *hex;
    uint16_t lossy; /* bits of channels that are afterwards */
    unsigned times; /* that it is said */
} mode_rows[] = {
    { "channel 0", "04 00 01 00", 0x01, 1 },
    { "channel 7", "04 07 01 00", 0x80, 1 },
    { "what follows is for later versions", "04 02 01 00 ffff", 0x04, 1 },
    { "the last byte too", "04 02 01 ff", 0x04, 1 },
    { "twice is once", "04 03 01 00", 0x08, 2 },
    { "a thousand times too", "04 03 01 00", 0x08, 1000 },
    { "there is no channel 8", "04 08 01 00", 0, 1 },
    { "nor 9", "04 09 01 00", 0, 1 },
    { "nor 255", "04 ff 01 00", 0, 1 },
    { "mode 0 is none", "04 02 00 00", 0, 1 },
    { "nor is mode 2", "04 02 02 00", 0, 1 },
    { "cut short", "04 02 01", 0, 1 },
    { "shorter", "04 02", 0, 1 },
    { "nothing but a type", "04", 0, 1 },
};

TEST(modes)
{
    for (size_t i = 0; i < COUNT(mode_rows); i++) {
        static struct duo d;
        uint8_t message[CHANNEL_CONTROL_MAX], last[CHANNEL_CONTROL_MAX], wanted[12] = { 2 };
        struct bytes said = hex_decode(mode_rows[i].hex, message, sizeof message);
        size_t len = 0;
        unsigned count;

        open(&d, true, true);
        say(&d, 3, bytes_of("data before it", 14));
        for (unsigned n = 0; n < mode_rows[i].times; n++)
            say(&d, CHANNEL_CONTROL_STREAM, said);
        run(&d, 20);
        CHECK(mode_rows[i].claim, d.channels[DEVICE].peer_lossy == mode_rows[i].lossy);
        count = answers(&d, last, &len);
        CHECK("answered once", count == (mode_rows[i].lossy != 0));
        memset(wanted + 4, 0xff, 8);
        wanted[1] = message[1];
        CHECK("by credit without end", !count || (len == 12 && !memcmp(last, wanted, 12)));
        CHECK("the session goes on", d.overruns[DEVICE] == 0 && d.closes[DEVICE] == 0);
        CHECK("what came before is there", drain(&d, DEVICE, 3) == 1);
        duo_deinit(&d.two);
    }
}

/* Credit without end that nobody asked for gives a peer what it wants, and us no loss. */
TEST(credit_without_end_makes_nothing_lossy)
{
    static struct duo d;
    uint8_t grant[12] = { 2, 4 };

    open(&d, true, true);
    memset(grant + 4, 0xff, 8);
    say(&d, CHANNEL_CONTROL_STREAM, bytes_of(grant, sizeof grant));
    run(&d, 2);
    CHECK("granted", channel_credit(&d.channels[DEVICE], 4) > CREDIT_FIRST);
    CHECK("not lossy", !channel_is_lossy(&d.channels[DEVICE], 4));
    duo_deinit(&d.two);
}

TEST(who_overruns_its_credit_is_found_out)
{
    static uint8_t some[CREDIT_FIRST / 4];

    for (uint16_t channel = 0; channel < CHANNEL_COUNT; channel++) {
        static struct duo d;

        open(&d, true, true);
        for (unsigned i = 0; i < 4; i++) {
            say(&d, channel, bytes_of(some, sizeof some));
            run(&d, 4);
        }
        (void)drain(&d, DEVICE, (channel + 1u) % CHANNEL_COUNT);
        CHECK("all that was granted may come", d.overruns[DEVICE] == 0);
        say(&d, channel, bytes_of("x", 1));
        run(&d, 4);
        CHECK("one byte more may not", d.overruns[DEVICE] == 1);
        duo_deinit(&d.two);
    }
}

TEST(who_overruns_it_and_is_read_is_found_out_too)
{
    static uint8_t some[65536];
    static struct duo d;

    open(&d, true, true);
    for (unsigned i = 0; i < 8; i++)
        say(&d, 5, bytes_of(some, sizeof some));
    run(&d, 10);
    (void)drain(&d, DEVICE, 5);
    run(&d, 1);
    CHECK("while it is read", d.overruns[DEVICE] >= 1);
    duo_deinit(&d.two);
}

TEST(a_lossy_channel_cannot_be_overrun_but_the_window_holds)
{
    static uint8_t some[262144];
    static struct duo d;
    struct sctp_info info;

    open(&d, true, true);
    say(&d, CHANNEL_CONTROL_STREAM, bytes_of("\4\1\1\0", 4));
    for (unsigned i = 0; i < 400; i++) {
        (void)sctp_send(d.two.sctp[APP], d.two.now, 1, PPID_BINARY, bytes_of(some, sizeof some));
        run(&d, 1);
    }
    sctp_get_info(d.two.sctp[DEVICE], &info);
    CHECK("no overrun", d.overruns[DEVICE] == 0);
    CHECK("much of it waits", info.unread_bytes > 8u << 20);
    CHECK("but no more than the window", info.unread_bytes <= CHANNEL_UNREAD_MAX);
    CHECK("up", sctp_is_up(d.two.sctp[DEVICE]));
    duo_deinit(&d.two);
}

TESTS(TEST_ROW(messages_arrive_as_they_were_on_every_channel_both_ways),
      TEST_ROW(the_longest_message_always_finds_credit_in_the_end),
      TEST_ROW(bytes_and_messages_mix_in_their_order),
      TEST_ROW(what_does_not_fit_is_refused_and_told_when_it_does),
      TEST_ROW(a_lossy_channel_needs_no_credit_once_the_peer_knows),
      TEST_ROW(of_a_lossy_peer_only_whole_messages_are_given), TEST_ROW(a_foreign_peer_is_not_told),
      TEST_ROW(modes), TEST_ROW(credit_without_end_makes_nothing_lossy),
      TEST_ROW(who_overruns_its_credit_is_found_out),
      TEST_ROW(who_overruns_it_and_is_read_is_found_out_too),
      TEST_ROW(a_lossy_channel_cannot_be_overrun_but_the_window_holds))
