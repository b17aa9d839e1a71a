#include "apps/common/client.h"

#include <pthread.h>
#include <time.h>

#include "apps/common/clock.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"

enum { PENDING = 1 << 30 }; /* no handle is as high */

struct attempt {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int result;
};

int client_init(const struct options *o)
{
    const char *label = o->label ? o->label : CLIENT_LABEL;
    int error = options_apply(o);

    if (error)
        return error;
    error = hawser_init(label);
    if (error)
        say_key_failure(error, label);
    return error;
}

static void on_connect(void *ctx, const char *trace_id, int result)
{
    struct attempt *a = ctx;

    (void)trace_id;
    pthread_mutex_lock(&a->lock);
    a->result = result;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* The callback comes in any case, so `a` may live on this stack. */
static void await_result(struct attempt *a, const char *trace_id)
{
    bool broken = false;

    pthread_mutex_lock(&a->lock);
    while (a->result == PENDING) {
        struct timespec until = clock_timespec(clock_now() + STOP_POLL_MS * MILLISECOND);

        pthread_cond_timedwait(&a->changed, &a->lock, &until);
        if (stop_asked() && !broken) {
            broken = true;
            pthread_mutex_unlock(&a->lock);
            hawser_connect_break(trace_id);
            pthread_mutex_lock(&a->lock);
        }
    }
    pthread_mutex_unlock(&a->lock);
}

/* A device that answers by no path is not told from one that does not answer at all: the time ran
 * out first. */
static int say_connect_failure(const struct options *o, int code, const char *id)
{
    const char *more = say_advice(code);

    if (code == HAWSER_ERR_TIMEOUT)
        more = o->timeout_ms && o->timeout_ms < HAWSER_TIMEOUT_USUAL
                   ? "Is the broker reachable, and the device's program running? Or the device may "
                     "be reachable by no path: try --timeout 15."
                   : "Is the broker reachable, and the device's program running? Or the device may "
                     "be reachable by no path: try --timeout 30, or a relay.";
    if (code == HAWSER_ERR_INVALID || code == HAWSER_ERR_API_FAILED) /* else only aliases */
        more = "That is not an ID: hw1 and 28 characters, as the device prints it.";
    return say_failure_with(code, more, "connecting to %s", id);
}

static int start_session(const struct options *o, const char *id)
{
    struct attempt a = { .result = PENDING };
    char trace_id[HAWSER_TRACE_ID_MAX];
    int error;

    pthread_mutex_init(&a.lock, NULL);
    clock_init_cond(&a.changed);
    error = hawser_connect(id, (int)o->lan, o->timeout_ms, on_connect, &a, trace_id);
    if (error)
        a.result = error;
    else
        await_result(&a, trace_id);
    pthread_cond_destroy(&a.changed);
    pthread_mutex_destroy(&a.lock);
    if (a.result < 0)
        say_connect_failure(o, a.result, id);
    return a.result;
}

int client_open(const struct options *o, const char *id)
{
    int result = client_init(o);

    if (result < 0)
        return result;
    result = start_session(o, id);
    if (result < 0)
        hawser_deinit();
    return result;
}

void client_close(int handle)
{
    hawser_disconnect(handle);
    hawser_deinit();
}

int client_run(const struct options *o, const char *id, int (*body)(void *ctx, int handle),
               void *ctx)
{
    int handle, code;

    stop_on_signals();
    handle = client_open(o, id);
    if (handle < 0)
        return EXIT_CODE_FAILED;
    code = body(ctx, handle);
    client_close(handle);
    return code;
}
