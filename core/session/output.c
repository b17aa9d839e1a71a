/* output.c: what leaves, and in which order. */
#include "core/session/internal.h"

/* Datagrams of a run on a relayed path grow by TURN's head where they lie. */
static void leave_room(struct out *out)
{
    size_t room = OUT_DATAGRAMS_MAX * TURN_HEAD_MAX;

    out->cap -= room < out->cap / 4 ? room : out->cap / 4;
}

/* The packets of the association leave sealed, in the run they were written to. */
static bool poll_sealed(struct session *s, usec now, struct out *out)
{
    size_t cap = out->cap;
    bool some;

    if (!dtls_can_seal(s->dtls))
        return false;
    if (session_is_relayed(s, &out->from))
        leave_room(out);
    out->head = DTLS_HEAD;
    out->tail = DTLS_TAIL;
    some = sctp_poll_output(s->sctp, now, out);
    out->cap = cap;
    if (some && dtls_seal(s->dtls, out) == ERR_OK) {
        session_sent(s, now);
        return true;
    }
    if (some)
        session_finish(s, SESSION_END_NOMEM, now);
    out->head = out->tail = 0;
    return false;
}

/* Flights go before data, which the peer could not open without them; but the association's last
 * word goes before close_notify, behind which nothing is read. */
static bool poll_lower(struct session *s, usec now, struct out *out)
{
    if (s->state == SESSION_CLOSED)
        return poll_sealed(s, now, out) || dtls_poll_output(s->dtls, out);
    if (session_poll_plain(s, out))
        return true;
    return (!session_is_carrying(s) && dtls_poll_output(s->dtls, out)) || poll_sealed(s, now, out);
}

static bool poll_path(struct session *s, usec now, struct out *out)
{
    bool some;

    if (!s->has_path || !s->dtls)
        return false;
    out_reset(out);
    out->from = s->path.local;
    out->to = s->path.remote;
    some = poll_lower(s, now, out);
    session_pump(s, now); /* sending may end the association */
    return some;
}

/* A permission goes before the checks that need it. Relays are given back behind the last word. */
static bool poll_any(struct session *s, usec now, struct out *out)
{
    if (s->state == SESSION_CLOSED) {
        if (poll_path(s, now, out))
            return true;
        session_stop_relays(s, now);
        return session_relays_poll(s, now, out);
    }
    session_hurry_flight(s, now);
    return session_relays_poll(s, now, out) || session_poll_agent(s, &s->agent, out) ||
           (s->next.ice && session_poll_agent(s, &s->next, out)) || poll_path(s, now, out);
}

bool session_poll_output(struct session *s, usec now, struct out *out)
{
    s->clock = now;
    do {
        out_reset(out);
        if (!poll_any(s, now, out))
            return false;
    } while (!session_wrap(s, out));
    return true;
}
