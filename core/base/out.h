/* out.h: a run of datagrams for one address, laid out so that one system call can send it.
 *
 *     buf  |head| packet |tail|head| packet |tail|head| pack |tail|
 *          '----segment-------''---segment-------''--the last------'
 *
 * Every datagram takes `segment` bytes but the last, which may be shorter: the shape of UDP_SEGMENT
 * (GSO). Layers share the buffer: a lower layer asks for head and tail room, the upper writes the
 * packets, the lower seals them where they are. */
#ifndef HAWSER_BASE_OUT_H
#define HAWSER_BASE_OUT_H

#include "core/base/addr.h"
#include "core/base/bytes.h"

#define OUT_DATAGRAMS_MAX 64    /* Linux: UDP_MAX_SEGMENTS */
#define OUT_BYTES_MAX     65000 /* below the largest UDP payload */

struct out {
    struct addr from, to; /* local address (a socket's), remote address */
    uint8_t stream;       /* 0: the UDP socket `from`; else the connection of this number (TURN over
                             TCP or TLS), and the run is bytes of its stream */
    uint8_t *buf;         /* borrowed */
    size_t cap;           /* of buf */
    size_t head, tail;    /* room to leave around each packet */
    size_t segment;       /* of every datagram but the last; 0 while empty */
    size_t len;           /* of all datagrams together */
    size_t count;
};

static inline void out_init(struct out *o, void *buf, size_t cap)
{
    *o = (struct out){ .buf = buf, .cap = cap < OUT_BYTES_MAX ? cap : OUT_BYTES_MAX };
}

/* Empties the run; addresses, head and tail are cleared too. */
static inline void out_reset(struct out *o)
{
    out_init(o, o->buf, o->cap);
}

/* How long the next packet may be: 0 when the run is full or its last datagram was a short one. */
static inline size_t out_room(const struct out *o)
{
    size_t left = o->cap - o->len, around = o->head + o->tail;

    if (o->count == OUT_DATAGRAMS_MAX || (o->count && o->len != o->count * o->segment))
        return 0;
    if (o->count && left > o->segment)
        left = o->segment;
    return left > around ? left - around : 0;
}

/* Where the next packet goes. Write at most out_room() bytes, then out_add(). */
static inline uint8_t *out_next(struct out *o)
{
    return o->buf + o->len + o->head;
}

/* Takes the len bytes written at out_next() as a datagram; 0 < len <= out_room(). */
static inline void out_add(struct out *o, size_t len)
{
    if (o->count == 0)
        o->segment = o->head + len + o->tail;
    o->len += o->head + len + o->tail;
    o->count++;
}

/* Copies one whole packet in; false where out_room() is too small. */
static inline bool out_add_bytes(struct out *o, struct bytes packet)
{
    if (packet.len == 0 || packet.len > out_room(o))
        return false;
    memcpy(out_next(o), packet.data, packet.len);
    out_add(o, packet.len);
    return true;
}

/* Datagram i, head and tail included. */
static inline struct bytes out_datagram(const struct out *o, size_t i)
{
    size_t at = i * o->segment;

    return bytes_of(o->buf + at, i + 1 == o->count ? o->len - at : o->segment);
}

#endif
