#include "tests/bench/bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/ends.h"
#include "tests/bench/pair.h"

enum { BULK_CHANNEL = 5, STALLED_CHANNEL = 3, ANSWER_CHANNEL = 0 };
enum { FULL_MS = 200 /* that a channel takes nothing, and it is full */ };

/* The data is zeroes; this byte ends each channel's. */
static const char end_mark = 1;

struct flow {
    struct bulk *bulk;
    int channel;
};

struct bulk {
    int device, handle;
    struct flow flow[HAWSER_CHANNELS];
    struct hawser_session_info info; /* of the sender, at the end */
};

static enum bulk_kind kind;

static struct bulk *make(void)
{
    struct bulk *b = calloc(1, sizeof *b);

    for (int i = 0; b && i < HAWSER_CHANNELS; i++)
        b->flow[i] = (struct flow){ b, kind == BULK_ALL ? i : BULK_CHANNEL };
    return b;
}

static void *flow_of(void *ctx, unsigned i)
{
    return &((struct bulk *)ctx)->flow[i];
}

/* ---- The device ------------------------------------------------------------------------------ */

static void *bulk_listen(void)
{
    struct bulk *b = make();

    b->device = end_open_device("device");
    if (b->device < 0)
        end_fail("device", b->device);
    return b->device < 0 ? NULL : b;
}

static bool bulk_accept(void *ctx)
{
    struct bulk *b = ctx;

    b->handle = hawser_device_listen(b->device, 2 * END_WAIT_MS);
    return b->handle >= 0;
}

static long bulk_receive(void *ctx, void *buf, size_t cap)
{
    struct flow *f = ctx;
    int n = hawser_recv_data(f->bulk->handle, f->channel, buf, (int)cap, -1);

    if (n < 0)
        end_fail("receive", n);
    return n > 0 && ((char *)buf)[n - 1] == end_mark ? 0 : n;
}

static bool bulk_acknowledge(void *ctx)
{
    struct bulk *b = ctx;
    char byte;

    if (hawser_send_data(b->handle, ANSWER_CHANNEL, "a", 1, END_WAIT_MS) != 1)
        return false;
    hawser_recv_data(b->handle, ANSWER_CHANNEL, &byte, 1, END_WAIT_MS); /* until the app has gone */
    return hawser_device_close(b->device) == 0;
}

/* ---- The app --------------------------------------------------------------------------------- */

static bool fill(struct bulk *b, int channel)
{
    static const char some[PAIR_PIECE];
    int n;

    do
        n = hawser_send_data(b->handle, channel, some, sizeof some, FULL_MS);
    while (n > 0);
    return n == HAWSER_ERR_TIMEOUT;
}

static void *bulk_connect(void)
{
    struct bulk *b = make();
    char id[HAWSER_ID_MAX];
    int code;

    if (kind == BULK_STALLED)
        hawser_set_option("flush_ms", "0"); /* what nobody reads is not waited for at the end */
    code = end_open_app();
    if (!code)
        code = end_pair("device", id);
    b->handle = code ? code : end_connect(id);
    if (b->handle < 0)
        end_fail("connect", b->handle);
    return b->handle < 0 || (kind == BULK_STALLED && !fill(b, STALLED_CHANNEL)) ? NULL : b;
}

static bool bulk_send(void *ctx, const void *data, size_t len)
{
    struct flow *f = ctx;
    int n = hawser_send_data(f->bulk->handle, f->channel, data, (int)len, -1);

    if (n != (int)len)
        end_fail("send", n);
    return n == (int)len;
}

static bool bulk_finish(void *ctx)
{
    struct bulk *b = ctx;
    char byte;

    for (int i = 0; i < (kind == BULK_ALL ? HAWSER_CHANNELS : 1); i++)
        if (!bulk_send(&b->flow[i], &end_mark, 1))
            return false;
    if (hawser_recv_data(b->handle, ANSWER_CHANNEL, &byte, 1, END_WAIT_MS) != 1)
        return false;
    return hawser_session_info(b->handle, &b->info) == 0 && hawser_disconnect(b->handle) == 0;
}

static void bulk_describe(void *ctx, char *text, size_t cap)
{
    const struct hawser_session_info *info = &((struct bulk *)ctx)->info;

    snprintf(text, cap, ",\"datagram_bytes\":%u,\"retransmitted_ppm\":%.1f,\"rtt_us\":%lld",
             info->path_mtu, 1e6 * (double)info->chunks_resent / (double)(info->chunks_sent + 1),
             (long long)info->rtt_us);
}

int bulk_run(enum bulk_kind what, double seconds)
{
    static struct pair_transport hawser = {
        .name = "hawser",
        .flow = flow_of,
        .listen = bulk_listen,
        .accept = bulk_accept,
        .receive = bulk_receive,
        .acknowledge = bulk_acknowledge,
        .connect = bulk_connect,
        .send = bulk_send,
        .finish = bulk_finish,
        .describe = bulk_describe,
    };

    kind = what;
    hawser.flows = kind == BULK_ALL ? HAWSER_CHANNELS : 1;
    return pair_run(&hawser, seconds);
}
