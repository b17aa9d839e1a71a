/* Which chunks are lost, and what that means for the window. RFC 9260 §7.2.3, §7.2.4, §6.3.3.
 *
 * A chunk is missing once in every SACK that newly acknowledges a later one, so the chunks missing
 * at least k times are always those before some TSN: three numbers replace a counter per chunk, and
 * each TSN is looked at once on its way to being lost, not in every SACK. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

void loss_mark(struct sctp *s, uint32_t tsn, struct tx_chunk *c)
{
    s->tx.flight_bytes -= tx_chunk_bytes(c);
    s->tx.flight_payload -= c->len;
    c->state = TX_LOST;
    s->tx.resend_from = s->tx.lost_count ? tsn_min(s->tx.resend_from, tsn) : tsn;
    s->tx.lost_count++;
}

void loss_mark_all(struct sctp *s)
{
    for (uint32_t tsn = s->tx.base_tsn; tsn != s->tx.next_tsn; tsn++)
        if (tx_chunk_at(s, tsn)->state == TX_IN_FLIGHT)
            loss_mark(s, tsn, tx_chunk_at(s, tsn));
}

static void begin_recovery(struct sctp *s, usec now)
{
    s->cc.ops->on_loss(&s->cc, now, s->tx.flight_bytes);
    s->tx.is_recovering = true;
    s->tx.recover_tsn = s->tx.next_tsn - 1;
    s->tx.may_resend_at_once = true;
    s->info.fast_retransmits++;
}

/* Marks what has now been missing often enough; true if there was any. */
static bool mark_missing(struct sctp *s, uint32_t highest)
{
    uint32_t *misses = s->tx.misses;
    uint32_t tsn = tsn_max(misses[MISSES_BEFORE_RESEND - 1], s->tx.base_tsn);
    bool found = false;

    for (size_t k = MISSES_BEFORE_RESEND - 1; k > 0; k--)
        misses[k] = tsn_max(misses[k], tsn_min(misses[k - 1], highest));
    misses[0] = tsn_max(misses[0], highest);
    for (; tsn_before(tsn, misses[MISSES_BEFORE_RESEND - 1]); tsn++) {
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (c->state == TX_IN_FLIGHT && !c->is_retransmitted) {
            loss_mark(s, tsn, c);
            found = true;
        }
    }
    return found;
}

/* What was sent again is lost again when chunks sent after it have arrived: otherwise every such
 * loss would cost a timeout (deviations.md, S4). The ring is in order of sending. */
static bool mark_lost_again(struct sctp *s, uint32_t highest)
{
    bool is_new_event = false;

    while (s->tx.retried_count) {
        uint32_t tsn = s->tx.retried[s->tx.retried_first];
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (!tsn_before(tsn, s->tx.base_tsn) && c->state == TX_IN_FLIGHT) {
            if (tsn_before(highest, c->resent_high + MISSES_BEFORE_RESEND))
                return is_new_event;
            is_new_event |= tsn_before(s->tx.recover_tsn, c->resent_high);
            loss_mark(s, tsn, c);
        }
        s->tx.retried_first = (s->tx.retried_first + 1) % RETRIED_MAX;
        s->tx.retried_count--;
    }
    return is_new_event;
}

void loss_note_resent(struct sctp *s, uint32_t tsn, struct tx_chunk *c)
{
    c->resent_high = s->tx.next_tsn;
    if (!s->tx.retried)
        s->tx.retried = malloc(RETRIED_MAX * sizeof *s->tx.retried);
    if (!s->tx.retried || s->tx.retried_count == RETRIED_MAX)
        return; /* T3 watches it all the same */
    s->tx.retried[(s->tx.retried_first + s->tx.retried_count++) % RETRIED_MAX] = tsn;
}

void loss_detect(struct sctp *s, usec now, uint32_t highest_newly_acked)
{
    bool is_missing, is_lost_again;

    if (now < s->tx.hold_loss_until)
        return;
    is_missing = mark_missing(s, highest_newly_acked);
    is_lost_again = mark_lost_again(s, highest_newly_acked);
    if ((is_missing && !s->tx.is_recovering) || is_lost_again)
        begin_recovery(s, now);
}

void loss_on_timeout(struct sctp *s, usec now)
{
    s->info.timeouts++;
    if (!assoc_count_error(s, now))
        return;
    rto_back_off(&s->rto);
    s->cc.ops->on_timeout(&s->cc, now);
    s->tx.is_recovering = false;
    s->tx.is_timing = false;
    s->tx.retried_count = 0;
    loss_mark_all(s);
    s->t3_at = now + s->rto.rto_us;
}
