/* How fast the network delivers: each chunk notes, when sent, how much had been delivered and when;
 * its acknowledgement then shows what came through in between
 * (draft-cheng-iccrg-delivery-rate-estimation). */
#include "core/sctp/assoc.h"

void throughput_note_sent(struct sctp *s, usec now, struct tx_chunk *c)
{
    struct throughput *r = &s->tx.throughput;
    size_t flight = s->tx.flight_bytes - s->tx.old_flight_bytes;

    if (flight == 0) {
        r->first_sent_at = r->delivered_at = now; /* a pause is nobody's slowness … */
        if (!c->is_retransmitted)
            r->app_limited_until = r->delivered ? r->delivered : 1; /* … but the application's */
    }
    c->delivered = r->delivered;
    c->delivered_at = r->delivered_at;
    c->first_sent_at = r->first_sent_at;
    c->is_app_limited = r->app_limited_until != 0;
}

void throughput_change_path(struct sctp *s, usec now)
{
    struct throughput *r = &s->tx.throughput;

    *r = (struct throughput){ .delivered = r->delivered, .round_end = r->delivered };
    r->first_sent_at = r->delivered_at = now;
}

/* Of the chunks that one SACK acknowledges the one sent last makes the sample, unless it is the
 * first copy that arrived, of whose sending nothing is known any more. */
void throughput_note_acked(struct sctp *s, usec now, const struct tx_chunk *c, bool is_first_copy)
{
    struct throughput *r = &s->tx.throughput;

    r->delivered += tx_chunk_bytes(c);
    r->delivered_at = now;
    if (is_first_copy || (r->has_newest && c->sent_at < r->newest_sent_at))
        return;
    r->has_newest = true;
    r->newest_sent_at = c->sent_at;
    r->newest_delivered = c->delivered;
    r->newest_delivered_at = c->delivered_at;
    r->newest_first_sent_at = c->first_sent_at;
    r->is_newest_app_limited = c->is_app_limited;
    r->first_sent_at = c->sent_at;
    if (!c->is_retransmitted)
        r->newest_rtt_us = usec_max(now - c->sent_at, 1);
}

void throughput_note_app_limited(struct sctp *s)
{
    s->tx.throughput.app_limited_until =
        s->tx.throughput.delivered + s->tx.flight_bytes - s->tx.old_flight_bytes;
    if (s->tx.throughput.app_limited_until == 0)
        s->tx.throughput.app_limited_until = 1;
}

/* A sample over less than a round trip tells of bunches, not of the path
 * (draft-ietf-ccwg-bbr §4.1.2.3). */
void throughput_take(struct sctp *s, usec now, struct cc_sample *sample)
{
    struct throughput *r = &s->tx.throughput;
    usec sent_us = r->newest_sent_at - r->newest_first_sent_at;
    usec acked_us = now - r->newest_delivered_at;
    usec took_us = usec_max(sent_us, acked_us);

    sample->lost = (size_t)(r->lost - r->lost_told);
    sample->found = (size_t)(r->found - r->found_told);
    r->lost_told = r->lost;
    r->found_told = r->found;
    if (r->app_limited_until && r->delivered > r->app_limited_until)
        r->app_limited_until = 0;
    if (!r->has_newest)
        return;
    sample->rtt_us = r->newest_rtt_us;
    sample->is_app_limited = r->is_newest_app_limited;
    if (took_us > 0 && took_us >= loss_least_rtt(s))
        sample->rate = (r->delivered - r->newest_delivered) * SECOND / (uint64_t)took_us;
    if (r->newest_delivered >= r->round_end) {
        r->round_end = r->delivered;
        sample->is_round = true;
    }
    r->has_newest = false;
    r->newest_rtt_us = 0;
}
