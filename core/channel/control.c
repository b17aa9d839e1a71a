/* control.c: stream 8, what two hawsers tell each other about the channels. docs/protocol.md §6. */
#include "core/channel/internal.h"

/* ---- What the peer says ---------------------------------------------------------------------- */

static void on_close(struct channel_set *c, unsigned reason)
{
    if (c->close_due)
        return;
    c->close_due = true;
    c->close_reason = reason;
}

static void on_keep_alive(struct channel_set *c, bool is_on)
{
    c->keep_alive_due = true;
    c->keep_alive = is_on;
}

static void on_credit(struct channel_set *c, unsigned channel, uint64_t limit)
{
    uint16_t bit = channel_bit(channel);

    if (!c->has_credit || !credit_input(&c->credit[channel], limit) || !(c->waiting & bit))
        return;
    c->waiting &= (uint16_t)~bit;
    c->writable |= bit;
}

/* There is no way back, so a repeated one says nothing new. The answer is credit without end: the
 * peer loses nothing before it has that, so nothing of what is lost meets a stream of bytes. */
static void on_mode(struct channel_set *c, unsigned channel, bool is_lossy)
{
    uint16_t bit = channel_bit(channel);

    if (!c->has_credit || !is_lossy || c->peer_lossy & bit)
        return;
    c->peer_lossy |= bit;
    c->readable |= bit; /* whoever reads it looks at its mode */
    credit_end(&c->credit[channel]);
    c->ungranted |= bit;
}

static void read_control(struct channel_set *c)
{
    struct rd r = rd_of(bytes_of(c->control, c->control_len));
    uint8_t type = rd_u8(&r), byte = rd_u8(&r);
    uint16_t word = rd_u16(&r);
    bool is_channels = byte < CHANNEL_COUNT;
    uint64_t limit;

    if (!r.ok)
        return;
    if (type == CONTROL_CLOSE)
        on_close(c, word);
    else if (type == CONTROL_KEEP_ALIVE)
        on_keep_alive(c, byte == 1);
    else if (type == CONTROL_MODE && is_channels)
        on_mode(c, byte, word >> 8 == 1);
    else if (type == CONTROL_CREDIT && is_channels && (limit = rd_u64(&r), r.ok))
        on_credit(c, byte, limit);
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

void control_drain(struct channel_set *c, usec now)
{
    struct sctp_piece piece;

    while (sctp_recv(c->sctp, CHANNEL_CONTROL_STREAM, &piece)) {
        gather_control(c, &piece);
        sctp_consume(c->sctp, now, CHANNEL_CONTROL_STREAM, piece.data.len);
    }
    control_flush(c, now);
}

/* ---- What we say ----------------------------------------------------------------------------- */

static int say(struct channel_set *c, usec now, struct bytes message)
{
    return sctp_send(c->sctp, now, CHANNEL_CONTROL_STREAM, PPID_BINARY, message);
}

static int send_short(struct channel_set *c, usec now, uint8_t type, uint8_t byte, uint16_t word)
{
    uint8_t message[4];
    struct wr w = wr_of(message, sizeof message);

    wr_u8(&w, type);
    wr_u8(&w, byte);
    wr_u16(&w, word);
    return say(c, now, wr_written(&w));
}

static int send_credit(struct channel_set *c, usec now, unsigned channel)
{
    uint8_t message[12];
    struct wr w = wr_of(message, sizeof message);

    wr_u8(&w, CONTROL_CREDIT);
    wr_u8(&w, (uint8_t)channel);
    wr_u16(&w, 0);
    wr_u64(&w, c->credit[channel].rx_granted);
    return say(c, now, wr_written(&w));
}

static int send_mode(struct channel_set *c, usec now, unsigned channel)
{
    return send_short(c, now, CONTROL_MODE, (uint8_t)channel, MODE_LOSSY << 8);
}

void control_flush(struct channel_set *c, usec now)
{
    for (unsigned i = 0; (c->ungranted | c->untold_lossy) && i < CHANNEL_COUNT; i++) {
        uint16_t bit = channel_bit(i);

        if (c->untold_lossy & bit && send_mode(c, now, i) == ERR_OK)
            c->untold_lossy &= (uint16_t)~bit;
        if (c->ungranted & bit && send_credit(c, now, i) == ERR_OK)
            c->ungranted &= (uint16_t)~bit;
    }
}

int channel_send_keep_alive(struct channel_set *c, usec now, bool is_on)
{
    return send_short(c, now, CONTROL_KEEP_ALIVE, is_on, 0);
}

int channel_send_close(struct channel_set *c, usec now, unsigned reason)
{
    return send_short(c, now, CONTROL_CLOSE, 0, (uint16_t)reason);
}
