/* bytes.h: borrowed byte strings and the cursors that read and write them.
 *
 * Only cursors touch received bytes. A failed read returns 0, sets `ok` false and stays failed, so
 * a decoder checks once, at its end. Writers work the same way. All integers are big-endian. */
#ifndef HAWSER_BASE_BYTES_H
#define HAWSER_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){ .data = data, .len = len };
}

static inline struct bytes bytes_of_string(const char *text)
{
    return bytes_of(text, strlen(text));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* A reading cursor: the bytes from p up to end are still unread. */
struct rd {
    const uint8_t *p, *end;
    bool ok;
};

static inline struct rd rd_of(struct bytes b)
{
    return (struct rd){ .p = b.data, .end = b.data ? b.data + b.len : b.data, .ok = true };
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}

/* Takes the next len bytes as they are; an empty string after a failure. */
static inline struct bytes rd_bytes(struct rd *r, size_t len)
{
    struct bytes taken = { .data = r->p, .len = len };

    if (!r->ok || len > rd_left(r)) {
        r->ok = false;
        return (struct bytes){ .data = r->end, .len = 0 };
    }
    r->p += len;
    return taken;
}

static inline void rd_skip(struct rd *r, size_t len)
{
    (void)rd_bytes(r, len);
}

/* A cursor that cannot leave the next len bytes, which are skipped here. */
static inline struct rd rd_sub(struct rd *r, size_t len)
{
    struct rd sub = rd_of(rd_bytes(r, len));

    sub.ok = r->ok;
    return sub;
}

/* All that is left, skipped here. */
static inline struct bytes rd_rest(struct rd *r)
{
    return rd_bytes(r, rd_left(r));
}

static inline uint64_t rd_uint(struct rd *r, size_t len)
{
    struct bytes b = rd_bytes(r, len);
    uint64_t value = 0;

    for (size_t i = 0; i < b.len; i++)
        value = value << 8 | b.data[i];
    return value;
}

static inline uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)rd_uint(r, 1);
}

/* The common lengths are written out, here and below: a compiler makes one load or store of
 * each. */
static inline uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 2).data;

    return (uint16_t)(r->ok ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t rd_u24(struct rd *r)
{
    return (uint32_t)rd_uint(r, 3);
}

static inline uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 4).data;

    return r->ok ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
    return rd_uint(r, 8);
}

static inline void put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* A writing cursor over cap bytes, of which len are written. */
struct wr {
    uint8_t *data;
    size_t len, cap;
    bool ok;
};

static inline struct wr wr_of(void *data, size_t cap)
{
    return (struct wr){ .data = data, .len = 0, .cap = cap, .ok = true };
}

static inline struct bytes wr_written(const struct wr *w)
{
    return bytes_of(w->data, w->ok ? w->len : 0);
}

static inline size_t wr_left(const struct wr *w)
{
    return w->ok ? w->cap - w->len : 0;
}

/* Room for len bytes that the caller fills; NULL where there is none. */
static inline uint8_t *wr_room(struct wr *w, size_t len)
{
    uint8_t *at = w->data + w->len;

    if (!w->ok || len > w->cap - w->len) {
        w->ok = false;
        return NULL;
    }
    w->len += len;
    return at;
}

static inline void wr_bytes(struct wr *w, struct bytes b)
{
    uint8_t *at = wr_room(w, b.len);

    if (at && b.len)
        memcpy(at, b.data, b.len);
}

static inline void wr_zero(struct wr *w, size_t len)
{
    uint8_t *at = wr_room(w, len);

    if (at && len)
        memset(at, 0, len);
}

static inline void wr_uint(struct wr *w, uint64_t value, size_t len)
{
    uint8_t *at = wr_room(w, len);

    for (size_t i = 0; at && i < len; i++)
        at[i] = (uint8_t)(value >> 8 * (len - 1 - i));
}

static inline void wr_u8(struct wr *w, uint8_t value)
{
    wr_uint(w, value, 1);
}

static inline void wr_u16(struct wr *w, uint16_t value)
{
    uint8_t *at = wr_room(w, 2);

    if (at)
        put_u16(at, value);
}

static inline void wr_u24(struct wr *w, uint32_t value)
{
    wr_uint(w, value, 3);
}

static inline void wr_u32(struct wr *w, uint32_t value)
{
    uint8_t *at = wr_room(w, 4);

    if (at)
        put_u32(at, value);
}

static inline void wr_u64(struct wr *w, uint64_t value)
{
    wr_uint(w, value, 8);
}

/* Overwrites two bytes written before, at offset `at`: a length known only later. */
static inline void wr_patch_u16(struct wr *w, size_t at, uint16_t value)
{
    if (!w->ok || w->len < 2 || at > w->len - 2) {
        w->ok = false;
        return;
    }
    w->data[at] = (uint8_t)(value >> 8);
    w->data[at + 1] = (uint8_t)value;
}

#endif
