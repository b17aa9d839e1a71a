/* Messages go out: queued per stream, cut into chunks, remembered until acknowledged.
 * RFC 9260 §6.1, §6.9. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

void tx_init(struct sctp *s)
{
    s->tx.base_tsn = s->tx.next_tsn = s->tx.resend_from = s->initial_tsn;
    s->tx.advanced_tsn = s->tx.told_tsn = s->initial_tsn - 1;
    s->tx.late_steps = 1;
    s->tx.probe_rtts = PROBE_RTTS_LEAST;
    tsn_set_init(&s->tx.sacked, GAPS_MAX);
    tsn_set_init(&s->tx.reported, GAPS_MAX);
    tsn_set_init(&s->tx.fresh, GAPS_MAX);
    s->reconfig.next_request_seq = s->initial_tsn; /* RFC 6525 §4.1 */
}

void tx_learn_peer(struct sctp *s, uint8_t both)
{
    s->tx.is_interleaved = both & INIT_I_DATA;
    s->tx.takes_parts = both & INIT_PARTS;
    s->tx.may_forward = both & (s->tx.is_interleaved ? INIT_I_FORWARD_TSN : INIT_FORWARD_TSN);
}

void tx_deinit(struct sctp *s)
{
    free(s->tx.chunks);
    free(s->tx.resent);
    tsn_set_deinit(&s->tx.sacked);
    tsn_set_deinit(&s->tx.reported);
    tsn_set_deinit(&s->tx.fresh);
}

void tx_trim(struct sctp *s)
{
    if (s->tx.base_tsn != s->tx.next_tsn)
        return;
    free(s->tx.chunks);
    free(s->tx.resent);
    s->tx.chunks = NULL;
    s->tx.resent = NULL;
    s->tx.chunks_cap = 0;
    tsn_set_deinit(&s->tx.sacked);
    tsn_set_deinit(&s->tx.reported);
    tsn_set_deinit(&s->tx.fresh);
}

struct tx_chunk *tx_chunk_at(const struct sctp *s, uint32_t tsn)
{
    return &s->tx.chunks[tsn & (s->tx.chunks_cap - 1)];
}

size_t tx_chunk_bytes(const struct tx_chunk *c)
{
    return c->header_len + padded(c->len);
}

bool tx_is_of_old_path(const struct sctp *s, const struct tx_chunk *c)
{
    return c->packet <= s->tx.switch_packet;
}

void tx_enter_flight(struct sctp *s, uint32_t tsn, struct tx_chunk *c)
{
    loss_watch(s, tsn, c);
    s->tx.flight_bytes += tx_chunk_bytes(c);
    s->tx.flight_payload += c->len;
    if (tx_is_of_old_path(s, c))
        s->tx.old_flight_bytes += tx_chunk_bytes(c);
}

void tx_leave_flight(struct sctp *s, const struct tx_chunk *c)
{
    loss_unwatch(s, c);
    s->tx.flight_bytes -= tx_chunk_bytes(c);
    s->tx.flight_payload -= c->len;
    if (tx_is_of_old_path(s, c))
        s->tx.old_flight_bytes -= tx_chunk_bytes(c);
}

/* Grows while there is memory; without it the window is as wide as the ring already is. */
bool tx_reserve_chunk(struct sctp *s)
{
    uint32_t used = s->tx.next_tsn - s->tx.base_tsn;
    uint32_t cap = s->tx.chunks_cap ? 2 * s->tx.chunks_cap : TX_CHUNKS_MIN;
    struct tx_chunk *grown;

    if (used < s->tx.chunks_cap)
        return true;
    if (s->tx.chunks_cap == TX_CHUNKS_MAX || !(grown = malloc(cap * sizeof *grown)))
        return false;
    for (uint32_t tsn = s->tx.base_tsn; tsn != s->tx.next_tsn; tsn++)
        grown[tsn & (cap - 1)] = *tx_chunk_at(s, tsn);
    free(s->tx.chunks);
    s->tx.chunks = grown;
    s->tx.chunks_cap = cap;
    return true;
}

/* Writes len bytes that begin at data[at] of block b. */
static void copy_out(struct wr *w, const struct block *b, uint32_t at, size_t len)
{
    for (;;) {
        size_t n = b->end - at < len ? b->end - at : len;

        wr_bytes(w, bytes_of(b->data + at, n));
        len -= n;
        if (len == 0)
            return;
        b = b->next;
        at = b->start;
    }
}

static void begin_message(struct stream *st)
{
    struct place *p = &st->tx.next_message;

    if (st->tx.message)
        return;
    st->tx.message = (void *)(p->block->data + p->at);
    st->tx.message_left = st->tx.message->len;
    st->tx.mid = st->tx.mids[st->tx.message->is_unordered];
    st->tx.fsn = 0;
}

/* Its first fragment takes its number, so that one never begun leaves no hole. */
static void advance_message(struct sctp *s, struct stream *st, size_t len)
{
    if (st->tx.fsn++ == 0)
        st->tx.mids[st->tx.message->is_unordered]++;
    place_advance(&st->tx.next, len);
    st->tx.unsent -= len;
    st->tx.message_left -= len;
    if (st->tx.message_left)
        return;
    st->tx.message = NULL;
    place_advance(&st->tx.next_message, sizeof *st->tx.message);
    abandon_note(s, st);
}

static void encode_chunk(struct wr *w, uint32_t tsn, const struct tx_chunk *c)
{
    struct data_chunk d = {
        .flags = c->flags,
        .stream = c->stream,
        .ssn = c->mid,
        .tsn = tsn,
        .ppid = c->message->ppid,
        .fsn = c->fsn,
        .payload.len = c->len,
    };

    if (c->header_len == I_DATA_HEADER_LEN)
        i_data_header_encode(w, &d);
    else
        data_header_encode(w, &d);
    copy_out(w, c->block, c->at, c->len);
    wr_zero(w, padded(c->len) - c->len);
}

/* The packet ends with it. */
static void note_written(struct sctp *s, usec now, const struct wr *w, uint32_t tsn,
                         struct tx_chunk *c)
{
    throughput_note_sent(s, now, c);
    pace_take(s, tx_chunk_bytes(c));
    c->state = TX_IN_FLIGHT;
    c->sent_at = now;
    c->packet = s->tx.packet + 1; /* tx_fill() counts it when it is full */
    c->is_wide = w->len > s->pmtu.base;
    tx_enter_flight(s, tsn, c);
    s->tx.last_sent_at = now;
    s->info.data_chunks_sent++;
    if (s->t3_at == USEC_NEVER && assoc_may_send_data(s))
        loss_arm_t3(s, now); /* §6.3.2 R1 */
}

/* The window is the path's: what another one carries does not fill it. */
static bool is_window_full_with(const struct sctp *s, size_t more)
{
    return s->tx.flight_bytes - s->tx.old_flight_bytes + more >= s->cc.cwnd_bytes;
}

/* Or pacing says not yet. */
static bool is_window_full(const struct sctp *s)
{
    return is_window_full_with(s, 0) || !pace_allows(s);
}

/* The oldest lost chunk; there must be one. */
static struct tx_chunk *first_lost(struct sctp *s)
{
    while (tx_chunk_at(s, s->tx.resend_from)->state != TX_LOST)
        s->tx.resend_from++;
    return tx_chunk_at(s, s->tx.resend_from);
}

/* c is the chunk at resend_from, and written. */
static void note_resent(struct sctp *s, usec now, const struct wr *w, struct tx_chunk *c)
{
    uint32_t tsn = s->tx.resend_from;

    s->tx.lost_count--;
    c->is_retransmitted = true;
    c->retransmits++;
    if (s->tx.is_timing && !tsn_before(s->tx.rtt_tsn, tsn))
        s->tx.is_timing = false; /* Karn: §6.3.1 C5 */
    note_written(s, now, w, tsn, c);
    needless_note_resent(s, tsn, c);
    if (tsn == s->tx.base_tsn && assoc_may_send_data(s))
        loss_arm_t3(s, now); /* §7.2.4 (4) */
    s->info.retransmitted_chunks++;
}

/* Cut for a wider path than that of now. */
static bool must_go_in_parts(const struct sctp *s, const struct tx_chunk *c)
{
    return tx_chunk_bytes(c) > s->cc.packet_bytes - COMMON_HEADER_LEN && sctp_has(s, SCTP_PARTS);
}

/* True: that was the whole chunk, or its last part. */
static bool resend_chunk(struct sctp *s, usec now, struct wr *w, struct tx_chunk *c)
{
    uint8_t whole[CHUNK_BYTES_MAX];
    struct wr ww = wr_of(whole, sizeof whole);
    uint32_t tsn = s->tx.resend_from;

    if (tx_chunk_bytes(c) <= wr_left(w)) {
        encode_chunk(w, tsn, c);
    } else if (must_go_in_parts(s, c) && wr_left(w) >= FRAGMENT_MIN) {
        encode_chunk(&ww, tsn, c);
        ww.len -= padded(c->len) - c->len;
        if (!part_encode(s, w, tsn, wr_written(&ww)))
            return false;
    } else {
        return false;
    }
    note_resent(s, now, w, c);
    return true;
}

/* Lost chunks go first, the oldest of them foremost. */
static void resend_lost(struct sctp *s, usec now, struct wr *w)
{
    bool may_resend = s->tx.may_resend_at_once, has_sent = false;

    while (s->tx.lost_count && (may_resend || !is_window_full(s))) {
        struct tx_chunk *c = first_lost(s);

        if (abandon_instead(s, now, s->tx.resend_from))
            continue;
        if (!resend_chunk(s, now, w, c))
            break;
        has_sent = true;
    }
    if (has_sent || s->tx.lost_count == 0)
        s->tx.may_resend_at_once = false;
    if (s->tx.lost_count && is_window_full(s))
        s->tx.is_cwnd_limited = true;
}

/* A chunk keeps its size for ever, and the path may become one that passes only what the caller
 * said at the beginning. Who takes no parts gets the packets of a wider path filled with several
 * equal chunks. */
static size_t longest_chunk(const struct sctp *s)
{
    size_t least = s->cfg.packet_bytes_max - COMMON_HEADER_LEN;
    size_t room = s->cc.packet_bytes - COMMON_HEADER_LEN;

    if (s->tx.takes_parts && s->state >= STATE_UP)
        least = CHUNK_BYTES_MAX;
    return room <= least ? room : room / ((room + least - 1) / least);
}

static uint8_t header_len(const struct sctp *s)
{
    return s->tx.is_interleaved ? I_DATA_HEADER_LEN : DATA_HEADER_LEN;
}

/* How much of the message the next chunk takes: all that fits, but no crumb to fill a packet up. */
static size_t next_len(const struct sctp *s, const struct stream *st, const struct wr *w)
{
    size_t left = wr_left(w), longest = longest_chunk(s), header = header_len(s), room;

    left = left < longest ? left : longest;
    room = left > header ? (left - header) & ~3u : 0;
    if (st->tx.message_left <= room)
        return st->tx.message_left;
    return room >= FRAGMENT_MIN || w->len == COMMON_HEADER_LEN ? room : 0;
}

/* A closed window lets one chunk through when nothing is out: the probe (§6.1 A). */
static bool does_peer_have_room(const struct sctp *s, size_t len)
{
    return s->tx.flight_payload + len <= s->tx.peer_rwnd ||
           (s->tx.flight_payload == 0 && s->tx.lost_count == 0);
}

/* The peer has answered the last lone chunk with data of its own, before it would have acknowledged
 * it alone: so it will this time, and its SACK can ride along. */
static bool is_conversing(const struct sctp *s)
{
    usec took_us = s->rx.data_at - s->tx.tail_at;

    return took_us > 0 && took_us <= s->rto.srtt_us + SACK_DELAY_US;
}

/* Whether we wait for the peer to acknowledge the next chunk, of so many bytes (RFC 7053): then it
 * should not delay that. It is not asked to behind a few packets that it will reply to. */
static bool is_answer_awaited(struct sctp *s, usec now, size_t bytes)
{
    bool is_long = s->tx.flight_bytes + bytes > PACKETS_PER_SACK * s->cc.packet_bytes, will_reply;

    if (is_window_full_with(s, bytes))
        return true;
    if (!sched_is_empty(s))
        return false;
    will_reply = s->state == STATE_UP && !is_long && is_conversing(s);
    s->tx.tail_at = now;
    return !will_reply;
}

static uint8_t flags_of_next(const struct stream *st, bool ends)
{
    return (uint8_t)((st->tx.fsn ? 0 : DATA_BEGINS) | (ends ? DATA_ENDS : 0) |
                     (st->tx.message->is_unordered ? DATA_UNORDERED : 0));
}

static void send_chunk(struct sctp *s, usec now, struct wr *w, struct stream *st, size_t len)
{
    uint32_t tsn = s->tx.next_tsn;
    struct tx_chunk *c = tx_chunk_at(s, tsn);
    bool ends = len == st->tx.message_left;

    *c = (struct tx_chunk){
        .block = st->tx.next.block,
        .message = st->tx.message,
        .mid = st->tx.mid,
        .fsn = st->tx.fsn,
        .at = (uint16_t)st->tx.next.at,
        .len = (uint16_t)len,
        .stream = st->id,
        .flags = flags_of_next(st, ends),
        .header_len = header_len(s),
    };
    advance_message(s, st, len);
    sched_done(s, st, len, ends || s->tx.is_interleaved);
    if (is_answer_awaited(s, now, tx_chunk_bytes(c)))
        c->flags |= DATA_SACK_NOW;
    s->tx.next_tsn++;
    if (!s->tx.is_timing) {
        s->tx.is_timing = true;
        s->tx.rtt_tsn = tsn;
    }
    encode_chunk(w, tsn, c);
    note_written(s, now, w, tsn, c);
}

static void send_new(struct sctp *s, usec now, struct wr *w)
{
    struct stream *st;

    if (s->tx.lost_count)
        return;
    while ((st = sched_next(s))) {
        size_t len;

        if (is_window_full(s)) {
            s->tx.is_cwnd_limited = true;
            return;
        }
        if (abandon_shed(s, now, st))
            continue;
        begin_message(st);
        len = next_len(s, st, w);
        if (len == 0)
            return; /* the next packet takes it */
        if (!does_peer_have_room(s, len) || !tx_reserve_chunk(s)) {
            s->tx.is_cwnd_limited = false;
            return;
        }
        send_chunk(s, now, w, st, len);
    }
    s->tx.is_cwnd_limited = false;
    throughput_note_app_limited(s);
}

/* Whether tx_fill() would write something, give or take the size of the next chunk. */
bool tx_has_work(const struct sctp *s)
{
    if (!assoc_may_send_data(s))
        return false;
    if (s->tx.lost_count)
        return !is_window_full(s) || s->tx.may_resend_at_once;
    return !sched_is_empty(s) && !is_window_full(s) && does_peer_have_room(s, 1);
}

/* Whether only pacing keeps it from writing. */
bool tx_is_paced(const struct sctp *s)
{
    bool has_data = s->tx.lost_count || (!sched_is_empty(s) && does_peer_have_room(s, 1));

    return assoc_may_send_data(s) && has_data && !is_window_full_with(s, 0) && !pace_allows(s);
}

void tx_fill(struct sctp *s, usec now, struct wr *w)
{
    uint64_t had_sent = s->info.data_chunks_sent;

    resend_lost(s, now, w);
    send_new(s, now, w);
    if (s->info.data_chunks_sent == had_sent)
        return;
    s->tx.packet++;
    loss_arm_probe(s, now);
}

/* The packet that the oldest lost chunk needs: a path may have become narrower since, and the peer
 * may take no parts. */
size_t tx_packet_bytes(struct sctp *s)
{
    size_t usual = s->cc.packet_bytes & ~(size_t)3, needed = 0;

    if (s->tx.lost_count && !sctp_has(s, SCTP_PARTS))
        needed = COMMON_HEADER_LEN + tx_chunk_bytes(first_lost(s));
    return needed > usual ? needed : usual;
}
