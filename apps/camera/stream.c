#include "apps/camera/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "apps/common/clock.h"
#include "apps/common/flow.h"
#include "hawser/hawser.h"

void stream_init(struct stream *s, int handle, enum record_media media)
{
    /* The channels of the spec: 1 video, 2 audio. */
    *s = (struct stream){ .handle = handle, .channel = (int)media, .media = media };
    pthread_mutex_init(&s->lock, NULL);
    clock_init_cond(&s->stop);
}

static void join(struct stream *s)
{
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    s->has_thread = false;
}

void stream_deinit(struct stream *s)
{
    stream_stop(s);
    join(s);
    pthread_cond_destroy(&s->stop);
    pthread_mutex_destroy(&s->lock);
}

void stream_stop(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->stop);
    pthread_mutex_unlock(&s->lock);
}

bool stream_is_running(const struct stream *s)
{
    return s->has_thread && !atomic_load(&s->done);
}

/* Waits for an absolute time, so that lateness never adds up. False when asked to stop. */
static bool wait_until(struct stream *s, usec at)
{
    struct timespec until = clock_timespec(at);
    bool stopping;
    int error = 0;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping && !error)
        error = pthread_cond_timedwait(&s->stop, &s->lock, &until);
    stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return !stopping;
}

/* A record goes out whole or the channel is useless: a send that blocks ends with the session. */
static int send_bytes(const struct stream *s, struct bytes data)
{
    return flow_send(s->handle, s->channel, data, FLOW_PATIENT_MS);
}

static int send_encoded(const struct stream *s, const struct record *r, uint8_t *buf, size_t cap)
{
    struct wr w = wr_of(buf, cap);

    record_encode(&w, r);
    return w.ok ? send_bytes(s, wr_written(&w)) : HAWSER_ERR_INVALID;
}

/* Any record but PARAMETERS. */
static int send_record(const struct stream *s, const struct record *r)
{
    uint8_t head[RECORD_HEAD_BYTES];
    int error = send_encoded(s, r, head, sizeof head);

    return error || r->kind != RECORD_UNIT ? error : send_bytes(s, r->unit.data);
}

static int send_parameters(const struct stream *s)
{
    uint8_t *buf = malloc(RECORD_PARAMETERS_MAX);
    struct record r;
    int error = HAWSER_ERR_NO_MEMORY;

    source_parameters(s->source, &r);
    if (buf)
        error = send_encoded(s, &r, buf, RECORD_PARAMETERS_MAX);
    free(buf);
    return error;
}

static int64_t shifted(int64_t us, int64_t by)
{
    return us == INT64_MIN ? us : us + by;
}

/* One unit at its time: decoding time, for that is the order and the pace it was stored in. */
static bool send_unit(struct stream *s, struct record *r, int64_t shift_us)
{
    int64_t due_us;

    r->pts_us = shifted(r->pts_us, shift_us);
    r->unit.dts_us = shifted(r->unit.dts_us, shift_us);
    due_us = r->unit.dts_us != INT64_MIN ? r->unit.dts_us : r->pts_us;
    if (due_us != INT64_MIN && !wait_until(s, s->zero_at + due_us))
        return false;
    if (send_record(s, r))
        return false;
    s->sent++;
    return true;
}

/* The file once, its times shifted. False when there is no use in going on. */
static bool send_file(struct stream *s, int64_t shift_us)
{
    bool changed;
    struct record r;

    while (source_next(s->source, &r, &changed)) {
        if (changed && send_parameters(s))
            return false;
        if (!send_unit(s, &r, shift_us))
            return false;
    }
    return true;
}

static void *run(void *arg)
{
    struct stream *s = arg;
    int64_t duration_us = source_duration_us(s->source), shift_us = 0;
    bool going = send_parameters(s) == 0 && send_file(s, 0);

    while (going && s->loop && duration_us && source_rewind(s->source)) {
        shift_us += duration_us;
        going = send_file(s, shift_us);
    }
    send_record(s, &(struct record){ .kind = RECORD_END, .unit_count = s->sent });
    source_close(s->source);
    s->source = NULL;
    atomic_store(&s->done, true);
    return NULL;
}

int stream_start(struct stream *s, const char *path, bool loop, usec began_at,
                 char why[SOURCE_WHY_MAX])
{
    int error = source_open(&s->source, path, s->media, why);

    if (error)
        return error;
    join(s);
    s->path = path;
    s->loop = loop;
    s->zero_at = began_at - source_begin_us(s->source);
    s->sent = 0;
    s->stopping = false;
    atomic_store(&s->done, false);
    s->has_thread = pthread_create(&s->thread, NULL, run, s) == 0;
    if (s->has_thread)
        return 0;
    source_close(s->source);
    s->source = NULL;
    snprintf(why, SOURCE_WHY_MAX, "no thread could be started");
    return SOURCE_FAILED;
}
