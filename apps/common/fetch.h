/* fetch.h: the app's end of "get" and "put": agrees on channel 0, moves on channel 5, resumes what
 * an earlier try left. */
#ifndef HAWSER_APPS_COMMON_FETCH_H
#define HAWSER_APPS_COMMON_FETCH_H

#include "apps/common/ask.h"
#include "apps/common/transfer.h"

struct fetch {
    struct ask *ask;
    struct flow *files; /* of channel 5 */
    const char *remote, *local;
    /* NULL, or told how far it is, by the thread that runs the transfer. */
    void (*moved)(void *ctx, uint64_t at, uint64_t size);
    void *ctx;

    uint64_t size, resumed; /* results: of the file; how much was there already */
    int64_t spent_us;       /* from agreeing to the receipt */
    char hash[2 * FILES_HASH_BYTES + 1];
};

/* An exit code; failures have been said. */
int fetch_get(struct fetch *f);
int fetch_put(struct fetch *f);

/* The results for --json. */
json_t *fetch_json(const struct fetch *f);

#endif
