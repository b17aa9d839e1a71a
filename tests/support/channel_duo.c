#include "tests/support/channel_duo.h"

#include <stdlib.h>
#include <string.h>

enum { POOL_BLOCKS = 8192 };

#define ROUND (25 * MILLISECOND)

/* What a test cannot begin without. */
static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static void take_events(struct channel_duo *d, int end)
{
    struct sctp_event ev;
    struct channel_event told;

    while (sctp_poll_event(d->two.sctp[end], &ev))
        if (!d->is_raw[end] && ev.type != SCTP_EVENT_UP && ev.type != SCTP_EVENT_CLOSED)
            channel_input(&d->channels[end], d->two.now, &ev);
    while (channel_poll_event(&d->channels[end], &told)) {
        d->writable[end][told.channel] += told.type == CHANNEL_EVENT_WRITABLE;
        d->overruns[end] += told.type == CHANNEL_EVENT_OVERRUN;
        d->closes[end] += told.type == CHANNEL_EVENT_CLOSE;
    }
}

void channel_duo_run(struct channel_duo *d, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        bool has_moved = true;

        while (has_moved) {
            has_moved = duo_move(&d->two, DUO_APP);
            has_moved |= duo_move(&d->two, DUO_DEVICE);
            take_events(d, DUO_APP);
            take_events(d, DUO_DEVICE);
        }
        duo_wait(&d->two, ROUND);
    }
}

void channel_duo_open(struct channel_duo *d, bool is_app_raw, bool has_credit)
{
    static const struct sctp_config cfg = { .tx_bytes_max = 8 << 20,
                                            .stream_tx_bytes_max = 4 << 20,
                                            .rx_bytes_max = CHANNEL_UNREAD_MAX };
    struct sctp_config raw = cfg;

    memset(d, 0, sizeof *d);
    duo_init(&d->two, 11, POOL_BLOCKS);
    raw.message_bytes_max = RAW_MESSAGE_MAX;
    must(duo_make(&d->two, DUO_APP, is_app_raw ? &raw : &cfg) == ERR_OK);
    must(duo_make(&d->two, DUO_DEVICE, &cfg) == ERR_OK);
    d->is_raw[DUO_APP] = is_app_raw;
    for (int end = 0; end < 2; end++) {
        must(channel_init(&d->channels[end], d->two.sctp[end]) == ERR_OK);
        if (has_credit)
            channel_use_credit(&d->channels[end], d->two.now);
    }
    must(sctp_connect(d->two.sctp[DUO_APP], d->two.now) == ERR_OK);
    channel_duo_run(d, 2);
    must(sctp_is_up(d->two.sctp[DUO_APP]) && sctp_is_up(d->two.sctp[DUO_DEVICE]));
}

void channel_duo_close(struct channel_duo *d)
{
    duo_deinit(&d->two);
}

bool channel_duo_recv(struct channel_duo *d, int end, unsigned channel, struct chain *to)
{
    bool ends = false;

    while (!ends && channel_recv_chain(&d->channels[end], d->two.now, channel, to, 100000, &ends))
        continue;
    return ends;
}

size_t channel_duo_drain(struct channel_duo *d, int end, unsigned channel)
{
    struct chain c;
    size_t count = 0;

    chain_init(&c, d->two.pool);
    while (channel_duo_recv(d, end, channel, &c)) {
        count++;
        chain_drop(&c, c.len);
    }
    chain_deinit(&c);
    return count;
}
