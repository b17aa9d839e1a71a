/* Credit: its arithmetic as rows, and two hawsers of which one does not read a channel. */
#include "core/channel/channel.h"

#include <assert.h>

#include "tests/check.h"
#include "tests/support/sctp_duo.h"

enum { APP, DEVICE, POOL_BLOCKS = 8192 };

#define WINDOW_MAX (1u << 20)
#define RTT        (20 * MILLISECOND)

static const struct {
    const char *claim;
    uint64_t read[3]; /* in all, at … */
    usec at[3];
    uint64_t granted; /* … and what is granted then */
} rows[] = {
    { "the first window is granted without a word", { 0 }, { 0 }, CREDIT_FIRST },
    { "a little read is not worth a word", { 1000 }, { 1 }, CREDIT_FIRST },
    { "an eighth is", { CREDIT_FIRST / 8 }, { SECOND }, CREDIT_FIRST * 9 / 8 },
    { "a reader as fast as the path gets a larger window",
      { CREDIT_FIRST },
      { RTT },
      CREDIT_FIRST + 2 * CREDIT_FIRST },
    { "so does one who reads half of it in two round trips, as losses make him",
      { CREDIT_FIRST / 2 },
      { 2 * RTT },
      CREDIT_FIRST / 2 + 2 * CREDIT_FIRST },
    { "a slow one does not", { CREDIT_FIRST }, { SECOND }, CREDIT_FIRST + CREDIT_FIRST },
    { "it grows to its limit and no further",
      { CREDIT_FIRST, 3 * CREDIT_FIRST, 7 * CREDIT_FIRST },
      { RTT, 2 * RTT, 3 * RTT },
      7 * CREDIT_FIRST + WINDOW_MAX },
};

TEST(windows)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct credit c;

        credit_init(&c, 0, WINDOW_MAX);
        for (size_t k = 0; k < COUNT(rows[i].read); k++)
            if (rows[i].read[k])
                (void)credit_read(&c, rows[i].at[k], RTT, rows[i].read[k]);
        CHECK(rows[i].claim, c.rx_granted == rows[i].granted);
    }
}

TEST(grants_only_grow)
{
    struct credit c;

    credit_init(&c, 0, WINDOW_MAX);
    CHECK("the first window", credit_room(&c, 0) == CREDIT_FIRST);
    CHECK("more is news", credit_input(&c, CREDIT_FIRST + 1));
    CHECK("the same again is not", !credit_input(&c, CREDIT_FIRST + 1));
    CHECK("less is not", !credit_input(&c, 1));
    CHECK("and takes nothing back", credit_room(&c, CREDIT_FIRST) == 1);
    CHECK("what was sent beyond it leaves none", credit_room(&c, 2 * CREDIT_FIRST) == 0);
    CHECK("all there is", credit_input(&c, UINT64_MAX) && credit_room(&c, 0) == SIZE_MAX);
}

/* ---- Two hawsers ----------------------------------------------------------------------------- */

struct duo {
    struct sctp_duo two;
    struct channel_set channels[2];
    uint16_t unread_by_device; /* bit i: the device does not read channel i */
    uint64_t sent[CHANNEL_COUNT], received[CHANNEL_COUNT];
};

static void take_events(struct duo *d, int end)
{
    struct sctp_event ev;
    struct channel_event told;

    while (sctp_poll_event(d->two.sctp[end], &ev))
        if (ev.type != SCTP_EVENT_UP && ev.type != SCTP_EVENT_CLOSED)
            channel_input(&d->channels[end], d->two.now, &ev);
    while (channel_poll_event(&d->channels[end], &told))
        continue;
}

static void app_sends(struct duo *d)
{
    static const uint8_t some[16384];

    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        d->sent[i] += channel_send(&d->channels[APP], d->two.now, i, bytes_of(some, sizeof some));
}

static void device_reads(struct duo *d)
{
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        struct bytes got;

        if (d->unread_by_device >> i & 1)
            continue;
        while ((got = channel_peek(&d->channels[DEVICE], d->two.now, i)).len) {
            d->received[i] += got.len;
            channel_consume(&d->channels[DEVICE], d->two.now, i, got.len);
        }
    }
}

static void run(struct duo *d, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        bool has_moved = true;

        app_sends(d);
        while (has_moved) {
            has_moved = false;
            for (int end = 0; end < 2; end++) {
                has_moved |= duo_move(&d->two, end);
                take_events(d, !end);
            }
            device_reads(d);
        }
        duo_wait(&d->two, 25 * MILLISECOND);
    }
}

static void open(struct duo *d)
{
    static const struct sctp_config cfg = { .tx_bytes_max = 8 << 20,
                                            .stream_tx_bytes_max = 4 << 20,
                                            .rx_bytes_max = CHANNEL_UNREAD_MAX };

    memset(d, 0, sizeof *d);
    duo_init(&d->two, 11, POOL_BLOCKS);
    duo_make_both(&d->two, &cfg);
    for (int end = 0; end < 2; end++) {
        assert(channel_init(&d->channels[end], d->two.sctp[end]) == ERR_OK);
        channel_use_credit(&d->channels[end], d->two.now);
    }
    assert(sctp_connect(d->two.sctp[APP], d->two.now) == ERR_OK);
}

TEST(an_unread_channel_stalls_only_itself)
{
    static struct duo d;

    for (unsigned stalled = 0; stalled < CHANNEL_COUNT; stalled++) {
        open(&d);
        d.unread_by_device = (uint16_t)(1u << stalled);
        run(&d, 2000);
        for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
            if (i == stalled)
                CHECK("it stops at its first window", d.sent[i] == CREDIT_FIRST);
            else
                CHECK("the others do not notice", d.received[i] > 20u << 20);
        }
        d.unread_by_device = 0;
        run(&d, 10);
        CHECK("it goes on when it is read", d.received[stalled] > CREDIT_FIRST);
        duo_deinit(&d.two);
    }
}

TEST(seven_unread_channels_leave_the_eighth)
{
    static struct duo d;

    open(&d);
    d.unread_by_device = 0xff & ~(1u << 6);
    run(&d, 2000);
    CHECK("it has all the room it needs", d.received[6] > 20u << 20);
    duo_deinit(&d.two);
}

TESTS(TEST_ROW(windows), TEST_ROW(grants_only_grow), TEST_ROW(an_unread_channel_stalls_only_itself),
      TEST_ROW(seven_unread_channels_leave_the_eighth))
