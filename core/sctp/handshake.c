/* INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, and all ways they cross. RFC 9260 §5. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

void handshake_begin(struct sctp *s, usec now)
{
    assoc_enter(s, STATE_COOKIE_WAIT, now);
}

int sctp_connect(struct sctp *s, usec now)
{
    if (s->state == STATE_COOKIE_WAIT || s->state == STATE_COOKIE_ECHOED || s->state == STATE_UP)
        return ERR_OK; /* the peer was first */
    if (s->state != STATE_CLOSED)
        return ERR_WRONG_STATE;
    if (s->has_remote_init)
        snap_stand(s, now);
    else
        handshake_begin(s, now);
    return ERR_OK;
}

/* What is offered unless the configuration leaves it out. */
enum { OFFERED = SCTP_ZERO_CHECKSUM | SCTP_I_DATA | SCTP_FORWARD_TSN | SCTP_PARTS };

/* I-DATA goes with I-FORWARD-TSN, DATA with FORWARD-TSN (RFC 8260 §2.3.1). */
uint8_t handshake_our_extensions(const struct sctp *s)
{
    unsigned has = OFFERED & ~s->cfg.without;
    uint8_t bits = INIT_RE_CONFIG;

    if (has & SCTP_I_DATA)
        bits |= INIT_I_DATA;
    if (has & SCTP_FORWARD_TSN)
        bits |= INIT_FORWARD_TSN | (has & SCTP_I_DATA ? INIT_I_FORWARD_TSN : 0);
    if (has & SCTP_ZERO_CHECKSUM && s->cfg.is_protected)
        bits |= INIT_ZERO_CHECKSUM;
    if (has & SCTP_PARTS)
        bits |= INIT_PARTS;
    return bits;
}

/* The peer's are known from its INIT or INIT ACK on; for the caller they count once we stand. */
unsigned handshake_agreed(const struct sctp *s)
{
    uint8_t both = s->offered & s->peer_extensions;
    bool has_i_data = both & INIT_I_DATA;

    if (s->state < STATE_UP)
        return 0;
    return (has_i_data ? SCTP_I_DATA : 0) |
           (both & (has_i_data ? INIT_I_FORWARD_TSN : INIT_FORWARD_TSN) ? SCTP_FORWARD_TSN : 0) |
           (both & INIT_ZERO_CHECKSUM ? SCTP_ZERO_CHECKSUM : 0) |
           (both & INIT_PARTS ? SCTP_PARTS : 0);
}

bool sctp_has(const struct sctp *s, enum sctp_extension x)
{
    return handshake_agreed(s) & x;
}

static struct init_chunk our_init(const struct sctp *s)
{
    return (struct init_chunk){
        .tag = s->local_tag,
        .a_rwnd = (uint32_t)s->cfg.rx_bytes_max,
        .out_streams = s->cfg.streams_max,
        .in_streams = s->cfg.streams_max,
        .tsn = s->initial_tsn,
        .extensions = s->offered,
    };
}

void handshake_encode_init(struct sctp *s, struct wr *w)
{
    struct init_chunk init = our_init(s);

    init_encode(w, CHUNK_INIT, &init);
}

void handshake_note_asked(struct sctp *s, usec now)
{
    if (s->attempts == 0)
        s->asked_at = now;
}

/* An answer to what was sent but once measures the path (§6.3.1 C4, C5). */
static void measure(struct sctp *s, usec now)
{
    if (s->attempts == 0)
        rto_add_sample(&s->rto, now - s->asked_at);
}

bool handshake_is_valid(const struct init_chunk *init)
{
    return init->tag != 0 && init->out_streams != 0 && init->in_streams != 0;
}

/* Whether both sides may still be making the association. One that stands by SNAP alone counts: a
 * peer that sends INIT never got ours, and all it can know of us will be what we answer. */
static bool is_being_made(const struct sctp *s)
{
    return s->state < STATE_UP || s->is_unproven;
}

/* §5.2.1, §5.2.2: before COOKIE ECHO proves the peer, an association keeps its own tag and TSN
 * while it is still being made, and offers fresh ones once it stands. */
static struct cookie cookie_for(struct sctp *s, usec now, const struct init_chunk *init)
{
    bool is_new = is_being_made(s);

    return (struct cookie){
        .made_at = now,
        .local_port = s->cfg.local_port,
        .remote_port = s->cfg.remote_port,
        .local_tag = is_new ? s->local_tag : (rng_u32(s->rng) | 1),
        .peer_tag = init->tag,
        .local_tsn = is_new ? s->initial_tsn : rng_u32(s->rng),
        .peer_tsn = init->tsn,
        .peer_rwnd = init->a_rwnd,
        .peer_out_streams = init->out_streams,
        .peer_in_streams = init->in_streams,
        .local_tie = s->state == STATE_CLOSED || s->state == STATE_COOKIE_WAIT ? 0 : s->local_tag,
        .peer_tie = s->state == STATE_CLOSED || s->state == STATE_COOKIE_WAIT ? 0 : s->peer_tag,
        .peer_extensions = init->extensions,
    };
}

/* Answers without remembering anything. Unknown parameters go back as far as the packet allows. */
enum verdict on_init(struct sctp *s, usec now, const struct chunk *c)
{
    uint8_t cookie_bytes[COOKIE_LEN], packet[REPLY_BYTES_MAX / 2];
    struct wr w = wr_of(packet, s->cc.packet_bytes - COMMON_HEADER_LEN < sizeof packet
                                    ? s->cc.packet_bytes - COMMON_HEADER_LEN
                                    : sizeof packet);
    struct init_chunk init, answer = our_init(s);
    struct cookie cookie;

    if (!init_decode(&init, c->body) || !handshake_is_valid(&init))
        return VERDICT_MALFORMED;
    if (s->state == STATE_SHUTDOWN_ACK_SENT) {
        s->is_shutdown_ack_due = true; /* §9.2: the peer lost our SHUTDOWN ACK and starts anew */
        return VERDICT_TAKEN;
    }
    cookie = cookie_for(s, now, &init);
    if (cookie_encode(cookie_bytes, &cookie, s->cookie_key) != ERR_OK)
        return VERDICT_LIMIT;
    answer.tag = cookie.local_tag;
    answer.tsn = cookie.local_tsn;
    answer.cookie = bytes_of(cookie_bytes, sizeof cookie_bytes);
    memcpy(answer.unknown, init.unknown, sizeof answer.unknown);
    answer.unknown_count = init.unknown_count;
    init_encode(&w, CHUNK_INIT_ACK, &answer);
    if (!w.ok) {
        w = wr_of(packet, sizeof packet);
        answer.unknown_count = 0;
        init_encode(&w, CHUNK_INIT_ACK, &answer);
    }
    return reply_add(s, init.tag, REPLY_ALONE, wr_written(&w)) ? VERDICT_TAKEN : VERDICT_LIMIT;
}

void handshake_learn_peer(struct sctp *s, const struct peer_init *peer)
{
    s->peer_tag = peer->tag;
    s->peer_extensions = peer->extensions;
    s->tx.peer_rwnd = peer->a_rwnd;
    tx_learn_peer(s, s->offered & peer->extensions);
    s->out_streams = peer->in_streams < s->cfg.streams_max ? peer->in_streams : s->cfg.streams_max;
    rx_start(s, peer->tsn);
    s->reconfig.expected_seq = peer->tsn; /* RFC 6525 §4.1: numbering begins at the initial TSN */
}

static void report_unknown(struct sctp *s, const struct init_chunk *init)
{
    for (size_t i = 0; i < init->unknown_count; i++)
        reply_error(s, CAUSE_UNRECOGNIZED_PARAMETERS, init->unknown[i]);
}

enum verdict on_init_ack(struct sctp *s, usec now, const struct chunk *c)
{
    struct init_chunk init;
    uint8_t *cookie;

    if (s->state != STATE_COOKIE_WAIT)
        return VERDICT_UNEXPECTED; /* §5.2.3 */
    if (!init_decode(&init, c->body) || !handshake_is_valid(&init))
        return VERDICT_MALFORMED;
    if (init.cookie.len == 0) {
        s->peer_tag = init.tag;
        assoc_fail(s, now, CAUSE_MISSING_PARAMETER, "no state cookie");
        return VERDICT_MALFORMED;
    }
    if (init.cookie.len > s->cc.packet_bytes - COMMON_HEADER_LEN - CHUNK_HEADER_LEN)
        return VERDICT_LIMIT;
    cookie = malloc(init.cookie.len);
    if (!cookie)
        return VERDICT_LIMIT; /* T1 asks again */
    memcpy(cookie, init.cookie.data, init.cookie.len);
    free(s->peer_cookie);
    s->peer_cookie = cookie;
    s->peer_cookie_len = init.cookie.len;
    handshake_learn_peer(s, &(struct peer_init){ .tag = init.tag,
                                                 .tsn = init.tsn,
                                                 .a_rwnd = init.a_rwnd,
                                                 .in_streams = init.in_streams,
                                                 .extensions = init.extensions });
    report_unknown(s, &init);
    measure(s, now);
    assoc_enter(s, STATE_COOKIE_ECHOED, now);
    return VERDICT_TAKEN;
}

/* The cookie is good and describes this association: stand, if we did not already. */
static enum verdict accept_cookie(struct sctp *s, usec now, const struct cookie *k)
{
    uint8_t ack[CHUNK_HEADER_LEN];
    struct wr w = wr_of(ack, sizeof ack);

    if (is_being_made(s))
        handshake_learn_peer(s, &(struct peer_init){ .tag = k->peer_tag,
                                                     .tsn = k->peer_tsn,
                                                     .a_rwnd = k->peer_rwnd,
                                                     .in_streams = k->peer_in_streams,
                                                     .extensions = k->peer_extensions });
    if (s->is_unproven) {
        s->is_unproven = false;
        s->errors = 0;
        loss_mark_all(s); /* the peer took nothing before this */
    }
    if (s->state < STATE_UP) {
        assoc_enter(s, STATE_UP, now);
        if (s->is_wanting_shutdown)
            sctp_shutdown(s, now);
    }
    chunk_end(&w, chunk_begin(&w, CHUNK_COOKIE_ACK, 0));
    reply_add(s, s->peer_tag, 0, wr_written(&w));
    return VERDICT_TAKEN;
}

enum cookie_action { COOKIE_ACCEPT, COOKIE_RESTART, COOKIE_DROP };

/* §5.2.4, table 12; the letters are its. */
static enum cookie_action judge_cookie(const struct sctp *s, const struct cookie *k)
{
    bool local = k->local_tag == s->local_tag, peer = k->peer_tag == s->peer_tag;

    if (s->state == STATE_CLOSED)
        return local ? COOKIE_ACCEPT : COOKIE_DROP;
    if (local && peer)
        return COOKIE_ACCEPT; /* D: our cookie came back, maybe again */
    if (local && is_being_made(s))
        return COOKIE_ACCEPT; /* B: both began at once, and the peer's INIT won */
    if (!local && !peer && k->local_tie == s->local_tag && k->peer_tie == s->peer_tag)
        return COOKIE_RESTART; /* A */
    return COOKIE_DROP;        /* C: a late one of an attempt given up; and nonsense */
}

static void report_stale(struct sctp *s, uint32_t tag, usec late_us)
{
    uint8_t measure[4];
    struct wr w = wr_of(measure, sizeof measure);

    wr_u32(&w, (uint32_t)usec_clamp(late_us, 0, UINT32_MAX));
    reply_error_to(s, tag, REPLY_ALONE, CAUSE_STALE_COOKIE, wr_written(&w));
}

/* A is a peer that lost its state: bytes both sides promised to deliver are gone, so the
 * association cannot go on as a reliable one (deviations.md, S7). */
enum verdict on_cookie_echo(struct sctp *s, usec now, uint32_t tag, const struct chunk *c)
{
    struct cookie k;
    enum cookie_action action;

    if (!cookie_decode(&k, c->body, s->cookie_key))
        return VERDICT_FORGED;
    if (k.local_tag != tag || k.local_port != s->cfg.local_port ||
        k.remote_port != s->cfg.remote_port)
        return VERDICT_FORGED;
    action = judge_cookie(s, &k);
    if (now - k.made_at > COOKIE_LIFETIME_US &&
        !(k.local_tag == s->local_tag && k.peer_tag == s->peer_tag && s->state >= STATE_UP)) {
        if (action == COOKIE_ACCEPT)
            report_stale(s, k.peer_tag, now - k.made_at - COOKIE_LIFETIME_US);
        return VERDICT_UNEXPECTED;
    }
    if (action == COOKIE_DROP)
        return VERDICT_UNEXPECTED;
    if (action == COOKIE_ACCEPT)
        return accept_cookie(s, now, &k);
    if (s->state == STATE_SHUTDOWN_ACK_SENT) {
        s->is_shutdown_ack_due = true;
        reply_error(s, CAUSE_COOKIE_WHILE_SHUTTING_DOWN, bytes_of(NULL, 0));
        return VERDICT_TAKEN;
    }
    s->peer_tag = k.peer_tag;
    s->peer_extensions = k.peer_extensions;
    assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "restart");
    return VERDICT_TAKEN;
}

enum verdict on_cookie_ack(struct sctp *s, usec now, const struct chunk *c)
{
    (void)c;
    if (s->state != STATE_COOKIE_ECHOED)
        return VERDICT_UNEXPECTED; /* §5.2.5 */
    measure(s, now);
    assoc_enter(s, STATE_UP, now);
    if (s->is_wanting_shutdown)
        sctp_shutdown(s, now);
    return VERDICT_TAKEN;
}

/* §5.2.6: begin anew; asking for a longer life would not help against a stopped clock. */
void handshake_on_stale_cookie(struct sctp *s, usec now)
{
    if (s->state != STATE_COOKIE_ECHOED)
        return;
    free(s->peer_cookie);
    s->peer_cookie = NULL;
    assoc_enter(s, STATE_COOKIE_WAIT, now);
}
