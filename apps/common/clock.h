/* clock.h: the clock that never steps, in microseconds. */
#ifndef HAWSER_APPS_COMMON_CLOCK_H
#define HAWSER_APPS_COMMON_CLOCK_H

#include <pthread.h>
#include <time.h>

#include "core/base/usec.h"

static inline usec clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static inline struct timespec clock_timespec(usec at)
{
    return (struct timespec){ .tv_sec = at / SECOND, .tv_nsec = at % SECOND * 1000 };
}

/* A condition whose timed waits go by this clock. */
static inline void clock_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

#endif
