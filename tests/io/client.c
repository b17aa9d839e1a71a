#include "tests/io/client.h"

#include <stdio.h>

static void on_message(void *ctx, struct bytes message)
{
    struct client *c = ctx;
    char expected[32];

    gate_lock(&c->gate);
    snprintf(expected, sizeof expected, "message %zu", c->messages++);
    c->wrong_messages += !bytes_equal(message, bytes_of_string(expected));
    gate_unlock(&c->gate);
}

static void on_sent(void *ctx, uint64_t request, enum signaling_result result)
{
    struct client *c = ctx;

    gate_lock(&c->gate);
    c->out_of_order_results += request != c->last_request + 1;
    c->last_request = request;
    c->results[result]++;
    gate_unlock(&c->gate);
}

static void on_state(void *ctx, enum signaling_state state, const char *detail)
{
    struct client *c = ctx;

    gate_lock(&c->gate);
    c->told[state]++;
    c->state = state;
    snprintf(c->detail, sizeof c->detail, "%s", detail);
    gate_unlock(&c->gate);
}

static void open_client(void *ctx)
{
    struct client *c = ctx;
    struct signaling_handler h = {
        .on_message = on_message, .on_sent = on_sent, .on_state = on_state, .ctx = c
    };

    c->err = mqtt_open(&c->face, c->loop, &c->cfg, &h);
}

static void close_client(void *ctx)
{
    signaling_close(((struct client *)ctx)->face);
}

bool client_open(struct client *c, const char *url, uint16_t port)
{
    pthread_mutex_init(&c->gate.lock, NULL);
    pthread_cond_init(&c->gate.changed, NULL);
    snprintf(c->url, sizeof c->url, port ? "%s:%u" : "%s", url, port);
    c->cfg.url = c->url;
    if (!c->cfg.id)
        c->cfg.id = "alice";
    if (io_loop_new(&c->loop))
        return false;
    io_loop_run(c->loop, open_client, c);
    return c->err == ERR_OK && c->face;
}

void client_close(struct client *c)
{
    io_loop_run(c->loop, close_client, c);
    io_loop_free(c->loop);
}

struct sending {
    struct client *client;
    const char *to;
    size_t count, len; /* len: 0 for "message N" */
    int err;           /* of the last */
};

static void send_all(void *ctx)
{
    struct sending *s = ctx;

    for (size_t i = 0; i < s->count; i++) {
        char text[32];
        static const uint8_t zeroes[SIGNALING_MESSAGE_MAX + 1];
        struct bytes message;

        snprintf(text, sizeof text, "message %zu", i);
        message = s->len ? bytes_of(zeroes, s->len) : bytes_of_string(text);
        s->err = signaling_send(s->client->face, s->to, message, i + 1);
    }
}

int client_send(struct client *c, const char *to, size_t count, size_t len)
{
    struct sending s = { .client = c, .to = to, .count = count, .len = len };

    io_loop_run(c->loop, send_all, &s);
    return s.err;
}
