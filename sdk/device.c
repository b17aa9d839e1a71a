/* device.c: opening, closing and setting devices, and listening for their sessions. */
#include <stdlib.h>
#include <string.h>

#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/log.h"
#include "sdk/wait.h"

#define SESSIONS_USUAL   8
#define HANDLED_MAX      1024 /* session IDs remembered */
#define HANDLED_US       (10 * MINUTE)
#define REFUSALS_BURST   10
#define REFUSALS_EACH_US SECOND

int call_enter_device(int number, struct device **out)
{
    int code = call_enter();

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    *out = handles_find(&lib.devices, number);
    if (*out)
        (*out)->users++;
    pthread_mutex_unlock(&lib.lock);
    if (*out)
        return HAWSER_ERR_OK;
    call_leave();
    return HAWSER_ERR_INVALID;
}

void call_leave_device(struct device *d)
{
    pthread_mutex_lock(&lib.lock);
    d->users--;
    pthread_cond_broadcast(&lib.changed);
    pthread_mutex_unlock(&lib.lock);
    call_leave();
}

/* ---- Open and close -------------------------------------------------------------------------- */

static bool is_taken(const char *label)
{
    bool taken = lib.app && strcmp(lib.app->label, label) == 0;

    for (uint32_t i = 0; i < lib.devices.slot_count; i++) {
        const struct device *d = lib.devices.slot[i].object;

        taken = taken || (d && strcmp(d->identity->label, label) == 0);
    }
    return taken;
}

static void free_device(struct device *d)
{
    if (!d)
        return;
    identity_free(d->identity);
    pairing_deinit(&d->pairing);
    replay_free(d->sessions);
    free(d);
}

static int new_device(struct device **out, const char *label)
{
    struct device *d = *out = calloc(1, sizeof *d);
    int code = HAWSER_ERR_NO_MEMORY;

    if (!d)
        return code;
    d->sessions_max = SESSIONS_USUAL;
    d->refusals = (struct bucket){ .interval_us = REFUSALS_EACH_US, .burst = REFUSALS_BURST };
    token_clock_init(&d->clock);
    pairing_init(&d->pairing);
    if (replay_new(&d->sessions, HANDLED_MAX, HANDLED_US) == ERR_OK)
        code = identity_new(&d->identity, label, d);
    if (code) {
        free_device(d);
        *out = NULL;
    }
    return code;
}

int hawser_device_open(const char *label)
{
    struct device *d;
    bool taken;
    int code;

    if (!label_is_valid(label))
        return HAWSER_ERR_INVALID;
    code = library_change();
    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    taken = is_taken(label);
    pthread_mutex_unlock(&lib.lock);
    code = taken ? HAWSER_ERR_ALREADY_INITIALISED : new_device(&d, label);
    if (!code) {
        pthread_mutex_lock(&lib.lock);
        code = d->number = handles_add(&lib.devices, d);
        pthread_mutex_unlock(&lib.lock);
        if (code < 0) {
            free_device(d);
            code = HAWSER_ERR_NO_MEMORY;
        }
    }
    library_settle();
    return code;
}

void device_close_sessions(struct device *d, unsigned reason)
{
    for (struct link *l = lib.links; l; l = l->next)
        if (l->device == d)
            link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, reason);
}

/* Within library_change(): nobody else opens or closes. */
static void close_device(struct device *d)
{
    pthread_mutex_lock(&lib.lock);
    d->is_closed = true;
    handles_remove(&lib.devices, d->number);
    device_close_sessions(d, HAWSER_REASON_LEFT);
    d->ready_first = d->ready_last = NULL;
    for (struct link *l = lib.links; l; l = l->next) {
        if (l->device != d)
            continue;
        link_forget(l);
        l->device = NULL;
    }
    device_drop_admissions(d);
    pthread_cond_broadcast(&lib.changed);
    while (d->users > 0)
        pthread_cond_wait(&lib.changed, &lib.lock);
    pthread_mutex_unlock(&lib.lock);
    free_device(d);
}

int hawser_device_close(int device)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    call_leave_device(d);
    if (library_is_callback())
        return HAWSER_ERR_INVALID;
    code = library_change();
    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    d = handles_find(&lib.devices, device);
    pthread_mutex_unlock(&lib.lock);
    if (d)
        close_device(d);
    library_settle();
    return d ? HAWSER_ERR_OK : HAWSER_ERR_INVALID;
}

void devices_close_all(void)
{
    for (uint32_t i = 0; i < lib.devices.slot_count; i++)
        if (lib.devices.slot[i].object)
            close_device(lib.devices.slot[i].object);
}

/* ---- Listening ------------------------------------------------------------------------------- */

/* The place of a link that has ended meanwhile was taken out by device_drop_ready(). */
static struct link *take_ready(struct device *d)
{
    struct link *l = d->ready_first;

    if (l) {
        d->ready_first = l->next_ready;
        if (!d->ready_first)
            d->ready_last = NULL;
        l->next_ready = NULL;
    }
    return l;
}

void device_drop_ready(struct link *l)
{
    struct device *d = l->device;
    struct link *before = NULL;

    if (!d)
        return;
    for (struct link *at = d->ready_first; at; before = at, at = at->next_ready) {
        if (at != l)
            continue;
        if (before)
            before->next_ready = l->next_ready;
        else
            d->ready_first = l->next_ready;
        if (d->ready_last == l)
            d->ready_last = before;
        return;
    }
}

void device_on_open(struct link *l)
{
    struct device *d;

    pthread_mutex_lock(&lib.lock);
    d = l->device;
    l->connect_us = io_now() - l->called_at;
    ways_on_open(l);
    if (d && !l->close_asked) {
        if (d->ready_last)
            d->ready_last->next_ready = l;
        else
            d->ready_first = l;
        d->ready_last = l;
        pthread_cond_broadcast(&lib.changed);
    } else {
        link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, HAWSER_REASON_LEFT);
    }
    pthread_mutex_unlock(&lib.lock);
}

/* With lib.lock held: a handle, a code, or HAWSER_ERR_TIMEOUT if there is nothing yet. */
static int next_session(struct device *d)
{
    struct link *l;

    if (lib.is_ending)
        return HAWSER_ERR_CLOSED_LOCALLY;
    if (d->is_closed)
        return HAWSER_ERR_LISTEN_BROKEN;
    if (d->is_break_asked) {
        d->is_break_asked = false;
        return HAWSER_ERR_LISTEN_BROKEN;
    }
    l = take_ready(d);
    if (!l)
        return HAWSER_ERR_TIMEOUT;
    link_give_handle(l);
    if (l->handle >= 0)
        return l->handle;
    link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, HAWSER_REASON_NO_RESOURCES);
    link_forget(l);
    return HAWSER_ERR_SESSION_LIMIT;
}

int hawser_device_listen(int device, int timeout_ms)
{
    usec until = deadline_of(timeout_ms);
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    while ((code = next_session(d)) == HAWSER_ERR_TIMEOUT)
        if (!cond_wait_until(&lib.changed, &lib.lock, until)) {
            code = next_session(d);
            break;
        }
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return code;
}

int hawser_device_listen_break(int device)
{
    struct device *d;
    int code = call_enter_device(device, &d);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    d->is_break_asked = true;
    pthread_cond_broadcast(&lib.changed);
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return HAWSER_ERR_OK;
}

int hawser_device_wait_online(int device, int timeout_ms)
{
    usec until = deadline_of(timeout_ms);
    struct device *d;
    int code = call_enter_device(device, &d);
    bool is_online;

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    while (!d->identity->is_online && !d->is_closed && !lib.is_ending)
        if (!cond_wait_until(&lib.changed, &lib.lock, until))
            break;
    is_online = d->identity->is_online;
    pthread_mutex_unlock(&lib.lock);
    call_leave_device(d);
    return is_online;
}
