/* Packets go out: what is due, bundled, as equal in size as it can be. RFC 9260 §6.10. */
#include "core/base/crc32c.h"
#include "core/sctp/assoc.h"

enum { PACKET_MIN = 64 };

/* A cursor over the run's next packet, the common header written; cap 0 if the run is full. A run
 * takes no packets that a short first one would cut far below the usual size. */
static struct wr begin_packet(struct sctp *s, struct out *out, uint32_t tag)
{
    size_t room = out_room(out) & ~(size_t)3, usual = tx_packet_bytes(s);
    struct common_header h = {
        .source_port = s->cfg.local_port,
        .destination_port = s->cfg.remote_port,
        .tag = tag,
    };
    struct wr w = wr_of(out_next(out), room < usual ? room : usual);

    if (room < PACKET_MIN || (out->count && room < usual - usual / 4))
        w.cap = 0;
    else
        header_encode(&w, &h);
    return w;
}

/* RFC 9653 §5.2: zero only goes to a peer known to take it, so not with what may reach one that has
 * forgotten, and not in answer to who may be anybody. */
enum checksum { CHECKSUM_SUMMED, CHECKSUM_AS_AGREED };

static void write_checksum(const struct sctp *s, struct wr *w, enum checksum how)
{
    uint32_t crc;

    if (how == CHECKSUM_AS_AGREED && s->offered & s->peer_extensions & INIT_ZERO_CHECKSUM)
        return;
    crc = __builtin_bswap32(crc32c(0, wr_written(w)));
    for (size_t i = 0; i < 4; i++)
        w->data[CHECKSUM_AT + i] = (uint8_t)(crc >> 8 * (3 - i));
}

static bool end_packet(struct sctp *s, struct out *out, struct wr *w, enum checksum how)
{
    if (!w->ok || w->len == COMMON_HEADER_LEN)
        return false;
    write_checksum(s, w, how);
    s->info.sent_packets++;
    s->info.sent_bytes += w->len;
    out_add(out, w->len);
    return true;
}

static bool send_abort(struct sctp *s, struct out *out)
{
    struct wr w = begin_packet(s, out, s->abort_tag);

    if (!w.cap)
        return false;
    closing_encode_abort(s, &w);
    s->is_abort_due = false;
    return end_packet(s, out, &w, s->is_abort_reflected ? CHECKSUM_SUMMED : CHECKSUM_AS_AGREED);
}

static bool send_init(struct sctp *s, usec now, struct out *out)
{
    struct wr w = begin_packet(s, out, 0);

    if (!w.cap)
        return false;
    handshake_encode_init(s, &w);
    handshake_note_asked(s, now);
    s->is_init_due = false;
    return end_packet(s, out, &w, CHECKSUM_SUMMED);
}

static bool send_lone_reply(struct sctp *s, struct out *out, uint32_t tag, size_t len)
{
    struct wr w = begin_packet(s, out, tag);

    if (!w.cap || wr_left(&w) < len)
        return false;
    reply_take(s, &w);
    return end_packet(s, out, &w, CHECKSUM_SUMMED);
}

static void add_replies(struct sctp *s, struct wr *w)
{
    uint32_t tag;
    unsigned flags;
    size_t len;

    while (s->replies.len && reply_peek(s, &tag, &flags, &len) && !(flags & REPLY_ALONE) &&
           len <= wr_left(w))
        reply_take(s, w);
}

/* A SACK that is not yet due rides along when data goes anyway. */
static void add_sack(struct sctp *s, struct wr *w)
{
    bool is_wanted = s->rx.is_sack_due || (s->sack_at != USEC_NEVER && tx_has_work(s));
    size_t least = s->pmtu.base > w->len ? s->pmtu.base - w->len : 0;
    size_t room = wr_left(w) < least ? wr_left(w) : least; /* nobody tells us if it is lost */

    if (is_wanted && assoc_may_receive_data(s) && room >= SACK_HEADER_LEN)
        sack_encode(s, w, room);
}

static void add_closing(struct sctp *s, struct wr *w)
{
    size_t at;

    if (s->is_shutdown_due && wr_left(w) >= CHUNK_HEADER_LEN + 4) {
        at = chunk_begin(w, CHUNK_SHUTDOWN, 0);
        wr_u32(w, s->rx.cum_tsn);
        chunk_end(w, at);
        s->is_shutdown_due = false;
    }
    if (s->is_shutdown_ack_due && wr_left(w) >= CHUNK_HEADER_LEN) {
        chunk_end(w, chunk_begin(w, CHUNK_SHUTDOWN_ACK, 0));
        s->is_shutdown_ack_due = false;
    }
}

/* COOKIE ECHO goes first, and data may ride with it (§5.1); what rode with one before rides again,
 * for a peer takes none before the cookie. */
static bool add_cookie_echo(struct sctp *s, usec now, struct wr *w)
{
    size_t at;

    if (!s->is_cookie_echo_due || wr_left(w) < padded(CHUNK_HEADER_LEN + s->peer_cookie_len))
        return false;
    at = chunk_begin(w, CHUNK_COOKIE_ECHO, 0);
    wr_bytes(w, bytes_of(s->peer_cookie, s->peer_cookie_len));
    chunk_end(w, at);
    s->is_cookie_echo_due = false;
    handshake_note_asked(s, now);
    loss_mark_all(s);
    return true;
}

static bool is_control_due(const struct sctp *s)
{
    return s->tx.is_forward_due || s->is_shutdown_due || s->is_shutdown_ack_due ||
           s->reconfig.is_due;
}

static bool send_bundle(struct sctp *s, usec now, struct out *out)
{
    struct wr w = begin_packet(s, out, s->peer_tag);
    bool has_cookie, was_due;

    if (!w.cap)
        return false;
    has_cookie = add_cookie_echo(s, now, &w);
    add_replies(s, &w);
    if (s->state >= STATE_UP && s->state != STATE_ENDED) {
        add_sack(s, &w);
        add_closing(s, &w);
        if (s->is_heartbeat_due && wr_left(&w) >= PACKET_MIN)
            heartbeat_encode(s, now, &w);
        if (s->reconfig.is_due && wr_left(&w) >= PACKET_MIN + 2 * s->reconfig.asked_count)
            reconfig_encode(s, now, &w);
        if (s->tx.is_forward_due && assoc_may_send_data(s))
            abandon_encode(s, now, &w);
    }
    was_due = is_control_due(s);
    if (has_cookie || assoc_may_send_data(s))
        tx_fill(s, now, &w);
    return end_packet(s, out, &w, has_cookie ? CHECKSUM_SUMMED : CHECKSUM_AS_AGREED) ||
           (is_control_due(s) && !was_due); /* what would have been sent was given up */
}

/* Alone, and at the beginning of a run, whose other packets may not be longer than its first. */
static bool send_probe(struct sctp *s, usec now, struct out *out)
{
    size_t len = pmtu_probe_bytes(s);
    struct wr w;

    if (len == 0 || out->count || out_room(out) < len)
        return false;
    w = begin_packet(s, out, s->peer_tag);
    w.cap = len;
    pmtu_encode_probe(s, now, &w);
    return end_packet(s, out, &w, CHECKSUM_AS_AGREED);
}

static bool send_packet(struct sctp *s, usec now, struct out *out)
{
    uint32_t tag;
    unsigned flags;
    size_t len;

    if (s->is_abort_due)
        return send_abort(s, out);
    if (s->replies.len && reply_peek(s, &tag, &flags, &len) && flags & REPLY_ALONE)
        return send_lone_reply(s, out, tag, len);
    if (s->is_init_due)
        return send_init(s, now, out);
    return (s->state >= STATE_COOKIE_ECHOED && s->state != STATE_ENDED) && send_bundle(s, now, out);
}

bool sctp_poll_output(struct sctp *s, usec now, struct out *out)
{
    size_t before = out->count;
    uint64_t packet_before = s->tx.packet;

    if (send_probe(s, now, out))
        return true;
    pace_refill(s, now);
    while (send_packet(s, now, out))
        ;
    if (tx_is_paced(s))
        pace_arm(s, now);
    if (s->tx.packet > packet_before) {
        s->pmtu.run_packet = packet_before;
        s->pmtu.was_probe = false;
    }
    return out->count > before;
}
