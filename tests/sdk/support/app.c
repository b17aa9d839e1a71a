#include "tests/sdk/support/app.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sdk/internal.h"
#include "sdk/link.h"

enum { CALLBACK_S = 40 };

bool app_open_broker(struct broker *b, const char *home)
{
    const char *plugin = getenv("MOSQUITTO_PLUGIN");
    char lines[1024];

    if (plugin && *plugin)
        (void)snprintf(lines, sizeof lines,
                       "set_tcp_nodelay true\nallow_anonymous false\nplugin %s\n"
                       "plugin_opt_audience 127.0.0.1\n",
                       plugin);
    else
        (void)snprintf(lines, sizeof lines, "set_tcp_nodelay true\nallow_anonymous true\n");
    return broker_init(b, lines, false) && broker_start(b) && !hawser_set_option("home", home) &&
           !hawser_set_option("broker", b->url) && !hawser_set_option("bind", "127.0.0.1");
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned callbacks;
    bool is_done;
    int result;
} last = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void on_connect(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    pthread_mutex_lock(&last.lock);
    last.callbacks++;
    last.is_done = true;
    last.result = result;
    pthread_cond_broadcast(&last.changed);
    pthread_mutex_unlock(&last.lock);
}

static int begin(const char *id, int lan_mode, int timeout_ms, char trace[HAWSER_TRACE_ID_MAX])
{
    pthread_mutex_lock(&last.lock);
    last.is_done = false;
    pthread_mutex_unlock(&last.lock);
    return hawser_connect(id, lan_mode, timeout_ms, on_connect, NULL, trace);
}

int dial_begin(const char *id, int timeout_ms, char trace[HAWSER_TRACE_ID_MAX])
{
    return begin(id, HAWSER_LAN_AUTO, timeout_ms, trace);
}

int dial_result(void)
{
    struct timespec until;
    int result;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CALLBACK_S;
    pthread_mutex_lock(&last.lock);
    while (!last.is_done && pthread_cond_timedwait(&last.changed, &last.lock, &until) == 0)
        ;
    result = last.is_done ? last.result : INT32_MIN;
    pthread_mutex_unlock(&last.lock);
    return result;
}

int dial(const char *id, int timeout_ms)
{
    int code = dial_begin(id, timeout_ms, NULL);

    return code ? code : dial_result();
}

int dial_in_mode(const char *id, int lan_mode, int timeout_ms)
{
    int code = begin(id, lan_mode, timeout_ms, NULL);

    return code ? code : dial_result();
}

unsigned dial_callbacks(void)
{
    unsigned count;

    pthread_mutex_lock(&last.lock);
    count = last.callbacks;
    pthread_mutex_unlock(&last.lock);
    return count;
}

int session_wait_end(int handle)
{
    char byte;

    return hawser_recv_data(handle, 0, &byte, 1, 20000);
}

bool session_wait_receiving(int handle, unsigned channel)
{
    usec until = io_now() + 10 * SECOND;
    bool is_waiting = false;

    while (!is_waiting && io_now() < until) {
        struct link *l;

        if (call_enter_link(handle, &l))
            return false;
        pthread_mutex_lock(&l->rings.lock);
        is_waiting = l->rings.ring[RING_RX][channel].waiting > 0;
        pthread_mutex_unlock(&l->rings.lock);
        call_leave_link(l);
        (void)sched_yield();
    }
    return is_waiting;
}
