#include "sdk/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/token/grant.h"
#include "sdk/internal.h"
#include "sdk/log.h"
#include "sdk/signals.h"

struct connect {
    struct job job; /* first: the job is the connect */
    hawser_connect_cb *cb;
    void *ctx;
    char trace[HAWSER_TRACE_ID_MAX];
    char label[LABEL_BYTES]; /* the user's, when it was called */
    int lan_mode;
    bool is_counted; /* in lib.connect_count */
    int result;
};

static void run_callback(struct job *job)
{
    struct connect *c = (struct connect *)job;

    pthread_mutex_lock(&lib.lock);
    lib.connect_count--; /* what the callback is told of is not pending any more */
    pthread_mutex_unlock(&lib.lock);
    c->cb(c->ctx, c->trace, c->result);
    free(c);
}

static void finish(struct connect *c, int result)
{
    c->result = result;
    dispatcher_post(lib.dispatcher, &c->job);
}

bool connect_finish_locked(struct link *l, int result)
{
    struct connect *c = l->connect;

    if (!c)
        return false;
    l->connect = NULL;
    finish(c, result);
    return true;
}

bool connect_finish(struct link *l, int result)
{
    bool is_first;

    pthread_mutex_lock(&lib.lock);
    is_first = connect_finish_locked(l, result);
    pthread_mutex_unlock(&lib.lock);
    return is_first;
}

/* ---- The call -------------------------------------------------------------------------------- */

static bool is_valid(const char *remote_id, int lan_mode, hawser_connect_cb *cb)
{
    return cb && remote_id && id_kind_of(remote_id) != ID_NONE && lan_mode >= HAWSER_LAN_AUTO &&
           lan_mode <= HAWSER_LAN_FIRST;
}

static usec timeout_of(int timeout_ms)
{
    if (timeout_ms == 0)
        timeout_ms = HAWSER_TIMEOUT_USUAL;
    return usec_clamp(timeout_ms, HAWSER_TIMEOUT_MIN, HAWSER_TIMEOUT_MAX) * MILLISECOND;
}

static int count_live_sessions(void)
{
    int count = 0;

    for (const struct link *l = lib.links; l; l = l->next)
        count += !l->is_over && !l->close_asked;
    return count;
}

/* Counts the connect in and notes whose it is. One that is too many is told so by its callback, but
 * no more than once over of these either. */
static int enlist(struct connect *c)
{
    int code = HAWSER_ERR_OK;

    pthread_mutex_lock(&lib.lock);
    if (!lib.app)
        code = HAWSER_ERR_UNINITIALISED;
    else if (lib.connect_count >= CONNECTS_MAX)
        code = HAWSER_ERR_TOO_MANY_CONNECTS;
    else if (count_live_sessions() >= lib.options.sessions_max)
        code = HAWSER_ERR_SESSION_LIMIT;
    c->is_counted = lib.app && lib.connect_count < 2 * (size_t)CONNECTS_MAX;
    if (c->is_counted) {
        memcpy(c->label, lib.app->label, sizeof c->label);
        lib.connect_count++;
    }
    pthread_mutex_unlock(&lib.lock);
    return code;
}

/* A device we have not paired with cannot even be written to: its card is not known. */
static int load_device(struct device_record *record, const struct connect *c, const char *id)
{
    switch (store_load_device(record, lib.options.home, c->label, id)) {
    case ERR_OK:
        return HAWSER_ERR_OK;
    case ERR_NOMEM:
        return HAWSER_ERR_NO_MEMORY;
    default:
        return HAWSER_ERR_UNAUTHORISED;
    }
}

/* What the last link of the chain says; the device verifies it. Of a grant that cannot be read all:
 * the device will say what comes of it. ERR_NOMEM. */
static int read_channels(uint8_t *channels, const json_t *chain)
{
    struct grant g = { .channels = GRANT_CHANNELS_ALL };
    int err = chain ? grant_chain_peek(&g, chain) : ERR_OK;

    *channels = err ? GRANT_CHANNELS_ALL : g.channels;
    return err == ERR_NOMEM ? ERR_NOMEM : ERR_OK;
}

/* From the moment the link knows c, c may be finished by others. */
static int make_link(struct connect *c, const char *remote_id, usec timeout, char *trace)
{
    struct device_record record;
    struct recipient to;
    uint8_t channels = GRANT_CHANNELS_ALL;
    struct link *l;
    int code;

    if (!id_decode(to.id, remote_id))
        return HAWSER_ERR_API_FAILED; /* an alias: only a directory could map it */
    code = load_device(&record, c, to.id);
    if (code)
        return code;
    memcpy(to.x25519, record.card.x25519, sizeof to.x25519);
    code = code_of_err(read_channels(&channels, record.grant));
    if (!code)
        code = code_of_err(link_new(&l, LINK_APP, &to, NULL));
    if (code) {
        device_record_deinit(&record);
        return code;
    }
    memcpy(l->peer_key, record.card.ed25519, sizeof l->peer_key);
    memcpy(c->trace, l->trace, sizeof c->trace);
    memcpy(trace, l->trace, sizeof c->trace);
    l->grant = record.grant;
    record.grant = NULL;
    l->ways.mode = c->lan_mode;
    l->ways.has_secret = record.has_lan;
    memcpy(l->ways.secret, record.lan, sizeof l->ways.secret);
    device_record_deinit(&record);
    l->channels = channels;
    l->called_at = io_now();
    l->give_up_at = l->called_at + timeout;
    pthread_mutex_lock(&lib.lock);
    l->connect = c; /* before it can be found: whoever ends it must end the connect with it */
    link_enlist(l);
    pthread_mutex_unlock(&lib.lock);
    return HAWSER_ERR_OK;
}

static void give_up(struct connect *c)
{
    pthread_mutex_lock(&lib.lock);
    lib.connect_count--;
    pthread_mutex_unlock(&lib.lock);
    free(c);
}

static void name_connect(struct connect *c, char *trace)
{
    for (size_t i = 0; i + 8 < sizeof c->trace; i += 8)
        (void)snprintf(c->trace + i, 9, "%08x", rng_u32(&lib.rng));
    memcpy(trace, c->trace, sizeof c->trace);
}

static void begin_on_loop(const char *trace)
{
    pthread_mutex_lock(&lib.lock);
    for (struct link *l = lib.links; l; l = l->next)
        if (strcmp(l->trace, trace) == 0)
            io_loop_wake(lib.loop, &l->task);
    pthread_mutex_unlock(&lib.lock);
}

/* Takes c. */
static int begin(struct connect *c, const char *remote_id, usec timeout, char *trace_id)
{
    char trace[HAWSER_TRACE_ID_MAX];
    int code = enlist(c);

    if (code && !c->is_counted) {
        free(c);
        return code;
    }
    if (code == HAWSER_ERR_OK)
        code = make_link(c, remote_id, timeout, trace);
    if (code == HAWSER_ERR_NO_MEMORY) {
        give_up(c);
        return code;
    }
    if (code)
        name_connect(c, trace);
    if (trace_id)
        memcpy(trace_id, trace, sizeof trace);
    if (code)
        finish(c, code);
    else
        begin_on_loop(trace); /* c may be gone already: whoever unbinds ends what there is */
    return HAWSER_ERR_OK;
}

int hawser_connect(const char *remote_id, int lan_mode, int timeout_ms, hawser_connect_cb *cb,
                   void *ctx, char trace_id[HAWSER_TRACE_ID_MAX])
{
    struct connect *c;
    int code = call_enter();

    if (code)
        return code;
    code = is_valid(remote_id, lan_mode, cb) ? HAWSER_ERR_OK : HAWSER_ERR_INVALID;
    c = code ? NULL : calloc(1, sizeof *c);
    if (c) {
        *c = (struct connect){ .job = { .run = run_callback }, .cb = cb, .ctx = ctx };
        c->lan_mode = lan_mode;
        code = begin(c, remote_id, timeout_of(timeout_ms), trace_id);
    } else if (!code) {
        code = HAWSER_ERR_NO_MEMORY;
    }
    call_leave();
    return code;
}

int hawser_connect_break(const char *trace_id)
{
    int code = call_enter();

    if (code)
        return code;
    code = HAWSER_ERR_INVALID;
    pthread_mutex_lock(&lib.lock);
    for (struct link *l = lib.links; trace_id && l; l = l->next) {
        if (!l->connect || strcmp(l->trace, trace_id) != 0)
            continue;
        (void)connect_finish_locked(l, HAWSER_ERR_CONNECT_BROKEN);
        link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, 0);
        code = HAWSER_ERR_OK;
        break;
    }
    pthread_mutex_unlock(&lib.lock);
    call_leave();
    return code;
}

/* ---- On the loop's thread -------------------------------------------------------------------- */

static void fail(struct link *l, int code)
{
    (void)connect_finish(l, code);
    link_end(l, code);
}

/* The user may have changed since the call. */
static bool take_identity(struct link *l)
{
    pthread_mutex_lock(&lib.lock);
    if (lib.app && l->connect && strcmp(lib.app->label, l->connect->label) == 0)
        l->identity = lib.app;
    pthread_mutex_unlock(&lib.lock);
    return l->identity != NULL;
}

void connect_begin(struct link *l)
{
    int err;

    log_line(HAWSER_LOG_INFO, l->trace, "connecting to %s", l->peer.id);
    if (!take_identity(l)) {
        fail(l, HAWSER_ERR_CONNECT_BROKEN);
        return;
    }
    err = link_start(l);
    if (err)
        fail(l, err == ERR_NOMEM ? HAWSER_ERR_NO_MEMORY : HAWSER_ERR_NO_PORT);
    else
        l->phase = LINK_CONNECTING;
}

/* What is due of the offer's ways. One that cannot be sent now is not the end: the time is the
 * caller's to limit. */
void connect_send_again(struct link *l)
{
    if (!l->identity || ways_tick(l)) {
        l->resend_at = l->identity ? ways_next_timeout(l) : USEC_NEVER;
        return;
    }
    fail(l, HAWSER_ERR_OFFLINE);
}

void connect_send_offer(struct link *l)
{
    struct signal s = { .type = ENVELOPE_OFFER, .seq = ++l->seq, .has_card = true };
    int err = ERR_NOMEM;

    s.body = link_describe(l);
    memcpy(s.sid, l->sid, sizeof s.sid);
    if (s.body && (!l->grant || json_object_set(s.body, "grant", l->grant) == 0))
        err = identity_seal(l->identity, &l->peer, &s, &l->offer);
    json_decref(s.body);
    if (err == ERR_OK) {
        ways_begin(l);
        connect_send_again(l);
        return;
    }
    fail(l, err == ERR_NOMEM ? HAWSER_ERR_NO_MEMORY : HAWSER_ERR_UNAUTHORISED);
}

void connect_on_sent(struct link *l, enum signaling_result result)
{
    if (!l->offer || l->phase != LINK_CONNECTING)
        return; /* answered meanwhile, or over */
    if (result != SIGNALING_OFFLINE)
        return; /* one that failed goes out again in its time: a broker may refuse without end */
    ways_on_offline(l);
    if (ways_are_offline(l))
        fail(l, HAWSER_ERR_OFFLINE);
    link_turn(l);
}

void connect_on_broker_bad(struct link *l)
{
    if (!l->offer || l->phase != LINK_CONNECTING)
        return;
    ways_on_broker_bad(l);
    io_loop_wake(lib.loop, &l->task);
}

void connect_on_answer(struct link *l, const struct envelope *e)
{
    int err;

    if (!l->offer || l->phase != LINK_CONNECTING)
        return;
    err = link_set_remote(l, e->body);
    free(l->offer);
    l->offer = NULL;
    l->resend_at = USEC_NEVER;
    if (err) {
        log_line(HAWSER_LOG_WARNING, l->trace, "the answer is of no use: %s", err_string(err));
        link_send_bye(l, 0);
        fail(l, err == ERR_NOMEM ? HAWSER_ERR_NO_MEMORY : HAWSER_ERR_TIMEOUT);
    }
    link_turn(l);
}

/* What a device may refuse with: its library's lack of room, or a reason. */
static int code_of_refusal(const json_t *body)
{
    json_int_t code = json_integer_value(json_object_get(body, "code"));

    if (code == HAWSER_ERR_SESSION_LIMIT ||
        (code <= HAWSER_ERR_TERMINATED && code >= HAWSER_ERR_TERMINATED - HAWSER_REASON_MAX))
        return (int)code;
    return HAWSER_ERR_TERMINATED;
}

void connect_on_refuse(struct link *l, const struct envelope *e)
{
    if (l->phase != LINK_CONNECTING)
        return;
    fail(l, code_of_refusal(e->body));
    link_turn(l);
}

void connect_on_open(struct link *l)
{
    bool is_wanted;

    pthread_mutex_lock(&lib.lock);
    is_wanted = l->connect != NULL;
    if (is_wanted) {
        link_give_handle(l);
        l->connect_us = io_now() - l->called_at;
        (void)connect_finish_locked(l, l->handle >= 0 ? l->handle : HAWSER_ERR_SESSION_LIMIT);
    }
    if (l->handle < 0)
        link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, 0);
    pthread_mutex_unlock(&lib.lock);
}

void connect_on_timeout(struct link *l)
{
    int code = l->ways.is_offline && !l->ways.is_lan_up ? HAWSER_ERR_OFFLINE : HAWSER_ERR_TIMEOUT;

    link_send_bye(l, 0);
    fail(l, code);
}
