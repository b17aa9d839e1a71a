#include "apps/camera/camera.h"

#include <stdlib.h>

#include "apps/camera/stream.h"
#include "apps/common/answer.h"
#include "apps/common/bench_serve.h"
#include "apps/common/channels.h"
#include "apps/common/clock.h"
#include "apps/common/describe.h"
#include "apps/common/exchange.h"
#include "apps/common/host.h"
#include "apps/common/mirror.h"
#include "apps/common/say.h"

enum { LEAD_US = 50000 };

/* Of a bench run: not control, and not what is given back anyway. */
#define BENCH_CHANNELS (0xff & ~(1 << CHANNEL_CONTROL | 1 << CHANNEL_PASS_THROUGH))

/* One session. */
struct viewer {
    struct host *host;
    const struct camera *camera;
    int handle;
    struct flow control;
    struct stream video, audio;
    struct exchange exchange;
    struct bench_serve bench;
    pthread_t echo;
};

/* The pass-through channel: this device gives back what it gets. */
static void *echo(void *arg)
{
    const struct viewer *v = arg;

    mirror_channel(v->handle, CHANNEL_PASS_THROUGH);
    return NULL;
}

static json_t *on_ping(void *ctx, const json_t *request, const char **why)
{
    (void)ctx, (void)request, (void)why;
    return json_object();
}

static json_t *stream_json(enum record_media media, const char *path)
{
    char why[SOURCE_WHY_MAX];
    struct source *source;
    struct record r;
    json_t *object;

    if (source_open(&source, path, media, why))
        return json_null();
    source_parameters(source, &r);
    object = media == RECORD_VIDEO
                 ? json_pack("{sssisi}", "codec", r.parameters.codec, "width",
                             (int)r.parameters.width, "height", (int)r.parameters.height)
                 : json_pack("{sssisi}", "codec", r.parameters.codec, "sample_rate",
                             (int)r.parameters.sample_rate, "channels", (int)r.parameters.channels);
    source_close(source);
    return object;
}

static json_t *on_info(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    (void)request, (void)why;
    return json_pack("{sssssssosbsisososo*}", "program", "hawser-camera", "version",
                     hawser_get_version(), "device", v->host->id, "streaming",
                     json_boolean(stream_is_running(&v->video) || stream_is_running(&v->audio)),
                     "files", v->camera->files >= 0, "sessions", atomic_load(&v->host->active),
                     "video", stream_json(RECORD_VIDEO, v->camera->source), "audio",
                     stream_json(RECORD_AUDIO, v->camera->source), "session",
                     describe_session_json(v->handle));
}

/* A run has the channels that streams and transfers would need. */
static bool is_benched(struct viewer *v, const char **why)
{
    if (!bench_serve_is_busy(&v->bench))
        return false;
    *why = "a bench run of this session is under way";
    return true;
}

/* The reply promises which of the two will come, so both are started before it is sent. */
static json_t *on_start_stream(void *ctx, const json_t *request, const char **why)
{
    static _Thread_local char text[SOURCE_WHY_MAX];
    usec began_at = clock_now() + LEAD_US;
    struct viewer *v = ctx;
    int video, audio;

    (void)request;
    if (is_benched(v, why))
        return NULL;
    if (stream_is_running(&v->video) || stream_is_running(&v->audio)) {
        *why = "the stream is running already";
        return NULL;
    }
    video = stream_start(&v->video, v->camera->source, v->camera->loop, began_at, text);
    audio = video < 0 ? video
                      : stream_start(&v->audio, v->camera->source, v->camera->loop, began_at, text);
    if (video == 0 || audio == 0)
        return json_pack("{sbsb}", "video", video == 0, "audio", audio == 0);
    *why = video == SOURCE_NONE && audio == SOURCE_NONE ? "there is neither video nor audio" : text;
    say_error("%s", *why);
    return NULL;
}

static json_t *on_stop_stream(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    (void)request, (void)why;
    stream_stop(&v->video);
    stream_stop(&v->audio);
    return json_object();
}

static json_t *on_list(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    return exchange_list(&v->exchange, request, why);
}

static json_t *on_get(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    return is_benched(v, why) ? NULL : exchange_get(&v->exchange, request, why);
}

static json_t *on_put(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    return is_benched(v, why) ? NULL : exchange_put(&v->exchange, request, why);
}

static json_t *on_bench(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    if (!stream_is_running(&v->video) && !stream_is_running(&v->audio) &&
        !exchange_is_busy(&v->exchange))
        return bench_serve_start(&v->bench, request, why);
    *why = "a stream or a transfer of this session is running";
    return NULL;
}

static json_t *on_bench_result(void *ctx, const json_t *request, const char **why)
{
    struct viewer *v = ctx;

    return bench_serve_result(&v->bench, request, why);
}

static const struct answer_op ops[] = {
    { "ping", on_ping },
    { "info", on_info },
    { "start_stream", on_start_stream },
    { "stop_stream", on_stop_stream },
    { "list", on_list },
    { "get", on_get },
    { "put", on_put },
    { "bench", on_bench },
    { "bench_result", on_bench_result },
};

static void serve(struct viewer *v)
{
    bool has_echo = pthread_create(&v->echo, NULL, echo, v) == 0;
    const struct answer_ops table = { ops, COUNT(ops) };
    int reason = has_echo ? answer_requests(&v->control, &table, v) : HAWSER_REASON_NO_RESOURCES;

    hawser_close(v->handle, reason); /* from here on no call on the handle blocks */
    if (has_echo)
        pthread_join(v->echo, NULL);
}

static void say_event(const char *event, int handle)
{
    struct hawser_session_info info;

    if (hawser_session_info(handle, &info))
        return;
    say("%s %s", info.peer_id, event);
    say_json(json_pack("{s{ss}}", event, "peer", info.peer_id));
}

void camera_serve(struct host *h, int handle)
{
    const struct camera *camera = h->ctx;
    struct viewer *v = calloc(1, sizeof *v);

    if (!v) {
        hawser_close(handle, HAWSER_REASON_NO_RESOURCES);
        return;
    }
    *v = (struct viewer){ .host = h, .camera = camera, .handle = handle };
    flow_init(&v->control, handle, CHANNEL_CONTROL);
    stream_init(&v->video, handle, RECORD_VIDEO);
    stream_init(&v->audio, handle, RECORD_AUDIO);
    exchange_init(&v->exchange, handle, camera->files, camera->file_max);
    bench_serve_init(&v->bench, handle, BENCH_CHANNELS);
    say_event("connected", handle);
    serve(v);
    bench_serve_deinit(&v->bench);
    exchange_deinit(&v->exchange);
    stream_deinit(&v->video);
    stream_deinit(&v->audio);
    flow_deinit(&v->control);
    free(v);
    say("session ended; %d open", atomic_load(&h->active) - 1);
    say_json(json_pack("{s{si}}", "ended", "open", atomic_load(&h->active) - 1));
}
