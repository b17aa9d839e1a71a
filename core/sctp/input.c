/* A packet comes in: whose is it, and which chunk goes where. */
#include "core/base/crc32c.h"
#include "core/sctp/assoc.h"

static enum verdict on_error(struct sctp *s, usec now, const struct chunk *c)
{
    struct rd r = rd_of(c->body);
    struct param cause;

    while (param_read(&r, &cause))
        if (cause.type == CAUSE_STALE_COOKIE)
            handshake_on_stale_cookie(s, now);
    return r.ok ? VERDICT_TAKEN : VERDICT_MALFORMED;
}

/* Chunks that a known peer sends within the association. INIT and COOKIE ECHO come before. */
static const struct chunk_rule {
    uint8_t type;
    enum verdict (*on)(struct sctp *s, usec now, const struct chunk *c);
} rules[] = {
    { CHUNK_DATA, on_data },
    { CHUNK_I_DATA, on_data },
    { CHUNK_SACK, on_sack },
    { CHUNK_INIT_ACK, on_init_ack },
    { CHUNK_COOKIE_ACK, on_cookie_ack },
    { CHUNK_HEARTBEAT, on_heartbeat },
    { CHUNK_HEARTBEAT_ACK, on_heartbeat_ack },
    { CHUNK_ABORT, on_abort },
    { CHUNK_SHUTDOWN, on_shutdown },
    { CHUNK_SHUTDOWN_ACK, on_shutdown_ack },
    { CHUNK_SHUTDOWN_COMPLETE, on_shutdown_complete },
    { CHUNK_ERROR, on_error },
    { CHUNK_RE_CONFIG, on_reconfig },
    { CHUNK_PART, on_part },
    { CHUNK_FORWARD_TSN, on_forward },
    { CHUNK_I_FORWARD_TSN, on_forward },
};

static const struct chunk_rule *find_rule(uint8_t type)
{
    for (size_t i = 0; i < COUNT(rules); i++)
        if (rules[i].type == type)
            return &rules[i];
    return NULL;
}

/* RFC 9260 §8.5: which tag a packet must carry depends on its first chunk. */
static bool is_tag_right(const struct sctp *s, uint32_t tag, const struct chunk *first)
{
    bool may_reflect = first->type == CHUNK_ABORT || first->type == CHUNK_SHUTDOWN_COMPLETE;

    if (first->type == CHUNK_INIT)
        return tag == 0;
    if (first->type == CHUNK_COOKIE_ECHO)
        return true; /* the cookie knows */
    if (may_reflect && first->flags & FLAG_TAG_REFLECTED)
        return s->peer_tag != 0 && tag == s->peer_tag;
    return s->state != STATE_CLOSED && tag == s->local_tag;
}

/* RFC 9260 §8.4: a packet that belongs to no association of ours. */
static enum verdict on_out_of_the_blue(struct sctp *s, uint32_t tag, const struct chunk *first)
{
    uint8_t chunk[CHUNK_HEADER_LEN];
    struct wr w = wr_of(chunk, sizeof chunk);

    if (s->state != STATE_CLOSED || first->type == CHUNK_ABORT ||
        first->type == CHUNK_SHUTDOWN_COMPLETE || first->type == CHUNK_COOKIE_ACK ||
        first->type == CHUNK_ERROR)
        return VERDICT_FORGED;
    if (first->type == CHUNK_SHUTDOWN_ACK)
        chunk_end(&w, chunk_begin(&w, CHUNK_SHUTDOWN_COMPLETE, FLAG_TAG_REFLECTED));
    else
        chunk_end(&w, chunk_begin(&w, CHUNK_ABORT, FLAG_TAG_REFLECTED));
    reply_add(s, tag, REPLY_ALONE, wr_written(&w));
    return VERDICT_FORGED;
}

/* False: the rest of the packet must not be looked at (RFC 9260 §3.2). */
static bool on_unknown(struct sctp *s, const struct chunk *c)
{
    if (c->type & CHUNK_IF_UNKNOWN_REPORT && s->state != STATE_CLOSED && s->state != STATE_ENDED)
        reply_error(s, CAUSE_UNRECOGNIZED_CHUNK, c->whole);
    return c->type & CHUNK_IF_UNKNOWN_SKIP;
}

static enum verdict take_chunk(struct sctp *s, usec now, uint32_t tag, const struct chunk *c)
{
    const struct chunk_rule *rule = find_rule(c->type);

    if (s->state == STATE_ENDED && c->type != CHUNK_SHUTDOWN_ACK)
        return VERDICT_UNEXPECTED;
    if (c->type == CHUNK_COOKIE_ECHO)
        return on_cookie_echo(s, now, tag, c);
    if (!rule)
        return on_unknown(s, c) ? VERDICT_TAKEN : VERDICT_UNEXPECTED;
    return rule->on(s, now, c);
}

/* A FORWARD-TSN is acknowledged just as data is. */
static bool is_data(uint8_t type)
{
    return type == CHUNK_DATA || type == CHUNK_I_DATA || type == CHUNK_PART ||
           type == CHUNK_FORWARD_TSN || type == CHUNK_I_FORWARD_TSN;
}

/* A packet is as good as the worst that its chunks met; those before are taken nevertheless. */
static enum verdict take_chunks(struct sctp *s, usec now, uint32_t tag, struct rd *r,
                                struct chunk *c)
{
    enum verdict worst = VERDICT_TAKEN, one;
    bool has_data = false, has_cookie = c->type == CHUNK_COOKIE_ECHO;

    do {
        if (c->type == CHUNK_INIT) {
            worst = VERDICT_MALFORMED; /* must be alone: RFC 9260 §8.5.1 (A) */
            break;
        }
        one = take_chunk(s, now, tag, c);
        has_data |= is_data(c->type);
        if (worst == VERDICT_TAKEN || (one != VERDICT_TAKEN && one != VERDICT_DUPLICATE))
            worst = one;
        if (has_cookie && one != VERDICT_TAKEN && c->type == CHUNK_COOKIE_ECHO)
            break; /* what follows belongs to an association that is not to be */
        if (one == VERDICT_UNEXPECTED && !find_rule(c->type))
            break;
    } while (chunk_read(r, c));
    if (has_data)
        rx_after_packet(s, now);
    return r->ok ? worst : VERDICT_MALFORMED;
}

/* RFC 9653 §5.3: who offered to take zero takes it in every packet. */
static bool may_be_zero(const struct sctp *s)
{
    return s->offered & INIT_ZERO_CHECKSUM;
}

static bool is_checksum_right(struct bytes packet, uint32_t checksum)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, bytes_of(packet.data, CHECKSUM_AT));

    crc = crc32c(crc, bytes_of(zero, sizeof zero));
    return crc32c(crc, bytes_of(packet.data + COMMON_HEADER_LEN, packet.len - COMMON_HEADER_LEN)) ==
           checksum;
}

static enum verdict take_packet(struct sctp *s, usec now, struct bytes packet)
{
    struct rd r = rd_of(packet);
    struct common_header h;
    struct chunk first;

    if (!header_decode(&h, &r))
        return VERDICT_MALFORMED;
    if (!(h.checksum == 0 && may_be_zero(s)) && !is_checksum_right(packet, h.checksum))
        return VERDICT_FORGED;
    if (h.source_port != s->cfg.remote_port || h.destination_port != s->cfg.local_port)
        return VERDICT_FOREIGN;
    if (!chunk_read(&r, &first))
        return VERDICT_MALFORMED;
    s->info.received_packets++;
    s->info.received_bytes += packet.len;
    if (h.tag == s->local_tag && first.type != CHUNK_COOKIE_ECHO)
        snap_on_tagged(s, now);
    if (!is_tag_right(s, h.tag, &first))
        return on_out_of_the_blue(s, h.tag, &first);
    if (first.type == CHUNK_INIT)
        return rd_left(&r) || s->state == STATE_ENDED ? VERDICT_MALFORMED : on_init(s, now, &first);
    return take_chunks(s, now, h.tag, &r, &first);
}

enum verdict sctp_input(struct sctp *s, usec now, struct bytes packet)
{
    return verdict_note(&s->info.verdicts, take_packet(s, now, packet));
}
