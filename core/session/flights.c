/* flights.c: where the handshake's datagrams go. With SPED (sped.h) they wait in its flight, from
 * where checks and their answers carry them. As soon as there is a path they need not wait for the
 * next check: to a hawser one goes at once; others are sent them plainly too, as the draft has it.
 *
 * Between hawsers nothing but checks is believed then. They are authentic by ICE's password, where
 * a plain flight, bent or forged by whoever carries it, would end the handshake. Without SPED DTLS
 * keeps its flights until there is a path. */
#include <string.h>

#include "core/ice/hurry.h"
#include "core/session/internal.h"

#define ALERT_US SECOND

bool session_is_carrying(const struct session *s)
{
    return s->has_sped && s->sped.state == SPED_CARRYING && s->state != SESSION_CLOSED;
}

/* What DTLS wants sent after one step is a flight, new or the same again. */
void session_collect_flight(struct session *s)
{
    uint8_t buf[DTLS_DATAGRAM_MAX];
    struct out run;

    out_init(&run, buf, sizeof buf);
    while (session_is_carrying(s) && dtls_poll_output(s->dtls, &run)) {
        if (dtls_flight(s->dtls) != s->flight)
            sped_begin_flight(&s->sped);
        s->flight = dtls_flight(s->dtls);
        s->plain_next = 0;
        for (size_t i = 0; i < run.count; i++)
            sped_add(&s->sped, out_datagram(&run, i));
        out_reset(&run);
    }
}

void session_stop_carrying(struct session *s)
{
    static const struct ice_sped nothing;

    s->has_sped = false;
    sped_deinit(&s->sped);
    s->carried = nothing;
    ice_set_sped(s->agent.ice, &s->carried);
    if (s->next.ice)
        ice_set_sped(s->next.ice, &s->carried);
}

static bool is_carried_only(const struct session *s)
{
    return s->peer_is_hawser && s->peer_carries && session_is_carrying(s);
}

void session_hurry_flight(struct session *s, usec now)
{
    if (!is_carried_only(s) || !s->has_path || s->plain_next >= s->sped.count)
        return;
    s->plain_next = s->sped.count;
    if (sped_has_pending(&s->sped))
        ice_ask_selected(s->agent.ice, now);
}

enum { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22 };

/* OpenSSL waits for the last Finished when the session may be open already: then no alert in the
 * clear may reach it. RFC 6347 §4.1: a record is type, version, epoch, number, length. */
static bool is_only_for_checks(const struct session *s, struct bytes dgram)
{
    struct rd r = rd_of(dgram);

    while (r.ok && rd_left(&r)) {
        uint8_t type = rd_u8(&r);
        bool is_plain;

        rd_skip(&r, 2);
        is_plain = rd_u16(&r) == 0;
        rd_skip(&r, 6);
        rd_skip(&r, rd_u16(&r));
        if (type == CHANGE_CIPHER_SPEC || type == HANDSHAKE)
            return true;
        if (type == ALERT && is_plain && s->open_at != USEC_NEVER)
            return true;
    }
    return false;
}

static bool is_plain_alert(struct bytes dgram)
{
    struct rd r = rd_of(dgram);
    uint8_t type = rd_u8(&r);

    rd_skip(&r, 2);
    return rd_u16(&r) == 0 && r.ok && type == ALERT;
}

/* No check carries an alert, for who sends one has ended and answers none. So it is believed when
 * the peer has fallen silent; as long as its checks come it is somebody else's word. */
static void keep_alert(struct session *s, struct bytes dgram)
{
    if (s->alert_len || dgram.len > sizeof s->alert)
        return;
    memcpy(s->alert, dgram.data, dgram.len);
    s->alert_len = (uint8_t)dgram.len;
    s->alert_at = s->clock;
}

usec session_alert_at(const struct session *s)
{
    if (!s->alert_len || s->state == SESSION_CLOSED)
        return USEC_NEVER;
    return usec_max(s->alert_at, s->asked_at) + usec_max(ALERT_US, 3 * s->path.rtt_us);
}

void session_alert_tick(struct session *s, usec now)
{
    size_t len = s->alert_len;

    if (now < session_alert_at(s))
        return;
    s->alert_len = 0;
    if (s->open_at != USEC_NEVER || dtls_is_up(s->dtls))
        return;
    (void)dtls_input(s->dtls, now, bytes_of(s->alert, len));
    session_pump(s, now);
}

/* Before the peer's first check its word counts that it will carry its flights. */
static bool must_be_carried(const struct session *s)
{
    return s->peer_is_hawser && session_is_carrying(s) && (s->peer_carries || !s->asked_at);
}

bool session_is_flight_welcome(struct session *s, struct bytes dgram)
{
    if (!s->has_sped || dtls_is_up(s->dtls))
        return true;
    if (must_be_carried(s) && is_only_for_checks(s, dgram))
        return false;
    if (must_be_carried(s) && is_plain_alert(dgram)) {
        keep_alert(s, dgram);
        return false;
    }
    return sped_input_plain(&s->sped, dgram);
}

bool session_poll_plain(struct session *s, struct out *out)
{
    while (session_is_carrying(s) && s->plain_next < s->sped.count) {
        const struct sped_datagram *d = &s->sped.flight[s->plain_next++];

        if (!d->is_acked && out_add_bytes(out, bytes_of(d->data, d->len)))
            return true;
    }
    return false;
}

bool session_poll_agent(struct session *s, struct agent *a, struct out *out)
{
    if (s->has_sped) {
        sped_get(&s->sped, &s->carried);
        ice_set_sped(a->ice, &s->carried);
    }
    if (!ice_poll_output(a->ice, out))
        return false;
    if (s->has_sped && ice_has_sent_sped(a->ice))
        sped_sent(&s->sped);
    return true;
}

/* Before the answer is here nobody knows what to do with a flight: it waits with the early ones. */
void session_take_carried(struct session *s, usec now, const struct agent *a)
{
    struct ice_sped in;

    if (!s->has_sped || !ice_get_sped(a->ice, &in))
        return;
    s->peer_carries = in.is_on || in.has_data;
    if (!sped_input(&s->sped, &in))
        return;
    s->has_carried = true;
    session_input_flight(s, now, in.data);
}
