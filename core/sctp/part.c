/* part.c: PART, a chunk of hawser's own, which both must have listed among their extensions.
 *
 * A chunk keeps the size it was cut to until it is acknowledged, and the path may become narrower
 * before. RFC 9260 §6.9 leaves such a one to IP fragmentation, which many networks drop. Between
 * hawsers it travels in parts, each in a packet that passes, and is put together again before
 * anything else sees it:
 *
 *     |  type 181    |   flags 0    |             length             |
 *     |                 TSN of the chunk that it is a part of        |
 *     |  where it begins in that     |   length of that, whole       |
 *     |  its bytes …
 *
 * Parts come in order; one that does not follow the last is dropped, and as the chunk then counts
 * as lost, all of it comes again. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

/* Writes as much of a whole chunk, padding left out, as the packet takes. True: to its end. */
bool part_encode(struct sctp *s, struct wr *w, uint32_t tsn, struct bytes whole)
{
    size_t at = s->parts.out_tsn == tsn && s->parts.out_at < whole.len ? s->parts.out_at : 0;
    size_t room = (wr_left(w) - PART_HEADER_LEN) & ~(size_t)3, begin;
    size_t len = whole.len - at < room ? whole.len - at : room;

    begin = chunk_begin(w, CHUNK_PART, 0);
    wr_u32(w, tsn);
    wr_u16(w, (uint16_t)at);
    wr_u16(w, (uint16_t)whole.len);
    wr_bytes(w, bytes_of(whole.data + at, len));
    chunk_end(w, begin);
    s->parts.out_tsn = tsn;
    s->parts.out_at = (uint16_t)(at + len);
    if (s->parts.out_at < whole.len)
        return false;
    s->parts.out_at = 0;
    return true;
}

static bool begin_chunk(struct parts *p, uint32_t tsn, size_t whole_len)
{
    if (!p->in && !(p->in = malloc(CHUNK_BYTES_MAX)))
        return false;
    p->in_tsn = tsn;
    p->in_len = 0;
    p->in_whole = (uint16_t)whole_len;
    return true;
}

void part_deinit(struct sctp *s)
{
    free(s->parts.in);
    s->parts.in = NULL;
    s->parts.in_len = s->parts.in_whole = 0;
}

/* Nothing but data travels in parts. */
static enum verdict take_whole(struct sctp *s, usec now)
{
    struct rd r = rd_of(bytes_of(s->parts.in, s->parts.in_whole));
    struct chunk c;

    s->parts.in_len = s->parts.in_whole = 0;
    if (!chunk_read(&r, &c) || rd_left(&r) || (c.type != CHUNK_DATA && c.type != CHUNK_I_DATA))
        return VERDICT_MALFORMED;
    return on_data(s, now, &c);
}

enum verdict on_part(struct sctp *s, usec now, const struct chunk *c)
{
    struct parts *p = &s->parts;
    struct rd r = rd_of(c->body);
    uint32_t tsn = rd_u32(&r);
    size_t at = rd_u16(&r), whole_len = rd_u16(&r), len = rd_left(&r);

    if (!r.ok || len == 0 || at + len > whole_len || whole_len > CHUNK_BYTES_MAX)
        return VERDICT_MALFORMED;
    if (!sctp_has(s, SCTP_PARTS) || !assoc_may_receive_data(s))
        return VERDICT_UNEXPECTED;
    if (at == 0 && !begin_chunk(p, tsn, whole_len))
        return VERDICT_LIMIT;
    if (at != p->in_len || tsn != p->in_tsn || whole_len != p->in_whole)
        return VERDICT_UNEXPECTED;
    memcpy(p->in + at, r.p, len);
    p->in_len = (uint16_t)(at + len);
    return p->in_len == whole_len ? take_whole(s, now) : VERDICT_TAKEN;
}
