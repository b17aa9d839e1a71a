/* channel_rules.c: our eight channels against a peer that speaks plain SCTP. */
#include "core/channel/channel.h"
#include "core/channel/wire.h"

#include <assert.h>
#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/hex.h"
#include "tests/support/sctp_duo.h"

enum { US, PEER, FOREIGN_MESSAGE = 262144, POOL_BLOCKS = 8192 };

/* Channels on our end only. */
struct duo {
    struct sctp_duo two;
    struct channel_set channels;
    size_t rx_bytes_max; /* of ours; set before make(), 0: the usual */

    unsigned readable[CHANNEL_COUNT], writable[CHANNEL_COUNT], closes, reason;
    unsigned resets[32]; /* by stream, as the peer is told */
};

static void take_events(struct duo *d)
{
    struct sctp_event ev;
    struct channel_event told;

    while (sctp_poll_event(d->two.sctp[US], &ev))
        if (ev.type != SCTP_EVENT_UP && ev.type != SCTP_EVENT_CLOSED)
            channel_input(&d->channels, d->two.now, &ev);
    while (sctp_poll_event(d->two.sctp[PEER], &ev))
        if (ev.type == SCTP_EVENT_RESET && ev.stream < COUNT(d->resets))
            d->resets[ev.stream]++;
    while (channel_poll_event(&d->channels, &told)) {
        d->readable[told.channel] += told.type == CHANNEL_EVENT_READABLE;
        d->writable[told.channel] += told.type == CHANNEL_EVENT_WRITABLE;
        d->closes += told.type == CHANNEL_EVENT_CLOSE;
        if (told.type == CHANNEL_EVENT_CLOSE)
            d->reason = told.reason;
    }
}

/* Moves all that can move within `rounds` delayed acknowledgements. */
static void run(struct duo *d, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        bool has_moved = true;

        while (has_moved) {
            has_moved = duo_move(&d->two, US);
            has_moved |= duo_move(&d->two, PEER);
            take_events(d);
        }
        duo_wait(&d->two, 25 * MILLISECOND);
    }
}

static int make(struct duo *d)
{
    struct sctp_config cfg = { .tx_bytes_max = 8 << 20,
                               .stream_tx_bytes_max = 4 << 20,
                               .rx_bytes_max = 4 << 20 };
    size_t rx_bytes_max = d->rx_bytes_max;
    int err;

    memset(d, 0, sizeof *d);
    alloc_pause();
    duo_init(&d->two, 11, POOL_BLOCKS);
    assert(duo_make(&d->two, PEER, &cfg) == ERR_OK);
    alloc_resume();
    if (rx_bytes_max)
        cfg.rx_bytes_max = rx_bytes_max;
    err = duo_make(&d->two, US, &cfg);
    return err ? err : channel_init(&d->channels, d->two.sctp[US]);
}

static void open(struct duo *d)
{
    CHECK("made", make(d) == ERR_OK);
    CHECK("asked for", sctp_connect(d->two.sctp[US], d->two.now) == ERR_OK);
    run(d, 2);
    CHECK("up", sctp_is_up(d->two.sctp[US]) && sctp_is_up(d->two.sctp[PEER]));
}

static void say(struct duo *d, uint16_t stream, uint32_t ppid, struct bytes message)
{
    CHECK("queued", sctp_send(d->two.sctp[PEER], d->two.now, stream, ppid, message) == ERR_OK);
}

static void say_text(struct duo *d, uint16_t stream, uint32_t ppid, const char *text)
{
    say(d, stream, ppid, bytes_of_string(text));
}

/* Reads a channel to its end, at most cap bytes; how many there were. */
static size_t listen_to(struct duo *d, unsigned channel, char *out, size_t cap)
{
    struct bytes got;
    size_t len = 0;

    while ((got = channel_peek(&d->channels, d->two.now, channel)).len) {
        size_t n = got.len < cap - len ? got.len : cap - len;

        memcpy(out + len, got.data, n);
        len += n;
        channel_consume(&d->channels, d->two.now, channel, n);
        if (len == cap)
            break;
    }
    return len;
}

/* What the peer reads on a stream: the first piece, and nothing else. */
static bool does_peer_hear(struct duo *d, uint16_t stream, uint32_t ppid, struct bytes wanted)
{
    struct sctp_piece piece;
    bool is_so = sctp_recv(d->two.sctp[PEER], stream, &piece) && piece.ppid == ppid &&
                 piece.begins && piece.ends && bytes_equal(piece.data, wanted);

    if (is_so)
        sctp_consume(d->two.sctp[PEER], d->two.now, stream, piece.data.len);
    return is_so && !sctp_recv(d->two.sctp[PEER], stream, &piece);
}

/* DATA_CHANNEL_OPEN, RFC 8832 §5.1: reliable, ordered, label "x", no protocol. */
static const uint8_t open_message[] = { DCEP_OPEN, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x' };
static const uint8_t ack_message[] = { DCEP_ACK };

TEST(an_open_is_acknowledged_on_channels_and_refused_elsewhere)
{
    static struct duo d;
    char text[8];

    open(&d);
    for (uint16_t i = 0; i < 20; i++) {
        say(&d, i, PPID_DCEP, bytes_of(open_message, sizeof open_message));
        if (i < CHANNEL_COUNT)
            say_text(&d, i, PPID_BINARY, "hello");
    }
    run(&d, 20);
    for (uint16_t i = 0; i < CHANNEL_COUNT; i++) {
        CHECK("acknowledged", does_peer_hear(&d, i, PPID_DCEP, bytes_of(ack_message, 1)));
        CHECK("not reset", d.resets[i] == 0);
        CHECK("readable", d.readable[i] == 1);
        CHECK("the bytes behind it", listen_to(&d, i, text, 8) == 5 && !memcmp(text, "hello", 5));
    }
    for (uint16_t i = CHANNEL_COUNT + 1; i < 20; i++) {
        CHECK("refused", d.resets[i] == 1);
        CHECK("no answer", !does_peer_hear(&d, i, PPID_DCEP, bytes_of(ack_message, 1)));
    }
    CHECK("control is no channel", d.resets[CHANNEL_CONTROL_STREAM] == 0 && d.closes == 0);
    duo_deinit(&d.two);
}

TEST(strings_are_bytes_and_empty_messages_are_none)
{
    static struct duo d;
    char text[16];

    open(&d);
    say_text(&d, 2, PPID_STRING_EMPTY, "\1");
    run(&d, 2);
    CHECK("nothing to read", d.readable[2] == 0 && listen_to(&d, 2, text, 16) == 0);
    say_text(&d, 2, PPID_STRING, "one");
    say_text(&d, 2, PPID_BINARY_EMPTY, "\1");
    say_text(&d, 2, PPID_DCEP, "?");
    say_text(&d, 2, PPID_BINARY, "two");
    say_text(&d, 2, PPID_STRING_EMPTY, "\1\2\3");
    say_text(&d, 2, 0xfffffffe, "3");
    run(&d, 2);
    CHECK("one stream of bytes", listen_to(&d, 2, text, 16) == 7 && !memcmp(text, "onetwo3", 7));
    CHECK("counted", d.channels.count[2].received == 7);
    CHECK("and what was not", d.channels.dropped_bytes == 6);
    CHECK("the window is open again", sctp_stream_unread_bytes(d.two.sctp[US], 2) == 0);
    duo_deinit(&d.two);
}

/* It is more than the window here lets through at once, so whoever waited for the whole message
 * would wait for ever. */
TEST(a_long_foreign_message_is_read_while_it_arrives)
{
    static struct duo d = { .rx_bytes_max = 65536 };
    static uint8_t message[FOREIGN_MESSAGE];
    static char some[65536];
    size_t got = 0, parts = 0;

    open(&d);
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7 >> 3);
    say(&d, 5, PPID_STRING, bytes_of(message, sizeof message));
    for (unsigned i = 0; i < 400 && got < sizeof message; i++) {
        size_t n;

        duo_move(&d.two, PEER);
        take_events(&d);
        n = listen_to(&d, 5, some, sizeof some);
        CHECK("as it was", memcmp(some, message + got, n) == 0);
        got += n;
        parts += n > 0;
        duo_move(&d.two, US);
        duo_wait(&d.two, 25 * MILLISECOND);
    }
    CHECK("all of it", got == sizeof message);
    CHECK("in parts", parts > 1);
    duo_deinit(&d.two);
}

static const struct {
    const char *claim, *hex;
    uint32_t ppid;
    unsigned closes, reason;
} control_rows[] = {
    { "a close with a reason", "01 00 000b", PPID_BINARY, 1, 11 },
    { "and without", "01 00 0000", PPID_BINARY, 1, 0 },
    { "the highest reason", "01 00 ffff", PPID_BINARY, 1, 65535 },
    { "what follows in it is for later versions", "01 00 0009 ffff", PPID_BINARY, 1, 9 },
    { "a close cut short is none", "01 00 00", PPID_BINARY, 0, 0 },
    { "one byte", "01", PPID_BINARY, 0, 0 },
    { "an unknown type is ignored", "02 00 0009", PPID_BINARY, 0, 0 },
    { "type 0", "00 00 0009", PPID_BINARY, 0, 0 },
    { "a string is no control message", "01 00 0009", PPID_STRING, 0, 0 },
    { "nor is an OPEN", "01 00 0009", PPID_DCEP, 0, 0 },
    { "64 bytes may be",
      "01000007 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
      "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000",
      PPID_BINARY, 1, 7 },
    { "65 are not read",
      "01000007 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
      "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00",
      PPID_BINARY, 0, 0 },
};

TEST(control_messages)
{
    for (size_t i = 0; i < COUNT(control_rows); i++) {
        static struct duo d;
        uint8_t message[128];
        struct bytes said = hex_decode(control_rows[i].hex, message, sizeof message);

        open(&d);
        say(&d, CHANNEL_CONTROL_STREAM, control_rows[i].ppid, said);
        run(&d, 2);
        CHECK(control_rows[i].claim, d.closes == control_rows[i].closes);
        CHECK(control_rows[i].claim, d.reason == control_rows[i].reason);
        CHECK("given back", sctp_stream_unread_bytes(d.two.sctp[US], CHANNEL_CONTROL_STREAM) == 0);
        duo_deinit(&d.two);
    }
}

TEST(a_bad_control_message_does_not_spoil_the_next_and_the_first_close_counts)
{
    static struct duo d;
    static uint8_t huge[100000];

    open(&d);
    say(&d, CHANNEL_CONTROL_STREAM, PPID_BINARY, bytes_of(huge, sizeof huge));
    say(&d, CHANNEL_CONTROL_STREAM, PPID_STRING, bytes_of("\1\0\0\1", 4));
    say(&d, CHANNEL_CONTROL_STREAM, PPID_BINARY, bytes_of("\1\0\0\3", 4));
    say(&d, CHANNEL_CONTROL_STREAM, PPID_BINARY, bytes_of("\1\0\0\4", 4));
    run(&d, 40);
    CHECK("read", d.closes >= 1 && d.reason == 3);
    duo_deinit(&d.two);
}

TEST(a_close_is_sent_as_written)
{
    static struct duo d;

    open(&d);
    CHECK("taken", channel_send_close(&d.channels, d.two.now, 0x0102) == ERR_OK);
    run(&d, 2);
    CHECK("on stream 8",
          does_peer_hear(&d, CHANNEL_CONTROL_STREAM, PPID_BINARY, bytes_of("\1\0\1\2", 4)));
    duo_deinit(&d.two);
}

static const size_t limits[CHANNEL_COUNT] = {
    384 << 10, 4 << 20, 384 << 10, 4 << 20, 384 << 10, 4 << 20, 384 << 10, 384 << 10,
};

/* Fills a channel; how many bytes it took. */
static size_t fill(struct duo *d, unsigned channel)
{
    static uint8_t some[1 << 20];
    size_t taken = 0, n;

    while ((n = channel_send(&d->channels, d->two.now, channel, bytes_of(some, sizeof some))))
        taken += n;
    return taken;
}

static void swallow(struct duo *d, uint16_t stream)
{
    struct sctp_piece piece;

    while (sctp_recv(d->two.sctp[PEER], stream, &piece))
        sctp_consume(d->two.sctp[PEER], d->two.now, stream, piece.data.len);
}

TEST(each_channel_has_its_limit_and_says_when_there_is_room)
{
    for (uint16_t i = 0; i < CHANNEL_COUNT; i++) {
        static struct duo d;
        size_t taken;

        open(&d);
        taken = fill(&d, i);
        CHECK("no more than allowed", taken <= limits[i]);
        CHECK("but nearly all of it", taken > limits[i] - 2 * CHANNEL_MESSAGE_MAX);
        CHECK("told nothing yet", d.writable[i] == 0);
        for (unsigned j = 0; j < CHANNEL_COUNT; j++)
            CHECK("others have theirs", j == i || limits[j] > 1 << 20 || fill(&d, j) > 200 << 10);
        for (unsigned n = 0; n < 2000 && !d.writable[i]; n++) {
            run(&d, 1);
            for (uint16_t j = 0; j < CHANNEL_COUNT; j++)
                swallow(&d, j);
        }
        CHECK("told when there is room", d.writable[i] == 1);
        CHECK("and there is", channel_send(&d.channels, d.two.now, i, bytes_of("x", 1)) == 1);
        duo_deinit(&d.two);
    }
}

/* RFC 8831 §6.7: whose side is reset resets its own, and both begin anew. */
TEST(a_channel_survives_its_reset)
{
    static struct duo d;
    char text[8];

    open(&d);
    say_text(&d, 3, PPID_BINARY, "before");
    CHECK("ours too", channel_send(&d.channels, d.two.now, 3, bytes_of("x", 1)) == 1);
    run(&d, 4);
    CHECK("read", listen_to(&d, 3, text, 8) == 6);
    swallow(&d, 3);
    CHECK("asked", sctp_reset_stream(d.two.sctp[PEER], d.two.now, 3) == ERR_OK);
    run(&d, 40);
    CHECK("answered by ours", d.resets[3] == 1);
    say_text(&d, 3, PPID_BINARY, "after");
    CHECK("we can send", channel_send(&d.channels, d.two.now, 3, bytes_of("y", 1)) == 1);
    run(&d, 4);
    CHECK("they can", listen_to(&d, 3, text, 8) == 5 && !memcmp(text, "after", 5));
    CHECK("and hear", does_peer_hear(&d, 3, PPID_BINARY, bytes_of("y", 1)));
    duo_deinit(&d.two);
}

/* A peer that opens channels as fast as it can costs a stream's own room, and no one else's. */
TEST(a_flood_of_opens_leaves_the_other_channels_alone)
{
    static struct duo d;
    char text[8];
    struct sctp_info info;

    open(&d);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 1000; i++)
            (void)sctp_send(d.two.sctp[PEER], d.two.now, 0, PPID_DCEP,
                            bytes_of(open_message, sizeof open_message));
        run(&d, 1);
    }
    sctp_get_info(d.two.sctp[US], &info);
    CHECK("a bound", info.queued_bytes <= limits[0] && info.unread_bytes == 0);
    say_text(&d, 1, PPID_BINARY, "still");
    run(&d, 10);
    CHECK("open", sctp_is_up(d.two.sctp[US]));
    CHECK("heard", listen_to(&d, 1, text, 8) == 5);
    duo_deinit(&d.two);
}

TEST(every_foreign_stream_at_once_is_drained)
{
    static struct duo d;
    static uint8_t some[2000];
    struct sctp_info info;
    char text[8];

    open(&d);
    for (uint16_t i = CHANNEL_COUNT + 1; i < 1024; i++)
        (void)sctp_send(d.two.sctp[PEER], d.two.now, i, i & 1 ? PPID_DCEP : PPID_BINARY,
                        bytes_of(some, sizeof some));
    run(&d, 60);
    sctp_get_info(d.two.sctp[US], &info);
    CHECK("nothing is kept", info.unread_bytes == 0);
    CHECK("all of it was dropped", d.channels.dropped_bytes == 1015u * sizeof some);
    say_text(&d, 7, PPID_BINARY, "still");
    run(&d, 4);
    CHECK("up", sctp_is_up(d.two.sctp[US]) && listen_to(&d, 7, text, 8) == 5);
    duo_deinit(&d.two);
}

TEST(every_allocation_may_fail)
{
    ALLOC_FAIL_EACH {
        static struct duo d;
        int err = make(&d);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        if (!err) {
            alloc_pause();
            (void)sctp_connect(d.two.sctp[US], d.two.now);
            run(&d, 2);
            alloc_resume();
            (void)channel_send(&d.channels, d.two.now, 1, bytes_of("x", 1));
            (void)channel_send_close(&d.channels, d.two.now, 1);
            alloc_pause();
            say(&d, 0, PPID_DCEP, bytes_of(open_message, sizeof open_message));
            say(&d, 9, PPID_DCEP, bytes_of(open_message, sizeof open_message));
            alloc_resume();
            run(&d, 4);
        }
        duo_deinit(&d.two);
    }
}

TESTS(TEST_ROW(an_open_is_acknowledged_on_channels_and_refused_elsewhere),
      TEST_ROW(strings_are_bytes_and_empty_messages_are_none),
      TEST_ROW(a_long_foreign_message_is_read_while_it_arrives), TEST_ROW(control_messages),
      TEST_ROW(a_bad_control_message_does_not_spoil_the_next_and_the_first_close_counts),
      TEST_ROW(a_close_is_sent_as_written),
      TEST_ROW(each_channel_has_its_limit_and_says_when_there_is_room),
      TEST_ROW(a_channel_survives_its_reset),
      TEST_ROW(a_flood_of_opens_leaves_the_other_channels_alone),
      TEST_ROW(every_foreign_stream_at_once_is_drained), TEST_ROW(every_allocation_may_fail))
