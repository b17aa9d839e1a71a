#include "sdk/pairing.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/token/base64url.h"
#include "sdk/internal.h"
#include "sdk/log.h"
#include "sdk/wait.h"

/* A call in hawser_pair(), on its stack. lib.lock, but for what is constant. */
struct pairing_call {
    struct pairing_call *next;
    uint8_t sid[ENVELOPE_SID_BYTES]; /* constant, down to text */
    struct recipient to;
    const uint8_t *secret;
    uint64_t serial;
    char *text;    /* the request, sealed */
    unsigned sent; /* how often it was */
    bool is_done;
    int result;
    struct device_record record;
};

/* ---- The device: making an invite ------------------------------------------------------------ */

struct invitation {
    struct device *device;
    int valid_s;
    char *out; /* HAWSER_INVITE_MAX */
    int err;
};

static void invite_on_loop(void *ctx)
{
    struct invitation *v = ctx;
    struct pairing *p = &v->device->pairing;
    struct invite in = { .card = v->device->identity->card };
    usec now = io_now();

    pairing_start(p, now, &lib.rng);
    p->expires_at = now + v->valid_s * SECOND;
    in.card.iat_s = 0;
    in.exp_s = io_wall_s() + v->valid_s;
    memcpy(in.secret, p->secret, sizeof in.secret);
    if (strlen(lib.options.broker) < sizeof in.broker)
        memcpy(in.broker, lib.options.broker, strlen(lib.options.broker) + 1);
    v->err = invite_encode(&in, v->out);
    invite_deinit(&in);
}

int hawser_device_invite(int device, int valid_s, char invite[HAWSER_INVITE_MAX])
{
    struct invitation v = { .valid_s = valid_s ? valid_s : 300, .out = invite };
    int code = call_enter_device(device, &v.device);

    if (code)
        return code;
    if (invite && valid_s >= 0 && valid_s <= 3600) {
        io_loop_run(lib.loop, invite_on_loop, &v);
        code = code_of_err(v.err);
    } else {
        code = HAWSER_ERR_INVALID;
    }
    call_leave_device(v.device);
    return code;
}

/* ---- The device: answering ------------------------------------------------------------------- */

struct paired_job {
    struct job job;
    int number;
    char peer_id[ID_BYTES];
};

static void run_paired(struct job *job)
{
    struct paired_job *p = (struct paired_job *)job;
    hawser_paired_cb *cb = NULL;
    void *ctx = NULL;

    pthread_mutex_lock(&lib.lock);
    const struct device *d = handles_find(&lib.devices, p->number);
    if (d) {
        cb = d->paired;
        ctx = d->paired_ctx;
    }
    pthread_mutex_unlock(&lib.lock);
    if (cb)
        cb(ctx, p->number, p->peer_id);
    free(p);
}

static void tell_paired(const struct device *d, const struct envelope *e)
{
    struct paired_job *p = calloc(1, sizeof *p);

    if (!p)
        return;
    p->job.run = run_paired;
    p->number = d->number;
    memcpy(p->peer_id, e->from, ID_BYTES);
    dispatcher_post(lib.dispatcher, &p->job);
}

static int check_proof(struct device *d, const struct envelope *e)
{
    const char *text = json_string_value(json_object_get(e->body, "proof"));
    const struct pairing_claim claim = { .app = e->card.ed25519,
                                         .device = key_id(d->identity->key),
                                         .sid = e->sid };
    uint8_t proof[INVITE_PROOF_BYTES];

    if (!text || !base64url_decode_exact(proof, sizeof proof, bytes_of_string(text)))
        return ERR_INVALID;
    return pairing_check(&d->pairing, io_now(), &claim, proof);
}

static json_t *owner_grant(struct device *d, const struct envelope *e)
{
    struct grant g = { .channels = GRANT_CHANNELS_ALL,
                       .role = GRANT_OWNER,
                       .iat_s = io_wall_s(),
                       .exp_s = GRANT_NEVER };
    json_t *list = json_array(), *body = json_object();
    char *text = NULL;
    int err;

    memcpy(g.device, key_id(d->identity->key), sizeof g.device);
    memcpy(g.holder, e->card.ed25519, sizeof g.holder);
    err = grant_sign(d->identity->key, &g, &text);
    if (!err && json_array_append_new(list, json_string(text)))
        err = ERR_NOMEM;
    free(text);
    if (json_object_set_new(body, "grant", list) == 0 && !err)
        return body;
    json_decref(body);
    return NULL;
}

static int add_lan_secret(const struct device *d, json_t *body)
{
    uint8_t secret[KEY_DERIVED_BYTES];
    char text[BASE64URL_LEN(KEY_DERIVED_BYTES) + 1];
    struct wr w = wr_of(text, sizeof text);
    int err = identity_lan_secret(d->identity, secret);

    base64url_encode(&w, bytes_of(secret, sizeof secret));
    if (!err && json_object_set_new(body, "lan", json_stringn(text, w.len)))
        err = ERR_NOMEM;
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(text, sizeof text);
    return err;
}

static void send_paired(struct device *d, const struct envelope *e)
{
    struct signal s = { .type = ENVELOPE_PAIRED, .seq = 1, .has_card = true };
    struct recipient to;

    s.body = owner_grant(d, e);
    if (s.body && add_lan_secret(d, s.body)) {
        json_decref(s.body);
        s.body = NULL;
    }
    memcpy(s.sid, e->sid, sizeof s.sid);
    memcpy(to.id, e->from, sizeof to.id);
    memcpy(to.x25519, e->card.x25519, sizeof to.x25519);
    if (s.body)
        identity_signal(d->identity, &to, &s);
    json_decref(s.body);
}

void pairing_on_request(struct device *d, const struct envelope *e)
{
    bool was_open = d->pairing.state == PAIRING_OPEN;
    int err;

    if (!e->has_card)
        return;
    err = check_proof(d, e);
    if (err) {
        log_line(HAWSER_LOG_WARNING, NULL, "pairing with %s failed: %s", e->from, err_string(err));
        device_refuse(d, e, HAWSER_ERR_UNAUTHORISED);
        return;
    }
    log_line(HAWSER_LOG_INFO, NULL, "paired with %s", e->from);
    send_paired(d, e);
    if (was_open)
        tell_paired(d, e);
}

/* ---- The app --------------------------------------------------------------------------------- */

static void finish(struct pairing_call *p, int result)
{
    if (p->is_done)
        return;
    p->is_done = true;
    p->result = result;
    pthread_cond_broadcast(&lib.changed);
}

static struct pairing_call *find_call(const struct envelope *e)
{
    struct pairing_call *p = lib.pairings;

    while (p && (memcmp(p->sid, e->sid, sizeof p->sid) != 0 || strcmp(p->to.id, e->from) != 0))
        p = p->next;
    return p;
}

/* The grant must be for this device and this key, signed by the device: else it is no use. */
static bool is_grant_good(const struct identity *id, const struct envelope *e)
{
    const struct grant_check c = { .device = e->card.ed25519,
                                   .holder = key_public(id->key),
                                   .now = { .s = io_wall_s() } };
    struct grant_rights rights;

    return grant_chain_verify(&rights, json_object_get(e->body, "grant"), &c) == ERR_OK;
}

/* A device that has none to give cannot be found on the LAN. */
static void take_record(struct pairing_call *p, const struct envelope *e)
{
    const char *lan = json_string_value(json_object_get(e->body, "lan"));

    p->record.card = e->card;
    p->record.grant = json_incref(json_object_get(e->body, "grant"));
    p->record.has_lan =
        lan && base64url_decode_exact(p->record.lan, sizeof p->record.lan, bytes_of_string(lan));
}

void pairing_on_paired(struct identity *id, const struct envelope *e)
{
    bool is_good = e->has_card && is_grant_good(id, e);
    struct pairing_call *p;

    pthread_mutex_lock(&lib.lock);
    p = find_call(e);
    if (p && !p->is_done && is_good)
        take_record(p, e);
    if (p)
        finish(p, is_good ? HAWSER_ERR_OK : HAWSER_ERR_UNAUTHORISED);
    pthread_mutex_unlock(&lib.lock);
}

void pairing_on_refuse(struct identity *id, const struct envelope *e)
{
    struct pairing_call *p;

    (void)id;
    pthread_mutex_lock(&lib.lock);
    p = find_call(e);
    if (p)
        finish(p, HAWSER_ERR_UNAUTHORISED);
    pthread_mutex_unlock(&lib.lock);
}

#define REQUESTS_MAX 4 /* a broker that refuses one at once refuses the next as well */

/* On the loop's thread, with lib.lock held: io_loop_run() is not used, so nothing waits. */
static void send_request(struct pairing_call *p)
{
    if (p->sent++ >= REQUESTS_MAX)
        return;
    if (lib.app && lib.app->signaling)
        (void)identity_send(lib.app, p->to.id, p->text, p->serial);
}

void pairing_on_sent(uint64_t request, enum signaling_result result)
{
    struct pairing_call *p;

    pthread_mutex_lock(&lib.lock);
    for (p = lib.pairings; p && p->serial != request;)
        p = p->next;
    if (p && result == SIGNALING_OFFLINE)
        finish(p, HAWSER_ERR_OFFLINE);
    else if (p && result == SIGNALING_FAILED && !p->is_done)
        send_request(p);
    pthread_mutex_unlock(&lib.lock);
}

void pairing_break_all(int code)
{
    for (struct pairing_call *p = lib.pairings; p; p = p->next)
        finish(p, code);
}

static json_t *proof_body(const struct identity *id, const struct pairing_call *p)
{
    const struct pairing_claim claim = { .app = key_public(id->key),
                                         .device = p->to.id,
                                         .sid = p->sid };
    uint8_t proof[INVITE_PROOF_BYTES];
    char text[BASE64URL_LEN(INVITE_PROOF_BYTES) + 1];
    struct wr w = wr_of(text, sizeof text);
    json_t *body = json_object();

    if (pairing_proof(proof, p->secret, &claim) == ERR_OK) {
        base64url_encode(&w, bytes_of(proof, sizeof proof));
        if (json_object_set_new(body, "proof", json_stringn(text, w.len)) == 0)
            return body;
    }
    json_decref(body);
    return NULL;
}

/* On the loop's thread: the identity cannot go away meanwhile. */
static void begin_on_loop(void *ctx)
{
    struct pairing_call *p = ctx;
    struct signal s = { .type = ENVELOPE_PAIR, .seq = 1, .has_card = true };
    int err = ERR_NOMEM;

    memcpy(s.sid, p->sid, sizeof s.sid);
    pthread_mutex_lock(&lib.lock);
    p->serial = ++lib.serial; /* by which the request's fate is told */
    p->next = lib.pairings;
    lib.pairings = p;
    if (!lib.app) {
        finish(p, HAWSER_ERR_UNINITIALISED);
    } else {
        s.body = proof_body(lib.app, p);
        if (s.body)
            err = identity_seal(lib.app, &p->to, &s, &p->text);
        if (err)
            finish(p, code_of_err(err));
        else
            send_request(p);
    }
    pthread_mutex_unlock(&lib.lock);
    json_decref(s.body);
}

static void end_on_loop(void *ctx)
{
    struct pairing_call *p = ctx;
    struct pairing_call **at;

    pthread_mutex_lock(&lib.lock);
    for (at = &lib.pairings; *at != p;)
        at = &(*at)->next;
    *at = p->next;
    pthread_mutex_unlock(&lib.lock);
}

/* The same text, which a device that has had it only looks up: a broker may have handed the first
 * one to a connection that was just closing. */
static void again_on_loop(void *ctx)
{
    struct pairing_call *p = ctx;

    pthread_mutex_lock(&lib.lock);
    if (!p->is_done && p->text)
        send_request(p);
    pthread_mutex_unlock(&lib.lock);
}

#define REQUEST_AGAIN_US (3 * SECOND)

static int wait_for_answer(struct pairing_call *p, int timeout_ms, char label[LABEL_BYTES])
{
    usec until = deadline_of(timeout_ms), again_at = io_now() + REQUEST_AGAIN_US;

    io_loop_run(lib.loop, begin_on_loop, p);
    pthread_mutex_lock(&lib.lock);
    while (!p->is_done && !lib.is_ending && io_now() < until) {
        (void)cond_wait_until(&lib.changed, &lib.lock, usec_min(until, again_at));
        if (io_now() < again_at)
            continue;
        pthread_mutex_unlock(&lib.lock);
        io_loop_run(lib.loop, again_on_loop, p);
        pthread_mutex_lock(&lib.lock);
        again_at += REQUEST_AGAIN_US;
    }
    if (lib.is_ending)
        finish(p, HAWSER_ERR_CLOSED_LOCALLY);
    finish(p, HAWSER_ERR_TIMEOUT);
    if (lib.app)
        memcpy(label, lib.app->label, LABEL_BYTES);
    else if (p->result == HAWSER_ERR_OK)
        p->result = HAWSER_ERR_CLOSED_LOCALLY;
    pthread_mutex_unlock(&lib.lock);
    io_loop_run(lib.loop, end_on_loop, p);
    return p->result;
}

static int pair(const struct invite *in, int timeout_ms, char *id)
{
    struct pairing_call p = { .secret = in->secret };
    char label[LABEL_BYTES] = "";
    int code;

    rng_fill(&lib.rng, p.sid, sizeof p.sid);
    memcpy(p.to.id, in->card.id, sizeof p.to.id);
    memcpy(p.to.x25519, in->card.x25519, sizeof p.to.x25519);
    code = wait_for_answer(&p, timeout_ms, label);
    if (code == HAWSER_ERR_OK)
        code = code_of_err(store_save_device(&p.record, lib.options.home, label));
    if (code == HAWSER_ERR_OK && id)
        memcpy(id, in->card.id, ID_BYTES);
    device_record_deinit(&p.record);
    free(p.text);
    return code;
}

/* What reads the options while the library runs is on the loop's thread, or only has to do with a
 * broker that was there from the start. */
static void set_broker_on_loop(void *ctx)
{
    (void)options_set_broker(&lib.options, ctx);
}

/* Where no broker is configured, the one that the invite names is, from now on. Devices that are
 * open already stay without. */
static void adopt_broker(char *url)
{
    if (!*url || library_change())
        return;
    if (lib.app && !*lib.options.broker) {
        io_loop_run(lib.loop, set_broker_on_loop, url);
        log_line(HAWSER_LOG_INFO, NULL, "the invite names the broker: %s", url);
        (void)identity_open_broker(lib.app);
        if (store_set_config(lib.options.home, "broker", url))
            log_line(HAWSER_LOG_WARNING, NULL, "the broker could not be kept in config.json");
    }
    library_settle();
}

/* What is wrong with the call itself. */
static int check_call(const char *invite, struct invite *in)
{
    bool is_bound;
    int code = call_enter();

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    is_bound = lib.app != NULL;
    pthread_mutex_unlock(&lib.lock);
    call_leave();
    if (!is_bound)
        return HAWSER_ERR_UNINITIALISED;
    return library_is_callback() || !invite || invite_decode(in, invite) ? HAWSER_ERR_INVALID
                                                                         : HAWSER_ERR_OK;
}

int hawser_pair(const char *invite, int timeout_ms, char id[HAWSER_ID_MAX])
{
    struct invite in;
    int code = check_call(invite, &in);

    if (code)
        return code;
    adopt_broker(in.broker); /* in a turn of its own, so not within a counted call */
    if (timeout_ms == 0)
        timeout_ms = HAWSER_TIMEOUT_USUAL;
    timeout_ms = (int)usec_clamp(timeout_ms, HAWSER_TIMEOUT_MIN, HAWSER_TIMEOUT_MAX);
    code = call_enter();
    if (!code) {
        code = pair(&in, timeout_ms, id);
        call_leave();
    }
    invite_deinit(&in);
    return code;
}
