/* paths.c: which way data goes, and what becomes of a way that nothing comes back by.
 *
 * What was sent and must be answered starts a clock that any authentic record of the peer stops. If
 * it runs out, ICE asks all paths at once, and leaves this one if another answers. If none does the
 * session restarts ICE through signaling, and waits: it ends only after dead_us of silence. */
#include <string.h>

#include "core/session/internal.h"

#define SUSPECT_MIN_US  (150 * MILLISECOND)
#define SUSPECT_RTTS    3
#define MTU_USUAL       1500
#define CHANNEL_HEAD    4                  /* RFC 8656 §12.4 */
#define OLD_PATH_US     (10 * SECOND)      /* how long a replaced agent's path may still be used */
#define ICE_TOLD_GAP_US (20 * MILLISECOND) /* between two words to ICE of what was heard */

static bool is_same_path(const struct ice_path *path, const struct addr *local,
                         const struct addr *from)
{
    return addr_equal(&path->remote, from) && addr_equal(&path->local, local);
}

bool session_is_known_path(const struct session *s, usec now, const struct addr *local,
                           const struct addr *from)
{
    return (s->has_path && is_same_path(&s->path, local, from)) ||
           ice_is_known_path(s->agent.ice, local, from) ||
           (s->next.ice && ice_is_known_path(s->next.ice, local, from)) ||
           (now < s->old_path_until && is_same_path(&s->old_path, local, from));
}

/* A path may be selected before its round trip is known, and first timers depend on that. */
static void on_first_rtt(struct session *s, usec rtt_us)
{
    s->path.rtt_us = rtt_us;
    if (s->dtls)
        dtls_set_rtt(s->dtls, rtt_us);
    if (s->state >= SESSION_ASSOCIATING && s->state <= SESSION_CLOSING)
        sctp_set_rtt(s->sctp, rtt_us);
}

void session_refresh_path(struct session *s, const struct agent *a)
{
    struct ice_path path;

    if (!ice_selected(a->ice, &path))
        return;
    s->heard_at = usec_max(s->heard_at, path.heard_at);
    if (!s->has_path || !is_same_path(&s->path, &path.local, &path.remote))
        return;
    if (s->path.rtt_us == 0 && path.rtt_us > 0)
        on_first_rtt(s, path.rtt_us);
    s->path.rtt_us = path.rtt_us;
    if (path.back_at <= s->path.back_at)
        return;
    s->path.back_at = path.back_at;
    sctp_resume(s->sctp, s->clock);
}

void session_heard(struct session *s, usec now, const struct addr *local, const struct addr *from)
{
    s->heard_at = now;
    s->unanswered_at = USEC_NEVER;
    s->is_suspect = false;
    if (s->is_dark)
        session_calm_restart(s);
    if (s->state == SESSION_CLOSED || (now < s->ice_told_at + ICE_TOLD_GAP_US && s->has_path &&
                                       is_same_path(&s->path, local, from)))
        return;
    s->ice_told_at = now;
    ice_heard(s->agent.ice, now, local, from);
    if (s->next.ice)
        ice_heard(s->next.ice, now, local, from);
}

/* A SACK that acknowledges needs no answer itself; with data outstanding one is owed. */
void session_sent(struct session *s, usec now)
{
    if (s->unanswered_at == USEC_NEVER && s->state >= SESSION_OPEN &&
        sctp_unacked_bytes(s->sctp) > 0)
        s->unanswered_at = now;
}

usec session_suspect_at(const struct session *s)
{
    if (s->unanswered_at == USEC_NEVER || !s->has_path || s->state == SESSION_CLOSED)
        return USEC_NEVER;
    return s->unanswered_at + usec_max(SUSPECT_MIN_US, SUSPECT_RTTS * s->path.rtt_us);
}

/* One direction alone may be dead: then we go on hearing the peer, but nothing is acknowledged. */
static bool has_timed_out(struct session *s)
{
    struct sctp_info info;
    uint64_t before = s->timeouts_seen;

    if (s->state != SESSION_OPEN)
        return false;
    sctp_get_info(s->sctp, &info);
    s->timeouts_seen = info.timeouts;
    return info.timeouts > before;
}

void session_suspect_tick(struct session *s, usec now)
{
    bool timed_out = has_timed_out(s);

    if (!timed_out && now < session_suspect_at(s))
        return;
    if (s->state == SESSION_CLOSED || !s->has_path)
        return;
    s->unanswered_at = USEC_NEVER; /* what is sent next starts it again */
    s->is_suspect = true;
    ice_suspect(s->agent.ice, now);
    session_check_relays(s, now);
}

void session_check_paths(struct session *s, usec now)
{
    s->clock = now;
    if (s->state == SESSION_CLOSED)
        return;
    session_check_relays(s, now); /* to a server that knew us by another address we are strangers */
    ice_check_again(s->agent.ice, now);
    if (s->next.ice)
        ice_check_again(s->next.ice, now);
}

static size_t headers_of(const struct addr *a)
{
    return a->family == ADDR_IPV6 ? 40 + 8 : 20 + 8;
}

static size_t mtu_of(const struct session *s, const struct addr *base)
{
    for (uint8_t i = 0; i < s->socket_count; i++)
        if (addr_equal(&s->sockets[i].base, base) && s->sockets[i].mtu)
            return s->sockets[i].mtu;
    return MTU_USUAL;
}

/* On the way to or from a relay ChannelData is around a datagram; until the channel stands, and if
 * there is none, an indication is, and probes find out. A stream to the relay has no packets, but
 * from there on the way has. */
static void search_pmtu(struct session *s, usec now)
{
    const struct relayer *r = session_relay_of(s, &s->path.local);
    bool is_stream = r && r->stream, is_relayed = r || s->path.remote_type == ICE_RELAYED;
    size_t around = headers_of(&s->path.local);
    size_t mtu = is_stream ? MTU_USUAL : mtu_of(s, r ? &r->base : &s->path.local);

    if (r && !is_stream && headers_of(&r->base) > around)
        around = headers_of(&r->base);
    if (is_relayed)
        around += CHANNEL_HEAD;
    if (mtu > DTLS_DATAGRAM_MAX + around)
        mtu = DTLS_DATAGRAM_MAX + around;
    if (s->peer_is_hawser) /* others have room for what RFC 8831 has everybody send, hardly more */
        sctp_search_pmtu(s->sctp, now, around + DTLS_HEAD + DTLS_TAIL, mtu);
}

void session_tell_path(struct session *s, usec now, bool old_is_dead)
{
    sctp_path_changed(s->sctp, now, s->path.rtt_us, SESSION_PACKET_MAX, old_is_dead);
    search_pmtu(s, now);
}

void session_set_interface_mtu(struct session *s, usec now, const struct addr *base, size_t mtu)
{
    s->clock = now;
    for (uint8_t i = 0; i < s->socket_count; i++)
        if (addr_equal(&s->sockets[i].base, base))
            s->sockets[i].mtu = (uint16_t)(mtu < UINT16_MAX ? mtu : UINT16_MAX);
    if (s->has_path && s->state >= SESSION_ASSOCIATING && s->state < SESSION_CLOSED)
        search_pmtu(s, now);
}

void session_too_long(struct session *s, usec now)
{
    s->clock = now;
    if (s->state >= SESSION_ASSOCIATING && s->state < SESSION_CLOSED)
        sctp_packet_too_long(s->sctp, now);
}

static void on_selected(struct session *s, usec now, const struct ice_path *path)
{
    bool old_is_dead = !s->has_path || s->is_dark || s->is_suspect;

    s->path = *path;
    s->has_path = true;
    s->path_count++;
    s->is_suspect = false;
    session_calm_restart(s);
    s->restarts.has_fallen = false;
    s->unanswered_at = USEC_NEVER;
    s->plain_next = 0;
    session_bind_path(s, now);
    if (s->state < SESSION_CONNECTING || s->state == SESSION_CLOSED)
        return;
    dtls_set_rtt(s->dtls, path->rtt_us);
    if (s->state == SESSION_CONNECTING)
        session_enter(s, SESSION_SECURING, now);
    if (s->is_client)
        dtls_start(s->dtls, now);
    if (s->state >= SESSION_ASSOCIATING)
        session_tell_path(s, now, old_is_dead);
    session_pump(s, now);
}

/* No path answers. Nothing may be sent by one whose consent is gone (RFC 7675 §5.1). */
static void on_dark(struct session *s, usec now)
{
    if (s->state != SESSION_OPEN)
        return;
    s->is_dark = true;
    session_check_relays(s, now);
    session_schedule_restart(s, now);
}

static void on_lost(struct session *s, usec now, const struct ice_event *ev)
{
    s->has_path = false;
    s->heard_at = usec_max(s->heard_at, ev->path.heard_at);
    if (s->state == SESSION_OPEN)
        on_dark(s, now);
    else if (s->state != SESSION_CLOSING) /* the flush time is its end */
        session_finish(s, SESSION_END_LOST, now);
}

/* The agent looks no more. Another may, and an open session makes another. */
static void on_failed(struct session *s, usec now)
{
    s->has_path = false;
    if (s->state == SESSION_OPEN)
        on_dark(s, now);
    else if (s->state < SESSION_OPEN && !s->next.ice)
        session_finish(s, SESSION_END_NO_PATH, now);
}

static bool is_by_relay(const struct ice_path *path)
{
    return path->local_type == ICE_RELAYED || path->remote_type == ICE_RELAYED;
}

static void on_changed(struct session *s, usec now, const struct ice_path *path)
{
    bool has_fallen = s->state == SESSION_OPEN && !is_by_relay(&s->path) && is_by_relay(path);

    on_selected(s, now, path);
    if (has_fallen && !s->next.ice)
        session_restart_after_fall(s, now);
}

static bool on_news_of_current(struct session *s, const struct ice_event *ev, usec now)
{
    switch (ev->type) {
    case ICE_EVENT_SELECTED:
        on_changed(s, now, &ev->path);
        return true;
    case ICE_EVENT_DARK:
        on_dark(s, now);
        return false;
    case ICE_EVENT_LOST:
        on_lost(s, now, ev);
        return false;
    case ICE_EVENT_FAILED:
        on_failed(s, now);
        return false;
    default:
        return false;
    }
}

static bool on_news_of_next(struct session *s, const struct ice_event *ev, usec now)
{
    struct ice_path was = s->path;
    bool had = s->has_path;

    if (ev->type == ICE_EVENT_FAILED)
        session_restart_failed(s, now);
    if (ev->type != ICE_EVENT_SELECTED)
        return false;
    session_take_over(s, now);
    if (had) { /* the peer may change a little later */
        s->old_path = was;
        s->old_path_until = now + OLD_PATH_US;
    }
    on_selected(s, now, &ev->path);
    return true;
}

/* The agent may be another one, or gone, after what it told. */
static bool poll_agent(struct session *s, struct agent *a, struct session_event *ev)
{
    struct ice_event ice;

    while (s->state != SESSION_CLOSED && a->ice && ice_poll_event(a->ice, &ice)) {
        bool is_newest = a == session_newest(s);
        usec now = usec_max(ice.at, s->clock);

        if (ice.type == ICE_EVENT_LOCAL_CANDIDATE || ice.type == ICE_EVENT_GATHERED) {
            if (!is_newest)
                continue; /* the peer looks for a newer agent's */
            ev->candidate = ice.candidate;
            ev->type =
                ice.type == ICE_EVENT_GATHERED ? SESSION_EVENT_GATHERED : SESSION_EVENT_CANDIDATE;
            return true;
        }
        if (a == &s->next ? on_news_of_next(s, &ice, now) : on_news_of_current(s, &ice, now)) {
            ev->type = SESSION_EVENT_PATH;
            ev->path = ice.path;
            return true;
        }
    }
    return false;
}

bool session_poll_ice(struct session *s, struct session_event *ev)
{
    return poll_agent(s, &s->agent, ev) || poll_agent(s, &s->next, ev);
}
