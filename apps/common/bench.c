#include "apps/common/bench.h"

#include <sys/resource.h>

#include "apps/common/flow.h"
#include "core/base/usec.h"
#include "hawser/hawser.h"

enum { FILL_BYTES = 65536 - BENCH_HEAD_BYTES };

static bool is_sound(enum bench_kind kind, size_t len)
{
    switch (kind) {
    case BENCH_FILL:
        return len >= 1 && len <= BENCH_FILL_MAX;
    case BENCH_PING:
    case BENCH_PONG:
        return len >= 1 && len <= BENCH_PING_MAX;
    case BENCH_END:
        return len == BENCH_END_BYTES;
    default:
        return false;
    }
}

static struct bytes take(struct bytes *data, size_t most)
{
    struct bytes taken = bytes_of(data->data, most < data->len ? most : data->len);

    *data = bytes_of(data->data + taken.len, data->len - taken.len);
    return taken;
}

/* False: malformed. */
static bool read_head(struct bench_reader *r, struct bytes *data)
{
    struct bytes some = take(data, BENCH_HEAD_BYTES - r->have);
    struct rd head;

    memcpy(r->head + r->have, some.data, some.len);
    r->have += some.len;
    if (r->have < BENCH_HEAD_BYTES)
        return true;
    head = rd_of(bytes_of(r->head, BENCH_HEAD_BYTES));
    r->left = rd_u32(&head);
    if (r->left == 0 || !is_sound((enum bench_kind)rd_u8(&head), r->left - 1))
        return false;
    r->left--; /* the length counts the kind */
    return true;
}

static void read_body(struct bench_reader *r, struct bytes *data)
{
    struct bytes some = take(data, r->left);

    r->left -= some.len;
    if (r->head[4] == BENCH_FILL) {
        r->filled += some.len;
        return;
    }
    memcpy(r->body + r->have - BENCH_HEAD_BYTES, some.data, some.len);
    r->have += some.len;
}

bool bench_read(struct bench_reader *r, struct bytes *data, struct bench_frame *frame)
{
    *frame = (struct bench_frame){ .kind = BENCH_NONE };
    while (data->len) {
        if (r->have < BENCH_HEAD_BYTES && !read_head(r, data))
            return false;
        if (r->have < BENCH_HEAD_BYTES)
            break;
        read_body(r, data);
        if (r->left)
            break;
        if (r->head[4] != BENCH_FILL) {
            frame->kind = (enum bench_kind)r->head[4];
            frame->body = bytes_of(r->body, r->have - BENCH_HEAD_BYTES);
        }
        r->have = 0;
        if (frame->kind != BENCH_NONE)
            break;
    }
    return true;
}

void bench_put_head(uint8_t head[BENCH_HEAD_BYTES], enum bench_kind kind, size_t len)
{
    struct wr w = wr_of(head, BENCH_HEAD_BYTES);

    wr_u32(&w, (uint32_t)len + 1);
    wr_u8(&w, (uint8_t)kind);
}

void bench_writer_init(struct bench_writer *w, int handle, int channel)
{
    *w = (struct bench_writer){ .handle = handle, .channel = channel };
    pthread_mutex_init(&w->lock, NULL);
}

void bench_writer_deinit(struct bench_writer *w)
{
    pthread_mutex_destroy(&w->lock);
}

/* The lock is held. */
static int write_frame(struct bench_writer *w, enum bench_kind kind, struct bytes body,
                       int silence_ms)
{
    uint8_t small[BENCH_HEAD_BYTES + BENCH_PING_MAX]; /* a short frame is one send */
    int error;

    bench_put_head(small, kind, body.len);
    if (body.len <= BENCH_PING_MAX) {
        memcpy(small + BENCH_HEAD_BYTES, body.data, body.len);
        return flow_send(w->handle, w->channel, bytes_of(small, BENCH_HEAD_BYTES + body.len),
                         silence_ms);
    }
    error = flow_send(w->handle, w->channel, bytes_of(small, BENCH_HEAD_BYTES), silence_ms);
    return error ? error : flow_send(w->handle, w->channel, body, silence_ms);
}

int bench_write(struct bench_writer *w, enum bench_kind kind, struct bytes body, int silence_ms)
{
    int error = 0;

    pthread_mutex_lock(&w->lock);
    if (!w->has_ended)
        error = write_frame(w, kind, body, silence_ms);
    if (!error && kind == BENCH_FILL)
        w->filled += body.len;
    pthread_mutex_unlock(&w->lock);
    return error;
}

int bench_write_end(struct bench_writer *w, int silence_ms)
{
    uint8_t body[BENCH_END_BYTES];
    struct wr b = wr_of(body, sizeof body);
    int error = 0;

    pthread_mutex_lock(&w->lock);
    wr_u64(&b, w->filled);
    if (!w->has_ended)
        error = write_frame(w, BENCH_END, wr_written(&b), silence_ms);
    w->has_ended = true;
    pthread_mutex_unlock(&w->lock);
    return error;
}

int bench_write_fill(struct bench_writer *w, int silence_ms)
{
    static const uint8_t zeros[FILL_BYTES];

    return bench_write(w, BENCH_FILL, bytes_of(zeros, sizeof zeros), silence_ms);
}

json_t *bench_channels_json(uint8_t bits)
{
    json_t *list = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (bits >> i & 1)
            (void)json_array_append_new(list, json_integer(i));
    return list;
}

uint8_t bench_channels_of(const json_t *list)
{
    uint8_t bits = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t channel = json_integer_value(json_array_get(list, i));

        if (channel > 0 && channel < HAWSER_CHANNELS)
            bits |= (uint8_t)(1u << channel);
    }
    return bits;
}

int64_t bench_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * SECOND + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}
