/* close.c: how a session ends, and the deadlines that end it. */
#include "core/session/internal.h"

/* The reason of a device that saw no application data for too long (docs/codes.md, -108). */
#define REASON_ZOMBIE 8

void session_finish(struct session *s, enum session_end end, usec now)
{
    if (s->state == SESSION_CLOSED)
        return;
    if (s->end == SESSION_END_NONE)
        s->end = end;
    if (!s->has_path) /* the last word may be known before the path is told */
        s->has_path = ice_selected(s->agent.ice, &s->path);
    if (s->has_path && s->dtls && dtls_can_seal(s->dtls)) {
        sctp_abort(s->sctp, now, "closed"); /* harmless where it has ended */
        dtls_close(s->dtls);
    }
    session_enter(s, SESSION_CLOSED, now);
}

/* The peer's last data must not meet a closed window: who closes reads no more. */
static void discard_unread(struct session *s, usec now)
{
    struct bytes unread;

    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        while ((unread = channel_peek(&s->channels, now, i)).len)
            channel_consume(&s->channels, now, i, unread.len);
}

static void close_with(struct session *s, usec now, enum session_end end, unsigned reason)
{
    if (s->state != SESSION_OPEN) {
        session_finish(s, end, now);
        return;
    }
    s->end = end;
    if (s->peer_is_hawser)
        (void)channel_send_close(&s->channels, now, reason); /* without room: an unexplained end */
    session_enter(s, SESSION_CLOSING, now);
    discard_unread(s, now);
    sctp_shutdown(s->sctp, now);
    session_pump(s, now);
}

void session_close(struct session *s, usec now, unsigned reason)
{
    if (s->state != SESSION_CLOSING && s->state != SESSION_CLOSED)
        close_with(s, now, SESSION_END_LOCAL, reason);
}

/* The peer has said why; its shutdown follows what it still had to deliver. */
static void on_peer_close(struct session *s, unsigned reason)
{
    if (s->peer_closed)
        return; /* the first word counts */
    s->peer_closed = true;
    s->peer_reason = reason;
    if (s->state == SESSION_OPEN) {
        s->end = SESSION_END_PEER_REASON;
        session_enter(s, SESSION_CLOSING, s->heard_at);
    }
}

static usec dead_at(const struct session *s)
{
    struct ice_path path;
    usec heard = s->heard_at;

    if (s->open_at == USEC_NEVER || s->state == SESSION_CLOSED)
        return USEC_NEVER;
    if (ice_selected(s->agent.ice, &path))
        heard = usec_max(heard, path.heard_at);
    return heard + s->cfg.dead_us;
}

static usec zombie_at(const struct session *s)
{
    if (s->state != SESSION_OPEN || s->keeps_alive || s->peer_keeps_alive)
        return USEC_NEVER;
    return usec_after(s->app_at, s->cfg.zombie_us);
}

void session_keep_alive(struct session *s, usec now, bool is_on)
{
    s->clock = now;
    s->keeps_alive = is_on;
    s->app_at = now;
    if (s->state == SESSION_OPEN && s->peer_is_hawser)
        (void)channel_send_keep_alive(&s->channels, now,
                                      is_on); /* without room: it stays as it was */
}

usec session_deadline(const struct session *s)
{
    return usec_min(usec_min(s->half_open_at, s->flush_at), usec_min(dead_at(s), zombie_at(s)));
}

void session_check_deadlines(struct session *s, usec now)
{
    if (now >= s->half_open_at)
        session_finish(s, s->has_path ? SESSION_END_HALF_OPEN : SESSION_END_NO_PATH, now);
    else if (now >= dead_at(s))
        session_finish(s, SESSION_END_LOST, now);
    else if (now >= s->flush_at)
        session_finish(s, SESSION_END_LOCAL, now);
    else if (now >= zombie_at(s))
        close_with(s, now, SESSION_END_ZOMBIE, REASON_ZOMBIE);
}

static usec layers_next_timeout(const struct session *s)
{
    usec at = usec_min(ice_next_timeout(s->agent.ice), session_relays_next_timeout(s));

    if (s->next.ice)
        at = usec_min(at, ice_next_timeout(s->next.ice));
    if (s->dtls)
        at = usec_min(at, dtls_next_timeout(s->dtls));
    return s->dtls && s->has_path ? usec_min(at, sctp_next_timeout(s->sctp)) : at;
}

/* An end that is not told yet, since there was a last word to be polled before it, is due now. */
usec session_next_timeout(const struct session *s)
{
    usec at = usec_min(session_deadline(s), usec_min(session_suspect_at(s), s->restarts.at));

    if (s->state == SESSION_CLOSED)
        return s->closed_due ? s->clock : USEC_NEVER;
    return usec_min(usec_min(at, session_alert_at(s)), layers_next_timeout(s));
}

static bool poll_channels(struct session *s, struct session_event *ev)
{
    struct channel_event channel;

    while (channel_poll_event(&s->channels, &channel)) {
        ev->channel = channel.channel;
        if (channel.type == CHANNEL_EVENT_KEEP_ALIVE) {
            s->peer_keeps_alive = channel.is_on;
            s->app_at = s->heard_at; /* once off, the time begins anew */
        } else if (channel.type == CHANNEL_EVENT_CLOSE) {
            on_peer_close(s, channel.reason);
        } else if (channel.type == CHANNEL_EVENT_OVERRUN) {
            session_finish(s, SESSION_END_PEER_ABORT, s->clock);
        } else if (channel.type == CHANNEL_EVENT_READABLE) {
            if (s->state != SESSION_CLOSING || s->end == SESSION_END_PEER_REASON) {
                ev->type = SESSION_EVENT_READABLE;
                return true;
            }
            discard_unread(s, s->heard_at);
        } else if (s->state == SESSION_OPEN) {
            ev->type = SESSION_EVENT_WRITABLE;
            return true;
        }
    }
    return false;
}

/* The end comes last, and not before the outside had a chance to poll the last words. */
static bool poll_end(struct session *s, struct session_event *ev, bool was_closed)
{
    if (!s->closed_due || !was_closed)
        return false;
    s->closed_due = false;
    ev->type = SESSION_EVENT_CLOSED;
    ev->end = s->end;
    ev->reason = s->peer_reason;
    return true;
}

bool session_poll_event(struct session *s, struct session_event *ev)
{
    bool was_closed = s->state == SESSION_CLOSED;

    *ev = (struct session_event){ 0 };
    if (s->restarts.is_due) {
        s->restarts.is_due = false; /* the description before its agent's candidates */
        ev->type = SESSION_EVENT_RESTART;
        return true;
    }
    if (session_poll_ice(s, ev) || session_poll_relay_event(s, ev))
        return true;
    if (s->open_due) {
        s->open_due = false;
        ev->type = SESSION_EVENT_OPEN;
        return true;
    }
    return poll_channels(s, ev) || poll_end(s, ev, was_closed);
}
