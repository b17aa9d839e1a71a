/* Retransmissions that turn out to have been needless, and what was decided by them is taken back.
 *
 * The peer names TSNs that came twice (RFC 9260 §3.3.4; what a DSACK is to TCP, RFC 3708); an
 * answer that comes sooner after a retransmission than any ever took is to the first copy (Eifel,
 * RFC 3522, with time where there are no timestamps); and so is one to what was not sent again yet.
 * Late packets are then waited for longer (RFC 8985 §6.2 step 4), congestion control hears of it,
 * and a timeout is undone (RFC 5682, RFC 4015). */
#include "core/sctp/assoc.h"

#include <stdlib.h>

enum { DUPLICATES_READ = 64 }; /* of one SACK; who reports more would have us work */

static struct resent *entry_of(const struct sctp *s, uint32_t tsn)
{
    return &s->tx.resent[tsn % RESENT_MAX];
}

/* Without memory nothing is found to have been needless. */
void needless_note_resent(struct sctp *s, uint32_t tsn, const struct tx_chunk *c)
{
    if (!s->tx.resent)
        s->tx.resent = calloc(RESENT_MAX, sizeof *s->tx.resent);
    if (s->tx.resent)
        *entry_of(s, tsn) = (struct resent){ tsn, (uint16_t)tx_chunk_bytes(c), true };
}

/* Once in a round trip, for all that is late in it. */
static void wait_longer(struct sctp *s)
{
    s->tx.has_overtaken = true;
    s->tx.late_events = LATE_EVENTS;
    if (s->tx.acked_packet < s->tx.late_packet || s->tx.late_steps == LATE_STEPS_MAX)
        return;
    s->tx.late_steps++;
    s->tx.late_packet = s->tx.packet;
}

/* Where nothing has come late for many recoveries, losses are mended sooner again. */
void needless_note_event(struct sctp *s)
{
    if (s->tx.late_events && --s->tx.late_events == 0)
        s->tx.late_steps = 1;
}

static void note_needless(struct sctp *s, uint32_t tsn)
{
    struct resent *e = s->tx.resent ? entry_of(s, tsn) : NULL;

    if (!e || !e->is_open || e->tsn != tsn)
        return;
    e->is_open = false;
    s->info.spurious_chunks++;
    s->tx.throughput.found += e->bytes;
    if (!s->tx.was_probed || tsn != s->tx.probe_tsn) {
        wait_longer(s);
        return;
    }
    s->tx.was_probed = false;
    if (s->tx.probe_rtts < PROBE_RTTS_MAX)
        s->tx.probe_rtts *= 2;
}

/* Not sent again yet. */
void needless_note_lost_acked(struct sctp *s, const struct tx_chunk *c)
{
    if (!tx_is_of_old_path(s, c))
        s->tx.throughput.found += tx_chunk_bytes(c);
    if (!s->tx.timeout_cwnd || c->packet > s->tx.timeout_packet) {
        wait_longer(s);
        return;
    }
    s->tx.is_timeout_needless = true;
}

bool needless_is_first_copy(struct sctp *s, usec now, uint32_t tsn, const struct tx_chunk *c)
{
    if (!c->is_retransmitted || now - c->sent_at >= loss_least_rtt(s) * 3 / 4)
        return false; /* the least may be a little more than could be */
    note_needless(s, tsn);
    return true;
}

void needless_note_duplicates(struct sctp *s, struct rd tsns, size_t count)
{
    for (size_t i = 0; i < count && i < DUPLICATES_READ; i++)
        note_needless(s, rd_u32(&tsns));
}

/* What T3 took for lost is on its way as before. From the last to the first, so that the list has
 * them in their order before what was sent since. */
void needless_take_timeout_back(struct sctp *s)
{
    s->tx.is_timeout_needless = false;
    if (!s->tx.timeout_cwnd)
        return;
    if (s->cc.cwnd_bytes < s->tx.timeout_cwnd)
        s->cc.cwnd_bytes = s->tx.timeout_cwnd;
    s->tx.timeout_cwnd = 0;
    s->tx.newest_packet = s->tx.acked_packet = 0; /* what seemed to answer a copy need not have */
    s->tx.probe_rtts = PROBE_RTTS_LEAST;          /* it soon shows if they were lost after all */
    for (uint32_t tsn = s->tx.next_tsn; tsn-- != s->tx.base_tsn;) {
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (c->state != TX_LOST || c->packet > s->tx.timeout_packet)
            continue;
        c->state = TX_IN_FLIGHT;
        s->tx.lost_count--;
        if (!tx_is_of_old_path(s, c))
            s->tx.throughput.found += tx_chunk_bytes(c);
        tx_enter_flight(s, tsn, c);
        loss_watch_first(s, tsn, c);
    }
}

void needless_change_path(struct sctp *s)
{
    s->tx.has_overtaken = false;
    s->tx.late_steps = 1;
    s->tx.late_events = 0;
    s->tx.timeout_cwnd = 0;
    s->tx.is_timeout_needless = false;
}
