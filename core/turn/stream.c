/* RFC 8656 §12.5, RFC 8489 §6.2.2: each message says how long it is; nothing else parts them. */
#include "core/turn/client.h"

#define STUN_START_BYTES 8 /* type, length, cookie */

bool turn_frame_len(struct bytes stream, size_t *len)
{
    struct rd r = rd_of(stream);
    uint16_t type = rd_u16(&r), body = rd_u16(&r);
    uint32_t cookie = rd_u32(&r);

    *len = 0;
    if (stream.len && !stun_is_first_byte(stream.data[0]) &&
        stream.data[0] >> 4 != TURN_CHANNEL_FIRST >> 12)
        return false;
    if (stream.len < TURN_CHANNEL_HEAD_BYTES)
        return true;
    if (type >= TURN_CHANNEL_FIRST)
        *len = TURN_CHANNEL_HEAD_BYTES + body + turn_padding(body);
    else if (body % 4 != 0)
        return false;
    else if (stream.len >= STUN_START_BYTES)
        *len = STUN_HEADER_BYTES + body;
    return *len == 0 || type >= TURN_CHANNEL_FIRST || cookie == STUN_MAGIC_COOKIE;
}

/* What was not polled before the next bytes come is lost, as a datagram would be. */
static void forget_parsed(struct turn_inbox *in)
{
    in->len -= in->parsed;
    memmove(in->buf, in->buf + in->parsed, in->len);
    in->parsed = in->read = 0;
}

/* False: more than fits. */
static bool append(struct turn_inbox *in, struct bytes data)
{
    size_t skipped = in->skip < data.len ? in->skip : data.len;

    if (data.len > TURN_STREAM_MAX || data.len - skipped > in->cap - in->len)
        return false;
    in->skip -= skipped;
    if (data.len > skipped)
        memcpy(in->buf + in->len, data.data + skipped, data.len - skipped);
    in->len += data.len - skipped;
    return true;
}

/* Peers must not be able to end the stream with a datagram too long for us. */
static void pass_over(struct turn *t, size_t len)
{
    struct turn_inbox *in = &t->in;
    size_t there = in->len - in->parsed;

    (void)verdict_note(&t->verdicts, VERDICT_LIMIT);
    if (len <= there) {
        in->parsed += len;
        return;
    }
    in->skip = len - there;
    in->len = in->parsed;
}

/* Takes the message at the front. False: it is not all there yet. */
static bool take_next(struct turn *t, usec now, size_t len)
{
    struct turn_inbox *in = &t->in;
    struct bytes message = bytes_of(in->buf + in->parsed, len);

    if (len > TURN_FRAME_MAX) {
        pass_over(t, len);
        return true;
    }
    if (len == 0 || len > in->len - in->parsed)
        return false;
    (void)verdict_note(&t->verdicts, turn_take(t, now, message));
    in->parsed += len;
    return true;
}

static bool is_over(const struct turn *t)
{
    return t->state != TURN_ASKING && t->state != TURN_LIVE;
}

enum verdict turn_input_stream(struct turn *t, usec now, struct bytes data)
{
    struct turn_inbox *in = &t->in;
    bool is_followed, has_more = true;
    size_t len;

    if (!t->cfg.stream || is_over(t))
        return verdict_note(&t->verdicts, VERDICT_UNEXPECTED);
    forget_parsed(in);
    is_followed = append(in, data);
    while (is_followed && has_more && !is_over(t)) {
        is_followed = turn_frame_len(bytes_of(in->buf + in->parsed, in->len - in->parsed), &len);
        has_more = is_followed && take_next(t, now, len);
    }
    if (is_followed)
        return VERDICT_TAKEN;
    turn_fail(t, now, 0);
    return verdict_note(&t->verdicts, VERDICT_MALFORMED);
}
