/* RE-CONFIG: streams begin anew. RFC 6525, of which the outgoing reset is used by data channels
 * (RFC 8831 §6.7); requests of other kinds are denied (deviations.md, S6). */
#include "core/sctp/assoc.h"

static void respond(struct sctp *s, uint32_t seq, uint32_t result)
{
    uint8_t chunk[CHUNK_HEADER_LEN + PARAM_HEADER_LEN + 8];
    struct wr w = wr_of(chunk, sizeof chunk);
    size_t at = chunk_begin(&w, CHUNK_RE_CONFIG, 0),
           param = param_begin(&w, PARAM_RECONFIG_RESPONSE);

    wr_u32(&w, seq);
    wr_u32(&w, result);
    param_end(&w, param);
    chunk_end(&w, at);
    reply_add(s, s->peer_tag, 0, wr_written(&w));
}

static void reset_incoming(struct sctp *s, struct stream *st)
{
    deliver_reset(s, st);
    stream_tell(s, st, SCTP_EVENT_RESET);
}

static uint32_t perform_reset(struct sctp *s, const struct reset_request *q)
{
    struct rd r = rd_of(q->streams);

    if (tsn_before(s->rx.cum_tsn, q->last_tsn) || s->rx.is_pool_short)
        return RECONFIG_IN_PROGRESS; /* §5.2.2: the peer asks again */
    while (rd_left(&r)) {
        uint16_t id = rd_u16(&r);

        if (id >= s->cfg.streams_max)
            return RECONFIG_WRONG_STREAM;
        if (!stream_get(s, id))
            return RECONFIG_DENIED;
    }
    r = rd_of(q->streams);
    while (rd_left(&r))
        reset_incoming(s, stream_find(s, rd_u16(&r)));
    for (size_t i = 0; q->streams.len == 0 && i < s->streams_cap; i++)
        if (s->streams[i])
            reset_incoming(s, s->streams[i]);
    return RECONFIG_PERFORMED;
}

/* A request seen before gets the answer it got before; one in progress keeps its number open. */
static void on_request(struct sctp *s, uint16_t type, struct bytes body)
{
    struct reconfig *rc = &s->reconfig;
    struct rd r = rd_of(body);
    struct reset_request q;
    uint32_t seq = rd_u32(&r), result = RECONFIG_DENIED;

    if (!r.ok)
        return;
    if (seq == rc->expected_seq - 1 && rc->has_answered) {
        respond(s, seq, rc->last_result);
        return;
    }
    if (seq != rc->expected_seq) {
        respond(s, seq, RECONFIG_BAD_SEQUENCE);
        return;
    }
    if (type == PARAM_RESET_OUTGOING && reset_request_decode(&q, body))
        result = perform_reset(s, &q);
    respond(s, seq, result);
    if (result == RECONFIG_IN_PROGRESS)
        return;
    rc->expected_seq++;
    rc->last_result = result;
    rc->has_answered = true;
}

static void on_response(struct sctp *s, usec now, struct bytes body)
{
    struct reconfig *rc = &s->reconfig;
    struct rd r = rd_of(body);
    uint32_t seq = rd_u32(&r), result = rd_u32(&r);

    if (!r.ok || !rc->asked_count || seq != rc->next_request_seq)
        return;
    s->errors = 0;
    if (result == RECONFIG_IN_PROGRESS) {
        s->reconfig_at = now + s->rto.rto_us;
        return;
    }
    for (size_t i = 0; i < rc->asked_count; i++) {
        struct stream *st = stream_find(s, rc->asked[i]);

        st->tx.reset = RESET_NONE;
        if (result == RECONFIG_PERFORMED || result == RECONFIG_NOTHING_TO_DO)
            st->tx.mids[0] = st->tx.mids[1] = 0;
    }
    rc->asked_count = 0;
    rc->next_request_seq++;
    rc->is_due = false;
    s->reconfig_at = USEC_NEVER;
    queue_wake_waiters(s);
    reconfig_advance(s, now);
}

enum verdict on_reconfig(struct sctp *s, usec now, const struct chunk *c)
{
    struct rd r = rd_of(c->body);
    struct param p;

    if (s->state != STATE_UP && s->state != STATE_SHUTDOWN_PENDING &&
        s->state != STATE_SHUTDOWN_RECEIVED)
        return VERDICT_UNEXPECTED;
    while (param_read(&r, &p)) {
        if (p.type == PARAM_RECONFIG_RESPONSE)
            on_response(s, now, p.body);
        else if (p.type >= PARAM_RESET_OUTGOING && p.type <= PARAM_ADD_INCOMING)
            on_request(s, p.type, p.body);
    }
    return r.ok ? VERDICT_TAKEN : VERDICT_MALFORMED;
}

/* Asks for all streams at once whose queues have run dry, one request at a time (§5.1.1). */
void reconfig_advance(struct sctp *s, usec now)
{
    struct reconfig *rc = &s->reconfig;

    if (rc->wanted_count == 0 || rc->asked_count || s->state != STATE_UP)
        return;
    for (size_t i = 0; i < s->streams_cap && rc->asked_count < RESET_STREAMS_MAX; i++) {
        struct stream *st = s->streams[i];

        if (!st || st->tx.reset != RESET_WANTED || st->tx.chain.len)
            continue;
        st->tx.reset = RESET_ASKED;
        rc->asked[rc->asked_count++] = st->id;
        rc->wanted_count--;
    }
    if (rc->asked_count == 0)
        return;
    rc->asked_last_tsn = s->tx.next_tsn - 1;
    rc->is_due = true;
    s->reconfig_at = now + s->rto.rto_us;
}

void reconfig_encode(struct sctp *s, usec now, struct wr *w)
{
    struct reconfig *rc = &s->reconfig;
    size_t at = chunk_begin(w, CHUNK_RE_CONFIG, 0), param = param_begin(w, PARAM_RESET_OUTGOING);

    wr_u32(w, rc->next_request_seq);
    wr_u32(w, rc->expected_seq - 1);
    wr_u32(w, rc->asked_last_tsn);
    for (size_t i = 0; i < rc->asked_count; i++)
        wr_u16(w, rc->asked[i]);
    param_end(w, param);
    chunk_end(w, at);
    rc->is_due = false;
    s->reconfig_at = now + s->rto.rto_us;
}

void reconfig_tick(struct sctp *s, usec now)
{
    if (now < s->reconfig_at)
        return;
    s->reconfig_at = now + s->rto.rto_us;
    rto_back_off(&s->rto);
    if (assoc_count_error(s, now))
        s->reconfig.is_due = true;
}

int sctp_reset_stream(struct sctp *s, usec now, uint16_t stream)
{
    struct stream *st;

    if (s->state != STATE_UP || !(s->peer_extensions & INIT_RE_CONFIG))
        return ERR_WRONG_STATE;
    if (stream >= s->out_streams)
        return ERR_INVALID;
    st = stream_get(s, stream);
    if (!st)
        return ERR_NOMEM;
    if (st->tx.reset != RESET_NONE)
        return ERR_LIMIT;
    st->tx.reset = RESET_WANTED;
    s->reconfig.wanted_count++;
    reconfig_advance(s, now);
    return ERR_OK;
}
