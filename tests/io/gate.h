/* gate.h: how a test waits for another thread: for a condition, with a deadline, never asleep. */
#ifndef HAWSER_TESTS_IO_GATE_H
#define HAWSER_TESTS_IO_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#define GATE_PATIENCE_S 20 /* a failure takes this long; success takes as long as it takes */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

#define GATE_INIT                                                              \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static inline void gate_lock(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
}

static inline void gate_unlock(struct gate *g)
{
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static inline bool gate_wait_once(struct gate *g, const struct timespec *until)
{
    return pthread_cond_timedwait(&g->changed, &g->lock, until) == 0;
}

static inline struct timespec gate_deadline(void)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += GATE_PATIENCE_S;
    return at;
}

/* Evaluates to whether the condition, read under the lock, came true in time. */
#define GATE_WAIT(g, condition)                        \
    __extension__({                                    \
        struct timespec gate_until_ = gate_deadline(); \
        bool gate_is_so_;                              \
                                                       \
        pthread_mutex_lock(&(g)->lock);                \
        while (!(gate_is_so_ = (condition)))           \
            if (!gate_wait_once((g), &gate_until_))    \
                break;                                 \
        pthread_mutex_unlock(&(g)->lock);              \
        gate_is_so_;                                   \
    })

#endif
