/* From a chunk to its stream's reader: order within a stream, and pieces of messages as they come.
 * A stream's chain holds pieces, each behind {length 2, flags 1, zero 1, ppid 4}; the header of the
 * first piece is already taken off and lies in the stream. */
#include "core/sctp/assoc.h"

#include <assert.h>

/* While a message is open only its next fragment may follow, for a reader gets messages whole and
 * one after the other; otherwise the next ordered message, or any unordered one. */
enum delivery deliver_judge(const struct stream *st, const struct data_chunk *d)
{
    bool begins = d->flags & DATA_BEGINS, is_unordered = d->flags & DATA_UNORDERED;

    if (st->rx.is_open) {
        if (d->tsn != st->rx.next_tsn)
            return MUST_WAIT;
        if (begins || is_unordered != st->rx.is_unordered ||
            (!is_unordered && d->ssn != st->rx.ssn))
            return BREAKS_RULES;
        return DELIVERABLE;
    }
    return begins && (is_unordered || d->ssn == st->rx.ssn) ? DELIVERABLE : MUST_WAIT;
}

static void load_piece(struct stream *st)
{
    uint8_t header[PIECE_HEADER_LEN];
    struct rd r;
    uint8_t flags;

    if (st->rx.piece_left || st->rx.chain.len == 0)
        return;
    r = rd_of(bytes_of(header, chain_take(&st->rx.chain, header, sizeof header)));
    st->rx.piece_left = rd_u16(&r);
    flags = rd_u8(&r);
    rd_skip(&r, 1);
    st->rx.piece_ppid = rd_u32(&r);
    st->rx.piece_begins = flags & DATA_BEGINS;
    st->rx.piece_ends = flags & DATA_ENDS;
    assert(r.ok);
}

static bool append_piece(struct sctp *s, struct stream *st, const struct data_chunk *d)
{
    uint8_t header[PIECE_HEADER_LEN];
    struct wr w = wr_of(header, sizeof header);

    wr_u16(&w, (uint16_t)d->payload.len);
    wr_u8(&w, d->flags & (DATA_BEGINS | DATA_ENDS));
    wr_u8(&w, 0);
    wr_u32(&w, d->ppid);
    if (chain_append_both(&st->rx.chain, wr_written(&w), d->payload) != ERR_OK)
        return false;
    s->rx.unread_bytes += PIECE_HEADER_LEN + d->payload.len;
    st->rx.payload += d->payload.len;
    return true;
}

bool deliver(struct sctp *s, struct stream *st, const struct data_chunk *d)
{
    bool had_none = st->rx.payload == 0, was_open = st->rx.is_open;

    if (!append_piece(s, st, d))
        return false;
    if (d->flags & DATA_ENDS) {
        st->rx.is_open = false;
        s->rx.open_count -= was_open;
        if (!(d->flags & DATA_UNORDERED))
            st->rx.ssn++;
    } else {
        st->rx.is_open = true;
        s->rx.open_count += !was_open;
        st->rx.is_unordered = d->flags & DATA_UNORDERED;
        st->rx.next_tsn = d->tsn + 1;
    }
    load_piece(st);
    if (had_none)
        stream_tell(s, st, SCTP_EVENT_READABLE);
    return true;
}

/* What has become deliverable now that something before it has. */
void deliver_parked(struct sctp *s, usec now, struct stream *st)
{
    struct park *p = &s->rx.park;

    while (p->count) {
        struct park_list *list = NULL;
        struct data_chunk d;
        uint32_t slot;

        if (st->rx.is_open) {
            slot = park_find_fragment(p, st->rx.next_tsn);
        } else if (!(slot = park_find_message(p, st->id, st->rx.ssn))) {
            list = &st->rx.unordered;
            slot = list->first;
        }
        if (!slot)
            return;
        d = park_get(p, slot);
        if (d.stream != st->id || deliver_judge(st, &d) != DELIVERABLE) {
            assoc_fail(s, now, CAUSE_PROTOCOL_VIOLATION, "fragments of two messages mixed");
            return;
        }
        if (!deliver(s, st, &d)) {
            s->rx.is_pool_short = true;
            return;
        }
        park_remove(p, slot, list);
    }
}

bool sctp_recv(const struct sctp *s, uint16_t stream, struct sctp_piece *piece)
{
    const struct stream *st = stream_find(s, stream);
    struct bytes head;

    if (!st || st->rx.piece_left == 0)
        return false;
    head = chain_peek(&st->rx.chain);
    *piece = (struct sctp_piece){
        .data = head,
        .ppid = st->rx.piece_ppid,
        .begins = st->rx.piece_begins,
        .ends = st->rx.piece_ends && head.len >= st->rx.piece_left,
    };
    if (head.len > st->rx.piece_left)
        piece->data.len = st->rx.piece_left;
    return true;
}

/* A reader who takes all there is leaves nothing in the chain, so the header of a later piece is
 * loaded when it arrives. */
void sctp_consume(struct sctp *s, usec now, uint16_t stream, size_t len)
{
    struct stream *st = stream_find(s, stream);

    if (!st || len == 0)
        return;
    assert(len <= st->rx.piece_left);
    chain_drop(&st->rx.chain, len);
    st->rx.piece_left -= len;
    st->rx.piece_begins = false;
    st->rx.payload -= len;
    s->rx.unread_bytes -= len;
    if (st->rx.piece_left == 0) {
        s->rx.unread_bytes -= PIECE_HEADER_LEN;
        load_piece(st);
    }
    rx_retry(s, now);
    sack_after_consume(s, now);
}

size_t sctp_stream_unread_bytes(const struct sctp *s, uint16_t stream)
{
    const struct stream *st = stream_find(s, stream);

    return st ? st->rx.payload : 0;
}
