/* now.h: the clock that all programs of a laboratory share: namespaces do not part it. */
#ifndef HAWSER_TESTS_NET_NOW_H
#define HAWSER_TESTS_NET_NOW_H

#include <time.h>

#include "core/base/usec.h"

static inline usec net_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

#endif
