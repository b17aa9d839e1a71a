#include "io/mqtt_client.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <mqtt_protocol.h>

void mqtt_topic(char out[MQTT_TOPIC_MAX], const char *id)
{
    snprintf(out, MQTT_TOPIC_MAX, MQTT_TOPIC_PREFIX "%s", id);
}

/* ---- libmosquitto's callbacks: they note, mqtt_link.c acts ---- */

void mqtt_client_note_over(struct mqtt_conn *c, enum signaling_state state, const char *format, ...)
{
    va_list args;

    if (c->is_over)
        return;
    c->is_over = true;
    c->over_state = state;
    va_start(args, format);
    vsnprintf(c->why, sizeof c->why, format, args);
    va_end(args);
}

/* MQTT 5 §3.2.2.2: reasons that will not pass by themselves. */
static bool is_refusal(int reason)
{
    switch (reason) {
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION:
    case MQTT_RC_CLIENTID_NOT_VALID:
    case MQTT_RC_BAD_USERNAME_OR_PASSWORD:
    case MQTT_RC_NOT_AUTHORIZED:
    case MQTT_RC_BANNED:
    case MQTT_RC_BAD_AUTHENTICATION_METHOD:
        return true;
    default:
        return false;
    }
}

static void on_connect(struct mosquitto *m, void *ctx, int reason, int flags,
                       const mosquitto_property *props)
{
    struct mqtt_conn *c = ctx;
    char topic[MQTT_TOPIC_MAX];

    (void)flags;
    (void)props;
    if (reason) {
        mqtt_client_note_over(c, is_refusal(reason) ? SIGNALING_REFUSED : SIGNALING_DOWN,
                              "the broker refuses the connection: %s",
                              mosquitto_reason_string(reason));
        return;
    }
    mqtt_topic(topic, c->link->id);
    if (mosquitto_subscribe(m, NULL, topic, MQTT_QOS))
        mqtt_client_note_over(c, SIGNALING_DOWN, "cannot ask for the inbox");
}

static void on_subscribe(struct mosquitto *m, void *ctx, int mid, int count, const int *granted,
                         const mosquitto_property *props)
{
    struct mqtt_conn *c = ctx;

    (void)m;
    (void)mid;
    (void)props;
    if (count != 1 || granted[0] >= MQTT_RC_UNSPECIFIED) {
        mqtt_client_note_over(c, SIGNALING_REFUSED, "the broker refuses the inbox: %s",
                              count ? mosquitto_reason_string(granted[0]) : "no answer in it");
        return;
    }
    c->deadline_at = USEC_NEVER;
    c->is_kicked = false;
    if (c->phase == PHASE_ONLINE)
        return; /* the answer to a probe */
    c->phase = PHASE_ONLINE;
    c->online_since = io_now();
    mqtt_queue_add_state(c->link, SIGNALING_ONLINE, c->link->url);
}

static void on_disconnect(struct mosquitto *m, void *ctx, int reason,
                          const mosquitto_property *props)
{
    struct mqtt_conn *c = ctx;
    int error = errno;

    (void)m;
    (void)props;
    c->is_dropped = reason == MOSQ_ERR_CONN_LOST;
    /* mosquitto says nothing at a takeover, but hawser's plugin does: by kicking the older one. */
    if (reason == MQTT_RC_SESSION_TAKEN_OVER || reason == MQTT_RC_ADMINISTRATIVE_ACTION)
        mqtt_client_note_over(c, SIGNALING_REPLACED, "another connection with this key took over");
    else if (reason >= MQTT_RC_UNSPECIFIED)
        mqtt_client_note_over(c, SIGNALING_DOWN, "the broker ends the connection: %s",
                              mosquitto_reason_string(reason));
    else if (c->tls_error[0])
        mqtt_client_note_over(c, SIGNALING_DOWN, "TLS: %s", c->tls_error);
    else if (reason == MOSQ_ERR_ERRNO && error)
        mqtt_client_note_over(c, SIGNALING_DOWN, "%s", strerror(error));
    else
        mqtt_client_note_over(c, SIGNALING_DOWN, "%s", mosquitto_strerror(reason));
}

static void on_publish(struct mosquitto *m, void *ctx, int mid, int reason,
                       const mosquitto_property *props)
{
    struct mqtt_conn *c = ctx;
    enum signaling_result result = SIGNALING_DELIVERED;

    (void)m;
    (void)props;
    if (reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS)
        result = SIGNALING_OFFLINE;
    else if (reason >= MQTT_RC_UNSPECIFIED)
        result = SIGNALING_FAILED;
    mqtt_queue_finish(c->link, mid, result);
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message,
                       const mosquitto_property *props)
{
    struct mqtt_conn *c = ctx;

    (void)m;
    (void)props;
    if (!message->retain && message->payloadlen > 0)
        mqtt_queue_add_message(c->link, bytes_of(message->payload, (size_t)message->payloadlen));
}

static void on_log(struct mosquitto *m, void *ctx, int level, const char *text)
{
    struct mqtt_conn *c = ctx;

    (void)m;
    if (level == MOSQ_LOG_ERR) /* only TLS says anything of use here */
        snprintf(c->tls_error, sizeof c->tls_error, "%s", text);
}

/* ---- connecting ---- */

/* libmosquitto ignores SIGPIPE for the whole process in mosquitto_new(); this thread blocks it
 * already, and the program's choice is the program's. */
static struct mosquitto *new_client(struct mqtt_conn *c)
{
    struct sigaction before;
    struct mosquitto *m;

    sigaction(SIGPIPE, NULL, &before);
    m = mosquitto_new(c->link->id, true, c);
    sigaction(SIGPIPE, &before, NULL);
    return m;
}

static int set_password(struct mqtt_conn *c)
{
    struct mqtt_link *l = c->link;
    char password[MQTT_PASSWORD_MAX] = "";
    int err = ERR_OK;

    pthread_mutex_lock(&l->password_lock);
    pthread_mutex_lock(&l->lock);
    if (l->is_stopping)
        err = ERR_WRONG_STATE;
    pthread_mutex_unlock(&l->lock);
    if (!err && l->cfg.password)
        err = l->cfg.password(l->cfg.password_ctx, password);
    pthread_mutex_unlock(&l->password_lock);
    if (!err && mosquitto_username_pw_set(c->m, l->id, l->cfg.password ? password : NULL))
        err = ERR_NOMEM;
    memset(password, 0, sizeof password);
    return err;
}

static int set_tls(struct mqtt_conn *c)
{
    const char *ca_file = c->link->ca_file;

    if (!c->link->is_tls)
        return MOSQ_ERR_SUCCESS;
    if (ca_file)
        return mosquitto_tls_set(c->m, ca_file, NULL, NULL, NULL, NULL);
    return mosquitto_int_option(c->m, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
}

static void set_callbacks(struct mosquitto *m)
{
    mosquitto_connect_v5_callback_set(m, on_connect);
    mosquitto_subscribe_v5_callback_set(m, on_subscribe);
    mosquitto_disconnect_v5_callback_set(m, on_disconnect);
    mosquitto_publish_v5_callback_set(m, on_publish);
    mosquitto_message_v5_callback_set(m, on_message);
    mosquitto_log_callback_set(m, on_log);
}

static void say_connect_error(struct mqtt_conn *c, int rc)
{
    if (c->tls_error[0])
        mqtt_client_note_over(c, SIGNALING_DOWN, "TLS: %s", c->tls_error);
    else if (rc == MOSQ_ERR_EAI)
        mqtt_client_note_over(c, SIGNALING_DOWN, "the name %s cannot be resolved",
                              c->link->broker.host);
    else if (rc == MOSQ_ERR_ERRNO)
        mqtt_client_note_over(c, SIGNALING_DOWN, "%s", strerror(errno));
    else
        mqtt_client_note_over(c, SIGNALING_DOWN, "%s", mosquitto_strerror(rc));
}

static void connect_client(struct mqtt_conn *c)
{
    struct mqtt_link *l = c->link;
    int rc = mosquitto_connect_bind_async(c->m, l->broker.host, l->broker.port,
                                          (int)(l->cfg.keepalive_us / SECOND),
                                          c->family == FAMILY_IPV4 ? "0.0.0.0" : NULL);

    if (rc)
        say_connect_error(c, rc);
}

void mqtt_client_start(struct mqtt_conn *c)
{
    c->is_over = c->is_dropped = false;
    c->tls_error[0] = '\0';
    c->m = new_client(c);
    if (!c->m || mosquitto_int_option(c->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5) ||
        mosquitto_int_option(c->m, MOSQ_OPT_TCP_NODELAY, 1) || set_tls(c)) {
        mqtt_client_note_over(c, SIGNALING_DOWN, "out of memory, or TLS cannot be set up");
        return;
    }
    set_callbacks(c->m);
    if (set_password(c))
        mqtt_client_note_over(c, SIGNALING_DOWN, "no password could be made");
    else
        connect_client(c);
}
