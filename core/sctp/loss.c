/* Which chunks are lost, and what that means for the window. RFC 8985 (RACK-TLP), RFC 9260 §6.3.3.
 *
 * A chunk is lost when one sent later has arrived and as long has passed since as that one took,
 * and a little longer, in which late packets may still come. Time, not a count of packets or of
 * SACKs as in RFC 9260 §7.2.4: so it stays right when one SACK answers a whole run, when SACKs are
 * lost, at any rate, and for what was sent again (deviations.md, S4). What is in flight stands in a
 * list in the order of sending, of which only the first is looked at. */
#include "core/sctp/assoc.h"

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
        tx_enter_flight(s, tsn, c);
    }
    s->tx.sacked.count = 0;
}

static void begin_recovery(struct sctp *s)
{
    s->tx.recover_packet = s->tx.packet;
    s->tx.may_resend_at_once = true;
    s->info.fast_retransmits++;
    needless_note_event(s);
}

/* ---- The list of what is in flight ----------------------------------------------------------- */

void loss_watch(struct sctp *s, uint32_t tsn, struct tx_chunk *c)
{
    c->before = s->tx.watch_last;
    if (s->tx.watch_count++)
        tx_chunk_at(s, s->tx.watch_last)->after = tsn;
    else
        s->tx.watch_first = tsn;
    s->tx.watch_last = tsn;
}

void loss_unwatch(struct sctp *s, const struct tx_chunk *c)
{
    bool is_first = tx_chunk_at(s, s->tx.watch_first) == c;
    bool is_last = tx_chunk_at(s, s->tx.watch_last) == c;

    s->tx.watch_count--;
    if (is_first)
        s->tx.watch_first = c->after;
    else
        tx_chunk_at(s, c->before)->after = c->after;
    if (is_last)
        s->tx.watch_last = c->before;
    else
        tx_chunk_at(s, c->after)->before = c->before;
}

void loss_watch_first(struct sctp *s, uint32_t tsn, struct tx_chunk *c)
{
    loss_unwatch(s, c);
    c->after = s->tx.watch_first;
    if (s->tx.watch_count++)
        tx_chunk_at(s, s->tx.watch_first)->before = tsn;
    else
        s->tx.watch_last = tsn;
    s->tx.watch_first = tsn;
}

/* ---- What is overdue ------------------------------------------------------------------------- */

usec loss_least_rtt(const struct sctp *s)
{
    return s->cc.model.min_rtt_us ? s->cc.model.min_rtt_us : s->rto.srtt_us / 2;
}

void loss_note_acked(struct sctp *s, usec now, const struct tx_chunk *c)
{
    if (c->packet < s->tx.acked_packet)
        s->tx.has_overtaken |= !c->is_retransmitted && !tx_is_of_old_path(s, c);
    else
        s->tx.acked_packet = c->packet;
    if (c->packet < s->tx.newest_packet)
        return;
    s->tx.newest_packet = c->packet;
    s->tx.newest_rtt_us = now - c->sent_at;
}

/* RFC 8985 §6.2 step 4: while nothing was ever overtaken, three later packets prove as much as
 * time does, and amid a recovery one. */
static usec waited_for(const struct sctp *s, const struct tx_chunk *c)
{
    bool is_amid = s->tx.acked_packet < s->tx.recover_packet;
    usec wait_us = (usec)s->tx.late_steps * loss_least_rtt(s) / 4;

    if (!s->tx.has_overtaken && (is_amid || s->tx.newest_packet >= c->packet + REORDERING_LEAST))
        return 0;
    return s->rto.srtt_us ? usec_min(wait_us, s->rto.srtt_us) : wait_us;
}

/* Losses of one flight are one event; of what was sent after the window shrank, another. */
static bool mark_overdue(struct sctp *s, usec now)
{
    bool is_event = false;

    s->overdue_at = USEC_NEVER;
    while (s->tx.watch_count) {
        uint32_t tsn = s->tx.watch_first;
        struct tx_chunk *c = tx_chunk_at(s, tsn);
        usec at = c->sent_at + s->tx.newest_rtt_us + waited_for(s, c);

        if (c->packet >= s->tx.newest_packet)
            break;
        if (at > now) {
            s->overdue_at = at;
            break;
        }
        is_event |= c->packet > s->tx.recover_packet;
        loss_mark(s, tsn, c);
    }
    return is_event;
}

void loss_detect(struct sctp *s, usec now)
{
    if (now >= s->tx.hold_loss_until && mark_overdue(s, now))
        begin_recovery(s);
}

/* ---- The probe for a lost tail --------------------------------------------------------------- */

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
    s->tx.probe_tsn = tsn;
}

static void send_all_again(struct sctp *s, usec now)
{
    s->tx.timeout_packet = s->tx.recover_packet = s->tx.packet;
    s->cc.ops->on_timeout(&s->cc, now);
    s->tx.is_timing = false;
    s->probe_at = s->overdue_at = USEC_NEVER;
    forget_reports(s);
    loss_mark_all(s);
    (void)abandon_repeat(s);
    loss_arm_t3(s, now);
}

void loss_on_timeout(struct sctp *s, usec now)
{
    s->info.timeouts++;
    if (!assoc_count_error(s, now))
        return;
    pmtu_on_timeout(s, now);
    rto_back_off(&s->rto);
    s->tx.is_backed_off = true;
    if (!s->tx.timeout_cwnd)
        s->tx.timeout_cwnd = s->cc.cwnd_bytes;
    send_all_again(s, now);
}

/* What is out was sent while the path lost all of it. A path that is back for short packets alone
 * has T3 back off as ever from then on. */
void sctp_resume(struct sctp *s, usec now)
{
    if (s->t3_at == USEC_NEVER || !s->tx.is_backed_off || s->tx.has_resumed)
        return;
    s->tx.has_resumed = true;
    rto_restore(&s->rto);
    if (now < s->tx.last_sent_at + loss_least_rtt(s))
        loss_arm_t3(s, s->tx.last_sent_at); /* that went when the path was back */
    else
        send_all_again(s, now);
}

/* While nothing may be taken for lost, waiting has not begun. */
void loss_arm_t3(struct sctp *s, usec now)
{
    s->t3_at = usec_max(now, s->tx.hold_loss_until) + s->rto.rto_us;
}

void loss_tick(struct sctp *s, usec now)
{
    if (now >= s->hold_at || now >= s->overdue_at) {
        s->hold_at = now >= s->hold_at ? USEC_NEVER : s->hold_at;
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
    s->tx.probe_rtts = PROBE_RTTS_LEAST;
    s->tx.is_backed_off = s->tx.has_resumed = false;
    s->tx.newest_packet = 0;
    s->tx.newest_rtt_us = 0;
    needless_change_path(s);
    s->tx.hold_loss_until = is_waiting && !old_is_dead ? now + hold_us : now;
    s->hold_at = is_waiting && !old_is_dead ? s->tx.hold_loss_until : USEC_NEVER;
    s->probe_at = s->overdue_at = USEC_NEVER;
    if (old_is_dead && assoc_may_send_data(s)) {
        loss_mark_all(s);
        (void)abandon_repeat(s);
    }
    if (s->t3_at == USEC_NEVER)
        return;
    loss_arm_t3(s, now);
    loss_arm_probe(s, now);
}
