/* layers.c: datagrams to the layer they are for, and what the layers answer. */
#include "core/session/internal.h"

/* RFC 7983 §7: the first byte tells whose datagram it is. */
static bool is_stun(struct bytes dgram)
{
    return dgram.len && dgram.data[0] <= 3;
}

static bool is_dtls(struct bytes dgram)
{
    return dgram.len && dgram.data[0] >= 20 && dgram.data[0] <= 63;
}

static void on_dtls_event(struct session *s, usec now, const struct dtls_event *ev)
{
    if (ev->type == DTLS_EVENT_UP && s->state == SESSION_CONNECTING)
        session_enter(s, SESSION_SECURING, now); /* the client's path, before ICE told us ours */
    if (ev->type == DTLS_EVENT_UP && s->state == SESSION_SECURING) {
        session_enter(s, SESSION_ASSOCIATING, now);
        if (s->has_path)
            sctp_path_changed(s->sctp, now, s->path.rtt_us, SESSION_PACKET_MAX);
        (void)sctp_connect(s->sctp, now); /* refused only if the peer's INIT was quicker */
    } else if (ev->type == DTLS_EVENT_CLOSED) {
        session_finish(s, s->peer_closed ? SESSION_END_PEER_REASON : SESSION_END_PEER_ABORT, now);
    } else if (ev->type == DTLS_EVENT_FAILED) {
        session_finish(s,
                       ev->reason == DTLS_REASON_FINGERPRINT ? SESSION_END_FINGERPRINT
                                                             : SESSION_END_HANDSHAKE,
                       now);
    }
}

static enum session_end end_of_association(const struct session *s, const struct sctp_event *ev)
{
    if (s->peer_closed)
        return SESSION_END_PEER_REASON;
    switch (ev->reason) {
    case SCTP_REASON_LOCAL_ABORT:
        return SESSION_END_LOCAL;
    case SCTP_REASON_TIMEOUT:
        return s->open_at == USEC_NEVER ? SESSION_END_HANDSHAKE : SESSION_END_LOST;
    case SCTP_REASON_NOMEM:
        return SESSION_END_NOMEM;
    default:
        return SESSION_END_PEER_ABORT;
    }
}

static void on_sctp_event(struct session *s, usec now, const struct sctp_event *ev)
{
    if (ev->type == SCTP_EVENT_UP && s->state == SESSION_ASSOCIATING)
        session_enter(s, SESSION_OPEN, now);
    else if (ev->type == SCTP_EVENT_CLOSED)
        session_finish(s, end_of_association(s, ev), now);
    else
        channel_input(&s->channels, now, ev);
}

static void pump_sctp(struct session *s, usec now)
{
    struct sctp_event ev;

    while (sctp_poll_event(s->sctp, &ev))
        on_sctp_event(s, now, &ev);
}

static void pump_dtls(struct session *s, usec now)
{
    struct dtls_event ev;

    while (dtls_poll_event(s->dtls, &ev))
        on_dtls_event(s, now, &ev);
}

void session_pump(struct session *s, usec now)
{
    struct bytes packet;

    if (!s->dtls)
        return;
    pump_dtls(s, now); /* keys first: data may have come with the last flight */
    while (dtls_poll_data(s->dtls, &packet)) {
        s->heard_at = now;
        (void)sctp_input(s->sctp, now, packet); /* counts its own verdict */
    }
    pump_sctp(s, now);
    pump_dtls(s, now); /* a close_notify ends the session only after the data before it */
}

static enum verdict keep_early(struct session *s, struct bytes dgram)
{
    uint8_t len[2] = { (uint8_t)(dgram.len >> 8), (uint8_t)dgram.len };

    if (dgram.len > SESSION_EARLY_BYTES_MAX || s->early.len + dgram.len > SESSION_EARLY_BYTES_MAX)
        return VERDICT_LIMIT;
    if (chain_append_all(&s->early, bytes_of(len, sizeof len)))
        return VERDICT_LIMIT;
    if (chain_append_all(&s->early, dgram)) {
        chain_deinit(&s->early); /* a length without its datagram is no use; all will be resent */
        return VERDICT_LIMIT;
    }
    return VERDICT_TAKEN;
}

static void input_dtls(struct session *s, usec now, struct bytes dgram)
{
    (void)dtls_input(s->dtls, now, dgram); /* counts its own verdict */
    session_pump(s, now);
}

/* What came before the remote description did: the peer's answer and its ClientHello race. */
void session_input_early(struct session *s, usec now)
{
    uint8_t dgram[SESSION_EARLY_BYTES_MAX];
    uint8_t len[2];

    while (chain_take(&s->early, len, sizeof len) == sizeof len) {
        size_t n = (size_t)len[0] << 8 | len[1];

        input_dtls(s, now, bytes_of(dgram, chain_take(&s->early, dgram, n)));
    }
}

/* Before the remote description a path is known by checks alone, which only the peer can make: with
 * our password. So nobody else's flight is kept for it. */
static enum verdict offer(struct session *s, usec now, const struct addr *local,
                          const struct addr *from, struct bytes dgram)
{
    enum verdict verdict = VERDICT_TAKEN;

    if (is_stun(dgram))
        return ice_input(s->ice, now, local, from, dgram);
    if (!is_dtls(dgram))
        verdict = VERDICT_FOREIGN;
    else if (!ice_is_known_path(s->ice, local, from))
        verdict = VERDICT_UNEXPECTED;
    else if (s->state == SESSION_NEW)
        verdict = keep_early(s, dgram);
    else
        input_dtls(s, now, dgram);
    s->dropped += verdict != VERDICT_TAKEN;
    return verdict;
}

enum verdict session_input(struct session *s, usec now, const struct addr *local,
                           const struct addr *from, struct bytes dgram)
{
    if (s->state == SESSION_CLOSED)
        return VERDICT_UNEXPECTED;
    return offer(s, now, local, from, dgram);
}

void session_tick(struct session *s, usec now)
{
    if (s->state == SESSION_CLOSED)
        return;
    ice_tick(s->ice, now);
    if (s->dtls) {
        dtls_tick(s->dtls, now);
        sctp_tick(s->sctp, now);
    }
    session_pump(s, now);
    session_check_deadlines(s, now);
}

/* The packets of the association leave sealed, in the run they were written to. */
static bool poll_sealed(struct session *s, usec now, struct out *out)
{
    if (!dtls_is_up(s->dtls))
        return false;
    out->head = DTLS_HEAD;
    out->tail = DTLS_TAIL;
    if (sctp_poll_output(s->sctp, now, out)) {
        if (dtls_seal(s->dtls, out) == ERR_OK)
            return true;
        session_finish(s, SESSION_END_NOMEM, now);
    }
    out->head = out->tail = 0;
    return false;
}

/* Flights go before data, which the peer could not open without them; but the association's last
 * word goes before close_notify, behind which nothing is read. */
static bool poll_lower(struct session *s, usec now, struct out *out)
{
    if (s->state == SESSION_CLOSED)
        return poll_sealed(s, now, out) || dtls_poll_output(s->dtls, out);
    return dtls_poll_output(s->dtls, out) || poll_sealed(s, now, out);
}

bool session_poll_output(struct session *s, usec now, struct out *out)
{
    bool some;

    out_reset(out);
    if (s->state != SESSION_CLOSED && ice_poll_output(s->ice, out))
        return true;
    if (!s->has_path || !s->dtls)
        return false;
    out_reset(out);
    out->from = s->path.local;
    out->to = s->path.remote;
    some = poll_lower(s, now, out);
    session_pump(s, now); /* sending may end the association */
    return some;
}

static void on_selected(struct session *s, usec now, const struct ice_path *path)
{
    bool is_first = !s->has_path;

    s->path = *path;
    s->has_path = true;
    if (s->state < SESSION_CONNECTING || s->state == SESSION_CLOSED)
        return;
    dtls_set_rtt(s->dtls, path->rtt_us);
    if (s->state == SESSION_CONNECTING)
        session_enter(s, SESSION_SECURING, now);
    if (is_first && s->is_client)
        dtls_start(s->dtls, now);
    else if (!is_first)
        sctp_path_changed(s->sctp, now, path->rtt_us, SESSION_PACKET_MAX);
}

bool session_poll_ice(struct session *s, struct session_event *ev)
{
    struct ice_event ice;

    while (s->state != SESSION_CLOSED && ice_poll_event(s->ice, &ice)) {
        ev->candidate = ice.candidate;
        ev->path = ice.path;
        switch (ice.type) {
        case ICE_EVENT_LOCAL_CANDIDATE:
            ev->type = SESSION_EVENT_CANDIDATE;
            return true;
        case ICE_EVENT_GATHERED:
            ev->type = SESSION_EVENT_GATHERED;
            return true;
        case ICE_EVENT_SELECTED:
            on_selected(s, ice.at, &ice.path);
            ev->type = SESSION_EVENT_PATH;
            return true;
        case ICE_EVENT_DARK:
            break;
        case ICE_EVENT_LOST:
            s->has_path = false; /* RFC 7675 §5.1: nothing may be sent without consent */
            session_finish(s, SESSION_END_LOST, ice.at);
            break;
        case ICE_EVENT_FAILED:
            session_finish(s, SESSION_END_NO_PATH, ice.at);
            break;
        }
    }
    return false;
}
