/* wait.h: waiting for a condition until a moment of the monotonic clock. [any thread] */
#ifndef HAWSER_SDK_WAIT_H
#define HAWSER_SDK_WAIT_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/usec.h"

/* Waits once, on a condition of thread_cond_init(); spurious returns are possible. False: the
 * moment has passed. USEC_NEVER: no limit. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, usec at);

/* When timeout_ms from now is over; < 0 is never. */
usec deadline_of(int timeout_ms);

#endif
