/* Which chunks are lost, and what that means for the window. RFC 9260 §7.2.3, §6.3.3.
 *
 * A chunk is lost when a packet sent three packets later has arrived. Counting packets, as RFC 9002
 * §6.1.1 does, and not SACKs as RFC 9260 §7.2.4, stays right when one SACK answers a whole run,
 * when SACKs are lost, and for what was sent again (deviations.md, S4). Packet numbers grow with
 * TSNs until a chunk is sent again, so a cursor looks at each TSN once; those sent again stand in a
 * ring in the order of sending, of which only the first is looked at. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

void loss_mark(struct sctp *s, uint32_t tsn, struct tx_chunk *c)
{
    tx_leave_flight(s, c);
    c->state = TX_LOST;
    s->info.lost_chunks++;
    if (!tx_is_of_old_path(s, c))
        s->tx.throughput.lost += tx_chunk_bytes(c);
    s->tx.resend_from = s->tx.lost_count ? tsn_min(s->tx.resend_from, tsn) : tsn;
    s->tx.lost_count++;
    pmtu_note_lost(s, c);
}

void loss_mark_all(struct sctp *s)
{
    for (uint32_t tsn = s->tx.base_tsn; tsn != s->tx.next_tsn; tsn++)
        if (tx_chunk_at(s, tsn)->state == TX_IN_FLIGHT)
            loss_mark(s, tsn, tx_chunk_at(s, tsn));
}

/* That a reported chunk is the first not cumulatively acknowledged proves that the peer dropped
 * what it had reported (§6.2). Then none of its reports counts any more (deviations.md, S18). */
static void forget_reports(struct sctp *s)
{
    if (!tsn_set_has(&s->tx.sacked, s->tx.base_tsn))
        return;
    for (uint32_t tsn = s->tx.base_tsn; tsn != s->tx.next_tsn; tsn++) {
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (c->state != TX_ACKED)
            continue;
        c->state = TX_IN_FLIGHT;
        tx_enter_flight(s, c);
    }
    s->tx.sacked.count = 0;
}

static void begin_recovery(struct sctp *s)
{
    s->tx.recover_packet = s->tx.packet;
    s->tx.may_resend_at_once = true;
    s->info.fast_retransmits++;
}

static bool is_overdue(const struct sctp *s, const struct tx_chunk *c)
{
    return s->tx.acked_packet >= c->packet + s->tx.reordering;
}

/* Losses of one flight are one event; of what was sent after the window shrank, another. */
static bool is_new_event(const struct sctp *s, const struct tx_chunk *c)
{
    return c->packet > s->tx.recover_packet;
}

static bool mark_missing(struct sctp *s)
{
    uint32_t tsn = tsn_max(s->tx.judge_tsn, s->tx.base_tsn);
    bool found = false;

    for (; tsn != s->tx.next_tsn && is_overdue(s, tx_chunk_at(s, tsn)); tsn++) {
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (c->state != TX_IN_FLIGHT)
            continue;
        found |= is_new_event(s, c);
        s->tx.fast_resent++;
        loss_mark(s, tsn, c);
    }
    s->tx.judge_tsn = tsn;
    return found;
}

static bool mark_lost_again(struct sctp *s)
{
    bool found = false;

    for (; s->tx.retried_count; s->tx.retried_count--) {
        uint32_t tsn = s->tx.retried[s->tx.retried_first];
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (!tsn_before(tsn, s->tx.base_tsn) && c->state == TX_IN_FLIGHT) {
            if (!is_overdue(s, c))
                break;
            found |= is_new_event(s, c);
            loss_mark(s, tsn, c);
        }
        s->tx.retried_first = (s->tx.retried_first + 1) % RETRIED_MAX;
    }
    return found;
}

void loss_note_resent(struct sctp *s, uint32_t tsn)
{
    if (!s->tx.retried)
        s->tx.retried = malloc(RETRIED_MAX * sizeof *s->tx.retried);
    if (!s->tx.retried || s->tx.retried_count == RETRIED_MAX)
        return; /* T3 watches it all the same */
    s->tx.retried[(s->tx.retried_first + s->tx.retried_count++) % RETRIED_MAX] = tsn;
}

/* An ack of what was sent twice may be of the first copy: it counts for the second only if the time
 * since then makes that likely. */
void loss_note_acked(struct sctp *s, usec now, const struct tx_chunk *c)
{
    if (c->is_retransmitted && now - c->sent_at < s->rto.srtt_us / 2)
        return;
    if (c->packet > s->tx.acked_packet)
        s->tx.acked_packet = c->packet;
}

void loss_detect(struct sctp *s, usec now)
{
    bool is_missing, is_lost_again;

    if (now < s->tx.hold_loss_until)
        return;
    is_missing = mark_missing(s);
    is_lost_again = mark_lost_again(s);
    if (is_missing || is_lost_again)
        begin_recovery(s);
}

/* A short flight whose last chunk did not ask the peer to hurry: RFC 8985 §7.2. */
static bool is_answer_slow(const struct sctp *s)
{
    return s->tx.base_tsn != s->tx.next_tsn &&
           s->tx.flight_bytes <= PACKETS_PER_SACK * s->cc.packet_bytes &&
           !(tx_chunk_at(s, s->tx.next_tsn - 1)->flags & DATA_SACK_NOW);
}

/* The last packets of a flight have nothing behind them that would show their loss, and a SACK may
 * be lost too: after two round trips of silence one chunk goes again, long before T3
 * (RFC 8985 §7; deviations.md, S8). Once, until something new is acknowledged. */
void loss_arm_probe(struct sctp *s, usec now)
{
    usec at = now + usec_max(s->tx.probe_rtts * s->rto.srtt_us + s->rto.rttvar_us, PROBE_LEAST_US);
    bool is_useful;

    if (is_answer_slow(s))
        at += SACK_DELAY_US;
    at = usec_max(at, s->tx.hold_loss_until);
    is_useful = s->rto.srtt_us && s->t3_at != USEC_NEVER && at < s->t3_at;
    if (!s->tx.has_probed)
        s->probe_at = is_useful ? at : USEC_NEVER;
}

void loss_on_probe_due(struct sctp *s)
{
    uint32_t tsn = s->tx.next_tsn - 1;
    struct tx_chunk *last;

    s->probe_at = USEC_NEVER;
    if (s->tx.base_tsn == s->tx.next_tsn || s->tx.lost_count)
        return;
    s->tx.has_probed = abandon_repeat(s);
    while (tsn != s->tx.base_tsn && tx_chunk_at(s, tsn)->state != TX_IN_FLIGHT)
        tsn--;
    last = tx_chunk_at(s, tsn);
    if (last->state != TX_IN_FLIGHT)
        return;
    last->flags |= DATA_SACK_NOW;
    loss_mark(s, tsn, last);
    s->tx.may_resend_at_once = true;
    s->tx.has_probed = s->tx.was_probed = true;
}

/* The peer had both copies of something sent again, so that was too early. Either packets overtake
 * each other on this path by more than we allowed for, or its round trip has grown, which nothing
 * sent twice can measure. One step per SACK. */
void loss_note_duplicates(struct sctp *s)
{
    s->info.spurious_chunks++;
    if (s->tx.was_probed && s->tx.probe_rtts < PROBE_RTTS_MAX)
        s->tx.probe_rtts *= 2;
    else if (s->tx.fast_resent && s->tx.reordering < REORDERING_MAX)
        s->tx.reordering *= 2;
    s->tx.was_probed = false;
    s->tx.fast_resent = 0;
}

void loss_on_timeout(struct sctp *s, usec now)
{
    s->info.timeouts++;
    if (!assoc_count_error(s, now))
        return;
    pmtu_on_timeout(s, now);
    rto_back_off(&s->rto);
    s->cc.ops->on_timeout(&s->cc, now);
    s->tx.is_timing = false;
    s->tx.retried_count = 0;
    s->tx.recover_packet = s->tx.packet;
    s->tx.judge_tsn = s->tx.next_tsn;
    s->tx.fast_resent = 0;
    s->probe_at = USEC_NEVER;
    forget_reports(s);
    loss_mark_all(s);
    (void)abandon_repeat(s);
    loss_arm_t3(s, now);
}

/* While nothing may be taken for lost, waiting has not begun. */
void loss_arm_t3(struct sctp *s, usec now)
{
    s->t3_at = usec_max(now, s->tx.hold_loss_until) + s->rto.rto_us;
}

void loss_tick(struct sctp *s, usec now)
{
    if (now >= s->hold_at) {
        s->hold_at = USEC_NEVER;
        loss_detect(s, now);
    }
    if (now >= s->t3_at)
        loss_on_timeout(s, now);
    if (now >= s->probe_at)
        loss_on_probe_due(s);
}

/* What went by the old path is given the time it takes there, or none if nothing comes through it
 * any more; its losses say nothing of the new one, and what was learned of reordering neither. */
void loss_change_path(struct sctp *s, usec now, usec hold_us, bool old_is_dead)
{
    bool is_waiting = s->tx.base_tsn != s->tx.next_tsn;

    s->tx.switch_packet = s->tx.recover_packet = s->tx.packet;
    s->tx.old_flight_bytes = s->tx.flight_bytes;
    s->tx.is_timing = s->tx.was_probed = s->tx.has_probed = false;
    s->tx.reordering = REORDERING_LEAST;
    s->tx.probe_rtts = PROBE_RTTS_LEAST;
    s->tx.fast_resent = 0;
    s->tx.hold_loss_until = is_waiting && !old_is_dead ? now + hold_us : now;
    s->hold_at = is_waiting && !old_is_dead ? s->tx.hold_loss_until : USEC_NEVER;
    s->probe_at = USEC_NEVER;
    if (old_is_dead && assoc_may_send_data(s)) {
        loss_mark_all(s);
        (void)abandon_repeat(s);
    }
    if (s->t3_at == USEC_NEVER)
        return;
    loss_arm_t3(s, now);
    loss_arm_probe(s, now);
}
