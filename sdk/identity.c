#include "sdk/identity.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/token/broker_login.h"
#include "io/lan.h"
#include "io/mqtt.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/log.h"
#include "sdk/signals.h"
#include "sdk/wait.h"

#define SEEN_APP    1024 /* messages remembered */
#define SEEN_DEVICE 4096
#define SEEN_US     (10 * MINUTE)
#define INBOX_BURST 500
#define INBOX_US    (SECOND / 50)
#define LAN_LABEL   "hawser lan v1" /* what the secret is derived with */

/* A sealed text that waits. */
struct outgoing {
    struct outgoing *next;
    char to[ID_BYTES];
    uint64_t request;
    char text[];
};

/* One that was had before may still tell of another way to its sender. */
static bool is_repeated(struct identity *id, struct bytes message, struct origin *o)
{
    if (envelope_digest(message, o->digest))
        return true;
    if (!replay_find(id->seen, io_now(), o->digest))
        return false;
    if (id->device)
        device_on_repeat(id->device, o);
    return true;
}

void identity_receive(struct identity *id, struct bytes message, const struct origin *o)
{
    struct origin origin = *o;
    struct envelope e;

    id->counts.received++;
    if (!bucket_take(o->is_by_broker ? &id->inbox : &id->lan_inbox, io_now())) {
        id->counts.flooded++;
        return;
    }
    if (is_repeated(id, message, &origin)) {
        id->counts.repeated++;
        return;
    }
    if (envelope_open(id->key, message, &e)) {
        id->counts.unreadable++;
        return;
    }
    (void)replay_add(id->seen, io_now(), origin.digest);
    id->origin = origin;
    signals_on_envelope(id, &e);
    id->origin = (struct origin){ .is_by_broker = true };
    envelope_deinit(&e);
}

static void on_message(void *ctx, struct bytes message)
{
    identity_receive(ctx, message, &(struct origin){ .is_by_broker = true });
}

static void on_lan_message(void *ctx, uint64_t guest, struct bytes message)
{
    identity_receive(ctx, message, &(struct origin){ .guest = guest });
}

static int wait_for_room(struct identity *id, const char *to, const char *text, uint64_t request)
{
    size_t len = strlen(text) + 1;
    struct outgoing *o;

    if (id->waiting_count == OUTBOX_MAX)
        return ERR_LIMIT;
    o = malloc(sizeof *o + len);
    if (!o)
        return ERR_NOMEM;
    *o = (struct outgoing){ .request = request };
    memcpy(o->to, to, ID_BYTES);
    memcpy(o->text, text, len);
    if (id->waiting_last)
        id->waiting_last->next = o;
    else
        id->waiting_first = o;
    id->waiting_last = o;
    id->waiting_count++;
    return ERR_OK;
}

static void drop_first(struct identity *id)
{
    struct outgoing *o = id->waiting_first;

    id->waiting_first = o->next;
    if (!id->waiting_first)
        id->waiting_last = NULL;
    id->waiting_count--;
    free(o);
}

/* One message less whose fate is not known. */
static void settle(struct identity *id)
{
    if (atomic_fetch_sub(&id->unsent, 1) > 1)
        return;
    pthread_mutex_lock(&lib.lock);
    pthread_cond_broadcast(&lib.changed); /* somebody may wait to leave */
    pthread_mutex_unlock(&lib.lock);
}

static int send_now(struct identity *id, const char *to, const char *text, uint64_t request)
{
    return signaling_send(id->signaling, to, bytes_of_string(text), request);
}

/* There is room for another. One that is refused for another reason than room is lost. */
static void send_waiting(struct identity *id)
{
    const struct outgoing *o;
    int err = ERR_OK;

    while ((o = id->waiting_first) && err != ERR_LIMIT) {
        err = send_now(id, o->to, o->text, o->request);
        if (err != ERR_LIMIT)
            drop_first(id);
        if (err && err != ERR_LIMIT)
            settle(id);
    }
}

static void on_sent(void *ctx, uint64_t request, enum signaling_result result)
{
    settle(ctx);
    send_waiting(ctx);
    if (request)
        signals_on_sent(ctx, request, result);
}

static void on_state(void *ctx, enum signaling_state state, const char *detail)
{
    struct identity *id = ctx;
    bool is_bad = state == SIGNALING_REFUSED || state == SIGNALING_REPLACED;

    log_line(is_bad ? HAWSER_LOG_WARNING : HAWSER_LOG_INFO, NULL, "%s at the broker: %s (%s)",
             key_id(id->key), signaling_state_string(state), detail);
    id->state = state;
    pthread_mutex_lock(&lib.lock);
    id->is_online = state == SIGNALING_ONLINE;
    pthread_cond_broadcast(&lib.changed);
    pthread_mutex_unlock(&lib.lock);
    if (is_bad || state == SIGNALING_DOWN)
        signals_on_broker_bad(id);
}

/* On MQTT's thread; key and broker name are constant while the connection exists. */
static int write_password(void *ctx, char out[MQTT_PASSWORD_MAX])
{
    const struct identity *id = ctx;
    char *text = NULL;
    int err = login_make(id->key, lib.options.broker_name, time(NULL), &text);

    if (!err && strlen(text) >= MQTT_PASSWORD_MAX)
        err = ERR_LIMIT;
    if (!err)
        memcpy(out, text, strlen(text) + 1);
    free(text);
    return err;
}

struct opening {
    struct identity *id;
    int err;
};

static void open_on_loop(void *ctx)
{
    struct opening *o = ctx;
    const struct mqtt_config cfg = {
        .url = lib.options.broker,
        .id = key_id(o->id->key),
        .ca_file = *lib.options.broker_ca ? lib.options.broker_ca : NULL,
        .password = write_password,
        .password_ctx = o->id,
    };
    const struct signaling_handler handler = {
        .on_message = on_message, .on_sent = on_sent, .on_state = on_state, .ctx = o->id
    };

    o->err = mqtt_open(&o->id->signaling, lib.loop, &cfg, &handler);
}

static void warn_of_no_broker(void)
{
    log_line(HAWSER_LOG_WARNING, NULL, "no broker is configured: only the LAN is left");
}

int identity_open_broker(struct identity *id)
{
    struct opening o = { .id = id };

    if (!*lib.options.broker) {
        if (id->device) /* an app may be about to learn it from a device's invite */
            warn_of_no_broker();
        return ERR_OK;
    }
    io_loop_run(lib.loop, open_on_loop, &o);
    if (o.err)
        log_line(HAWSER_LOG_ERROR, NULL, "%s: %s", lib.options.broker, err_string(o.err));
    return o.err;
}

int identity_lan_secret(const struct identity *id, uint8_t out[KEY_DERIVED_BYTES])
{
    return key_derive(id->key, LAN_LABEL, out);
}

static void serve_on_loop(void *ctx)
{
    struct opening *o = ctx;
    const struct lan_service_handler handler = { .on_message = on_lan_message, .ctx = o->id };
    uint8_t secret[KEY_DERIVED_BYTES];

    o->err = identity_lan_secret(o->id, secret);
    if (!o->err)
        o->err = lan_serve(&o->id->service, lib.lan, secret, &handler);
    OPENSSL_cleanse(secret, sizeof secret);
}

/* A device that the LAN does not let be found still has the broker. */
static void open_lan(struct identity *id)
{
    struct opening o = { .id = id };

    if (!id->device || !lib.lan)
        return;
    io_loop_run(lib.loop, serve_on_loop, &o);
    if (o.err)
        log_line(HAWSER_LOG_WARNING, NULL, "the LAN cannot be served: %s", err_string(o.err));
}

int identity_new(struct identity **out, const char *label, struct device *device)
{
    struct identity *id = *out = calloc(1, sizeof *id);
    int err;

    if (!id)
        return HAWSER_ERR_NO_MEMORY;
    id->device = device;
    id->inbox = (struct bucket){ .interval_us = INBOX_US, .burst = INBOX_BURST };
    id->lan_inbox = id->inbox;
    memcpy(id->label, label, strlen(label) + 1);
    err = replay_new(&id->seen, device ? SEEN_DEVICE : SEEN_APP, SEEN_US);
    if (!err)
        err = store_key(&id->key, lib.options.home, label);
    if (!err) {
        card_of_key(&id->card, id->key, io_wall_s());
        err = identity_open_broker(id);
    }
    if (!err) {
        open_lan(id);
        return HAWSER_ERR_OK;
    }
    identity_free(id);
    *out = NULL;
    return code_of_err(err);
}

static void close_on_loop(void *ctx)
{
    struct identity *id = ctx;

    signals_forget(id);
    signaling_close(id->signaling);
    id->signaling = NULL;
    lan_unserve(id->service);
    id->service = NULL;
    while (id->waiting_first)
        drop_first(id);
}

static void do_nothing(void *ctx)
{
    (void)ctx;
}

static void wait_until_sent(struct identity *id)
{
    usec until = deadline_of(lib.options.flush_ms);

    io_loop_run(lib.loop, do_nothing, NULL); /* links that were asked to close have said goodbye */
    pthread_mutex_lock(&lib.lock);
    while (atomic_load(&id->unsent) > 0 && cond_wait_until(&lib.changed, &lib.lock, until))
        ;
    pthread_mutex_unlock(&lib.lock);
}

void identity_free(struct identity *id)
{
    if (!id)
        return;
    wait_until_sent(id);
    io_loop_run(lib.loop, close_on_loop, id);
    replay_free(id->seen);
    key_free(id->key);
    free(id);
}

int identity_seal(const struct identity *id, const struct recipient *to, const struct signal *s,
                  char **text)
{
    struct envelope e = { .type = s->type,
                          .seq = s->seq,
                          .iat_ms = io_wall_s() * 1000,
                          .has_card = s->has_card,
                          .body = s->body };

    memcpy(e.to, to->id, ID_BYTES);
    memcpy(e.sid, s->sid, ENVELOPE_SID_BYTES);
    *text = NULL;
    return envelope_seal(id->key, to->x25519, &lib.rng, &e, text);
}

int identity_send(struct identity *id, const char *to, const char *text, uint64_t request)
{
    int err = ERR_LIMIT;

    if (!id->signaling) {
        warn_of_no_broker();
        return ERR_WRONG_STATE;
    }
    if (!id->waiting_first) /* else it would overtake */
        err = send_now(id, to, text, request);
    if (err == ERR_LIMIT)
        err = wait_for_room(id, to, text, request);
    if (!err)
        atomic_fetch_add(&id->unsent, 1);
    return err;
}

static int send_back(struct identity *id, const char *to, const char *text)
{
    const struct origin *o = &id->origin;
    int lan = ERR_WRONG_STATE, broker = ERR_WRONG_STATE;

    if (o->guest)
        lan = lan_reply(lib.lan, o->guest, bytes_of_string(text));
    if (o->is_by_broker || lan)
        broker = identity_send(id, to, text, 0);
    return lan ? broker : ERR_OK;
}

void identity_signal(struct identity *id, const struct recipient *to, const struct signal *s)
{
    char *text = NULL;
    int err = identity_seal(id, to, s, &text);

    if (!err)
        err = send_back(id, to->id, text);
    if (err)
        log_line(HAWSER_LOG_WARNING, NULL, "a message to %s was not sent: %s", to->id,
                 err_string(err));
    free(text);
}
