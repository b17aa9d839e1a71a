/* admission.c: who gets in. Each offer runs parse, authenticate, check, ask, answer. */
#include <stdlib.h>
#include <string.h>

#include "io/lan.h"
#include "sdk/connect.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/log.h"
#include "sdk/signals.h"

#define ADMISSION_CANDIDATES_MAX 4

/* An authorised offer while the application thinks about it. */
struct admission {
    struct job job;                               /* first; the dispatcher's, then … */
    struct io_task task;                          /* … the loop's */
    struct admission *next;                       /* of the device's; lib.lock, as device is */
    struct device *device;                        /* NULL: it was closed meanwhile */
    struct envelope offer;                        /* its body is a reference of our own */
    json_t *candidates[ADMISSION_CANDIDATES_MAX]; /* messages that came meanwhile; the loop's */
    size_t candidate_count;
    struct hawser_request request;
    struct origin origin; /* by which ways the offer came; holds its guest; the loop's */
    bool is_withdrawn;    /* the peer said bye; the loop's */
    int number, reason;
};

/* ---- Refusals -------------------------------------------------------------------------------- */

static void send_refusal(struct device *d, const struct envelope *e, int code)
{
    struct signal s = { .type = ENVELOPE_REFUSE, .seq = 1, .body = json_object() };
    struct recipient to;

    memcpy(to.id, e->from, sizeof to.id);
    memcpy(to.x25519, e->card.x25519, sizeof to.x25519);
    memcpy(s.sid, e->sid, sizeof s.sid);
    if (json_object_set_new(s.body, "code", json_integer(code)) == 0)
        identity_signal(d->identity, &to, &s);
    json_decref(s.body);
    d->counts.refused++;
}

void device_refuse(struct device *d, const struct envelope *e, int code)
{
    log_line(HAWSER_LOG_INFO, NULL, "%s refused: %d, %s", e->from, code, hawser_strerror(code));
    if (code != HAWSER_ERR_UNAUTHORISED || bucket_take(&d->refusals, io_now()))
        send_refusal(d, e, code);
}

/* ---- Checks ---------------------------------------------------------------------------------- */

/* Whether an offer of this session was handled before: by session and sender, so that nobody can
 * use up somebody else's. */
static bool is_known_session(struct device *d, const struct envelope *e)
{
    uint8_t key[ID_BYTES + ENVELOPE_SID_BYTES], digest[ENVELOPE_DIGEST_BYTES];

    memcpy(key, e->from, ID_BYTES);
    memcpy(key + ID_BYTES, e->sid, ENVELOPE_SID_BYTES);
    if (envelope_digest(bytes_of(key, sizeof key), digest))
        return true;
    return !replay_add(d->sessions, io_now(), digest);
}

static int check_grant(struct device *d, const struct envelope *e, struct grant_rights *rights)
{
    usec now = io_now();
    struct grant_check c = { .device = key_public(d->identity->key), .holder = e->card.ed25519 };
    int err;

    token_clock_set(&d->clock, now, io_wall_s());
    c.now = token_clock_get(&d->clock, now);
    err = grant_chain_verify(rights, json_object_get(e->body, "grant"), &c);
    if (err == ERR_NOMEM)
        return HAWSER_ERR_SESSION_LIMIT;
    if (err)
        return HAWSER_ERR_UNAUTHORISED;
    token_clock_add(&d->clock, now, rights->iat_s);
    return HAWSER_ERR_OK;
}

static int count_all_sessions(void)
{
    int count = 0;

    for (const struct link *l = lib.links; l; l = l->next)
        count += !l->is_over && !l->close_asked;
    return count;
}

/* What holds whoever asks. */
static int check_state(const struct device *d)
{
    int code = HAWSER_ERR_OK;

    pthread_mutex_lock(&lib.lock);
    if (d->is_closed)
        code = HAWSER_ERR_LEFT;
    else if (d->is_private)
        code = HAWSER_ERR_PRIVACY_REFUSED;
    else if (d->is_in_call)
        code = HAWSER_ERR_IN_CALL;
    else if (device_count_sessions(d) >= d->sessions_max ||
             count_all_sessions() >= lib.options.sessions_max)
        code = HAWSER_ERR_SESSION_LIMIT;
    pthread_mutex_unlock(&lib.lock);
    return code;
}

/* ---- Letting in ------------------------------------------------------------------------------ */

/* What the peer trickled while we thought about its offer. */
static void add_candidates(struct link *l, const struct admission *a)
{
    for (size_t i = 0; a && i < a->candidate_count; i++)
        link_add_candidates(l, a->candidates[i]);
}

/* A device that has begun to close has told its links so already, and gets no new ones. */
static bool hand_over(struct link *l, struct device *d)
{
    bool is_open;

    pthread_mutex_lock(&lib.lock);
    is_open = !d->is_closed;
    if (is_open) {
        l->device = d;
        link_enlist(l);
    }
    pthread_mutex_unlock(&lib.lock);
    return is_open;
}

/* a: NULL if nobody was asked. */
static void admit(struct device *d, const struct envelope *e, uint8_t channels,
                  const struct admission *a)
{
    struct recipient peer;
    struct link *l;
    int err;

    memcpy(peer.id, e->from, sizeof peer.id);
    memcpy(peer.x25519, e->card.x25519, sizeof peer.x25519);
    if (link_new(&l, LINK_DEVICE, &peer, e->sid)) {
        device_refuse(d, e, HAWSER_ERR_SESSION_LIMIT);
        return;
    }
    l->channels = channels;
    if (!hand_over(l, d)) {
        device_refuse(d, e, HAWSER_ERR_LEFT);
        link_free(l);
        return;
    }
    memcpy(l->peer_key, e->card.ed25519, sizeof l->peer_key);
    l->identity = d->identity;
    l->called_at = io_now();
    ways_take_origin(l, &d->identity->origin);
    err = link_start(l);
    l->phase = LINK_CONNECTING;
    if (!err)
        err = link_set_remote(l, e->body);
    if (err) {
        log_line(HAWSER_LOG_WARNING, l->trace, "cannot answer: %s", err_string(err));
        device_refuse(d, e, err == ERR_INVALID ? HAWSER_ERR_TERMINATED : HAWSER_ERR_SESSION_LIMIT);
        link_end(l, HAWSER_ERR_CLOSED_LOCALLY);
    } else {
        d->counts.admitted++;
        add_candidates(l, a);
    }
    link_turn(l);
}

void device_send_answer(struct link *l)
{
    struct signal s = { .type = ENVELOPE_ANSWER, .seq = ++l->seq, .body = link_describe(l) };
    char *text = NULL;

    log_line(HAWSER_LOG_INFO, l->trace, "answering %s", l->peer.id);
    memcpy(s.sid, l->sid, sizeof s.sid);
    if (s.body && l->identity && identity_seal(l->identity, &l->peer, &s, &text) == ERR_OK)
        ways_send_answer(l, text);
    json_decref(s.body);
}

/* ---- Asking the application ------------------------------------------------------------------ */

static void free_admission(struct admission *a)
{
    for (size_t i = 0; i < a->candidate_count; i++)
        json_decref(a->candidates[i]);
    if (a->origin.guest)
        lan_release(lib.lan, a->origin.guest);
    json_decref(a->offer.body);
    free(a);
}

/* Takes it out of its device's list, if that is still there. */
static struct device *delist(struct admission *a)
{
    struct device *d;

    pthread_mutex_lock(&lib.lock);
    d = a->device;
    for (struct admission **at = d ? &d->admissions : NULL; at && *at; at = &(*at)->next)
        if (*at == a) {
            *at = a->next;
            break;
        }
    pthread_mutex_unlock(&lib.lock);
    return d;
}

static void on_decided(void *ctx)
{
    struct admission *a = ctx;
    struct device *d = delist(a);
    int code = HAWSER_ERR_OK;

    if (a->reason < 0 || a->reason > HAWSER_REASON_MAX)
        code = HAWSER_ERR_NO_RESOURCES; /* no reason that can be told */
    else if (a->reason > 0)
        code = HAWSER_ERR_TERMINATED - a->reason;
    if (d && !code)
        code = check_state(d);
    if (a->is_withdrawn)
        d = NULL; /* nobody waits for an answer */
    if (d)
        d->identity->origin = a->origin;
    if (d && code)
        device_refuse(d, &a->offer, code);
    else if (d)
        admit(d, &a->offer, a->request.channels, a);
    if (d)
        d->identity->origin = (struct origin){ .is_by_broker = true };
    free_admission(a);
}

static void ask_application(struct job *job)
{
    struct admission *a = (struct admission *)job;
    hawser_accept_cb *cb = NULL;
    void *cb_ctx = NULL;

    pthread_mutex_lock(&lib.lock);
    if (a->device) {
        cb = a->device->accept;
        cb_ctx = a->device->accept_ctx;
        a->request.sessions = device_count_sessions(a->device) - 1;
    }
    pthread_mutex_unlock(&lib.lock);
    if (cb)
        a->reason = cb(cb_ctx, a->number, &a->request);
    io_loop_wake(lib.loop, &a->task);
}

static struct admission *new_admission(struct device *d, const struct envelope *e,
                                       const struct grant_rights *rights)
{
    struct admission *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->job.run = ask_application;
    a->task = (struct io_task){ .fn = on_decided, .ctx = a };
    a->device = d;
    a->offer = *e;
    a->offer.body = json_incref(e->body);
    a->number = d->number;
    a->origin = d->identity->origin;
    if (a->origin.guest)
        lan_hold(lib.lan, a->origin.guest);
    memcpy(a->request.peer_id, e->from, ID_BYTES);
    a->request.channels = rights->channels;
    strncpy(a->request.role, grant_role_string(rights->role), sizeof a->request.role - 1);
    return a;
}

static void ask(struct device *d, const struct envelope *e, const struct grant_rights *rights)
{
    struct admission *a = new_admission(d, e, rights);
    bool is_open;

    if (!a) {
        device_refuse(d, e, HAWSER_ERR_SESSION_LIMIT);
        return;
    }
    pthread_mutex_lock(&lib.lock);
    is_open = !d->is_closed; /* else nobody would tell it that its device is gone */
    if (is_open) {
        a->next = d->admissions;
        d->admissions = a;
        dispatcher_post(lib.dispatcher, &a->job);
    }
    pthread_mutex_unlock(&lib.lock);
    if (is_open)
        return;
    device_refuse(d, e, HAWSER_ERR_LEFT);
    free_admission(a);
}

static struct admission *find_admission(const struct device *d, const struct envelope *e)
{
    struct admission *a;

    pthread_mutex_lock(&lib.lock);
    for (a = d->admissions; a; a = a->next)
        if (memcmp(a->offer.sid, e->sid, sizeof e->sid) == 0 && strcmp(a->offer.from, e->from) == 0)
            break;
    pthread_mutex_unlock(&lib.lock); /* only this thread frees admissions */
    return a;
}

/* Another copy of an offer that is being thought about, or was let in. */
void device_on_repeat(struct device *d, const struct origin *o)
{
    struct admission *a;
    struct link *l;

    pthread_mutex_lock(&lib.lock);
    for (a = d->admissions; a; a = a->next)
        if (memcmp(a->origin.digest, o->digest, sizeof o->digest) == 0)
            break;
    for (l = lib.links; l; l = l->next)
        if (l->identity == d->identity &&
            memcmp(l->ways.heard.digest, o->digest, sizeof o->digest) == 0)
            break;
    pthread_mutex_unlock(&lib.lock); /* only this thread frees either */
    if (l)
        ways_on_repeat(l, o);
    if (!a)
        return;
    a->origin.is_by_broker |= o->is_by_broker;
    if (o->guest && !a->origin.guest) {
        a->origin.guest = o->guest;
        lan_hold(lib.lan, o->guest);
    }
}

void device_on_bye(struct device *d, const struct envelope *e)
{
    struct admission *a = find_admission(d, e);

    if (a)
        a->is_withdrawn = true;
}

void device_on_candidate(struct device *d, const struct envelope *e)
{
    struct admission *a = find_admission(d, e);

    if (a && a->candidate_count < ADMISSION_CANDIDATES_MAX)
        a->candidates[a->candidate_count++] = json_incref(e->body);
}

static bool asks(const struct device *d)
{
    bool is_set;

    pthread_mutex_lock(&lib.lock);
    is_set = d->accept != NULL;
    pthread_mutex_unlock(&lib.lock);
    return is_set;
}

void device_on_offer(struct device *d, const struct envelope *e)
{
    struct grant_rights rights;
    int code;

    d->counts.offers++;
    if (!e->has_card || is_known_session(d, e)) {
        d->counts.repeated++;
        return;
    }
    code = check_grant(d, e, &rights);
    if (!code)
        code = check_state(d);
    if (code)
        device_refuse(d, e, code);
    else if (asks(d))
        ask(d, e, &rights);
    else
        admit(d, e, rights.channels, NULL);
}

int device_count_sessions(const struct device *d)
{
    int count = 0;

    for (const struct link *l = lib.links; l; l = l->next)
        count += l->device == d && !l->is_over && !l->close_asked;
    for (const struct admission *a = d->admissions; a; a = a->next)
        count++;
    return count;
}

void device_drop_admissions(struct device *d)
{
    for (struct admission *a = d->admissions; a; a = a->next)
        a->device = NULL; /* freed when its callback has returned */
    d->admissions = NULL;
}
