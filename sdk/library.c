/* library.c: starting, stopping, and which user is bound. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "io/thread.h"
#include "sdk/connect.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/link.h"
#include "sdk/log.h"
#include "sdk/network.h"
#include "sdk/pairing.h"
#include "sdk/wait.h"

struct library lib = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A program may end without hawser_deinit(), while our threads are at work: OpenSSL must not free
 * at its exit what they use. Only who is the first to call it can ask for that. */
__attribute__((constructor)) static void keep_openssl_to_the_end(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

int code_of_err(int err)
{
    switch (err) {
    case ERR_OK:
        return HAWSER_ERR_OK;
    case ERR_AUTH:
    case ERR_EXPIRED:
        return HAWSER_ERR_UNAUTHORISED;
    case ERR_NOMEM:
    case ERR_LIMIT:
    case ERR_CRYPTO: /* what OpenSSL fails for, when nothing is wrong with what it was given */
        return HAWSER_ERR_NO_MEMORY;
    default:
        return HAWSER_ERR_INVALID;
    }
}

bool library_is_callback(void)
{
    bool is_callback;

    pthread_mutex_lock(&lib.lock);
    is_callback = lib.is_running && dispatcher_is_current(lib.dispatcher);
    pthread_mutex_unlock(&lib.lock);
    return is_callback;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static bool is_used(void)
{
    return lib.app || lib.devices.used > 0;
}

int call_enter(void)
{
    int code = HAWSER_ERR_UNINITIALISED;

    pthread_mutex_lock(&lib.lock);
    if (lib.is_running && !lib.is_ending && is_used()) {
        lib.calls++;
        code = HAWSER_ERR_OK;
    }
    pthread_mutex_unlock(&lib.lock);
    return code;
}

static void leave_locked(void)
{
    if (--lib.calls == 0 && lib.is_ending)
        pthread_cond_broadcast(&lib.changed);
}

void call_leave(void)
{
    pthread_mutex_lock(&lib.lock);
    leave_locked();
    pthread_mutex_unlock(&lib.lock);
}

int call_enter_link(int handle, struct link **out)
{
    int code = HAWSER_ERR_UNINITIALISED;

    pthread_mutex_lock(&lib.lock);
    if (lib.is_running && !lib.is_ending && is_used()) {
        *out = handles_find(&lib.sessions, handle);
        code = *out ? HAWSER_ERR_OK : HAWSER_ERR_INVALID_SESSION;
    }
    if (!code) {
        lib.calls++;
        (*out)->users++;
    }
    pthread_mutex_unlock(&lib.lock);
    return code;
}

void call_leave_link(struct link *l)
{
    pthread_mutex_lock(&lib.lock);
    if (--l->users == 0 && !l->is_wanted)
        io_loop_wake(lib.loop, &l->task); /* it may be freed now */
    leave_locked();
    pthread_mutex_unlock(&lib.lock);
}

/* ---- Starting -------------------------------------------------------------------------------- */

static void free_parts(void)
{
    if (lib.loop) {
        network_stop();
        ways_stop();
    }
    handles_deinit(&lib.sessions);
    handles_deinit(&lib.devices);
    dispatcher_free(lib.dispatcher);
    io_loop_free(lib.loop);
    dtls_identity_free(lib.dtls);
    free(lib.run);
    lib.dispatcher = NULL;
    lib.loop = NULL;
    lib.dtls = NULL;
    lib.run = NULL;
}

/* ERR_LIMIT of a part is a limit of the system: threads or descriptors. */
static int start_parts(void)
{
    int err;

    lib.rng = io_rng();
    lib.run = malloc(OUT_BYTES_MAX);
    if (!lib.run)
        return ERR_NOMEM;
    err = handles_init(&lib.sessions, (size_t)lib.options.sessions_max);
    if (!err)
        err = handles_init(&lib.devices, DEVICES_MAX);
    if (!err)
        err = dtls_identity_new(&lib.dtls, &lib.rng, io_wall_s());
    if (!err)
        err = io_loop_new(&lib.loop);
    if (!err)
        err = network_start();
    if (!err)
        err = ways_start();
    if (!err)
        err = dispatcher_new(&lib.dispatcher);
    return err;
}

static int start(void)
{
    int err;

    pthread_mutex_lock(&lib.lock);
    err = options_load(&lib.options);
    pthread_mutex_unlock(&lib.lock);
    if (!err)
        err = start_parts();
    if (err)
        free_parts();
    pthread_mutex_lock(&lib.lock);
    lib.is_running = !err;
    pthread_mutex_unlock(&lib.lock);
    return code_of_err(err);
}

static void init_once(void)
{
    (void)thread_cond_init(&lib.changed); /* fails for want of memory, of which glibc takes none */
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Waits for its turn. False: all is about to be freed, and a callback must not wait for that. */
static bool take_turn(void)
{
    bool is_ours;

    (void)pthread_once(&once, init_once);
    pthread_mutex_lock(&lib.lock);
    while (lib.is_changing && !lib.is_ending)
        pthread_cond_wait(&lib.changed, &lib.lock);
    is_ours = !lib.is_ending;
    if (is_ours)
        lib.is_changing = true;
    pthread_mutex_unlock(&lib.lock);
    return is_ours;
}

static void end_turn(void)
{
    pthread_mutex_lock(&lib.lock);
    lib.is_changing = lib.is_ending = false;
    pthread_cond_broadcast(&lib.changed);
    pthread_mutex_unlock(&lib.lock);
}

int library_change(void)
{
    int code = HAWSER_ERR_OK;

    if (!take_turn())
        return HAWSER_ERR_UNINITIALISED;
    if (!lib.is_running)
        code = start();
    if (code)
        end_turn();
    return code;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

/* Ends the app's sessions and pending connects. */
static void close_app_sessions(void)
{
    for (struct link *l = lib.links; l; l = l->next) {
        if (l->side != LINK_APP)
            continue;
        (void)connect_finish_locked(l, HAWSER_ERR_CONNECT_BROKEN);
        link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, 0);
        link_forget(l);
    }
    pairing_break_all(HAWSER_ERR_CLOSED_LOCALLY);
}

static void unbind(void)
{
    struct identity *id;

    pthread_mutex_lock(&lib.lock);
    close_app_sessions();
    id = lib.app;
    lib.app = NULL;
    pthread_mutex_unlock(&lib.lock);
    identity_free(id);
}

static void end_links_on_loop(void *ctx)
{
    struct link *l, *next;

    (void)ctx;
    for (l = lib.links; l; l = next) {
        next = l->next;
        link_end(l, HAWSER_ERR_CLOSED_LOCALLY);
        l->rx_ready = l->rx_held = 0;
        link_turn(l);
    }
}

/* What flushes has its time; then the rest is ended. */
static void wait_for_links(void)
{
    usec until = deadline_of(2 * lib.options.flush_ms + 500);

    pthread_mutex_lock(&lib.lock);
    while (lib.link_count > 0)
        if (!cond_wait_until(&lib.changed, &lib.lock, until))
            break;
    pthread_mutex_unlock(&lib.lock);
    io_loop_run(lib.loop, end_links_on_loop, NULL);
}

/* Within a turn, with nobody bound, no device open and no call inside. */
static void stop(void)
{
    wait_for_links();
    dispatcher_free(lib.dispatcher); /* runs the callbacks that are due */
    pthread_mutex_lock(&lib.lock);
    lib.dispatcher = NULL;
    lib.is_running = false;
    lib.state_cb = NULL;
    pthread_mutex_unlock(&lib.lock);
    free_parts();
}

void library_settle(void)
{
    bool is_idle;

    pthread_mutex_lock(&lib.lock);
    is_idle = lib.is_running && !is_used() && !dispatcher_is_current(lib.dispatcher);
    lib.is_ending = is_idle;
    if (is_idle)
        pthread_cond_broadcast(&lib.changed);
    while (is_idle && lib.calls > 0)
        pthread_cond_wait(&lib.changed, &lib.lock);
    pthread_mutex_unlock(&lib.lock);
    if (is_idle)
        stop();
    end_turn();
}

/* ---- The face -------------------------------------------------------------------------------- */

int hawser_set_option(const char *name, const char *value)
{
    int code;

    if (!name)
        return HAWSER_ERR_INVALID;
    pthread_mutex_lock(&lib.lock);
    code = lib.is_running ? HAWSER_ERR_ALREADY_INITIALISED : code_of_err(options_set(name, value));
    pthread_mutex_unlock(&lib.lock);
    return code;
}

/* A device of this process holds the key: two connections would evict each other for ever. */
static bool is_device(const char *label)
{
    bool found = false;

    pthread_mutex_lock(&lib.lock);
    for (uint32_t i = 0; i < lib.devices.slot_count; i++) {
        const struct device *d = lib.devices.slot[i].object;

        found = found || (d && strcmp(d->identity->label, label) == 0);
    }
    pthread_mutex_unlock(&lib.lock);
    return found;
}

static int bind_user(const char *local_id)
{
    struct identity *id;
    int code;

    if (lib.app && strcmp(lib.app->label, local_id) == 0)
        return HAWSER_ERR_OK;
    if (is_device(local_id))
        return HAWSER_ERR_INVALID;
    if (lib.app)
        unbind();
    code = identity_new(&id, local_id, NULL);
    pthread_mutex_lock(&lib.lock);
    lib.app = id;
    pthread_mutex_unlock(&lib.lock);
    return code;
}

int hawser_init(const char *local_id)
{
    int code;

    if (!label_is_valid(local_id))
        return HAWSER_ERR_INVALID;
    code = library_change();
    if (code)
        return code;
    code = bind_user(local_id);
    library_settle();
    return code;
}

int hawser_init_p2p(const char *local_id)
{
    return hawser_init(local_id);
}

int hawser_deinit_p2p(void)
{
    int code = call_enter();

    if (code)
        return code;
    call_leave();
    if (!take_turn())
        return HAWSER_ERR_UNINITIALISED;
    if (lib.app)
        unbind();
    else
        code = HAWSER_ERR_UNINITIALISED;
    library_settle();
    return code;
}

int hawser_deinit(void)
{
    if (library_is_callback())
        return HAWSER_ERR_INVALID;
    if (!take_turn())
        return HAWSER_ERR_UNINITIALISED;
    if (!lib.is_running) {
        end_turn();
        return HAWSER_ERR_UNINITIALISED;
    }
    pthread_mutex_lock(&lib.lock);
    lib.is_ending = true;
    close_app_sessions();
    pthread_cond_broadcast(&lib.changed);
    pthread_mutex_unlock(&lib.lock);
    devices_close_all();
    unbind();
    library_settle();
    return HAWSER_ERR_OK;
}

int hawser_keygen(const char *label, char id[HAWSER_ID_MAX])
{
    char home[OPTION_TEXT_MAX];
    struct key *k = NULL;
    int err;

    if (!label_is_valid(label))
        return HAWSER_ERR_INVALID;
    pthread_mutex_lock(&lib.lock);
    err = options_home(home);
    pthread_mutex_unlock(&lib.lock);
    if (!err)
        err = store_key(&k, home, label);
    if (!err && id)
        memcpy(id, key_id(k), ID_BYTES);
    key_free(k);
    return code_of_err(err);
}
