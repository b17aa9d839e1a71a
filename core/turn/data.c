#include <assert.h>

#include "core/turn/client.h"

static bool is_channel_first_byte(uint8_t first)
{
    return first >> 4 == TURN_CHANNEL_FIRST >> 12; /* RFC 8656 §12: the rest is reserved */
}

static enum verdict read_channel(const struct turn *t, struct bytes message, struct addr *from,
                                 struct bytes *data)
{
    struct rd r = rd_of(message);
    uint16_t number = rd_u16(&r), len = rd_u16(&r);
    struct bytes body = rd_bytes(&r, len);
    const struct turn_grant *g = turn_channel_by_number(t, number);

    if (!r.ok)
        return VERDICT_MALFORMED;
    if (!g || len == 0)
        return VERDICT_UNEXPECTED;
    *from = g->peer;
    *data = body;
    return VERDICT_TAKEN;
}

/* RFC 8656 §11.4. One with ICMP instead of DATA tells nothing that a lost packet does not. */
static enum verdict read_indication(const struct turn *t, const struct stun_msg *m,
                                    struct addr *from, struct bytes *data)
{
    if (m->unknown_count || !(m->has & STUN_HAS_PEER) || m->data.len == 0 ||
        !turn_is_permitted(t, &m->peer))
        return VERDICT_UNEXPECTED;
    *from = m->peer;
    *data = m->data;
    return VERDICT_TAKEN;
}

/* The datagram of a peer that is in a message of the server's. Unless TAKEN there is none. */
static enum verdict read_data(const struct turn *t, struct bytes message, struct addr *from,
                              struct bytes *data)
{
    struct stun_msg m;

    if (message.len && is_channel_first_byte(message.data[0]))
        return read_channel(t, message, from, data);
    if (stun_decode(&m, message) != VERDICT_TAKEN || m.class != STUN_INDICATION ||
        m.method != STUN_DATA)
        return VERDICT_UNEXPECTED;
    return read_indication(t, &m, from, data);
}

static enum verdict take_stun(struct turn *t, usec now, struct bytes message)
{
    struct addr from;
    struct bytes data;
    struct stun_msg m;
    enum verdict verdict = stun_decode(&m, message);

    if (verdict != VERDICT_TAKEN)
        return verdict;
    if (m.method == STUN_BINDING)
        return VERDICT_FOREIGN; /* the same server may be asked for our address, by others */
    if (m.class == STUN_SUCCESS || m.class == STUN_ERROR)
        return turn_on_response(t, now, &m);
    if (m.class == STUN_INDICATION && m.method == STUN_DATA && t->state == TURN_LIVE)
        return read_indication(t, &m, &from, &data);
    return VERDICT_UNEXPECTED;
}

enum verdict turn_take(struct turn *t, usec now, struct bytes message)
{
    struct addr from;
    struct bytes data;

    if (message.len && stun_is_first_byte(message.data[0]))
        return take_stun(t, now, message);
    if (message.len == 0 || !is_channel_first_byte(message.data[0]))
        return VERDICT_FOREIGN;
    return t->state == TURN_LIVE ? read_channel(t, message, &from, &data) : VERDICT_UNEXPECTED;
}

/* What is kept is read a second time by turn_poll_data(): cheaper than a list of what it holds. */
enum verdict turn_input(struct turn *t, usec now, const struct addr *from, struct bytes dgram)
{
    enum verdict verdict;

    t->in.len = t->in.parsed = t->in.read = 0;
    if (t->cfg.stream || !addr_equal(from, &t->cfg.server))
        return verdict_note(&t->verdicts, VERDICT_FOREIGN);
    if (dgram.len > t->in.cap)
        return verdict_note(&t->verdicts, VERDICT_LIMIT);
    verdict = turn_take(t, now, dgram);
    if (verdict == VERDICT_TAKEN && t->state == TURN_LIVE) {
        memcpy(t->in.buf, dgram.data, dgram.len);
        t->in.len = t->in.parsed = dgram.len;
    }
    return verdict_note(&t->verdicts, verdict);
}

/* The next whole message; over a stream one of several. */
static struct bytes next_message(struct turn *t)
{
    struct bytes rest = bytes_of(t->in.buf + t->in.read, t->in.parsed - t->in.read);
    size_t len = rest.len;

    if (t->cfg.stream && (!turn_frame_len(rest, &len) || len > rest.len))
        len = rest.len;
    t->in.read += len;
    return bytes_of(rest.data, len);
}

bool turn_poll_data(struct turn *t, struct addr *from, struct bytes *dgram)
{
    while (t->state == TURN_LIVE && t->in.read < t->in.parsed) {
        struct bytes message = next_message(t);

        if (message.len <= TURN_FRAME_MAX && read_data(t, message, from, dgram) == VERDICT_TAKEN)
            return true;
    }
    return false;
}

/* What turn_wrap() puts around each datagram of one run. */
struct wrapper {
    const struct turn_grant *channel; /* NULL: indications */
    size_t head;
    bool is_padded;
};

static struct wrapper wrapper_for(const struct turn *t, const struct addr *peer)
{
    struct wrapper p = { .channel = turn_channel_of(t, peer) };

    p.head = p.channel ? TURN_CHANNEL_HEAD_BYTES
                       : STUN_HEADER_BYTES + STUN_ATTR_HEADER_BYTES + 4 + addr_ip_len(peer) +
                             STUN_ATTR_HEADER_BYTES;
    p.is_padded = !p.channel || t->cfg.stream; /* RFC 8656 §12.5 */
    return p;
}

static size_t wrapped_len(const struct wrapper *p, size_t len)
{
    return p->head + len + (p->is_padded ? turn_padding(len) : 0);
}

static void write_head(const struct turn *t, const struct wrapper *p, const struct addr *peer,
                       uint8_t *at, size_t len)
{
    struct wr w = wr_of(at, p->head);
    struct stun_id id;

    if (p->channel) {
        wr_u16(&w, p->channel->channel);
    } else {
        stun_id_init(&id, t->rng);
        stun_encode_header(&w, STUN_INDICATION, STUN_SEND, &id);
        stun_add_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
        wr_patch_u16(&w, 2, (uint16_t)(wrapped_len(p, len) - STUN_HEADER_BYTES));
        wr_u16(&w, STUN_ATTR_DATA);
    }
    wr_u16(&w, (uint16_t)len);
    assert(w.ok && w.len == p->head);
}

/* From the last datagram to the first: each goes up, into room that the one behind it has left. */
static void wrap_each(const struct turn *t, const struct wrapper *p, struct out *run)
{
    size_t segment = wrapped_len(p, run->segment);

    for (size_t i = run->count; i-- > 0;) {
        struct bytes d = out_datagram(run, i);
        uint8_t *at = run->buf + i * segment;

        memmove(at + p->head, d.data, d.len);
        memset(at + p->head + d.len, 0, wrapped_len(p, d.len) - p->head - d.len);
        write_head(t, p, &run->to, at, d.len);
    }
}

int turn_wrap(struct turn *t, struct out *run)
{
    struct wrapper p = wrapper_for(t, &run->to);
    size_t last, len;

    if (t->state != TURN_LIVE)
        return ERR_WRONG_STATE;
    if (run->count == 0 || run->to.family != t->relayed.family)
        return ERR_INVALID;
    last = wrapped_len(&p, out_datagram(run, run->count - 1).len);
    len = (run->count - 1) * wrapped_len(&p, run->segment) + last;
    if (len > run->cap || wrapped_len(&p, run->segment) > OUT_BYTES_MAX)
        return ERR_LIMIT;
    wrap_each(t, &p, run);
    run->segment = run->count == 1 ? last : wrapped_len(&p, run->segment);
    run->len = len;
    run->head = run->tail = 0;
    run->from = t->cfg.local;
    run->to = t->cfg.server;
    run->stream = t->cfg.stream;
    t->has_wrapped = true;
    return ERR_OK;
}
