/* channel_hostile.c: a peer that says modes nobody knows, grants what nobody asked for, and sends
 * more than it was granted. */
#include "core/channel/wire.h"
#include "tests/check.h"
#include "tests/support/channel_duo.h"
#include "tests/support/hex.h"

static void say(struct channel_duo *d, uint16_t stream, struct bytes message)
{
    CHECK("queued",
          sctp_send(d->two.sctp[DUO_APP], d->two.now, stream, PPID_BINARY, message) == ERR_OK);
}

/* Answers of ours on the control stream: how many, and the last one. */
static unsigned answers(struct channel_duo *d, uint8_t last[CHANNEL_CONTROL_MAX], size_t *len)
{
    struct sctp_piece piece;
    unsigned count = 0;

    while (sctp_recv(d->two.sctp[DUO_APP], CHANNEL_CONTROL_STREAM, &piece)) {
        count++;
        *len = piece.data.len;
        memcpy(last, piece.data.data, piece.data.len);
        sctp_consume(d->two.sctp[DUO_APP], d->two.now, CHANNEL_CONTROL_STREAM, piece.data.len);
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
        static struct channel_duo d;
        uint8_t message[CHANNEL_CONTROL_MAX], last[CHANNEL_CONTROL_MAX], wanted[12] = { 2 };
        struct bytes said = hex_decode(mode_rows[i].hex, message, sizeof message);
        size_t len = 0;
        unsigned count;

        channel_duo_open(&d, true, true);
        say(&d, 3, bytes_of("data before it", 14));
        for (unsigned n = 0; n < mode_rows[i].times; n++)
            say(&d, CHANNEL_CONTROL_STREAM, said);
        channel_duo_run(&d, 20);
        CHECK(mode_rows[i].claim, d.channels[DUO_DEVICE].peer_lossy == mode_rows[i].lossy);
        count = answers(&d, last, &len);
        CHECK("answered once", count == (mode_rows[i].lossy != 0));
        memset(wanted + 4, 0xff, 8);
        wanted[1] = message[1];
        CHECK("by credit without end", !count || (len == 12 && !memcmp(last, wanted, 12)));
        CHECK("the session goes on", d.overruns[DUO_DEVICE] == 0 && d.closes[DUO_DEVICE] == 0);
        CHECK("what came before is there", channel_duo_drain(&d, DUO_DEVICE, 3) == 1);
        channel_duo_close(&d);
    }
}

/* Credit without end that nobody asked for gives a peer what it wants, and us no loss. */
TEST(credit_without_end_makes_nothing_lossy)
{
    static struct channel_duo d;
    uint8_t grant[12] = { 2, 4 };

    channel_duo_open(&d, true, true);
    memset(grant + 4, 0xff, 8);
    say(&d, CHANNEL_CONTROL_STREAM, bytes_of(grant, sizeof grant));
    channel_duo_run(&d, 2);
    CHECK("granted", channel_credit(&d.channels[DUO_DEVICE], 4) > CREDIT_FIRST);
    CHECK("not lossy", !channel_is_lossy(&d.channels[DUO_DEVICE], 4));
    channel_duo_close(&d);
}

TEST(who_overruns_its_credit_is_found_out)
{
    static uint8_t some[CREDIT_FIRST / 4];

    for (uint16_t channel = 0; channel < CHANNEL_COUNT; channel++) {
        static struct channel_duo d;

        channel_duo_open(&d, true, true);
        for (unsigned i = 0; i < 4; i++) {
            say(&d, channel, bytes_of(some, sizeof some));
            channel_duo_run(&d, 4);
        }
        (void)channel_duo_drain(&d, DUO_DEVICE, (channel + 1u) % CHANNEL_COUNT);
        CHECK("all that was granted may come", d.overruns[DUO_DEVICE] == 0);
        say(&d, channel, bytes_of("x", 1));
        channel_duo_run(&d, 4);
        CHECK("one byte more may not", d.overruns[DUO_DEVICE] == 1);
        channel_duo_close(&d);
    }
}

TEST(who_overruns_it_and_is_read_is_found_out_too)
{
    static uint8_t some[65536];
    static struct channel_duo d;

    channel_duo_open(&d, true, true);
    for (unsigned i = 0; i < 8; i++)
        say(&d, 5, bytes_of(some, sizeof some));
    channel_duo_run(&d, 10);
    (void)channel_duo_drain(&d, DUO_DEVICE, 5);
    channel_duo_run(&d, 1);
    CHECK("while it is read", d.overruns[DUO_DEVICE] >= 1);
    channel_duo_close(&d);
}

TEST(a_lossy_channel_cannot_be_overrun_but_the_window_holds)
{
    static uint8_t some[262144];
    static struct channel_duo d;
    struct sctp_info info;

    channel_duo_open(&d, true, true);
    say(&d, CHANNEL_CONTROL_STREAM, bytes_of("\4\1\1\0", 4));
    for (unsigned i = 0; i < 400; i++) {
        (void)sctp_send(d.two.sctp[DUO_APP], d.two.now, 1, PPID_BINARY,
                        bytes_of(some, sizeof some));
        channel_duo_run(&d, 1);
    }
    sctp_get_info(d.two.sctp[DUO_DEVICE], &info);
    CHECK("no overrun", d.overruns[DUO_DEVICE] == 0);
    CHECK("much of it waits", info.unread_bytes > 8u << 20);
    CHECK("but no more than the window", info.unread_bytes <= CHANNEL_UNREAD_MAX);
    CHECK("up", sctp_is_up(d.two.sctp[DUO_DEVICE]));
    channel_duo_close(&d);
}

/* One that is longer than any of ours is not given out at once: whoever made room has not made so
 * much. */
TEST(a_lossy_message_of_any_length_comes_in_pieces_that_fit)
{
    static uint8_t some[RAW_MESSAGE_MAX];
    static struct channel_duo d;
    size_t pieces = 0, in_all = 0, len;
    bool ends = false;
    struct chain c;

    channel_duo_open(&d, true, true);
    chain_init(&c, d.two.pool);
    say(&d, CHANNEL_CONTROL_STREAM, bytes_of("\4\1\1\0", 4));
    say(&d, 1, bytes_of(some, sizeof some));
    channel_duo_run(&d, 100);
    while ((len = channel_recv_chain(&d.channels[DUO_DEVICE], d.two.now, 1, &c, 1, &ends))) {
        CHECK("a message's worth", len <= CHANNEL_WHOLE_MAX);
        in_all += len;
        CHECK("its end is at its end", ends == (in_all == sizeof some));
        pieces++;
        chain_drop(&c, c.len);
    }
    CHECK("all of it", in_all == sizeof some && pieces == sizeof some / CHANNEL_WHOLE_MAX);
    chain_deinit(&c);
    channel_duo_close(&d);
}

TESTS(TEST_ROW(modes), TEST_ROW(credit_without_end_makes_nothing_lossy),
      TEST_ROW(who_overruns_its_credit_is_found_out),
      TEST_ROW(who_overruns_it_and_is_read_is_found_out_too),
      TEST_ROW(a_lossy_channel_cannot_be_overrun_but_the_window_holds),
      TEST_ROW(a_lossy_message_of_any_length_comes_in_pieces_that_fit))
