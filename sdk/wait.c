#include "sdk/wait.h"

#include <errno.h>
#include <time.h>

#include "core/base/err.h"
#include "io/loop.h"

bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, usec at)
{
    struct timespec when = { .tv_sec = (time_t)(at / SECOND),
                             .tv_nsec = (long)(at % SECOND * 1000) };

    if (at == USEC_NEVER)
        return pthread_cond_wait(c, lock) == 0;
    return pthread_cond_timedwait(c, lock, &when) != ETIMEDOUT;
}

usec deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? USEC_NEVER : io_now() + timeout_ms * MILLISECOND;
}
