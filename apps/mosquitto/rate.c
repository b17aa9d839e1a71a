#include "apps/mosquitto/rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/token/id.h"

#define MESSAGE  1000 /* what one costs: a bucket gains per_second each millisecond */
#define CAPACITY ((int64_t)RATE_BURST * MESSAGE)

struct rate_bucket {
    char id[ID_BYTES];
    int64_t level, filled_ms; /* as it was then */
    int64_t quiet_until_ms;   /* no log line before */
};

bool rate_init(struct rate *r, int64_t per_second)
{
    *r = (struct rate){ .per_second = per_second };
    if (per_second > 0)
        r->buckets = calloc(RATE_BUCKETS_MAX, sizeof *r->buckets);
    return per_second == 0 || r->buckets;
}

void rate_deinit(struct rate *r)
{
    free(r->buckets);
    *r = (struct rate){ .buckets = NULL };
}

static void fill(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
    int64_t lacking = CAPACITY - b->level, gone_ms = now_ms - b->filled_ms;

    b->level = gone_ms >= lacking ? CAPACITY : b->level + gone_ms * r->per_second;
    if (b->level > CAPACITY)
        b->level = CAPACITY;
    b->filled_ms = now_ms;
}

/* The index of the first bucket whose ID is not before this one. */
static size_t find(const struct rate *r, const char *id)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strncmp(r->buckets[middle].id, id, ID_LEN) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct rate *r, size_t at, const char *id)
{
    return at < r->count && strncmp(r->buckets[at].id, id, ID_LEN) == 0;
}

static void drop(struct rate *r, size_t at)
{
    r->count--;
    memmove(r->buckets + at, r->buckets + at + 1, (r->count - at) * sizeof *r->buckets);
}

/* Drops it if a new one would be the same. */
static void drop_if_idle(struct rate *r, size_t at, int64_t now_ms)
{
    struct rate_bucket *b = &r->buckets[at];

    fill(r, b, now_ms);
    if (b->level == CAPACITY && now_ms >= b->quiet_until_ms)
        drop(r, at);
}

/* One step round the table with every message: so those who left are forgotten as others come. */
static void sweep_on(struct rate *r, int64_t now_ms)
{
    for (int i = 0; i < 2 && r->count; i++) {
        size_t before = r->count;

        r->swept = r->swept < r->count ? r->swept : 0;
        drop_if_idle(r, r->swept, now_ms);
        r->swept += r->count == before;
    }
}

/* Whoever has used least loses least: nobody who floods gets a new bucket this way. */
static void drop_fullest(struct rate *r, int64_t now_ms)
{
    size_t fullest = 0;

    for (size_t i = 0; i < r->count; i++) {
        fill(r, &r->buckets[i], now_ms);
        if (r->buckets[i].level > r->buckets[fullest].level)
            fullest = i;
    }
    drop(r, fullest);
}

static struct rate_bucket *add(struct rate *r, const char *id, int64_t now_ms)
{
    struct rate_bucket *b;
    size_t at;

    if (r->count == RATE_BUCKETS_MAX)
        drop_fullest(r, now_ms);
    at = find(r, id);
    b = &r->buckets[at];
    memmove(b + 1, b, (r->count - at) * sizeof *b);
    r->count++;
    *b = (struct rate_bucket){ .level = CAPACITY, .filled_ms = now_ms, .quiet_until_ms = now_ms };
    snprintf(b->id, sizeof b->id, "%s", id);
    return b;
}

enum rate_answer rate_take(struct rate *r, const char *id, int64_t now_ms)
{
    struct rate_bucket *b;
    size_t at;

    if (!r->buckets)
        return RATE_WITHIN;
    sweep_on(r, now_ms);
    at = find(r, id);
    b = is_at(r, at, id) ? &r->buckets[at] : add(r, id, now_ms);
    fill(r, b, now_ms);
    if (b->level >= MESSAGE) {
        b->level -= MESSAGE;
        return RATE_WITHIN;
    }
    if (now_ms < b->quiet_until_ms)
        return RATE_BEYOND;
    b->quiet_until_ms = now_ms + RATE_QUIET_MS;
    return RATE_BEYOND_LOG;
}

void rate_leave(struct rate *r, const char *id, int64_t now_ms)
{
    size_t at = find(r, id);

    if (is_at(r, at, id))
        drop_if_idle(r, at, now_ms);
}
