/* Control chunks that answer one of the peer's: INIT ACK, COOKIE ACK, HEARTBEAT ACK, ERROR,
 * RE-CONFIG responses. They wait, whole, in one chain with a limit; what does not fit is not
 * answered, and the peer asks again. Each lies behind {tag 4, flags 2, length 2}. */
#include "core/sctp/assoc.h"

enum { REPLY_HEADER_LEN = 8 };

bool reply_add(struct sctp *s, uint32_t tag, unsigned flags, struct bytes chunk)
{
    uint8_t both[REPLY_HEADER_LEN + REPLY_BYTES_MAX / 2];
    struct wr w = wr_of(both, sizeof both);

    wr_u32(&w, tag);
    wr_u16(&w, (uint16_t)flags);
    wr_u16(&w, (uint16_t)chunk.len);
    wr_bytes(&w, chunk);
    return w.ok && s->replies.len + w.len <= REPLY_BYTES_MAX &&
           chain_append_all(&s->replies, wr_written(&w)) == ERR_OK;
}

bool reply_peek(const struct sctp *s, uint32_t *tag, unsigned *flags, size_t *len)
{
    uint8_t header[REPLY_HEADER_LEN];
    struct rd r = rd_of(bytes_of(header, chain_copy(&s->replies, 0, header, sizeof header)));

    *tag = rd_u32(&r);
    *flags = rd_u16(&r);
    *len = rd_u16(&r);
    return r.ok;
}

/* Writes the first one; the caller has made sure that it fits. */
void reply_take(struct sctp *s, struct wr *w)
{
    uint32_t tag;
    unsigned flags;
    size_t len;
    uint8_t *at;

    reply_peek(s, &tag, &flags, &len);
    chain_drop(&s->replies, REPLY_HEADER_LEN);
    at = wr_room(w, len);
    if (at)
        chain_take(&s->replies, at, len);
}

/* The information is cut to what is worth sending back. */
void reply_error_to(struct sctp *s, uint32_t tag, unsigned flags, enum cause_code cause,
                    struct bytes info)
{
    enum { INFO_MAX = 128 };
    uint8_t chunk[INFO_MAX + 16];
    struct wr w = wr_of(chunk, sizeof chunk);
    size_t at = chunk_begin(&w, CHUNK_ERROR, 0);

    if (info.len > INFO_MAX)
        info.len = INFO_MAX;
    param_encode(&w, (uint16_t)cause, info);
    chunk_end(&w, at);
    reply_add(s, tag, flags, wr_written(&w));
}

void reply_error(struct sctp *s, enum cause_code cause, struct bytes info)
{
    reply_error_to(s, s->peer_tag, 0, cause, info);
}
