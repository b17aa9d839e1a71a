#include "io/mqtt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/mqtt_link.h"
#include "io/thread.h"

static struct mqtt_link *link_of(struct signaling *s)
{
    return (struct mqtt_link *)s; /* face is its first member */
}

static void wake_thread(struct mqtt_link *l)
{
    uint64_t one = 1;
    ssize_t written = write(l->wake_fd, &one, sizeof one);

    (void)written; /* fails only when the counter is full, and then the thread is awake */
}

static bool is_id(const char *id)
{
    size_t len = strspn(id, "0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    return len > 0 && len <= MQTT_ID_MAX && id[len] == '\0';
}

/* ---- from the thread to the handler ---- */

static void deliver(void *ctx)
{
    struct mqtt_link *l = ctx;
    struct mqtt_happening h;

    while (!l->is_closed) { /* a handler may close */
        mqtt_queue_take(l, &h);
        if (h.kind == MQTT_NOTHING)
            break;
        if (h.kind == MQTT_STATE) {
            l->handler.on_state(l->handler.ctx, h.state.state, h.state.detail);
        } else if (h.kind == MQTT_MESSAGE) {
            l->handler.on_message(l->handler.ctx, h.message);
            free((void *)(uintptr_t)h.message.data);
        } else {
            l->handler.on_sent(l->handler.ctx, h.sent.request, h.sent.result);
        }
    }
}

/* ---- from the owner to the thread ---- */

static int send_message(struct signaling *self, const char *to_id, struct bytes message,
                        uint64_t request)
{
    struct mqtt_link *l = link_of(self);
    struct mqtt_send *slot = NULL;
    uint8_t *copy;

    if (message.len == 0 || message.len > SIGNALING_MESSAGE_MAX || !is_id(to_id))
        return ERR_INVALID;
    copy = malloc(message.len);
    if (!copy)
        return ERR_NOMEM;
    memcpy(copy, message.data, message.len);
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < MQTT_SENDS_MAX && !slot; i++)
        if (l->sends[i].state == SEND_FREE)
            slot = &l->sends[i];
    if (slot) {
        *slot = (struct mqtt_send){ .state = SEND_WAITING,
                                    .request = request,
                                    .order = l->next_order++,
                                    .message = copy,
                                    .len = message.len,
                                    .expires_at = io_now() + l->cfg.send_timeout_us };
        snprintf(slot->to_id, sizeof slot->to_id, "%s", to_id);
    }
    pthread_mutex_unlock(&l->lock);
    if (!slot) {
        free(copy);
        return ERR_LIMIT;
    }
    wake_thread(l);
    return ERR_OK;
}

static void kick(struct signaling *self)
{
    struct mqtt_link *l = link_of(self);

    pthread_mutex_lock(&l->lock);
    l->is_kicked = true;
    pthread_mutex_unlock(&l->lock);
    wake_thread(l);
}

/* ---- life ---- */

static void free_link(struct mqtt_link *l)
{
    for (size_t i = 0; i < MQTT_SENDS_MAX; i++)
        free(l->sends[i].message);
    for (size_t i = 0; i < l->inbox_count; i++)
        free((void *)(uintptr_t)l->inbox[(l->inbox_first + i) % MQTT_INBOX_MAX].data);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    free(l->ca_file);
    pthread_mutex_destroy(&l->password_lock);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void on_ended(void *ctx)
{
    struct mqtt_link *l = ctx;
    struct io_loop *loop = l->loop;

    pthread_join(l->thread, NULL); /* it is at its end */
    io_loop_unwake(loop, &l->deliver_task);
    free_link(l);
    io_loop_release(loop);
}

static void close_link(struct signaling *self)
{
    struct mqtt_link *l = link_of(self);

    assert(io_loop_is_current(l->loop) && !l->is_closed);
    l->is_closed = true;
    pthread_mutex_lock(&l->password_lock); /* no password is being made, and none will be */
    pthread_mutex_lock(&l->lock);
    l->is_stopping = true;
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_unlock(&l->password_lock);
    wake_thread(l);
}

static usec or_default(usec value, usec otherwise)
{
    return value ? value : otherwise;
}

static void copy_config(struct mqtt_link *l, const struct mqtt_config *cfg)
{
    l->cfg = *cfg;
    l->cfg.send_timeout_us = or_default(cfg->send_timeout_us, 8 * SECOND);
    l->cfg.connect_timeout_us = or_default(cfg->connect_timeout_us, 10 * SECOND);
    l->cfg.keepalive_us =
        usec_clamp(or_default(cfg->keepalive_us, 20 * SECOND), 5 * SECOND, UINT16_MAX * SECOND);
    l->cfg.backoff_min_us = or_default(cfg->backoff_min_us, 200 * MILLISECOND);
    l->cfg.backoff_max_us = or_default(cfg->backoff_max_us, 30 * SECOND);
    l->cfg.backoff_slow_us = or_default(cfg->backoff_slow_us, 60 * SECOND);
    snprintf(l->url, sizeof l->url, "%s", cfg->url);
    snprintf(l->id, sizeof l->id, "%s", cfg->id);
    l->cfg.url = l->url;
    l->cfg.id = l->id;
}

static int check_config(struct mqtt_link *l, const struct mqtt_config *cfg)
{
    if (!cfg->url || !cfg->id || !is_id(cfg->id) || strlen(cfg->url) >= sizeof l->url ||
        endpoint_parse(&l->broker, cfg->url))
        return ERR_INVALID;
    l->is_tls = strcmp(l->broker.scheme, "mqtts") == 0;
    if (strcmp(l->broker.scheme, "mqtt+unix") == 0)
        return ERR_OK; /* libmosquitto takes a path for a host if the port is 0 */
    if (!l->is_tls && strcmp(l->broker.scheme, "mqtt") != 0)
        return ERR_INVALID;
    if (l->broker.port == 0)
        l->broker.port = l->is_tls ? 8883 : 1883; /* as registered with IANA */
    if (l->is_tls && cfg->ca_file && access(cfg->ca_file, R_OK))
        return ERR_INVALID;
    return ERR_OK;
}

static int init_link(struct mqtt_link *l, struct io_loop *loop, const struct mqtt_config *cfg)
{
    int err = check_config(l, cfg);

    if (err)
        return err;
    copy_config(l, cfg);
    if (cfg->ca_file && !(l->ca_file = strdup(cfg->ca_file)))
        return ERR_NOMEM;
    l->cfg.ca_file = l->ca_file;
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0)
        return ERR_LIMIT;
    l->face = (struct signaling){ .send = send_message, .close = close_link, .kick = kick };
    l->loop = loop;
    l->deliver_task = (struct io_task){ .fn = deliver, .ctx = l };
    l->ended_task = (struct io_task){ .fn = on_ended, .ctx = l };
    return thread_start(&l->thread, mqtt_link_main, l, "hawser-mqtt");
}

int mqtt_open(struct signaling **out, struct io_loop *loop, const struct mqtt_config *cfg,
              const struct signaling_handler *h)
{
    struct mqtt_link *l = calloc(1, sizeof *l);
    int err;

    *out = NULL;
    assert(io_loop_is_current(loop)); /* so no task of this link runs before we return */
    if (!l)
        return ERR_NOMEM;
    l->wake_fd = -1;
    l->handler = *h;
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->password_lock, NULL);
    err = init_link(l, loop, cfg);
    if (err) {
        free_link(l);
        return err;
    }
    io_loop_hold(loop);
    *out = &l->face;
    return ERR_OK;
}
