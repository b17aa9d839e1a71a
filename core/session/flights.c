/* flights.c: where the handshake's datagrams go. With SPED (sped.h) they wait in its flight, from
 * where checks and their answers carry them; and each goes plainly too as soon as there is a path,
 * which does not have to wait for the next check. Without it DTLS keeps them until there is one. */
#include "core/session/internal.h"

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

    if (!s->has_sped || !ice_get_sped(a->ice, &in) || !sped_input(&s->sped, &in))
        return;
    s->has_carried = true;
    session_input_flight(s, now, in.data);
}
