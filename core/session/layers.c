/* layers.c: datagrams to the layer they are for, and what the layers answer. */
#include "core/session/internal.h"

#define TRIM_AFTER_US (5 * SECOND) /* without application data */

/* RFC 7983 §7: the first byte tells whose datagram it is. */
static bool is_stun(struct bytes dgram)
{
    return dgram.len && dgram.data[0] <= 3;
}

static bool is_dtls(struct bytes dgram)
{
    return dgram.len && dgram.data[0] >= 20 && dgram.data[0] <= 63;
}

static void on_keys(struct session *s, usec now)
{
    if (s->state == SESSION_CONNECTING)
        session_enter(s, SESSION_SECURING, now); /* before ICE told us a path */
    if (s->state != SESSION_SECURING)
        return;
    session_enter(s, SESSION_ASSOCIATING, now);
    if (s->has_path)
        session_tell_path(s, now, false);
    (void)sctp_connect(s->sctp, now); /* refused only if the peer's INIT was quicker */
}

static void on_dtls_event(struct session *s, usec now, const struct dtls_event *ev)
{
    if (ev->type == DTLS_EVENT_KEYS)
        on_keys(s, now);
    else if (ev->type == DTLS_EVENT_UP && s->has_sped)
        sped_finish(&s->sped, s->is_client);
    else if (ev->type == DTLS_EVENT_CLOSED)
        session_finish(s, s->peer_closed ? SESSION_END_PEER_REASON : SESSION_END_PEER_ABORT, now);
    else if (ev->type == DTLS_EVENT_FAILED)
        session_finish(s,
                       ev->reason == DTLS_REASON_FINGERPRINT ? SESSION_END_FINGERPRINT
                                                             : SESSION_END_HANDSHAKE,
                       now);
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

/* Where checks carry the keys and signaling the INITs, the association may be up before any check
 * was answered, or although none ever is: what it tells waits for a path. */
static void pump_sctp(struct session *s, usec now)
{
    struct sctp_event ev;

    if (s->state == SESSION_ASSOCIATING && !s->has_path)
        return;
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
    while (dtls_poll_data(s->dtls, &packet))
        (void)sctp_input(s->sctp, now, packet); /* counts its own verdict */
    pump_sctp(s, now);
    pump_dtls(s, now); /* a close_notify ends the session only after the data before it */
    session_collect_flight(s);
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

/* True: it was authentic, which only records are. */
static bool input_dtls(struct session *s, usec now, struct bytes dgram)
{
    bool was_up = dtls_is_up(s->dtls);
    enum verdict verdict = dtls_input(s->dtls, now, dgram); /* counts itself */

    session_pump(s, now);
    return was_up && verdict == VERDICT_TAKEN;
}

/* What came before the remote description did: the peer's answer and its ClientHello race. */
void session_input_early(struct session *s, usec now)
{
    uint8_t dgram[SESSION_EARLY_BYTES_MAX], len[2];

    while (chain_take(&s->early, len, sizeof len) == sizeof len) {
        size_t n = (size_t)len[0] << 8 | len[1];

        (void)input_dtls(s, now, bytes_of(dgram, chain_take(&s->early, dgram, n)));
    }
}

void session_input_flight(struct session *s, usec now, struct bytes dgram)
{
    enum verdict verdict = VERDICT_TAKEN;

    if (!is_dtls(dgram))
        verdict = VERDICT_FOREIGN;
    else if (s->state == SESSION_NEW)
        verdict = keep_early(s, dgram);
    else
        (void)input_dtls(s, now, dgram);
    s->dropped += verdict != VERDICT_TAKEN;
}

/* Credentials and transactions tell whose it is; a newer agent's peer may still use the older. */
static enum verdict take_stun(struct session *s, usec now, const struct addr *local,
                              const struct addr *from, struct bytes dgram)
{
    struct agent *a = &s->agent;
    enum verdict verdict = ice_input(a->ice, now, local, from, dgram);

    if (verdict != VERDICT_TAKEN && s->next.ice) {
        a = &s->next;
        verdict = ice_input(a->ice, now, local, from, dgram);
    }
    if (verdict != VERDICT_TAKEN)
        return verdict;
    s->asked_at = now;
    session_refresh_path(s, a);
    session_take_carried(s, now, a);
    return verdict;
}

/* Before the remote description a path is known by checks alone, which only the peer can make: with
 * our password. So nobody else's flight is kept for it; and if its checks carry flights, no other,
 * as anybody on the way could have written that. */
static enum verdict take_early(struct session *s, struct bytes dgram)
{
    return s->has_sped && s->peer_carries ? VERDICT_UNEXPECTED : keep_early(s, dgram);
}

enum verdict session_take(struct session *s, usec now, const struct addr *local,
                          const struct addr *from, struct bytes dgram)
{
    enum verdict verdict = VERDICT_TAKEN;

    if (s->state == SESSION_CLOSED)
        return VERDICT_UNEXPECTED;
    if (is_stun(dgram))
        verdict = take_stun(s, now, local, from, dgram);
    else if (!is_dtls(dgram))
        verdict = VERDICT_FOREIGN;
    else if (!session_is_known_path(s, now, local, from))
        verdict = VERDICT_UNEXPECTED;
    else if (s->state == SESSION_NEW)
        verdict = take_early(s, dgram);
    else if (session_is_flight_welcome(s, dgram) && input_dtls(s, now, dgram))
        session_heard(s, now, local, from);
    s->dropped += verdict != VERDICT_TAKEN;
    return verdict;
}

enum verdict session_input(struct session *s, usec now, const struct addr *local,
                           const struct addr *from, struct bytes dgram)
{
    s->clock = now;
    if (s->state == SESSION_CLOSED)
        return VERDICT_UNEXPECTED;
    if (session_relay_input(s, now, local, from, dgram))
        return VERDICT_TAKEN;
    return session_take(s, now, local, from, dgram);
}

/* Without a path SCTP's timers would only count to its end: they wait until there is one. */
static void tick_association(struct session *s, usec now)
{
    if (!s->dtls)
        return;
    dtls_tick(s->dtls, now);
    if (s->has_path)
        sctp_tick(s->sctp, now);
}

/* No timer of its own: an idle session ticks for its consent now and then. */
static void trim(struct session *s, usec now)
{
    if (s->app_at <= s->trimmed_at || now < s->app_at + TRIM_AFTER_US)
        return;
    s->trimmed_at = now;
    sctp_trim(s->sctp);
    pool_trim(s->cfg.pool);
}

void session_tick(struct session *s, usec now)
{
    s->clock = now;
    if (s->state == SESSION_CLOSED)
        return;
    session_relays_tick(s, now);
    ice_tick(s->agent.ice, now);
    if (s->next.ice)
        ice_tick(s->next.ice, now);
    tick_association(s, now);
    session_pump(s, now);
    session_alert_tick(s, now);
    session_suspect_tick(s, now);
    session_restart_tick(s, now);
    trim(s, now);
    session_check_deadlines(s, now);
}
