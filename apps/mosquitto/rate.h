/* rate.h: how many messages each client may publish: a token bucket per ID. It outlives the
 * connection, or whoever connects again would begin with a full one. A bucket that is full again
 * tells nothing and is forgotten; of too many at once, the fullest is. */
#ifndef HAWSER_MOSQUITTO_RATE_H
#define HAWSER_MOSQUITTO_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_BURST       100   /* messages */
#define RATE_BUCKETS_MAX 4096  /* clients that have published of late */
#define RATE_QUIET_MS    60000 /* between two log lines about one client */

struct rate_bucket;

struct rate {
    struct rate_bucket *buckets; /* sorted by ID; NULL: no limit */
    size_t count, swept;         /* swept: the next to be looked at, whether it can go */
    int64_t per_second;
};

/* per_second 0: no limit. False without memory. */
bool rate_init(struct rate *r, int64_t per_second);
void rate_deinit(struct rate *r);

enum rate_answer {
    RATE_WITHIN,
    RATE_BEYOND,    /* refuse it, and say nothing more */
    RATE_BEYOND_LOG /* refuse it with a line in the log */
};

/* A client publishes a message. now_ms is any clock that goes forward. */
enum rate_answer rate_take(struct rate *r, const char *id, int64_t now_ms);

/* A client's connection has ended. */
void rate_leave(struct rate *r, const char *id, int64_t now_ms);

#endif
