#include "tests/apps/support/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hawser/device.h"

struct queue {
    uint8_t *data;
    int start, len;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct queue to[2][HAWSER_CHANNELS]; /* by the handle that receives */
    int cap;
    int closed; /* 0, or the code that both ends see */
} loop = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

void loop_open(int cap)
{
    loop.cap = cap;
    loop.closed = 0;
    for (int end = 0; end < 2; end++)
        for (int i = 0; i < HAWSER_CHANNELS; i++)
            loop.to[end][i] = (struct queue){ .data = malloc((size_t)cap) };
}

void loop_end(void)
{
    for (int end = 0; end < 2; end++)
        for (int i = 0; i < HAWSER_CHANNELS; i++)
            free(loop.to[end][i].data);
}

/* False when the time is up. */
static int await_move(const struct timespec *until, int timeout_ms)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(&loop.moved, &loop.lock) == 0;
    return pthread_cond_timedwait(&loop.moved, &loop.lock, until) == 0;
}

static struct timespec in_ms(int timeout_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += timeout_ms % 1000 * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    return t;
}

static int put(struct queue *q, const uint8_t *data, int len)
{
    int n = loop.cap - q->len < len ? loop.cap - q->len : len;

    for (int i = 0; i < n; i++)
        q->data[(q->start + q->len + i) % loop.cap] = data[i];
    q->len += n;
    return n;
}

static int take(struct queue *q, uint8_t *data, int len)
{
    int n = q->len < len ? q->len : len;

    for (int i = 0; i < n; i++)
        data[i] = q->data[(q->start + i) % loop.cap];
    q->start = (q->start + n) % loop.cap;
    q->len -= n;
    return n;
}

int hawser_send_data(int handle, int channel, const void *data, int len, int timeout_ms)
{
    struct queue *q = &loop.to[!handle][channel];
    struct timespec until = in_ms(timeout_ms < 0 ? 0 : timeout_ms);
    int done = 0;

    pthread_mutex_lock(&loop.lock);
    while (!loop.closed && done < len) {
        int n = put(q, (const uint8_t *)data + done, len - done);

        done += n;
        if (n)
            pthread_cond_broadcast(&loop.moved);
        else if (!await_move(&until, timeout_ms))
            break;
    }
    if (done == 0 && len)
        done = loop.closed ? loop.closed : HAWSER_ERR_TIMEOUT;
    pthread_mutex_unlock(&loop.lock);
    return done;
}

int hawser_recv_data(int handle, int channel, void *data, int len, int timeout_ms)
{
    struct queue *q = &loop.to[handle][channel];
    struct timespec until = in_ms(timeout_ms < 0 ? 0 : timeout_ms);
    int got;

    pthread_mutex_lock(&loop.lock);
    while (!q->len && !loop.closed)
        if (!await_move(&until, timeout_ms))
            break;
    got = take(q, data, len);
    if (got)
        pthread_cond_broadcast(&loop.moved);
    else
        got = loop.closed ? loop.closed : HAWSER_ERR_TIMEOUT;
    pthread_mutex_unlock(&loop.lock);
    return got;
}

int hawser_close(int handle, int reason)
{
    (void)handle;
    pthread_mutex_lock(&loop.lock);
    if (!loop.closed)
        loop.closed = -100 - reason;
    pthread_cond_broadcast(&loop.moved);
    pthread_mutex_unlock(&loop.lock);
    return 0;
}

int hawser_session_info(int handle, struct hawser_session_info *info)
{
    (void)handle;
    memset(info, 0, sizeof *info);
    return loop.closed;
}

int hawser_session_pairs(int handle, struct hawser_pair *pairs, int max)
{
    (void)handle;
    (void)pairs;
    (void)max;
    return loop.closed;
}

const char *hawser_strerror(int code)
{
    return code == 0 ? "no error" : "an error";
}

const char *hawser_get_version(void)
{
    return "0";
}
