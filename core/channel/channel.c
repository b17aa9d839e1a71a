#include "core/channel/internal.h"

/* Video, playback and files may queue much; the others carry commands and speech, where a long
 * queue is only delay. Even there seven eighths of it take a message of CHANNEL_WHOLE_MAX. */
static const size_t queue_bytes_max[CHANNEL_COUNT] = {
    CREDIT_FIRST, 4 << 20, CREDIT_FIRST, 4 << 20, CREDIT_FIRST, 4 << 20, CREDIT_FIRST, CREDIT_FIRST,
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

int channel_set_priority(struct channel_set *c, unsigned channel, unsigned priority_class,
                         unsigned weight)
{
    int err = ERR_INVALID;

    if (channel < CHANNEL_COUNT && priority_class > 0 && priority_class < CHANNEL_CLASSES)
        err = sctp_set_stream_priority(c->sctp, (uint16_t)channel, priority_class, weight);
    if (!err) {
        c->priority_class[channel] = (uint8_t)priority_class;
        c->weight[channel] = (uint8_t)weight;
    }
    return err;
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

/* A foreign peer may lose messages, and has no other word for it: from now on whole ones alone are
 * delivered. A hawser says MODE. */
static void note_foreign_loss(struct channel_set *c, uint16_t stream)
{
    uint16_t bit = stream < CHANNEL_COUNT ? channel_bit(stream) : 0;

    if (c->has_credit || c->peer_lossy & bit)
        return;
    c->peer_lossy |= bit;
    c->readable |= bit;
}

/* RFC 8832 §5.1: type, then channel type, whose lower bits say what may be lost. */
static void on_establishment(struct channel_set *c, usec now, uint16_t stream,
                             const struct sctp_piece *piece)
{
    struct rd r = rd_of(piece->data);

    if (!piece->begins || rd_u8(&r) != DCEP_OPEN)
        return;
    answer_open(c, now, stream);
    if (rd_u8(&r) & DCEP_LOSSY_MASK)
        note_foreign_loss(c, stream);
}

/* The rest of a message that is being read will not come. */
static void on_cut(struct channel_set *c, uint16_t stream)
{
    c->cut |= stream < CHANNEL_COUNT ? channel_bit(stream) : 0;
    note_foreign_loss(c, stream);
}

/* Takes away what is not application data in front of a channel's stream: DCEP messages and empty
 * messages. False when nothing is left to read. */
static bool skip_to_data(struct channel_set *c, usec now, uint16_t stream, struct sctp_piece *piece)
{
    while (sctp_recv(c->sctp, stream, piece)) {
        if (piece->is_cut)
            on_cut(c, stream);
        if (piece->ppid == PPID_DCEP) {
            on_establishment(c, now, stream, piece);
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

/* What was read and what waits, beyond what was granted: no hawser does that by mistake. */
static void check_credit(struct channel_set *c, unsigned channel)
{
    uint64_t unread = sctp_stream_unread_bytes(c->sctp, (uint16_t)channel);

    if (c->has_credit && c->count[channel].received + unread > c->credit[channel].rx_granted)
        c->overrun |= channel_bit(channel);
}

static void on_readable(struct channel_set *c, usec now, uint16_t stream)
{
    struct sctp_piece piece;

    if (stream == CHANNEL_CONTROL_STREAM) {
        control_drain(c, now);
    } else if (stream >= CHANNEL_COUNT) {
        refuse_stream(c, now, stream);
    } else if (skip_to_data(c, now, stream, &piece)) {
        check_credit(c, stream);
        c->readable |= channel_bit(stream);
    }
}

void channel_input(struct channel_set *c, usec now, const struct sctp_event *ev)
{
    if (ev->type == SCTP_EVENT_READABLE)
        on_readable(c, now, ev->stream);
    else if (ev->type == SCTP_EVENT_WRITABLE && ev->stream == CHANNEL_CONTROL_STREAM)
        control_flush(c, now);
    else if (ev->type == SCTP_EVENT_WRITABLE && ev->stream < CHANNEL_COUNT)
        c->writable |= channel_bit(ev->stream);
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
    if (take_lowest(&c->overrun, &ev->channel)) {
        ev->type = CHANNEL_EVENT_OVERRUN;
    } else if (take_lowest(&c->readable, &ev->channel)) {
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

bool channel_waits_for_credit(const struct channel_set *c, unsigned channel)
{
    return c->waiting & channel_bit(channel);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* How much of len the peer takes; for the rest CHANNEL_EVENT_WRITABLE follows. */
static size_t within_credit(struct channel_set *c, unsigned channel, size_t len)
{
    size_t room = channel_credit(c, channel);

    if (len <= room)
        return len;
    c->waiting |= channel_bit(channel);
    return room;
}

/* A hawser's word that it knows is credit without end: before, what we give up would leave holes in
 * what it takes for a stream of bytes. */
static bool is_loss_agreed(const struct channel_set *c, unsigned channel)
{
    return c->lossy & channel_bit(channel) &&
           (!c->has_credit || credit_is_endless(&c->credit[channel]));
}

static struct sctp_message message_of(const struct channel_set *c, unsigned channel,
                                      usec accepted_at)
{
    struct sctp_message m = {
        .stream = (uint16_t)channel,
        .ppid = PPID_BINARY,
        .give_up_at = USEC_NEVER,
        .retransmits_max = SCTP_RETRANSMITS_ANY,
    };

    if (is_loss_agreed(c, channel)) {
        m.give_up_at = usec_after(accepted_at, c->loss[channel].lifetime_us);
        m.retransmits_max = c->loss[channel].retransmits_max;
    }
    return m;
}

static size_t next_cut(size_t left)
{
    return left < CHANNEL_MESSAGE_MAX ? left : CHANNEL_MESSAGE_MAX;
}

static void note_sent(struct channel_set *c, usec now, unsigned channel, size_t len)
{
    c->count[channel].sent += len;
    meter_add(&c->count[channel].sending, now, len);
}

size_t channel_send(struct channel_set *c, usec now, unsigned channel, struct bytes data)
{
    const struct sctp_message m = message_of(c, channel, now);
    size_t len = within_credit(c, channel, data.len), done = 0;

    while (done < len) {
        size_t n = next_cut(len - done);

        if (sctp_send_message(c->sctp, now, &m, bytes_of(data.data + done, n)))
            break;
        done += n;
    }
    note_sent(c, now, channel, done);
    return done;
}

size_t channel_send_room(const struct channel_set *c, unsigned channel)
{
    size_t credit = channel_credit(c, channel), room = sctp_send_room(c->sctp, (uint16_t)channel);

    return credit < room ? credit : room;
}

size_t channel_send_chain(struct channel_set *c, usec now, unsigned channel, struct chain *from,
                          size_t len)
{
    const struct sctp_message m = message_of(c, channel, now);
    size_t done = 0;

    len = within_credit(c, channel, len);
    while (done < len) {
        size_t n = next_cut(len - done);

        if (sctp_send_chain(c->sctp, now, &m, from, n))
            break;
        done += n;
    }
    note_sent(c, now, channel, done);
    return done;
}

int channel_send_message(struct channel_set *c, usec now, unsigned channel, struct chain *from,
                         size_t len, usec accepted_at)
{
    const struct sctp_message m = message_of(c, channel, accepted_at);
    int err;

    if (len == 0 || len > CHANNEL_WHOLE_MAX)
        return ERR_INVALID;
    if (within_credit(c, channel, len) < len)
        return ERR_LIMIT;
    err = sctp_send_chain(c->sctp, now, &m, from, len);
    if (!err)
        note_sent(c, now, channel, len);
    return err;
}

int channel_set_lossy(struct channel_set *c, usec now, unsigned channel, usec lifetime_us,
                      unsigned retransmits_max)
{
    uint16_t bit;

    if (channel >= CHANNEL_COUNT || lifetime_us < 0)
        return ERR_INVALID;
    bit = channel_bit(channel);
    c->loss[channel] = (struct channel_loss){ lifetime_us, retransmits_max };
    if (!(c->lossy & bit) && c->has_credit)
        c->untold_lossy |= bit;
    c->lossy |= bit;
    control_flush(c, now);
    return ERR_OK;
}

bool channel_is_lossy(const struct channel_set *c, unsigned channel)
{
    return c->lossy & channel_bit(channel);
}

bool channel_peer_is_lossy(const struct channel_set *c, unsigned channel)
{
    return c->peer_lossy & channel_bit(channel);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

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
    c->ungranted |= channel_bit(channel);
    control_flush(c, now);
}

static void note_received(struct channel_set *c, usec now, unsigned channel, size_t len)
{
    c->count[channel].received += len;
    meter_add(&c->count[channel].receiving, now, len);
    check_credit(c, channel);
    if (c->has_credit && credit_is_due(&c->credit[channel], c->count[channel].received))
        grant(c, now, channel);
}

void channel_consume(struct channel_set *c, usec now, unsigned channel, size_t len)
{
    sctp_consume(c->sctp, now, (uint16_t)channel, len);
    note_received(c, now, channel, len);
}

size_t channel_recv_chain(struct channel_set *c, usec now, unsigned channel, struct chain *to,
                          size_t len, bool *ends)
{
    struct sctp_piece piece;
    bool is_there = skip_to_data(c, now, (uint16_t)channel, &piece);
    size_t whole;

    *ends = c->cut & channel_bit(channel);
    c->cut &= (uint16_t)~channel_bit(channel);
    if (!is_there || (*ends && !piece.is_cut))
        return 0;
    if (channel_peer_is_lossy(c, channel)) {
        if (!sctp_recv_whole(c->sctp, (uint16_t)channel, &whole))
            return 0;
        len = whole < CHANNEL_WHOLE_MAX ? whole : CHANNEL_WHOLE_MAX;
    }
    len = sctp_recv_chain(c->sctp, now, (uint16_t)channel, to, len, ends);
    if (len)
        note_received(c, now, channel, len);
    return len;
}
