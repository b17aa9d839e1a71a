/* bench_run.h: the app's end of "bench": load down and up over one session, and pings beside it. */
#ifndef HAWSER_APPS_HAWSER_BENCH_RUN_H
#define HAWSER_APPS_HAWSER_BENCH_RUN_H

#include "apps/common/ask.h"
#include "core/base/usec.h"
#include "hawser/hawser.h"

/* What a phase loads the session with. */
enum bench_phase { BENCH_IDLE, BENCH_DOWN, BENCH_UP, BENCH_PHASES };

#define BENCH_COMMAND_BYTES 1024 /* what a ping is long */

/* Round trips of one channel in one phase, in microseconds; sorted once the phase is over. */
struct bench_samples {
    usec *us;
    size_t count, cap;
};

struct bench_figures {
    usec span;
    uint64_t in_time;                    /* bytes of load that arrived within it, */
    uint64_t in_all;                     /* … and until all of it had */
    int64_t cpu_us[2];                   /* of both programs: this one, the device's */
    uint64_t chunks_sent, chunks_resent; /* of the side that sends the load */
    struct bench_samples samples[HAWSER_CHANNELS];
};

struct bench_run {
    int handle;
    int64_t seconds; /* of a phase with load; the idle one is shorter */
    uint8_t load;    /* bit i: channel i carries load; the others are pinged */
    uint8_t served;  /* result: the channels that the device serves */
    struct bench_figures figures[BENCH_PHASES];
};

/* An exit code; failures have been said. */
int bench_run(struct bench_run *r);
void bench_run_deinit(struct bench_run *r);

/* The value that so many of a hundred are at or below; 0 where there are none. */
usec bench_percentile(const struct bench_samples *s, unsigned percent);

/* "idle", "down", "up". */
const char *bench_phase_name(enum bench_phase phase);

#endif
