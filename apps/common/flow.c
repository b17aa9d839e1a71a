#include "apps/common/flow.h"

#include <limits.h>
#include <stdlib.h>

#include "apps/common/stop.h"
#include "hawser/hawser.h"

enum { READ_BYTES = 65536, LENGTH_BYTES = 4 };

void flow_init(struct flow *f, int handle, int channel)
{
    *f = (struct flow){ .handle = handle, .channel = channel };
}

void flow_deinit(struct flow *f)
{
    free(f->buf);
    f->buf = NULL;
}

/* Makes room for `need` bytes from start on, and for a good read besides. */
static bool make_room(struct flow *f, size_t need)
{
    size_t cap = need > READ_BYTES ? need : READ_BYTES;
    uint8_t *grown;

    if (f->start == f->end)
        f->start = f->end = 0;
    if (f->start && f->cap - f->start < cap) {
        memmove(f->buf, f->buf + f->start, f->end - f->start);
        f->end -= f->start;
        f->start = 0;
    }
    if (cap <= f->cap)
        return true;
    grown = realloc(f->buf, cap);
    if (!grown)
        return false;
    f->buf = grown;
    f->cap = cap;
    return true;
}

/* What is left of a limit of silence is waited for in slices, to look for signals in between. */
static int slice_of(int left_ms)
{
    return left_ms < STOP_POLL_MS ? left_ms : STOP_POLL_MS;
}

static int receive_slices(struct flow *f, void *buf, int len, int timeout_ms)
{
    for (;;) {
        int slice = slice_of(timeout_ms);
        int got = hawser_recv_data(f->handle, f->channel, buf, len, slice);

        timeout_ms -= slice;
        if (got != HAWSER_ERR_TIMEOUT || timeout_ms <= 0)
            return got;
        if (stop_asked())
            return HAWSER_ERR_CLOSED_LOCALLY;
    }
}

static int send_slices(int handle, int channel, struct bytes data, int timeout_ms)
{
    int len = data.len > INT_MAX ? INT_MAX : (int)data.len;

    for (;;) {
        int slice = slice_of(timeout_ms);
        int sent = hawser_send_data(handle, channel, data.data, len, slice);

        timeout_ms -= slice;
        if (sent != HAWSER_ERR_TIMEOUT || timeout_ms <= 0)
            return sent;
        if (stop_asked())
            return HAWSER_ERR_CLOSED_LOCALLY;
    }
}

static int receive(struct flow *f, size_t need, int timeout_ms)
{
    size_t room;
    int got;

    if (!make_room(f, need))
        return HAWSER_ERR_NO_MEMORY;
    room = f->cap - f->end;
    got = receive_slices(f, f->buf + f->end, room > INT_MAX ? INT_MAX : (int)room, timeout_ms);
    if (got > 0)
        f->end += (size_t)got;
    return got < 0 ? got : 0;
}

int flow_next_line(struct flow *f, size_t len_max, int timeout_ms, struct bytes *line)
{
    size_t seen = 0;

    for (;;) {
        size_t have = f->end - f->start;
        uint8_t *at = f->buf ? f->buf + f->start : NULL;
        uint8_t *newline = have > seen ? memchr(at + seen, '\n', have - seen) : NULL;
        int error;

        if (newline && (size_t)(newline - at) < len_max) {
            *line = bytes_of(at, (size_t)(newline - at));
            f->start += line->len + 1;
            return 0;
        }
        if (have >= len_max)
            return HAWSER_ERR_INVALID;
        seen = have;
        if ((error = receive(f, have + 1, timeout_ms)))
            return error;
    }
}

int flow_next_frame(struct flow *f, size_t len_max, int timeout_ms, struct bytes *frame)
{
    for (;;) {
        size_t have = f->end - f->start, need = LENGTH_BYTES;
        int error;

        if (have >= LENGTH_BYTES) {
            struct rd r = rd_of(bytes_of(f->buf + f->start, have));
            size_t len = rd_u32(&r);

            if (len > len_max)
                return HAWSER_ERR_INVALID;
            need += len;
            if (have >= need) {
                *frame = rd_bytes(&r, len);
                f->start += need;
                return 0;
            }
        }
        if ((error = receive(f, need, timeout_ms)))
            return error;
    }
}

int flow_send(int handle, int channel, struct bytes data, int timeout_ms)
{
    while (data.len) {
        int sent = send_slices(handle, channel, data, timeout_ms);

        if (sent < 0)
            return sent;
        data = bytes_of(data.data + sent, data.len - (size_t)sent);
    }
    return 0;
}
