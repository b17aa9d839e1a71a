/* replay.h: the messages seen lately, so that a repeated one costs one look-up. Bounded: when full,
 * the oldest is forgotten. Only what has been verified belongs in it, or anybody could fill it. */
#ifndef HAWSER_TOKEN_REPLAY_H
#define HAWSER_TOKEN_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/usec.h"

#define REPLAY_DIGEST_BYTES 16 /* ENVELOPE_DIGEST_BYTES */
#define REPLAY_ENTRIES_MAX  65536

struct replay;

/* Remembers up to `entries` (1 … REPLAY_ENTRIES_MAX) digests for keep_us each; about 40 bytes an
 * entry, allocated here. ERR_INVALID, ERR_NOMEM. */
int replay_new(struct replay **out, size_t entries, usec keep_us);
void replay_free(struct replay *r);

bool replay_find(const struct replay *r, usec now, const uint8_t digest[REPLAY_DIGEST_BYTES]);

/* Remembers, unless known. False if it was known. */
bool replay_add(struct replay *r, usec now, const uint8_t digest[REPLAY_DIGEST_BYTES]);
size_t replay_count(const struct replay *r);

#endif
