#include "core/channel/channel.h"

#include "core/channel/wire.h"

/* Video, playback and files may queue much; the others carry commands and speech, where a long
 * queue is only delay. */
static const size_t queue_bytes_max[CHANNEL_COUNT] = {
    256 << 10, 4 << 20, 256 << 10, 4 << 20, 256 << 10, 4 << 20, 256 << 10, 256 << 10,
};

/* Commands, speech, pictures; then what can wait: pass-through, playback, files, the free ones. */
static const uint8_t usual_class[CHANNEL_COUNT] = { 1, 3, 2, 5, 4, 6, 7, 7 };

int channel_init(struct channel_set *c, struct sctp *sctp)
{
    int err = sctp_set_stream_priority(sctp, CHANNEL_CONTROL_STREAM, 0, 1);

    *c = (struct channel_set){ .sctp = sctp };
    for (unsigned i = 0; !err && i < CHANNEL_COUNT; i++) {
        err = sctp_set_stream_limit(sctp, (uint16_t)i, queue_bytes_max[i]);
        if (!err)
            err = channel_set_priority(c, i, usual_class[i], 1);
    }
    return err;
}

int channel_set_priority(struct channel_set *c, unsigned channel, unsigned class, unsigned weight)
{
    return class > 0 && class < CHANNEL_CLASSES
               ? sctp_set_stream_priority(c->sctp, (uint16_t)channel, class, weight)
               : ERR_INVALID;
}

static void drop(struct channel_set *c, usec now, uint16_t stream, size_t len)
{
    c->dropped_bytes += len;
    sctp_consume(c->sctp, now, stream, len);
}

/* RFC 8832 §6: the opener waits for this before it sends unordered; an ordered one does not. */
static void answer_open(struct channel_set *c, usec now, uint16_t stream)
{
    static const uint8_t ack = DCEP_ACK;

    /* Refused for want of room, the opener goes on without: its data is ordered behind its OPEN. */
    (void)sctp_send(c->sctp, now, stream, PPID_DCEP, bytes_of(&ack, 1));
}

/* Takes away what is not application data in front of a channel's stream: DCEP messages and empty
 * messages. False when nothing is left to read. */
static bool skip_to_data(struct channel_set *c, usec now, uint16_t stream, struct sctp_piece *piece)
{
    while (sctp_recv(c->sctp, stream, piece)) {
        if (piece->ppid == PPID_DCEP) {
            if (piece->begins && piece->data.len && piece->data.data[0] == DCEP_OPEN)
                answer_open(c, now, stream);
            drop(c, now, stream, piece->data.len);
        } else if (piece->ppid == PPID_STRING_EMPTY || piece->ppid == PPID_BINARY_EMPTY ||
                   piece->data.len == 0) {
            drop(c, now, stream, piece->data.len); /* RFC 8831 §6.6: one byte stands for none */
        } else {
            return true;
        }
    }
    return false;
}

static void on_close(struct channel_set *c, unsigned reason)
{
    if (c->close_due)
        return;
    c->close_due = true;
    c->close_reason = reason;
}

static void on_credit(struct channel_set *c, unsigned channel, uint64_t limit)
{
    uint16_t bit = (uint16_t)(1u << channel);

    if (!c->has_credit || !credit_input(&c->credit[channel], limit) || !(c->waiting & bit))
        return;
    c->waiting &= (uint16_t)~bit;
    c->writable |= bit;
}

static void read_control(struct channel_set *c)
{
    struct rd r = rd_of(bytes_of(c->control, c->control_len));
    uint8_t type = rd_u8(&r), channel = rd_u8(&r);
    uint16_t reason = rd_u16(&r);

    if (r.ok && type == CONTROL_CLOSE)
        on_close(c, reason);
    if (r.ok && type == CONTROL_KEEP_ALIVE) {
        c->keep_alive_due = true;
        c->keep_alive = channel == 1; /* the second byte, which CREDIT has for a channel */
    }
    if (type != CONTROL_CREDIT || channel >= CHANNEL_COUNT)
        return;
    uint64_t limit = rd_u64(&r);

    if (r.ok)
        on_credit(c, channel, limit);
}

/* Gathers the pieces of one control message; a message that is too long is never read. */
static void gather_control(struct channel_set *c, const struct sctp_piece *piece)
{
    if (piece->begins)
        c->control_len = 0;
    if (piece->ppid != PPID_BINARY || piece->data.len > sizeof c->control - c->control_len) {
        c->control_len = sizeof c->control;
        return;
    }
    memcpy(c->control + c->control_len, piece->data.data, piece->data.len);
    c->control_len += piece->data.len;
    if (piece->ends)
        read_control(c);
}

static void drain_control(struct channel_set *c, usec now)
{
    struct sctp_piece piece;

    while (sctp_recv(c->sctp, CHANNEL_CONTROL_STREAM, &piece)) {
        gather_control(c, &piece);
        sctp_consume(c->sctp, now, CHANNEL_CONTROL_STREAM, piece.data.len);
    }
}

/* A stream that is none of ours: whoever opens one learns that it is not wanted. */
static void refuse_stream(struct channel_set *c, usec now, uint16_t stream)
{
    struct sctp_piece piece;
    bool opened = false;

    while (sctp_recv(c->sctp, stream, &piece)) {
        opened |= piece.ppid == PPID_DCEP;
        drop(c, now, stream, piece.data.len);
    }
    if (opened)
        (void)sctp_reset_stream(c->sctp, now, stream); /* refused only while another one is asked */
}

static void on_readable(struct channel_set *c, usec now, uint16_t stream)
{
    struct sctp_piece piece;

    if (stream == CHANNEL_CONTROL_STREAM)
        drain_control(c, now);
    else if (stream >= CHANNEL_COUNT)
        refuse_stream(c, now, stream);
    else if (skip_to_data(c, now, stream, &piece))
        c->readable |= (uint16_t)(1u << stream);
}

static bool send_credit(struct channel_set *c, usec now, unsigned channel)
{
    uint8_t message[12];
    struct wr w = wr_of(message, sizeof message);

    wr_u8(&w, CONTROL_CREDIT);
    wr_u8(&w, (uint8_t)channel);
    wr_u16(&w, 0);
    wr_u64(&w, c->credit[channel].rx_granted);
    return sctp_send(c->sctp, now, CHANNEL_CONTROL_STREAM, PPID_BINARY, wr_written(&w)) == ERR_OK;
}

/* What finds no room is told when there is some: SCTP_EVENT_WRITABLE. */
static void send_credits(struct channel_set *c, usec now)
{
    for (unsigned i = 0; c->ungranted && i < CHANNEL_COUNT; i++)
        if (c->ungranted >> i & 1 && send_credit(c, now, i))
            c->ungranted &= (uint16_t) ~(1u << i);
}

void channel_input(struct channel_set *c, usec now, const struct sctp_event *ev)
{
    if (ev->type == SCTP_EVENT_READABLE)
        on_readable(c, now, ev->stream);
    else if (ev->type == SCTP_EVENT_WRITABLE && ev->stream == CHANNEL_CONTROL_STREAM)
        send_credits(c, now);
    else if (ev->type == SCTP_EVENT_WRITABLE && ev->stream < CHANNEL_COUNT)
        c->writable |= (uint16_t)(1u << ev->stream);
    else if (ev->type == SCTP_EVENT_RESET && ev->stream < CHANNEL_COUNT)
        (void)sctp_reset_stream(c->sctp, now, ev->stream); /* RFC 8831 §6.7: close our side too */
}

static bool take_lowest(uint16_t *bits, unsigned *channel)
{
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        if (*bits & 1u << i) {
            *bits &= (uint16_t) ~(1u << i);
            *channel = i;
            return true;
        }
    }
    return false;
}

bool channel_poll_event(struct channel_set *c, struct channel_event *ev)
{
    *ev = (struct channel_event){ 0 };
    if (take_lowest(&c->readable, &ev->channel)) {
        ev->type = CHANNEL_EVENT_READABLE;
    } else if (take_lowest(&c->writable, &ev->channel)) {
        ev->type = CHANNEL_EVENT_WRITABLE;
    } else if (c->keep_alive_due) {
        c->keep_alive_due = false;
        ev->type = CHANNEL_EVENT_KEEP_ALIVE;
        ev->is_on = c->keep_alive;
    } else if (c->close_due) {
        c->close_due = false;
        ev->type = CHANNEL_EVENT_CLOSE;
        ev->reason = c->close_reason;
    } else {
        return false;
    }
    return true;
}

void channel_use_credit(struct channel_set *c, usec now)
{
    c->has_credit = true;
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        credit_init(&c->credit[i], now, queue_bytes_max[i]);
}

size_t channel_credit(const struct channel_set *c, unsigned channel)
{
    return c->has_credit ? credit_room(&c->credit[channel], c->count[channel].sent) : SIZE_MAX;
}

/* Data up to what the peer takes. */
static struct bytes within_credit(struct channel_set *c, unsigned channel, struct bytes data)
{
    size_t room = channel_credit(c, channel);

    if (data.len <= room)
        return data;
    c->waiting |= (uint16_t)(1u << channel);
    return bytes_of(data.data, room);
}

size_t channel_send(struct channel_set *c, usec now, unsigned channel, struct bytes data)
{
    size_t done = 0;

    data = within_credit(c, channel, data);
    while (done < data.len) {
        size_t n = data.len - done < CHANNEL_MESSAGE_MAX ? data.len - done : CHANNEL_MESSAGE_MAX;

        if (sctp_send(c->sctp, now, (uint16_t)channel, PPID_BINARY, bytes_of(data.data + done, n)))
            break;
        done += n;
    }
    c->count[channel].sent += done;
    return done;
}

struct bytes channel_peek(struct channel_set *c, usec now, unsigned channel)
{
    struct sctp_piece piece;

    if (!skip_to_data(c, now, (uint16_t)channel, &piece))
        return bytes_of(NULL, 0);
    return piece.data;
}

static void grant(struct channel_set *c, usec now, unsigned channel)
{
    struct sctp_info info;

    sctp_get_info(c->sctp, &info);
    if (!credit_read(&c->credit[channel], now, info.srtt_us, c->count[channel].received))
        return;
    c->ungranted |= (uint16_t)(1u << channel);
    send_credits(c, now);
}

void channel_consume(struct channel_set *c, usec now, unsigned channel, size_t len)
{
    c->count[channel].received += len;
    sctp_consume(c->sctp, now, (uint16_t)channel, len);
    if (c->has_credit && credit_is_due(&c->credit[channel], c->count[channel].received))
        grant(c, now, channel);
}

static int send_control(struct channel_set *c, usec now, uint8_t type, uint8_t byte, uint16_t word)
{
    uint8_t message[4];
    struct wr w = wr_of(message, sizeof message);

    wr_u8(&w, type);
    wr_u8(&w, byte);
    wr_u16(&w, word);
    return sctp_send(c->sctp, now, CHANNEL_CONTROL_STREAM, PPID_BINARY, wr_written(&w));
}

int channel_send_keep_alive(struct channel_set *c, usec now, bool is_on)
{
    return send_control(c, now, CONTROL_KEEP_ALIVE, is_on, 0);
}

int channel_send_close(struct channel_set *c, usec now, unsigned reason)
{
    return send_control(c, now, CONTROL_CLOSE, 0, (uint16_t)reason);
}
