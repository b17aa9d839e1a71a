#include "core/token/replay.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Entries are a ring in the order they came, which is also the order they expire in. Each hangs in
 * the chain of its bucket; newer ones hang before older ones. */
struct entry {
    uint8_t digest[REPLAY_DIGEST_BYTES];
    usec expires_at;
    uint32_t next; /* in the bucket, or NONE */
};

struct replay {
    usec keep_us;
    uint32_t capacity;
    uint32_t oldest, count; /* of the ring */
    struct entry *entries;
    uint32_t *buckets; /* as many as entries */
};

int replay_new(struct replay **out, size_t entries, usec keep_us)
{
    struct replay *r = *out = NULL;

    if (entries == 0 || entries > REPLAY_ENTRIES_MAX || keep_us <= 0)
        return ERR_INVALID;
    r = calloc(1, sizeof *r);
    if (!r)
        return ERR_NOMEM;
    r->keep_us = keep_us;
    r->capacity = (uint32_t)entries;
    r->entries = calloc(entries, sizeof *r->entries);
    r->buckets = calloc(entries, sizeof *r->buckets);
    if (!r->entries || !r->buckets) {
        replay_free(r);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < entries; i++)
        r->buckets[i] = NONE;
    *out = r;
    return ERR_OK;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    free(r->entries);
    free(r->buckets);
    free(r);
}

/* The digest is a hash already. */
static uint32_t *bucket_of(const struct replay *r, const uint8_t digest[REPLAY_DIGEST_BYTES])
{
    uint32_t hash;

    memcpy(&hash, digest, sizeof hash);
    return &r->buckets[hash % r->capacity];
}

bool replay_find(const struct replay *r, usec now, const uint8_t digest[REPLAY_DIGEST_BYTES])
{
    for (uint32_t i = *bucket_of(r, digest); i != NONE; i = r->entries[i].next)
        if (memcmp(r->entries[i].digest, digest, REPLAY_DIGEST_BYTES) == 0)
            return r->entries[i].expires_at > now;
    return false;
}

static void remove_oldest(struct replay *r)
{
    const struct entry *old = &r->entries[r->oldest];
    uint32_t *link = bucket_of(r, old->digest);

    while (*link != r->oldest)
        link = &r->entries[*link].next;
    *link = old->next;
    r->oldest = (r->oldest + 1) % r->capacity;
    r->count--;
}

bool replay_add(struct replay *r, usec now, const uint8_t digest[REPLAY_DIGEST_BYTES])
{
    uint32_t at, *bucket;

    while (r->count && r->entries[r->oldest].expires_at <= now)
        remove_oldest(r);
    if (replay_find(r, now, digest))
        return false;
    if (r->count == r->capacity)
        remove_oldest(r);
    at = (r->oldest + r->count++) % r->capacity;
    bucket = bucket_of(r, digest);
    memcpy(r->entries[at].digest, digest, REPLAY_DIGEST_BYTES);
    r->entries[at].expires_at = usec_after(now, r->keep_us);
    r->entries[at].next = *bucket;
    *bucket = at;
    return true;
}

size_t replay_count(const struct replay *r)
{
    return r->count;
}
