#include "sdk/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/token/grant.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/log.h"

#define CORE_POOL_BLOCKS 6144 /* 24 MiB: all queues of SCTP, were they all full */

/* 64 MiB: the queues of SCTP of all sessions, 256 KiB of each aside. */
static struct pool_group sessions = { .limit = 16384, .floor = 64 };

struct state_job {
    struct job job;
    int handle, code;
};

static void run_state(struct job *job)
{
    struct state_job *s = (struct state_job *)job;
    hawser_state_cb *cb;
    void *ctx;

    pthread_mutex_lock(&lib.lock);
    cb = lib.state_cb;
    ctx = lib.state_ctx;
    pthread_mutex_unlock(&lib.lock);
    if (cb)
        cb(ctx, s->handle, s->code);
    free(s);
}

static struct job *new_state_job(void)
{
    struct state_job *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->job.run = run_state;
    return &s->job;
}

/* A session whose handle is gone meanwhile is no news to anybody. */
static void run_path(struct job *job)
{
    const struct state_job *s = (struct state_job *)job;
    struct link *l;

    pthread_mutex_lock(&lib.lock);
    l = handles_find(&lib.sessions, s->handle);
    if (l)
        l->is_path_job_due = false;
    pthread_mutex_unlock(&lib.lock);
    if (l)
        run_state(job);
    else
        free(job);
}

void link_tell_path(struct link *l)
{
    struct job *job = NULL;
    struct state_job *s;

    pthread_mutex_lock(&lib.lock);
    if (l->handle >= 0 && !l->is_path_job_due && lib.state_cb)
        job =
            new_state_job(); /* without memory nobody is told: the session's figures still say it */
    if (job) {
        s = (struct state_job *)job;
        s->job.run = run_path;
        s->handle = l->handle;
        s->code = HAWSER_ERR_OK;
        l->is_path_job_due = true;
        dispatcher_post(lib.dispatcher, job);
    }
    pthread_mutex_unlock(&lib.lock);
}

static void wake(void *ctx)
{
    struct link *l = ctx;

    io_loop_wake(lib.loop, &l->task);
}

static void on_filled(void *ctx, size_t len)
{
    link_turn_as_guest(ctx, len);
}

static void on_idle(void *ctx, bool (*is_done)(void *what), void *what, usec until)
{
    link_wait_as_guest(ctx, is_done, what, until);
}

static void tell_calls(void *ctx)
{
    rings_tell(&((struct link *)ctx)->rings);
}

static void name_link(struct link *l, const uint8_t *sid)
{
    if (sid)
        memcpy(l->sid, sid, sizeof l->sid);
    else
        rng_fill(&lib.rng, l->sid, sizeof l->sid);
    for (size_t i = 0; i < sizeof l->sid; i++)
        (void)snprintf(l->trace + 2 * i, 3, "%02x", l->sid[i]);
}

static int new_pool(struct pool **out)
{
    int err = pool_new(out, CORE_POOL_BLOCKS);

    if (!err)
        pool_join(*out, &sessions);
    return err;
}

static int new_session(struct link *l)
{
    const struct options *o = &lib.options;
    const struct session_config cfg = {
        .role = l->side == LINK_APP ? SESSION_OFFERER : SESSION_ANSWERER,
        .identity = lib.dtls,
        .pool = l->pool,
        .dead_us = o->dead_ms * MILLISECOND,
        .flush_us = usec_max(o->flush_ms, 1) * MILLISECOND,
        .zombie_us = o->zombie_ms ? o->zombie_ms * MILLISECOND : USEC_NEVER,
    };

    return session_new(&l->session, &cfg, &lib.rng);
}

static void free_parts(struct link *l)
{
    session_free(l->session);
    pool_free(l->pool);
    free(l->state_job);
    free(l->trickle.candidates);
    json_decref(l->grant);
    ways_deinit(&l->ways);
    free(l->offer);
    free(l);
}

void link_enlist(struct link *l)
{
    l->serial = ++lib.serial;
    l->next = lib.links;
    lib.links = l;
    lib.link_count++;
}

int link_new(struct link **out, enum link_side side, const struct recipient *peer,
             const uint8_t *sid)
{
    struct link *l = calloc(1, sizeof *l);
    const struct ring_handler rings = {
        .wake = wake, .filled = on_filled, .idle = on_idle, .ctx = l
    };
    int err = ERR_NOMEM;

    *out = NULL;
    if (!l)
        return ERR_NOMEM;
    *l = (struct link){
        .side = side, .peer = *peer, .handle = -1, .is_wanted = true, .channels = GRANT_CHANNELS_ALL
    };
    l->give_up_at = l->resend_at = l->flush_until = l->restart.again_at = USEC_NEVER;
    l->task = (struct io_task){ .fn = link_task, .ctx = l };
    l->told = (struct io_task){ .fn = tell_calls, .ctx = l };
    ways_init(&l->ways);
    name_link(l, sid);
    l->state_job = new_state_job();
    if (l->state_job)
        err = new_pool(&l->pool);
    if (!err)
        err = new_session(l);
    if (!err)
        err = rings_init(&l->rings, &rings);
    if (err) {
        free_parts(l);
        return err;
    }
    *out = l;
    return ERR_OK;
}

void link_free(struct link *l)
{
    rings_deinit(&l->rings);
    free_parts(l);
}

void link_ask_close(struct link *l, int code, unsigned reason)
{
    rings_end(&l->rings, code, 0, true);
    if (!l->close_asked) {
        l->close_asked = true;
        l->close_reason = reason;
    }
    wake(l);
}

void link_forget(struct link *l)
{
    handles_remove(&lib.sessions, l->handle);
    l->handle = -1;
    l->is_wanted = false;
    wake(l);
}

void link_give_handle(struct link *l)
{
    struct link *oldest = NULL;

    l->handle = handles_add(&lib.sessions, l);
    if (l->handle >= 0)
        return;
    for (struct link *other = lib.links; other; other = other->next) /* newest first */
        if (other->is_over && other->handle >= 0)
            oldest = other;
    if (oldest)
        link_forget(oldest);
    l->handle = handles_add(&lib.sessions, l);
}

static void delist(struct link *l)
{
    struct link **at = &lib.links;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    lib.link_count--;
    pthread_cond_broadcast(&lib.changed);
}

void link_free_if_unused(struct link *l)
{
    bool is_unused;

    pthread_mutex_lock(&lib.lock);
    is_unused = l->phase == LINK_ENDED && !l->is_wanted && l->users == 0;
    if (is_unused) {
        io_loop_unwake(lib.loop, &l->task);
        io_loop_unwake(lib.loop, &l->told);
        delist(l);
    }
    pthread_mutex_unlock(&lib.lock);
    if (!is_unused)
        return;
    io_timer_deinit(&l->timer);
    link_free(l);
}

/* Bytes that arrived in time may still wait in the core for room in the rings. */
static uint8_t unread_channels(const struct link *l)
{
    struct session_info info;
    uint8_t unread = 0;

    if (l->session && l->phase != LINK_IDLE) {
        session_get_info(l->session, &info);
        for (unsigned i = 0; i < CHANNEL_COUNT; i++)
            unread |= (uint8_t)((info.unread[i] > 0) << i);
    }
    return unread;
}

static void tell_application(struct link *l, int code)
{
    struct state_job *job;

    pthread_mutex_lock(&lib.lock);
    l->is_over = true;
    job = l->handle >= 0 ? (struct state_job *)l->state_job : NULL;
    if (l->handle < 0)
        device_drop_ready(l);
    l->is_wanted = l->handle >= 0;
    if (job) {
        l->state_job = NULL;
        job->handle = l->handle;
        job->code = code;
        dispatcher_post(lib.dispatcher, &job->job);
    }
    pthread_cond_broadcast(&lib.changed); /* a device has a free place */
    pthread_mutex_unlock(&lib.lock);
}

#define LAST_RUNS_MAX 16

/* A session that never opened has nothing to say to its peer, but relays to give back. One that was
 * open has done so by itself. */
static void give_back(struct link *l)
{
    struct out out;

    if (!l->outside || !l->session || l->phase >= LINK_OPEN)
        return;
    session_close(l->session, io_now(), 0);
    out_init(&out, lib.run, OUT_BYTES_MAX);
    for (int i = 0; i < LAST_RUNS_MAX && session_poll_output(l->session, io_now(), &out); i++)
        outside_send(l->outside, &out);
}

void link_end(struct link *l, int code)
{
    bool was_open = l->phase >= LINK_OPEN;
    uint8_t unread = was_open ? unread_channels(l) : 0;

    if (l->phase == LINK_ENDED)
        return;
    log_line(HAWSER_LOG_INFO, l->trace, "ended: %d, %s", code, hawser_strerror(code));
    give_back(l);
    l->phase = LINK_ENDED;
    l->rx_ready = unread;
    outside_free(l->outside);
    l->outside = NULL;
    ways_close(l);
    l->identity = NULL;
    rings_end(&l->rings, code, unread, false);
    tell_application(l, rings_end_code(&l->rings));
}

int link_code_of_end(const struct link *l, const struct session_event *ev)
{
    bool is_open = l->phase >= LINK_OPEN;

    switch (ev->end) {
    case SESSION_END_PEER_REASON: /* beyond the reasons lie codes that only this side may say */
        return HAWSER_ERR_TERMINATED - (ev->reason <= HAWSER_REASON_MAX ? (int)ev->reason : 0);
    case SESSION_END_PEER_ABORT:
        return HAWSER_ERR_CLOSED_BY_PEER;
    case SESSION_END_LOST:
        return HAWSER_ERR_LOST;
    case SESSION_END_ZOMBIE:
        return HAWSER_ERR_ZOMBIE;
    case SESSION_END_NO_PATH:
        return HAWSER_ERR_NO_PATH;
    case SESSION_END_FINGERPRINT:
        return HAWSER_ERR_UNAUTHORISED;
    case SESSION_END_NOMEM:
        return HAWSER_ERR_NO_MEMORY;
    case SESSION_END_HANDSHAKE:
    case SESSION_END_HALF_OPEN:
        return HAWSER_ERR_TIMEOUT;
    default:
        return is_open ? HAWSER_ERR_CLOSED_LOCALLY : HAWSER_ERR_TIMEOUT;
    }
}
