/* The thread that talks to the broker. libmosquitto is used by this thread alone and never blocks
 * it but for the name look-up: our poll() waits for the broker's socket and for the loop's thread.
 *
 * Every attempt has a libmosquitto client of its own, so nothing of an old connection survives in
 * it: what was not acknowledged is published again by us, if its time is not over. */
#include "io/mqtt_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/ssl.h>

#include "io/interfaces.h"
#include "io/mqtt_client.h"
#include "io/sockaddr.h"
#include "io/thread.h"

#define STABLE_AFTER_US (10 * SECOND) /* online this long: the next failure starts small again */
#define PROBE_US        SECOND        /* for an answer after a change of network */

/* ---- tries, and what follows their end ---- */

static void start_try(struct mqtt_conn *c, usec now)
{
    usec patience = c->link->cfg.connect_timeout_us;

    c->phase = PHASE_CONNECTING;
    c->is_tcp_up = false;
    /* The two tries of an attempt share its time. */
    c->deadline_at = now + (c->family == FAMILY_ANY ? patience / 2 : patience - patience / 2);
    c->misc_at = now + SECOND;
    mqtt_client_start(c);
}

/* 0.5…1 of the wait, by chance, so that a broker's clients do not all come back at once. */
static usec jittered(struct mqtt_conn *c, usec wait)
{
    return wait / 2 + wait / 2 * rng_below(&c->rng, 1000) / 1000;
}

static usec backoff(struct mqtt_conn *c)
{
    usec wait = c->link->cfg.backoff_min_us;

    for (unsigned i = 0; i < c->failures && wait < c->link->cfg.backoff_max_us; i++)
        wait *= 2;
    c->failures++;
    return jittered(c, usec_min(wait, c->link->cfg.backoff_max_us));
}

/* mosquitto 2.0 closes the older connection of a client ID without MQTT 5's reason code. Two that
 * take over from each other would never end; the older one is dropped twice first, and yields. */
static void judge_loss(struct mqtt_conn *c, bool was_online, usec now)
{
    if (was_online && c->is_dropped && c->is_suspicious &&
        now - c->online_since < STABLE_AFTER_US) {
        c->over_state = SIGNALING_REPLACED;
        snprintf(c->why, sizeof c->why, "%s",
                 "dropped again at once: another connection with this key seems to be there");
    }
    c->is_suspicious = was_online && c->is_dropped && c->over_state == SIGNALING_DOWN;
}

static void end_try(struct mqtt_conn *c, usec now)
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
        c->wait_until = c->is_kicked ? now : now + backoff(c);
    }
    c->is_kicked = false;
    c->family = FAMILY_ANY;
    mqtt_queue_add_state(c->link, c->over_state, c->why);
}

/* ---- online ---- */

static struct mqtt_send *take_waiting(struct mqtt_link *l)
{
    struct mqtt_send *s;

    pthread_mutex_lock(&l->lock);
    s = mqtt_queue_next_waiting(l);
    if (s) {
        s->state = SEND_PUBLISHED; /* from here to its end this thread alone touches it */
        s->mid = 0;
    }
    pthread_mutex_unlock(&l->lock);
    return s;
}

static void publish_waiting(struct mqtt_conn *c)
{
    struct mqtt_send *s;

    while (!c->is_over && (s = take_waiting(c->link))) {
        char topic[MQTT_TOPIC_MAX];
        int rc;

        mqtt_topic(topic, s->to_id);
        rc = mosquitto_publish_v5(c->m, &s->mid, topic, (int)s->len, s->message, MQTT_QOS, false,
                                  NULL);
        if (rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_NOMEM)
            mqtt_queue_finish(c->link, s->mid, SIGNALING_FAILED);
        else if (rc)
            mqtt_client_note_over(c, SIGNALING_DOWN, "%s", mosquitto_strerror(rc));
    }
}

/* Asking for the inbox again changes nothing and must be answered. */
static void probe(struct mqtt_conn *c, usec now)
{
    char topic[MQTT_TOPIC_MAX];

    mqtt_topic(topic, c->link->id);
    c->deadline_at = usec_min(c->deadline_at, now + PROBE_US);
    if (mosquitto_subscribe(c->m, NULL, topic, MQTT_QOS))
        mqtt_client_note_over(c, SIGNALING_DOWN, "the connection is lost");
}

/* ---- the loop ---- */

static bool is_handshaking(const struct mqtt_conn *c)
{
    const SSL *ssl = c->link->is_tls ? mosquitto_ssl_get(c->m) : NULL;

    return ssl && !SSL_is_init_finished(ssl);
}

/* libmosquitto asks to write all through the TLS handshake, which would spin. */
static short events_wanted(const struct mqtt_conn *c)
{
    if (!c->is_tcp_up)
        return POLLIN | POLLOUT;
    return !is_handshaking(c) && mosquitto_want_write(c->m) ? POLLIN | POLLOUT : POLLIN;
}

/* Acknowledge at once what is about to be read: a broker that leaves Nagle's algorithm on would
 * otherwise hold an answer for the 40 ms of a delayed ACK. Linux forgets it, so each time anew. */
static void acknowledge_now(const struct mqtt_conn *c)
{
    int on = 1;

    (void)setsockopt(mosquitto_socket(c->m), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static void on_socket(struct mqtt_conn *c, short revents)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (revents & POLLERR)
        getsockopt(mosquitto_socket(c->m), SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        mqtt_client_note_over(c, SIGNALING_DOWN, "%s", strerror(error));
        return;
    }
    if (revents & POLLOUT)
        c->is_tcp_up = true;
    acknowledge_now(c);
    /* Reading is also what drives the TLS handshake. */
    if (!mosquitto_loop_read(c->m, 1) && mosquitto_socket(c->m) >= 0 && mosquitto_want_write(c->m))
        mosquitto_loop_write(c->m, 1);
    if (mosquitto_socket(c->m) < 0)
        mqtt_client_note_over(c, SIGNALING_DOWN, c->tls_error[0] ? "TLS: %s" : "%s",
                              c->tls_error[0] ? c->tls_error : "the connection is lost");
}

static void wait_for_work(struct mqtt_conn *c, usec now, usec until)
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

/* Whether the connection leaves from an address that is gone, or that routes do not choose any
 * more: its packets would go astray. */
static bool is_stranded(const struct mqtt_conn *c)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct addr local, server, source;
    int fd = mosquitto_socket(c->m);

    if (fd < 0 || getsockname(fd, (struct sockaddr *)&ss, &len) ||
        !sockaddr_decode(&local, (struct sockaddr *)&ss))
        return false;
    len = sizeof ss;
    if (getpeername(fd, (struct sockaddr *)&ss, &len) ||
        !sockaddr_decode(&server, (struct sockaddr *)&ss))
        return !interfaces_has(&local);
    return !interfaces_has(&local) ||
           (interfaces_source(&source, &server) && !addr_equal_ip(&source, &local));
}

static void on_network_change(struct mqtt_conn *c, usec now)
{
    if (c->phase == PHASE_WAITING) {
        c->wait_until = now;
        return;
    }
    c->is_kicked = c->phase == PHASE_ONLINE; /* its end is not to be waited after */
    if (is_stranded(c)) {
        c->is_kicked = true;
        mqtt_client_note_over(c, SIGNALING_DOWN, "the network has changed");
    } else if (c->phase == PHASE_ONLINE) {
        probe(c, now);
    }
}

static bool take_requests(struct mqtt_conn *c, usec now)
{
    struct mqtt_link *l = c->link;
    bool is_stopping, is_kicked;

    pthread_mutex_lock(&l->lock);
    is_stopping = l->is_stopping;
    is_kicked = l->is_kicked;
    l->is_kicked = false;
    pthread_mutex_unlock(&l->lock);
    if (is_kicked)
        on_network_change(c, now);
    return !is_stopping;
}

/* Everything that is due; returns when to look again at the latest. */
static usec act(struct mqtt_conn *c, usec now)
{
    if (c->phase == PHASE_WAITING && c->wait_until <= now)
        start_try(c, now);
    if (c->phase != PHASE_WAITING && c->deadline_at <= now)
        mqtt_client_note_over(c, SIGNALING_DOWN, "no answer from the broker");
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

static void *run(struct mqtt_conn *c)
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
    struct mqtt_conn c = { .link = l, .rng = io_rng(), .deadline_at = USEC_NEVER };

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
