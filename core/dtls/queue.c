/* queue.c: a linked list; it is short, and empty once the handshake is over. */
#include "core/dtls/queue.h"

#include <assert.h>
#include <stdlib.h>

struct dtls_queued {
    struct dtls_queued *next;
    size_t len;
    uint8_t data[];
};

void dtls_queue_init(struct dtls_queue *q, size_t count_max)
{
    *q = (struct dtls_queue){ .count_max = count_max };
}

void dtls_queue_deinit(struct dtls_queue *q)
{
    while (q->first)
        dtls_queue_remove(q);
}

bool dtls_queue_add(struct dtls_queue *q, struct bytes dgram)
{
    struct dtls_queued *item;

    if (q->count == q->count_max)
        return false;
    item = malloc(sizeof *item + dgram.len);
    if (!item)
        return false;
    item->next = NULL;
    item->len = dgram.len;
    if (dgram.len)
        memcpy(item->data, dgram.data, dgram.len);
    if (q->last)
        q->last->next = item;
    else
        q->first = item;
    q->last = item;
    q->count++;
    return true;
}

bool dtls_queue_join(struct dtls_queue *q, struct bytes more, size_t most)
{
    struct dtls_queued *grown, **at = &q->first;

    if (!q->last || more.len > most || q->last->len > most - more.len)
        return false;
    while (*at != q->last)
        at = &(*at)->next;
    grown = realloc(q->last, sizeof *grown + q->last->len + more.len);
    if (!grown)
        return false;
    memcpy(grown->data + grown->len, more.data, more.len);
    grown->len += more.len;
    *at = q->last = grown;
    return true;
}

bool dtls_queue_get(const struct dtls_queue *q, struct bytes *dgram)
{
    if (!q->first)
        return false;
    *dgram = bytes_of(q->first->data, q->first->len);
    return true;
}

void dtls_queue_remove(struct dtls_queue *q)
{
    struct dtls_queued *item = q->first;

    assert(item);
    q->first = item->next;
    if (!q->first)
        q->last = NULL;
    q->count--;
    free(item);
}
