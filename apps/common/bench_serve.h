/* bench_serve.h: the device's end of "bench": answers pings and takes or sends load on channels
 * that nothing else of its program reads, for a bounded time (docs/channels.md). */
#ifndef HAWSER_APPS_COMMON_BENCH_SERVE_H
#define HAWSER_APPS_COMMON_BENCH_SERVE_H

#include <jansson.h>
#include <stdatomic.h>

#include "apps/common/bench.h"
#include "core/base/usec.h"
#include "hawser/hawser.h"

/* A channel of a run: one thread reads and answers, one sends load. */
struct bench_lane {
    struct bench_serve *serve;
    struct bench_writer out;
    pthread_t reader, filler;
    bool is_open, has_reader, has_filler;
    atomic_bool peer_has_ended;
    atomic_bool is_done; /* the reader has ended */
    uint64_t received;   /* bytes of FILL, … */
    uint64_t in_time;    /* … of which so many came in the time of the run from the first on */
    usec first_at;       /* 0: none came */
};

struct bench_serve {
    int handle;
    uint8_t usable; /* bit i: channel i is this module's while a run lasts */
    bool is_running;
    atomic_bool is_cut; /* the run is to end at once */
    usec until;         /* load of ours ends */
    usec last_at;       /* a run that is not over by then is cut off */
    usec span;
    int64_t cpu_us;                    /* when it began */
    struct hawser_session_info before; /* likewise */
    struct bench_lane lanes[HAWSER_CHANNELS];
};

void bench_serve_init(struct bench_serve *s, int handle, uint8_t usable);

/* The session must be closed or closing, so that a run that goes on ends. */
void bench_serve_deinit(struct bench_serve *s);

/* Whether a run has the channels. */
bool bench_serve_is_busy(struct bench_serve *s);

/* Each takes the members of a request and returns those of the result, or NULL and why not. */
json_t *bench_serve_start(struct bench_serve *s, const json_t *request, const char **why);
json_t *bench_serve_result(struct bench_serve *s, const json_t *request, const char **why);

#endif
