#include "apps/common/host.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/common/clock.h"
#include "apps/common/qr.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"

enum { INVITE_S = 300, ONLINE_HINT_MS = 5000 };

struct host_guest {
    struct host *host;
    struct host_guest *next;
    pthread_t thread;
    int handle;
    atomic_bool done;
};

static int on_request(void *ctx, int device, const struct hawser_request *request)
{
    struct host *h = ctx;

    (void)device;
    (void)request;
    return atomic_load(&h->active) < h->sessions_max ? 0 : HAWSER_REASON_FULL;
}

static void on_paired(void *ctx, int device, const char *peer_id)
{
    struct host *h = ctx;

    (void)device;
    say("paired with %s", peer_id);
    say_json(json_pack("{s{ss}}", "paired", "peer", peer_id));
    atomic_store(&h->paired, true);
}

static void *serve_guest(void *arg)
{
    struct host_guest *g = arg;

    g->host->serve(g->host, g->handle);
    atomic_fetch_sub(&g->host->active, 1);
    atomic_store(&g->done, true);
    return NULL;
}

/* Two requests may both have been accepted for the last place: the later one is closed here. */
static void welcome(struct host *h, int handle)
{
    struct host_guest *g;

    if (atomic_fetch_add(&h->active, 1) >= h->sessions_max) {
        hawser_close(handle, HAWSER_REASON_FULL);
        atomic_fetch_sub(&h->active, 1);
        return;
    }
    g = calloc(1, sizeof *g);
    if (g)
        *g = (struct host_guest){ .host = h, .next = h->guests, .handle = handle };
    if (g && !pthread_create(&g->thread, NULL, serve_guest, g)) {
        h->guests = g;
        return;
    }
    free(g);
    hawser_close(handle, HAWSER_REASON_NO_RESOURCES);
    atomic_fetch_sub(&h->active, 1);
}

/* Joins the threads that are done, or all of them. */
static void part(struct host *h, bool all)
{
    struct host_guest **at = &h->guests;

    while (*at) {
        struct host_guest *g = *at;

        if (!all && !atomic_load(&g->done)) {
            at = &g->next;
            continue;
        }
        *at = g->next;
        pthread_join(g->thread, NULL);
        free(g);
    }
}

static int invite(struct host *h)
{
    char line[HAWSER_INVITE_MAX];
    bool shows_qr = !say_is_json() && isatty(STDOUT_FILENO);
    int error = hawser_device_invite(h->device, INVITE_S, line);

    if (error)
        return say_failure(error, "making a pairing line");
    h->invite_until = clock_now() + INVITE_S * SECOND;
    say("\nPair an app within %d minutes: %srun\n\n    hawser pair '%s'\n", INVITE_S / 60,
        shows_qr ? "scan this, or " : "", line);
    if (shows_qr)
        qr_print(stdout, line);
    say_json(json_pack("{ss}", "invite", line));
    return EXIT_CODE_OK;
}

static int on_online(struct host *h)
{
    h->is_online = true;
    say("%s is online", h->id);
    say_json(json_pack("{s{ss}}", "ready", "id", h->id));
    return h->pair ? invite(h) : EXIT_CODE_OK;
}

/* Tells of the broker's answer, or once that there is none. Apps on the LAN need no broker, so they
 * are served meanwhile; pairing does need it. */
static int look_for_broker(struct host *h, int timeout_ms)
{
    if (h->is_online)
        return EXIT_CODE_OK;
    if (hawser_device_wait_online(h->device, timeout_ms) > 0)
        return on_online(h);
    if (!h->is_hinted && clock_now() >= h->hint_at) {
        say_aside("%s: no answer from the broker yet; trying on. Is \"broker\" right, in "
                  "config.json or by --broker? \"hawser up\" starts one.",
                  h->id);
        h->is_hinted = true;
    }
    return EXIT_CODE_OK;
}

static int ended_by_signal(const struct host *h)
{
    return h->pair_only ? say_error("interrupted before an app had paired") : EXIT_CODE_OK;
}

static int listen_on(struct host *h)
{
    int code = look_for_broker(h, STOP_POLL_MS);

    while (!code && !stop_asked()) {
        int handle = hawser_device_listen(h->device, STOP_POLL_MS);

        part(h, false);
        if (handle >= 0)
            welcome(h, handle);
        else if (handle != HAWSER_ERR_TIMEOUT)
            return say_failure(handle, "listening for sessions");
        if (h->pair_only && atomic_load(&h->paired))
            return EXIT_CODE_OK;
        if (h->pair_only && clock_now() > h->invite_until)
            return say_error("nobody paired in time: run this again for a new line");
        code = look_for_broker(h, 0);
    }
    return code ? code : ended_by_signal(h);
}

static int run(struct host *h)
{
    hawser_device_set_accept(h->device, on_request, h);
    hawser_device_set_paired(h->device, on_paired, h);
    hawser_device_set_limit(h->device, HOST_SESSIONS_MAX); /* on_request() keeps the real one */
    hawser_device_id(h->device, h->id);
    h->hint_at = clock_now() + ONLINE_HINT_MS * MILLISECOND;
    h->invite_until = USEC_NEVER;
    return listen_on(h);
}

int host_run(struct host *h, const struct options *o, const char *label)
{
    int code;

    if (options_apply(o))
        return EXIT_CODE_FAILED;
    h->device = hawser_device_open(label);
    if (h->device < 0)
        return say_key_failure(h->device, label);
    stop_on_signals();
    code = run(h);
    stop_ask();
    hawser_device_close(h->device); /* every blocked call of the sessions returns */
    part(h, true);
    hawser_deinit();
    return code;
}
