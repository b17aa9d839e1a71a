/* Sequences of calls on the channels of two hawsers, of which one may also say anything at all: any
 * message on any stream, above all on the control stream. Each input byte is a call, most take
 * another byte or two. Bytes arrive once or, on lossy channels, at most once, and nobody holds more
 * than the windows allow. */
#include "core/channel/channel.h"

#include <assert.h>

#include "core/channel/wire.h"
#include "tests/support/sctp_duo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { POOL_BLOCKS = 4096, CALLS_MAX = 400, RAW_MAX = 32, STREAMS = 12 };

struct play {
    struct sctp_duo two;
    struct channel_set channels[2];
    struct rd r;
    uint64_t sent[2][CHANNEL_COUNT], received[2][CHANNEL_COUNT];
    bool is_honest[2]; /* has said nothing but what its calls make it say */
};

static unsigned any_channel(struct play *p)
{
    return rd_u8(&p->r) % CHANNEL_COUNT;
}

static size_t any_len(struct play *p)
{
    uint8_t arg = rd_u8(&p->r);

    return 1 + (size_t)(arg & 63) * (arg & 64 ? 1000u : 1u);
}

static const uint8_t some[64 * 1000];

static void do_send(struct play *p, int end)
{
    unsigned channel = any_channel(p);

    p->sent[end][channel] +=
        channel_send(&p->channels[end], p->two.now, channel, bytes_of(some, any_len(p)));
}

static void do_send_message(struct play *p, int end)
{
    unsigned channel = any_channel(p);
    size_t len = any_len(p);
    struct chain chain;

    chain_init(&chain, p->two.pool);
    if (chain_append(&chain, bytes_of(some, len)) == len &&
        channel_send_message(&p->channels[end], p->two.now, channel, &chain, len, p->two.now) ==
            ERR_OK)
        p->sent[end][channel] += len;
    chain_deinit(&chain);
}

static void do_read(struct play *p, int end)
{
    unsigned channel = any_channel(p);
    struct bytes unread = channel_peek(&p->channels[end], p->two.now, channel);

    if (unread.len)
        channel_consume(&p->channels[end], p->two.now, channel, unread.len);
    p->received[end][channel] += unread.len;
}

static void do_take(struct play *p, int end)
{
    unsigned channel = any_channel(p);
    size_t len = any_len(p);
    struct chain chain;
    bool ends;

    chain_init(&chain, p->two.pool);
    p->received[end][channel] +=
        channel_recv_chain(&p->channels[end], p->two.now, channel, &chain, len, &ends);
    chain_deinit(&chain);
}

static void do_lossy(struct play *p, int end)
{
    unsigned channel = any_channel(p);
    uint8_t arg = rd_u8(&p->r);

    (void)channel_set_lossy(&p->channels[end], p->two.now, channel,
                            arg & 128 ? USEC_NEVER : (arg & 15) * 10 * MILLISECOND, arg >> 4 & 7);
}

static void do_priority(struct play *p, int end)
{
    unsigned channel = any_channel(p);
    uint8_t arg = rd_u8(&p->r);

    (void)channel_set_priority(&p->channels[end], channel, arg & 15, arg >> 4);
}

static void do_keep_alive(struct play *p, int end)
{
    (void)channel_send_keep_alive(&p->channels[end], p->two.now, rd_u8(&p->r) & 1);
}

static void do_close(struct play *p, int end)
{
    (void)channel_send_close(&p->channels[end], p->two.now, rd_u8(&p->r));
}

static void do_say(struct play *p, int end)
{
    static const uint32_t ppids[] = { PPID_BINARY, PPID_STRING, PPID_DCEP, PPID_BINARY_EMPTY, 7 };
    uint8_t arg = rd_u8(&p->r), head = rd_u8(&p->r);
    struct bytes raw = rd_bytes(&p->r, head % RAW_MAX);

    if (!p->r.ok || raw.len == 0)
        return;
    p->is_honest[end] = false;
    (void)sctp_send(p->two.sctp[end], p->two.now,
                    arg & 128 ? CHANNEL_CONTROL_STREAM : arg % STREAMS,
                    ppids[head / RAW_MAX % COUNT(ppids)], raw);
}

static void do_overrun(struct play *p, int end)
{
    p->is_honest[end] = false;
    (void)sctp_send(p->two.sctp[end], p->two.now, (uint16_t)any_channel(p), PPID_BINARY,
                    bytes_of(some, sizeof some));
}

static void do_wait(struct play *p, int end)
{
    (void)end;
    duo_wait(&p->two, (rd_u8(&p->r) + 1) * MILLISECOND);
}

static void (*const calls[])(struct play *p, int end) = {
    do_send,       do_send_message, do_read, do_take,    do_lossy, do_priority,
    do_keep_alive, do_close,        do_say,  do_overrun, do_wait,
};

static void take_events(struct play *p, int end)
{
    struct sctp_event ev;
    struct channel_event told;

    while (sctp_poll_event(p->two.sctp[end], &ev))
        if (ev.type != SCTP_EVENT_UP && ev.type != SCTP_EVENT_CLOSED)
            channel_input(&p->channels[end], p->two.now, &ev);
    while (channel_poll_event(&p->channels[end], &told))
        assert(told.type != CHANNEL_EVENT_OVERRUN || !p->is_honest[!end]);
}

static void drain(struct play *p)
{
    bool has_moved = true;

    for (int turns = 0; has_moved && turns < 1000; turns++) {
        has_moved = false;
        for (int end = 0; end < 2; end++) {
            has_moved |= duo_move(&p->two, end);
            take_events(p, !end);
        }
    }
    assert(!has_moved);
}

static void check(const struct play *p)
{
    for (int end = 0; end < 2; end++) {
        struct sctp_info info;

        sctp_get_info(p->two.sctp[end], &info);
        assert(info.unread_bytes <= CHANNEL_UNREAD_MAX);
        for (unsigned i = 0; i < CHANNEL_COUNT; i++)
            if (p->is_honest[!end])
                assert(p->received[end][i] <= p->sent[!end][i]);
    }
    assert(pool_used(p->two.pool) <= POOL_BLOCKS);
}

static void start(struct play *p)
{
    const struct sctp_config cfg = { .tx_bytes_max = 4 << 20, .rx_bytes_max = CHANNEL_UNREAD_MAX };

    duo_init(&p->two, 5, POOL_BLOCKS);
    duo_make_both(&p->two, &cfg);
    for (int end = 0; end < 2; end++) {
        p->is_honest[end] = true;
        assert(channel_init(&p->channels[end], p->two.sctp[end]) == ERR_OK);
        channel_use_credit(&p->channels[end], p->two.now);
    }
    assert(sctp_connect(p->two.sctp[0], p->two.now) == ERR_OK);
    drain(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct play play; /* with a run's buffer in it */

    if (len > CALLS_MAX)
        return 0;
    play = (struct play){ .r = rd_of(bytes_of(data, len)) };
    start(&play);
    while (play.r.ok && rd_left(&play.r)) {
        uint8_t call = rd_u8(&play.r);

        calls[(call & 0x7f) % COUNT(calls)](&play, call >> 7);
        drain(&play);
        check(&play);
    }
    duo_deinit(&play.two);
    return 0;
}
