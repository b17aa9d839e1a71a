/* What we tell the peer of its data. RFC 9260 §3.3.4, §6.2. */
#include "core/sctp/assoc.h"

/* What may still come: everything held counts, with what holding it costs. */
uint32_t sack_rwnd(const struct sctp *s)
{
    size_t held = s->rx.unread_bytes + s->rx.park.bytes;

    return held < s->cfg.rx_bytes_max ? (uint32_t)(s->cfg.rx_bytes_max - held) : 0;
}

/* A window that was nearly shut is told as soon as it has opened by a worthwhile part (RFC 9260
 * §6.2, RFC 1122 §4.2.3.3); one that is wide goes with the next SACK. */
void sack_after_consume(struct sctp *s, usec now)
{
    uint32_t rwnd = sack_rwnd(s), whole = (uint32_t)s->cfg.rx_bytes_max;
    bool was_shut = s->rx.told_rwnd < 2 * s->cc.packet_bytes && rwnd >= 2 * s->cc.packet_bytes;

    (void)now;
    if (!assoc_may_receive_data(s))
        return;
    if (was_shut || (s->rx.told_rwnd < whole / 2 && rwnd - s->rx.told_rwnd >= whole / 4 &&
                     rwnd > s->rx.told_rwnd))
        s->rx.is_sack_due = true;
}

/* Gaps beyond what fits into `room` are left out: the peer keeps those chunks a little longer. */
void sack_encode(struct sctp *s, struct wr *w, size_t room)
{
    size_t at = chunk_begin(w, CHUNK_SACK, 0), fits = (room - SACK_HEADER_LEN) / GAP_BLOCK_LEN;
    size_t gaps = s->rx.beyond.count < fits ? s->rx.beyond.count : fits;
    size_t duplicates = s->rx.duplicate_count;

    if (duplicates > fits - gaps)
        duplicates = fits - gaps;
    s->rx.told_rwnd = sack_rwnd(s);
    wr_u32(w, s->rx.cum_tsn);
    wr_u32(w, s->rx.told_rwnd);
    wr_u16(w, (uint16_t)gaps);
    wr_u16(w, (uint16_t)duplicates);
    for (size_t i = 0; i < gaps; i++) {
        wr_u16(w, (uint16_t)(s->rx.beyond.ranges[i].first - s->rx.cum_tsn));
        wr_u16(w, (uint16_t)(s->rx.beyond.ranges[i].last - s->rx.cum_tsn));
    }
    for (size_t i = 0; i < duplicates; i++)
        wr_u32(w, s->rx.duplicates[i]);
    chunk_end(w, at);
    s->rx.duplicate_count = 0;
    s->rx.unsacked_packets = 0;
    s->rx.is_sack_due = false;
    s->sack_at = USEC_NEVER;
}
