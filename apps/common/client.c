#include "apps/common/client.h"

#include <pthread.h>
#include <stdio.h>
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
        say_failure(error, "starting as \"%s\"", label);
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

int client_connect(const struct options *o, const char *id)
{
    struct attempt a = { .result = PENDING };
    char trace_id[HAWSER_TRACE_ID_MAX];
    pthread_condattr_t attr;
    int error;

    pthread_mutex_init(&a.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a.changed, &attr);
    error = hawser_connect(id, HAWSER_LAN_AUTO, o->timeout_ms, on_connect, &a, trace_id);
    if (error)
        a.result = error;
    else
        await_result(&a, trace_id);
    pthread_cond_destroy(&a.changed);
    pthread_condattr_destroy(&attr);
    pthread_mutex_destroy(&a.lock);
    if (a.result < 0)
        say_failure(a.result, "connecting to %s", id);
    return a.result;
}

int client_open(const struct options *o, const char *id)
{
    int result = client_init(o);

    if (result < 0)
        return result;
    result = client_connect(o, id);
    if (result < 0)
        hawser_deinit();
    return result;
}

void client_close(int handle)
{
    hawser_disconnect(handle);
    hawser_deinit();
}

const char *client_path_name(enum hawser_path_kind path)
{
    static const char *const names[] = { "none", "lan", "direct", "relayed" };

    return path <= HAWSER_PATH_RELAYED ? names[path] : "unknown";
}

static json_t *channels_json(const struct hawser_session_info *info)
{
    json_t *channels = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        const struct hawser_channel_info *c = &info->channel[i];

        json_array_append_new(channels, json_pack("{sIsIsisi}", "sent", (json_int_t)c->sent,
                                                  "received", (json_int_t)c->received, "unsent",
                                                  (int)c->unsent, "unread", (int)c->unread));
    }
    return channels;
}

json_t *client_session_json(int handle)
{
    struct hawser_session_info i;

    if (hawser_session_info(handle, &i))
        return NULL;
    return json_pack("{ss ss ss ss sI sI sI sI sI sI sI sI so}", "peer", i.peer_id, "path",
                     client_path_name(i.path), "local_address", i.local_address, "remote_address",
                     i.remote_address, "rtt_us", (json_int_t)i.rtt_us, "connect_us",
                     (json_int_t)i.connect_us, "established_us", (json_int_t)i.established_us,
                     "packets_sent", (json_int_t)i.packets_sent, "packets_received",
                     (json_int_t)i.packets_received, "packets_dropped",
                     (json_int_t)i.packets_dropped, "chunks_sent", (json_int_t)i.chunks_sent,
                     "chunks_resent", (json_int_t)i.chunks_resent, "channels", channels_json(&i));
}

void client_describe(const struct hawser_session_info *info, char *text, size_t cap)
{
    snprintf(text, cap, "%s %s - %s, round trip %.1f ms", client_path_name(info->path),
             info->local_address, info->remote_address, (double)info->rtt_us / 1000);
}
