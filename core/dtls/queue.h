/* queue.h: a few whole datagrams, first in, first out, kept on the heap while a handshake runs. */
#ifndef HAWSER_DTLS_QUEUE_H
#define HAWSER_DTLS_QUEUE_H

#include "core/base/bytes.h"

struct dtls_queue {
    struct dtls_queued *first, *last;
    size_t count, count_max;
};

void dtls_queue_init(struct dtls_queue *q, size_t count_max);
void dtls_queue_deinit(struct dtls_queue *q);

/* Copies the datagram in; false when the queue is full or the heap is exhausted. */
bool dtls_queue_add(struct dtls_queue *q, struct bytes dgram);

/* Appends to the newest datagram, if both together are no longer than `most`. */
bool dtls_queue_join(struct dtls_queue *q, struct bytes more, size_t most);

/* The oldest one, valid until it is removed; false when there is none. */
bool dtls_queue_get(const struct dtls_queue *q, struct bytes *dgram);
void dtls_queue_remove(struct dtls_queue *q);

#endif
