#include "apps/camera/watch.h"

#include <stdio.h>
#include <time.h>

#include "apps/camera/figures.h"
#include "apps/common/channels.h"
#include "apps/common/client.h"
#include "apps/common/clock.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"

enum { TICK_US = 100000 };

/* One session of a watcher. */
struct watcher {
    const struct watch *asked;
    int handle;
    struct ask ask;
    struct flow files;
    struct remux *remux;
    struct receiver video, audio;
    struct fetch fetch;
    pthread_t fetch_thread;
    bool has_fetch_thread;
    atomic_bool fetch_done;
    int fetch_code; /* an exit code, once fetch_done */
    struct figures figures;
};

static void on_fetched(void *ctx, uint64_t at, uint64_t size)
{
    struct watcher *w = ctx;

    atomic_store(&w->figures.fetched, at);
    atomic_store(&w->figures.fetch_size, size);
}

static void *run_fetch(void *arg)
{
    struct watcher *w = arg;

    w->fetch_code = fetch_get(&w->fetch);
    atomic_store(&w->fetch_done, true);
    return NULL;
}

static int start_fetch(struct watcher *w)
{
    if (!w->asked->get)
        return EXIT_CODE_OK;
    w->fetch = (struct fetch){ .ask = &w->ask,
                               .files = &w->files,
                               .remote = w->asked->get,
                               .local = w->asked->get_as,
                               .moved = on_fetched,
                               .ctx = w };
    w->has_fetch_thread = pthread_create(&w->fetch_thread, NULL, run_fetch, w) == 0;
    if (!w->has_fetch_thread)
        return say_error("no thread could be started");
    w->figures.fetch = &w->fetch;
    return EXIT_CODE_OK;
}

static int start_stream(struct watcher *w)
{
    json_t *reply = ask_or_say(&w->ask, "watching", "start_stream", NULL);
    bool video = json_is_true(json_object_get(reply, "video"));
    bool audio = json_is_true(json_object_get(reply, "audio"));
    char why[REMUX_WHY_MAX];

    json_decref(reply);
    if (!reply)
        return EXIT_CODE_FAILED;
    w->remux = remux_new(w->asked->out, video, audio, why);
    if (!w->remux)
        return say_error("%s", why);
    if (video && !receiver_start(&w->video, w->handle, RECORD_VIDEO, w->remux))
        return say_error("no thread could be started");
    if (audio && !receiver_start(&w->audio, w->handle, RECORD_AUDIO, w->remux))
        return say_error("no thread could be started");
    return EXIT_CODE_OK;
}

static int ping(struct watcher *w)
{
    usec asked_at = clock_now();
    json_t *reply = ask_or_say(&w->ask, "ping", "ping", NULL);

    json_decref(reply);
    figures_ping(&w->figures, clock_now() - asked_at);
    return reply ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static bool is_running(const struct watcher *w)
{
    return receiver_is_running(&w->video) || receiver_is_running(&w->audio) ||
           (w->has_fetch_thread && !atomic_load(&w->fetch_done));
}

/* Pings and shows figures until everything has come, it is time to end, or the session died. */
static int attend(struct watcher *w)
{
    usec began_at = clock_now(), next_at = began_at;
    usec end_at = w->asked->duration_s ? began_at + w->asked->duration_s * SECOND : USEC_NEVER;
    bool asked_to_stop = false;

    while (is_running(w)) {
        struct timespec until;

        if (ping(w))
            return stop_asked() ? say_error("interrupted before the stream had ended")
                                : EXIT_CODE_FAILED;
        if (!asked_to_stop && (stop_asked() || clock_now() >= end_at)) {
            json_decref(ask_or_say(&w->ask, "ending", "stop_stream", NULL));
            asked_to_stop = true;
        }
        figures_show(&w->figures, clock_now());
        next_at += TICK_US;
        until = clock_timespec(next_at);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    return EXIT_CODE_OK;
}

/* What the camera knows of this session; NULL if it does not say. */
static json_t *ask_device(struct watcher *w)
{
    struct control_reply reply;
    json_t *session;

    if (ask_for(&w->ask, "info", NULL, &reply))
        return NULL;
    session = json_incref(json_object_get(reply.members, "session"));
    control_deinit_reply(&reply);
    return session;
}

static int check_stream(const char *name, const struct receiver *r)
{
    if (!r->remux || r->complete)
        return EXIT_CODE_OK;
    return say_error("%s is not complete: %s", name, r->why);
}

static int conclude(struct watcher *w)
{
    const char *why = remux_finish(w->remux);
    json_t *device = ask_device(w);
    int code = why ? say_error("%s", why) : EXIT_CODE_OK;

    figures_summary(&w->figures, device);
    json_decref(device);
    code |= check_stream("video", &w->video);
    code |= check_stream("audio", &w->audio);
    return code | w->fetch_code;
}

static int watch(struct watcher *w)
{
    int code = start_stream(w);

    if (!code)
        code = start_fetch(w);
    if (!code)
        code = attend(w);
    if (code) { /* whoever still waits for this session must not wait for long */
        if (w->remux)
            remux_cancel(w->remux);
        hawser_disconnect(w->handle);
    }
    receiver_join(&w->video);
    receiver_join(&w->audio);
    if (w->has_fetch_thread)
        pthread_join(w->fetch_thread, NULL);
    return code ? code : conclude(w);
}

int watch_run(const struct watch *asked, const struct options *o)
{
    struct watcher w = { .asked = asked };
    int code;

    if (!asked->out) {
        say_error("--watch needs --out FILE");
        return EXIT_CODE_USAGE;
    }
    stop_on_signals();
    w.handle = client_open(o, asked->id);
    if (w.handle < 0)
        return EXIT_CODE_FAILED;
    hawser_keep_alive(w.handle, 1); /* a file may be fetched for hours, a source may pause */
    ask_init(&w.ask, w.handle);
    flow_init(&w.files, w.handle, CHANNEL_FILES);
    figures_init(&w.figures, w.handle);
    w.figures.video = &w.video;
    w.figures.audio = &w.audio;
    code = watch(&w);
    remux_free(w.remux);
    flow_deinit(&w.files);
    ask_deinit(&w.ask);
    client_close(w.handle);
    return code;
}
