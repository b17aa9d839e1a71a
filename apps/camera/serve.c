#include "apps/camera/camera.h"

#include <stdlib.h>

#include "apps/camera/stream.h"
#include "apps/common/describe.h"
#include "apps/common/channels.h"
#include "apps/common/clock.h"
#include "apps/common/control.h"
#include "apps/common/exchange.h"
#include "apps/common/host.h"
#include "apps/common/mirror.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"

enum { SEND_SILENCE_MS = 30000, LEAD_US = 50000 };

/* One session. */
struct viewer {
    struct host *host;
    const struct camera *camera;
    int handle;
    struct flow control;
    struct stream video, audio;
    struct exchange exchange;
    pthread_t echo;
};

/* The pass-through channel: this device gives back what it gets. */
static void *echo(void *arg)
{
    const struct viewer *v = arg;

    mirror_channel(v->handle, CHANNEL_PASS_THROUGH);
    return NULL;
}

static json_t *on_ping(struct viewer *v, const json_t *request, const char **why)
{
    (void)v, (void)request, (void)why;
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

static json_t *on_info(struct viewer *v, const json_t *request, const char **why)
{
    (void)request, (void)why;
    return json_pack("{sssssssosbsisososo*}", "program", "hawser-camera", "version",
                     hawser_get_version(), "device", v->host->id, "streaming",
                     json_boolean(stream_is_running(&v->video) || stream_is_running(&v->audio)),
                     "files", v->camera->files >= 0, "sessions", atomic_load(&v->host->active),
                     "video", stream_json(RECORD_VIDEO, v->camera->source), "audio",
                     stream_json(RECORD_AUDIO, v->camera->source), "session",
                     describe_session_json(v->handle));
}

/* The reply promises which of the two will come, so both are started before it is sent. */
static json_t *on_start_stream(struct viewer *v, const json_t *request, const char **why)
{
    static _Thread_local char text[SOURCE_WHY_MAX];
    usec began_at = clock_now() + LEAD_US;
    int video, audio;

    (void)request;
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

static json_t *on_stop_stream(struct viewer *v, const json_t *request, const char **why)
{
    (void)request, (void)why;
    stream_stop(&v->video);
    stream_stop(&v->audio);
    return json_object();
}

static json_t *on_list(struct viewer *v, const json_t *request, const char **why)
{
    return exchange_list(&v->exchange, request, why);
}

static json_t *on_get(struct viewer *v, const json_t *request, const char **why)
{
    return exchange_get(&v->exchange, request, why);
}

static json_t *on_put(struct viewer *v, const json_t *request, const char **why)
{
    return exchange_put(&v->exchange, request, why);
}

static const struct {
    const char *op;
    json_t *(*run)(struct viewer *v, const json_t *request, const char **why);
} ops[] = {
    { "ping", on_ping },
    { "info", on_info },
    { "start_stream", on_start_stream },
    { "stop_stream", on_stop_stream },
    { "list", on_list },
    { "get", on_get },
    { "put", on_put },
};

/* The reply to one line, from malloc; NULL when out of memory. */
static char *answer(struct viewer *v, struct bytes line)
{
    struct control_request r;
    const char *why = control_decode_request(&r, line);
    json_t *result = NULL;
    char *reply;

    if (why)
        return control_encode_error(0, why);
    why = "no such operation";
    for (size_t i = 0; i < COUNT(ops); i++)
        if (strcmp(ops[i].op, r.op) == 0)
            result = ops[i].run(v, r.members, &why);
    reply = result ? control_encode_result(r.id, result) : control_encode_error(r.id, why);
    control_deinit_request(&r);
    return reply;
}

/* Answers requests until the session ends. The reason to close it with. */
static int serve_control(struct viewer *v)
{
    while (!stop_asked()) {
        struct bytes line;
        int error = flow_next_line(&v->control, CONTROL_LINE_MAX, STOP_POLL_MS, &line);
        char *reply;

        if (error == HAWSER_ERR_TIMEOUT)
            continue;
        if (error) /* it is closed already, or the peer sends what is no line */
            return HAWSER_REASON_CLOSED;
        reply = answer(v, line);
        error = reply
                    ? flow_send(v->handle, CHANNEL_CONTROL, bytes_of_string(reply), SEND_SILENCE_MS)
                    : HAWSER_ERR_NO_MEMORY;
        free(reply);
        if (error)
            return error == HAWSER_ERR_NO_MEMORY ? HAWSER_REASON_NO_RESOURCES
                                                 : HAWSER_REASON_CLOSED;
    }
    return HAWSER_REASON_LEFT;
}

static void serve(struct viewer *v)
{
    bool has_echo = pthread_create(&v->echo, NULL, echo, v) == 0;
    int reason = has_echo ? serve_control(v) : HAWSER_REASON_NO_RESOURCES;

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
    say_event("connected", handle);
    serve(v);
    exchange_deinit(&v->exchange);
    stream_deinit(&v->video);
    stream_deinit(&v->audio);
    flow_deinit(&v->control);
    free(v);
    say("session ended; %d open", atomic_load(&h->active) - 1);
    say_json(json_pack("{s{si}}", "ended", "open", atomic_load(&h->active) - 1));
}
