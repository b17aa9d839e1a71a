/* The thread that talks to the broker. libmosquitto is used by this thread alone and never blocks
 * it but for the name look-up: our poll() waits for the broker's socket and for the loop's thread.
 *
 * Every attempt has a libmosquitto client of its own, so nothing of an old connection survives in
 * it: what was not acknowledged is published again by us, if its time is not over. */
#include "io/mqtt_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/ssl.h>

#include "io/thread.h"

#define QOS             1
#define STABLE_AFTER_US (10 * SECOND) /* online this long: the next failure starts small again */
#define PROBE_US        (5 * SECOND)  /* for an answer to a nudge */

enum phase { PHASE_WAITING, PHASE_CONNECTING, PHASE_ONLINE };

/* A broker's name may have addresses of both families of which one does not answer, and
 * libmosquitto tries only the first that does not fail at once; so a failed try is repeated bound
 * to an IPv4 address, which makes it pass over the others. */
enum family { FAMILY_ANY, FAMILY_IPV4 };

struct conn {
    struct mqtt_link *link;
    struct mosquitto *m; /* NULL while WAITING */
    struct rng rng;
    enum phase phase;
    enum family family;
    usec wait_until;   /* WAITING */
    usec deadline_at;  /* CONNECTING: of this try; ONLINE: of a probe or never */
    usec online_since; /* ONLINE */
    usec misc_at;      /* when libmosquitto next looks at its keep-alive */
    unsigned failures; /* in a row */
    bool is_tcp_up;
    bool is_suspicious; /* online was lost, and the broker was there again at once */

    /* What libmosquitto's callbacks told. */
    bool is_over;    /* the connection ended */
    bool is_dropped; /* by the broker, without a word */
    enum signaling_state over_state;
    char why[MQTT_DETAIL_MAX], tls_error[MQTT_DETAIL_MAX];
};

/* ---- libmosquitto's callbacks: they note, the main loop acts ---- */

__attribute__((format(printf, 3, 4))) static void note_over(struct conn *c,
                                                            enum signaling_state state,
                                                            const char *format, ...)
{
    va_list args;

    if (c->is_over)
        return; /* the first reason is the true one */
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
    struct conn *c = ctx;
    char topic[sizeof MQTT_TOPIC_PREFIX + MQTT_ID_MAX];

    (void)flags;
    (void)props;
    if (reason) {
        note_over(c, is_refusal(reason) ? SIGNALING_REFUSED : SIGNALING_DOWN,
                  "the broker refuses the connection: %s", mosquitto_reason_string(reason));
        return;
    }
    snprintf(topic, sizeof topic, MQTT_TOPIC_PREFIX "%s", c->link->id);
    if (mosquitto_subscribe(m, NULL, topic, QOS))
        note_over(c, SIGNALING_DOWN, "cannot ask for the inbox");
}

static void on_subscribe(struct mosquitto *m, void *ctx, int mid, int count, const int *granted,
                         const mosquitto_property *props)
{
    struct conn *c = ctx;

    (void)m;
    (void)mid;
    (void)props;
    if (count != 1 || granted[0] >= MQTT_RC_UNSPECIFIED) {
        note_over(c, SIGNALING_REFUSED, "the broker refuses the inbox: %s",
                  count ? mosquitto_reason_string(granted[0]) : "no answer in it");
        return;
    }
    c->deadline_at = USEC_NEVER;
    if (c->phase == PHASE_ONLINE)
        return; /* the answer to a probe */
    c->phase = PHASE_ONLINE;
    c->online_since = io_now();
    mqtt_queue_add_state(c->link, SIGNALING_ONLINE, c->link->url);
}

static void on_disconnect(struct mosquitto *m, void *ctx, int reason,
                          const mosquitto_property *props)
{
    struct conn *c = ctx;
    int error = errno;

    (void)m;
    (void)props;
    c->is_dropped = reason == MOSQ_ERR_CONN_LOST;
    if (reason == MQTT_RC_SESSION_TAKEN_OVER)
        note_over(c, SIGNALING_REPLACED, "another connection with this key took over");
    else if (reason >= MQTT_RC_UNSPECIFIED)
        note_over(c, SIGNALING_DOWN, "the broker ends the connection: %s",
                  mosquitto_reason_string(reason));
    else if (c->tls_error[0])
        note_over(c, SIGNALING_DOWN, "TLS: %s", c->tls_error);
    else if (reason == MOSQ_ERR_ERRNO && error)
        note_over(c, SIGNALING_DOWN, "%s", strerror(error));
    else
        note_over(c, SIGNALING_DOWN, "%s", mosquitto_strerror(reason));
}

static void on_publish(struct mosquitto *m, void *ctx, int mid, int reason,
                       const mosquitto_property *props)
{
    struct conn *c = ctx;
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
    struct conn *c = ctx;

    (void)m;
    (void)props;
    if (!message->retain && message->payloadlen > 0)
        mqtt_queue_add_message(c->link, bytes_of(message->payload, (size_t)message->payloadlen));
}

static void on_log(struct mosquitto *m, void *ctx, int level, const char *text)
{
    struct conn *c = ctx;

    (void)m;
    if (level == MOSQ_LOG_ERR) /* only TLS says anything of use here */
        snprintf(c->tls_error, sizeof c->tls_error, "%s", text);
}

/* ---- one attempt ---- */

/* libmosquitto ignores SIGPIPE for the whole process in mosquitto_new(); this thread blocks it
 * already, and the program's choice is the program's. */
static struct mosquitto *new_client(struct conn *c)
{
    struct sigaction before;
    struct mosquitto *m;

    sigaction(SIGPIPE, NULL, &before);
    m = mosquitto_new(c->link->id, true, c);
    sigaction(SIGPIPE, &before, NULL);
    return m;
}

static int set_password(struct conn *c)
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

static int set_tls(struct conn *c)
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

static void say_connect_error(struct conn *c, int rc)
{
    if (c->tls_error[0])
        note_over(c, SIGNALING_DOWN, "TLS: %s", c->tls_error);
    else if (rc == MOSQ_ERR_EAI)
        note_over(c, SIGNALING_DOWN, "the name %s cannot be resolved", c->link->broker.host);
    else if (rc == MOSQ_ERR_ERRNO)
        note_over(c, SIGNALING_DOWN, "%s", strerror(errno));
    else
        note_over(c, SIGNALING_DOWN, "%s", mosquitto_strerror(rc));
}

static void start_try(struct conn *c, usec now)
{
    struct mqtt_link *l = c->link;
    usec patience = l->cfg.connect_timeout_us;
    int rc;

    c->phase = PHASE_CONNECTING;
    c->is_tcp_up = c->is_over = c->is_dropped = false;
    c->tls_error[0] = '\0';
    /* The two tries of an attempt share its time. */
    c->deadline_at = now + (c->family == FAMILY_ANY ? patience / 2 : patience - patience / 2);
    c->m = new_client(c);
    if (!c->m || mosquitto_int_option(c->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5) ||
        mosquitto_int_option(c->m, MOSQ_OPT_TCP_NODELAY, 1) || set_tls(c)) {
        note_over(c, SIGNALING_DOWN, "out of memory, or TLS cannot be set up");
        return;
    }
    set_callbacks(c->m);
    if (set_password(c)) {
        note_over(c, SIGNALING_DOWN, "no password could be made");
        return;
    }
    rc = mosquitto_connect_bind_async(c->m, l->broker.host, l->broker.port,
                                      (int)(l->cfg.keepalive_us / SECOND),
                                      c->family == FAMILY_IPV4 ? "0.0.0.0" : NULL);
    c->misc_at = now + SECOND;
    if (rc)
        say_connect_error(c, rc);
}

/* 0.5…1 of the wait, by chance, so that a broker's clients do not all come back at once. */
static usec jittered(struct conn *c, usec wait)
{
    return wait / 2 + wait / 2 * rng_below(&c->rng, 1000) / 1000;
}

static usec backoff(struct conn *c)
{
    usec wait = c->link->cfg.backoff_min_us;

    for (unsigned i = 0; i < c->failures && wait < c->link->cfg.backoff_max_us; i++)
        wait *= 2;
    c->failures++;
    return jittered(c, usec_min(wait, c->link->cfg.backoff_max_us));
}

/* mosquitto 2.0 closes the older connection of a client ID without MQTT 5's reason code. Two that
 * take over from each other would never end; the older one is dropped twice first, and yields. */
static void judge_loss(struct conn *c, bool was_online, usec now)
{
    if (was_online && c->is_dropped && c->is_suspicious &&
        now - c->online_since < STABLE_AFTER_US) {
        c->over_state = SIGNALING_REPLACED;
        snprintf(c->why, sizeof c->why, "%s",
                 "dropped again at once: another connection with this key seems to be there");
    }
    c->is_suspicious = was_online && c->is_dropped && c->over_state == SIGNALING_DOWN;
}

static void end_try(struct conn *c, usec now)
{
    bool was_online = c->phase == PHASE_ONLINE;

    mosquitto_destroy(c->m);
    c->m = NULL;
    mqtt_queue_requeue(c->link);
    c->phase = PHASE_WAITING;
    c->deadline_at = USEC_NEVER;
    if (was_online && now - c->online_since >= STABLE_AFTER_US)
        c->failures = 0;
    if (was_online || c->family == FAMILY_IPV4)
        judge_loss(c, was_online, now);
    if (c->over_state != SIGNALING_DOWN) {
        c->wait_until = now + jittered(c, c->link->cfg.backoff_slow_us);
    } else if (!was_online && c->family == FAMILY_ANY) {
        c->family = FAMILY_IPV4;
        c->wait_until = now;
        return; /* not yet a failure to tell of */
    } else {
        c->wait_until = now + backoff(c);
    }
    c->family = FAMILY_ANY;
    mqtt_queue_add_state(c->link, c->over_state, c->why);
}

/* ---- online ---- */

/* The lock may be held while publishing: libmosquitto calls back for QoS 1 only on reading. */
static void publish_waiting(struct conn *c)
{
    struct mqtt_link *l = c->link;
    struct mqtt_send *s;

    pthread_mutex_lock(&l->lock);
    while (!c->is_over && (s = mqtt_queue_next_waiting(l))) {
        char topic[sizeof MQTT_TOPIC_PREFIX + MQTT_ID_MAX];
        int rc;

        snprintf(topic, sizeof topic, MQTT_TOPIC_PREFIX "%s", s->to_id);
        s->state = SEND_PUBLISHED;
        rc = mosquitto_publish_v5(c->m, &s->mid, topic, (int)s->len, s->message, QOS, false, NULL);
        if (rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_NOMEM) {
            mqtt_queue_fail(l, s);
        } else if (rc) {
            note_over(c, SIGNALING_DOWN, "%s", mosquitto_strerror(rc));
        }
    }
    pthread_mutex_unlock(&l->lock);
}

/* Asking for the inbox again changes nothing and must be answered. */
static void probe(struct conn *c, usec now)
{
    char topic[sizeof MQTT_TOPIC_PREFIX + MQTT_ID_MAX];

    snprintf(topic, sizeof topic, MQTT_TOPIC_PREFIX "%s", c->link->id);
    c->deadline_at = usec_min(c->deadline_at, now + PROBE_US);
    if (mosquitto_subscribe(c->m, NULL, topic, QOS))
        note_over(c, SIGNALING_DOWN, "the connection is lost");
}

/* ---- the loop ---- */

static bool is_handshaking(const struct conn *c)
{
    const SSL *ssl = c->link->is_tls ? mosquitto_ssl_get(c->m) : NULL;

    return ssl && !SSL_is_init_finished(ssl);
}

/* libmosquitto asks to write all through the TLS handshake, which would spin. */
static short events_wanted(const struct conn *c)
{
    if (!c->is_tcp_up)
        return POLLIN | POLLOUT;
    return !is_handshaking(c) && mosquitto_want_write(c->m) ? POLLIN | POLLOUT : POLLIN;
}

static void on_socket(struct conn *c, short revents)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (revents & POLLERR)
        getsockopt(mosquitto_socket(c->m), SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        note_over(c, SIGNALING_DOWN, "%s", strerror(error));
        return;
    }
    if (revents & POLLOUT)
        c->is_tcp_up = true;
    /* Reading is also what drives the TLS handshake. */
    if (!mosquitto_loop_read(c->m, 1) && mosquitto_socket(c->m) >= 0 && mosquitto_want_write(c->m))
        mosquitto_loop_write(c->m, 1);
    if (mosquitto_socket(c->m) < 0)
        note_over(c, SIGNALING_DOWN, c->tls_error[0] ? "TLS: %s" : "%s",
                  c->tls_error[0] ? c->tls_error : "the connection is lost");
}

static void wait_for_work(struct conn *c, usec now, usec until)
{
    struct pollfd fds[2] = { { .fd = c->link->wake_fd, .events = POLLIN }, { .fd = -1 } };
    usec wait = usec_clamp(until - now, 0, MINUTE);
    uint64_t ignored;

    if (c->m && mosquitto_socket(c->m) >= 0) {
        fds[1].fd = mosquitto_socket(c->m);
        fds[1].events = events_wanted(c);
    }
    if (poll(fds, 2, (int)((wait + MILLISECOND - 1) / MILLISECOND)) <= 0)
        return;
    if (fds[0].revents && read(c->link->wake_fd, &ignored, sizeof ignored) < 0)
        return; /* somebody else's wake-up was taken with an earlier one */
    if (fds[1].revents)
        on_socket(c, fds[1].revents);
}

static bool take_requests(struct conn *c, usec now)
{
    struct mqtt_link *l = c->link;
    bool is_stopping, is_nudged;

    pthread_mutex_lock(&l->lock);
    is_stopping = l->is_stopping;
    is_nudged = l->is_nudged;
    l->is_nudged = false;
    pthread_mutex_unlock(&l->lock);
    if (is_nudged && c->phase == PHASE_WAITING)
        c->wait_until = now;
    else if (is_nudged && c->phase == PHASE_ONLINE)
        probe(c, now);
    return !is_stopping;
}

/* Everything that is due; returns when to look again at the latest. */
static usec act(struct conn *c, usec now)
{
    if (c->phase == PHASE_WAITING && c->wait_until <= now)
        start_try(c, now);
    if (c->phase != PHASE_WAITING && c->deadline_at <= now)
        note_over(c, SIGNALING_DOWN, "no answer from the broker");
    if (c->phase == PHASE_ONLINE && !c->is_over)
        publish_waiting(c);
    if (c->phase != PHASE_WAITING && !c->is_over && c->misc_at <= now) {
        mosquitto_loop_misc(c->m); /* keep-alive: tells by on_disconnect */
        c->misc_at = now + c->link->cfg.keepalive_us / 4;
    }
    if (c->phase != PHASE_WAITING && c->is_over)
        end_try(c, now);
    mqtt_queue_expire(c->link, now);
    return usec_min(mqtt_queue_next_expiry(c->link), c->phase == PHASE_WAITING
                                                         ? c->wait_until
                                                         : usec_min(c->deadline_at, c->misc_at));
}

/* libmosquitto's own count of initialisations is not thread-safe. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

static void *run(struct conn *c)
{
    usec now = io_now();

    mqtt_queue_add_state(c->link, SIGNALING_CONNECTING, c->link->url);
    while (take_requests(c, now)) {
        usec until = act(c, now);

        wait_for_work(c, now, until);
        now = io_now();
    }
    if (c->phase == PHASE_ONLINE && !c->is_over) {
        publish_waiting(c); /* a last word, such as a refusal, goes out */
        mosquitto_disconnect_v5(c->m, MQTT_RC_NORMAL_DISCONNECTION, NULL);
    }
    mosquitto_destroy(c->m);
    return NULL;
}

void *mqtt_link_main(void *ctx)
{
    struct mqtt_link *l = ctx;
    struct conn c = { .link = l, .rng = io_rng(), .deadline_at = USEC_NEVER };

    thread_limit_resolver();
    pthread_mutex_lock(&library_lock);
    mosquitto_lib_init();
    pthread_mutex_unlock(&library_lock);
    run(&c);
    pthread_mutex_lock(&library_lock);
    mosquitto_lib_cleanup();
    pthread_mutex_unlock(&library_lock);
    io_loop_wake(l->loop, &l->ended_task);
    return NULL;
}
