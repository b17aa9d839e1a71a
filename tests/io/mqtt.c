#include "io/mqtt.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/io/broker.h"
#include "tests/io/gate.h"

#define STATES  (SIGNALING_REPLACED + 1)
#define RESULTS (SIGNALING_FAILED + 1)

/* One client and what its handlers were told. */
struct client {
    struct gate gate;
    struct io_loop *loop;
    struct signaling *face;
    struct mqtt_config cfg;
    char url[64];
    int err;

    size_t told[STATES];
    enum signaling_state state;
    char detail[256];
    size_t results[RESULTS], out_of_order_results;
    uint64_t last_request;
    size_t messages, wrong_messages;
    size_t passwords;
};

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

/* Every field of cfg may be set before; url gets the port. */
static void client_open(struct client *c, const char *url, uint16_t port)
{
    pthread_mutex_init(&c->gate.lock, NULL);
    pthread_cond_init(&c->gate.changed, NULL);
    snprintf(c->url, sizeof c->url, "%s:%u", url, port);
    c->cfg.url = c->url;
    if (!c->cfg.id)
        c->cfg.id = "alice";
    CHECK("the loop starts", io_loop_new(&c->loop) == ERR_OK);
    io_loop_run(c->loop, open_client, c);
    CHECK("opens", c->err == ERR_OK && c->face);
}

static void client_close(struct client *c)
{
    io_loop_run(c->loop, close_client, c);
    io_loop_free(c->loop);
}

#define CLIENT_WAIT(claim, c, condition)                                                  \
    do {                                                                                  \
        bool is_so = GATE_WAIT(&(c)->gate, condition);                                    \
                                                                                          \
        CHECK(claim, is_so);                                                              \
        if (!is_so)                                                                       \
            print_error("    %s: %s\n", signaling_state_string((c)->state), (c)->detail); \
    } while (0)

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

static int client_send(struct client *c, const char *to, size_t count, size_t len)
{
    struct sending s = { .client = c, .to = to, .count = count, .len = len };

    io_loop_run(c->loop, send_all, &s);
    return s.err;
}

/* ---- with a broker ---- */

static bool start_broker(struct broker *b)
{
    bool is_up = broker_init(b, "allow_anonymous true\n", false) && broker_start(b);

    CHECK("mosquitto runs", is_up);
    return is_up;
}

TEST(messages_arrive_in_order_and_are_acknowledged)
{
    struct broker broker;
    struct client a = { .cfg.id = "alice" }, b = { .cfg.id = "hw1-Bob" };

    if (start_broker(&broker)) {
        client_open(&a, "mqtt://127.0.0.1", broker.port);
        client_open(&b, "mqtt://localhost", broker.port); /* also where ::1 does not answer */
        CLIENT_WAIT("online", &b, b.state == SIGNALING_ONLINE);
        CHECK("accepted before a is online, too", client_send(&a, "hw1-Bob", 30, 0) == ERR_OK);
        CLIENT_WAIT("all arrive", &b, b.messages == 30);
        CLIENT_WAIT("all told of", &a, a.results[SIGNALING_DELIVERED] == 30);
        CHECK("in order", b.wrong_messages == 0 && a.out_of_order_results == 0);
        CHECK("connecting was told first, once",
              a.told[SIGNALING_CONNECTING] == 1 && a.told[SIGNALING_DOWN] == 0);
        client_close(&a);
        client_close(&b);
    }
    broker_deinit(&broker);
}

TEST(nobody_there_is_offline)
{
    struct broker broker;
    struct client a = { .face = NULL };

    if (start_broker(&broker)) {
        client_open(&a, "mqtt://127.0.0.1", broker.port);
        CHECK("accepted", client_send(&a, "nobody", 1, 0) == ERR_OK);
        CLIENT_WAIT("told", &a, a.results[SIGNALING_OFFLINE] == 1);
        client_close(&a);
    }
    broker_deinit(&broker);
}

TEST(the_broker_may_die_and_come_back)
{
    struct broker broker;
    struct client a = { .cfg = { .backoff_min_us = 20 * MILLISECOND,
                                 .backoff_max_us = 100 * MILLISECOND } };

    if (start_broker(&broker)) {
        client_open(&a, "mqtt://127.0.0.1", broker.port);
        CLIENT_WAIT("online", &a, a.state == SIGNALING_ONLINE);
        broker_kill(&broker);
        CLIENT_WAIT("down, and tried again in vain", &a, a.told[SIGNALING_DOWN] >= 3);
        CHECK("accepted while down", client_send(&a, "alice", 1, 0) == ERR_OK);
        CHECK("comes back", broker_start(&broker));
        CLIENT_WAIT("online again", &a, a.told[SIGNALING_ONLINE] == 2);
        CLIENT_WAIT("what waited is sent", &a, a.messages == 1);
        CLIENT_WAIT("and told of", &a, a.results[SIGNALING_DELIVERED] == 1);
        client_close(&a);
    }
    broker_deinit(&broker);
}

TEST(the_newest_connection_of_an_id_wins)
{
    struct broker broker;
    struct client a = { .face = NULL }, b = { .face = NULL };

    if (start_broker(&broker)) {
        client_open(&a, "mqtt://127.0.0.1", broker.port);
        CLIENT_WAIT("online", &a, a.state == SIGNALING_ONLINE);
        client_open(&b, "mqtt://127.0.0.1", broker.port);
        CLIENT_WAIT("the first is told", &a, a.state == SIGNALING_REPLACED);
        CLIENT_WAIT("the second is online", &b, b.state == SIGNALING_ONLINE);
        CHECK("messages go there", client_send(&b, "alice", 1, 0) == ERR_OK);
        CLIENT_WAIT("arrives", &b, b.messages == 1);
        client_close(&a);
        client_close(&b);
        CHECK("the first soon gave up the fight",
              a.told[SIGNALING_ONLINE] <= 2 && b.told[SIGNALING_REPLACED] == 0);
    }
    broker_deinit(&broker);
}

static void nudge(void *ctx)
{
    mqtt_nudge(((struct client *)ctx)->face);
}

TEST(a_nudge_ends_a_wait)
{
    struct broker broker;
    struct client a = { .cfg = { .backoff_min_us = 1000 * SECOND,
                                 .backoff_max_us = 1000 * SECOND } };

    if (start_broker(&broker)) {
        broker_kill(&broker);
        client_open(&a, "mqtt://127.0.0.1", broker.port);
        CLIENT_WAIT("down", &a, a.state == SIGNALING_DOWN);
        CHECK("comes back", broker_start(&broker));
        io_loop_run(a.loop, nudge, &a);
        CLIENT_WAIT("online at once", &a, a.state == SIGNALING_ONLINE);
        io_loop_run(a.loop, nudge, &a);
        CHECK("accepted", client_send(&a, "alice", 1, 0) == ERR_OK);
        CLIENT_WAIT("a probe does no harm", &a, a.messages == 1);
        client_close(&a);
        CHECK("one connection", a.told[SIGNALING_ONLINE] == 1);
    }
    broker_deinit(&broker);
}

static int make_password(void *ctx, char out[MQTT_PASSWORD_MAX])
{
    struct client *c = ctx;

    gate_lock(&c->gate);
    snprintf(out, MQTT_PASSWORD_MAX, "fresh %zu", ++c->passwords);
    gate_unlock(&c->gate);
    return ERR_OK;
}

TEST(a_refusal_is_told_and_each_attempt_has_a_fresh_password)
{
    struct broker broker;
    struct client a = { .cfg = { .backoff_slow_us = 50 * MILLISECOND, .password = make_password } };

    a.cfg.password_ctx = &a;
    if (broker_init(&broker, "allow_anonymous false\n", false) && broker_start(&broker)) {
        client_open(&a, "mqtt://127.0.0.1", broker.port);
        CLIENT_WAIT("refused, again and again", &a, a.told[SIGNALING_REFUSED] >= 3);
        client_close(&a);
        CHECK("never online", a.told[SIGNALING_ONLINE] == 0 && a.told[SIGNALING_DOWN] == 0);
        CHECK("a password each", a.passwords >= a.told[SIGNALING_REFUSED]);
    } else {
        CHECK("mosquitto runs", false);
    }
    broker_deinit(&broker);
}

/* ---- TLS ---- */

#define TLS_LINES "allow_anonymous true\ncertfile %s/cert.pem\nkeyfile %s/key.pem\n"

static const struct {
    const char *claim, *url, *ca_file; /* ca_file in the broker's directory */
    enum signaling_state state;
} tls_rows[] = {
    { "the right certificate for the right name", "mqtts://localhost", "cert.pem",
      SIGNALING_ONLINE },
    { "a certificate for another name", "mqtts://127.0.0.1", "cert.pem", SIGNALING_DOWN },
    { "nobody vouches for the certificate", "mqtts://localhost", NULL, SIGNALING_DOWN },
    { "the broker speaks TLS, we do not", "mqtt://localhost", NULL, SIGNALING_DOWN },
};

TEST(tls)
{
    struct broker broker;

    if (!broker_init(&broker, TLS_LINES, true) || !broker_start(&broker)) {
        CHECK("mosquitto runs with a certificate", false);
        broker_deinit(&broker);
        return;
    }
    for (size_t i = 0; i < COUNT(tls_rows); i++) {
        struct client a = { .face = NULL };
        char ca_file[96];

        snprintf(ca_file, sizeof ca_file, "%s/cert.pem", broker.dir);
        a.cfg.ca_file = tls_rows[i].ca_file ? ca_file : NULL;
        client_open(&a, tls_rows[i].url, broker.port);
        CLIENT_WAIT(tls_rows[i].claim, &a, a.told[tls_rows[i].state] > 0);
        if (tls_rows[i].state == SIGNALING_ONLINE) {
            CHECK("accepted", client_send(&a, "alice", 40, 0) == ERR_OK);
            CLIENT_WAIT("works", &a, a.messages == 40 && a.results[SIGNALING_DELIVERED] == 40);
        } else {
            CHECK("a reason for people", a.detail[0] && a.told[SIGNALING_ONLINE] == 0);
        }
        client_close(&a);
    }
    broker_deinit(&broker);
}

TEST(tls_where_there_is_none)
{
    struct broker broker;
    struct client a = { .face = NULL };

    if (start_broker(&broker)) {
        client_open(&a, "mqtts://localhost", broker.port);
        CLIENT_WAIT("told", &a, a.state == SIGNALING_DOWN);
        client_close(&a);
    }
    broker_deinit(&broker);
}

/* ---- without a broker ---- */

TEST(a_dead_broker_is_told_of_and_blocks_nothing)
{
    struct client a = { .cfg = { .send_timeout_us = 50 * MILLISECOND } };

    client_open(&a, "mqtt://127.0.0.1", broker_free_port());
    CHECK("accepted", client_send(&a, "alice", 3, 0) == ERR_OK);
    CLIENT_WAIT("down", &a, a.state == SIGNALING_DOWN);
    CHECK("with its reason", strstr(a.detail, "refused"));
    CLIENT_WAIT("sends end", &a, a.results[SIGNALING_FAILED] == 3);
    client_close(&a);
}

/* A broker that answers by rote: whatever comes, the next of the answers goes out; then it waits
 * for the client to hang up. */
struct rote {
    const char *claim;
    struct {
        const char *bytes;
        size_t len;
    } answers[3];
    enum signaling_state state;
    int fd;
};

#define ANSWER(text)           \
    {                          \
        text, sizeof(text) - 1 \
    }

static struct rote rotes[] = {
    { "MQTT 5's session taken over",
      { ANSWER("\x20\x03\x00\x00\x00"), ANSWER("\x90\x04\x00\x01\x00\x01\xe0\x02\x8e\x00") },
      SIGNALING_REPLACED,
      -1 },
    { "the inbox refused",
      { ANSWER("\x20\x03\x00\x00\x00"), ANSWER("\x90\x04\x00\x01\x00\x87") },
      SIGNALING_REFUSED,
      -1 },
    { "banned", { ANSWER("\x20\x03\x00\x8a\x00") }, SIGNALING_REFUSED, -1 },
    { "busy", { ANSWER("\x20\x03\x00\x89\x00") }, SIGNALING_DOWN, -1 },
    { "shutting down",
      { ANSWER("\x20\x03\x00\x00\x00"), ANSWER("\x90\x04\x00\x01\x00\x01\xe0\x01\x8b") },
      SIGNALING_DOWN,
      -1 },
    { "not MQTT", { ANSWER("HTTP/1.1 400 Bad Request\r\n\r\n") }, SIGNALING_DOWN, -1 },
    { "an answer cut short", { ANSWER("\x20") }, SIGNALING_DOWN, -1 },
    { "an endless length", { ANSWER("\x20\xff\xff\xff\xff\xff\xff") }, SIGNALING_DOWN, -1 },
};

static void *answer_by_rote(void *ctx)
{
    struct rote *r = ctx;
    char ignored[4096];
    int fd;

    while ((fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        for (size_t i = 0; recv(fd, ignored, sizeof ignored, 0) > 0; i++)
            if (i < COUNT(r->answers) && r->answers[i].len)
                (void)!send(fd, r->answers[i].bytes, r->answers[i].len, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

/* A socket that completes TCP connections and never says a word. */
static int listen_silently(uint16_t *port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK("listens", !bind(fd, (struct sockaddr *)&sin, len) && !listen(fd, 8) &&
                         !getsockname(fd, (struct sockaddr *)&sin, &len));
    *port = ntohs(sin.sin_port);
    return fd;
}

TEST(a_brokers_last_words_are_understood)
{
    for (size_t i = 0; i < COUNT(rotes); i++) {
        struct client a = { .cfg = { .connect_timeout_us = 200 * MILLISECOND } };
        pthread_t thread;
        uint16_t port;

        rotes[i].fd = listen_silently(&port);
        pthread_create(&thread, NULL, answer_by_rote, &rotes[i]);
        client_open(&a, "mqtt://127.0.0.1", port);
        CLIENT_WAIT(rotes[i].claim, &a, a.told[rotes[i].state] > 0);
        CHECK("a reason for people", a.detail[0]);
        client_close(&a);
        shutdown(rotes[i].fd, SHUT_RDWR); /* ends accept4() */
        pthread_join(thread, NULL);
        close(rotes[i].fd);
    }
}

TEST(a_silent_broker_is_given_up)
{
    static const char *const urls[] = { "mqtt://127.0.0.1", "mqtts://localhost" };

    for (size_t i = 0; i < COUNT(urls); i++) {
        struct client a = { .cfg = { .connect_timeout_us = 100 * MILLISECOND } };
        uint16_t port;
        int fd = listen_silently(&port);

        client_open(&a, urls[i], port);
        CLIENT_WAIT("down", &a, a.state == SIGNALING_DOWN);
        CHECK("with its reason", strstr(a.detail, "no answer"));
        client_close(&a);
        close(fd);
    }
}

TEST(closing_while_connecting_does_not_wait)
{
    struct client a = { .face = NULL };
    uint16_t port;
    int fd = listen_silently(&port);

    a.cfg.connect_timeout_us = 1000 * SECOND; /* the test's own time limit is shorter */
    client_open(&a, "mqtt://127.0.0.1", port);
    client_close(&a);
    close(fd);
}

TEST(a_name_that_is_none)
{
    struct client a = { .face = NULL };

    client_open(&a, "mqtt://no-such-host.invalid", 1883);
    CLIENT_WAIT("down", &a, a.state == SIGNALING_DOWN);
    CHECK("with its reason", strstr(a.detail, "no-such-host.invalid"));
    client_close(&a);
}

TEST(sends_are_bounded_and_checked)
{
    struct client a = { .cfg = { .send_timeout_us = 1000 * SECOND } };

    client_open(&a, "mqtt://127.0.0.1", broker_free_port());
    CHECK("empty ID", client_send(&a, "", 1, 0) == ERR_INVALID);
    CHECK("an ID that is a pattern", client_send(&a, "a/#", 1, 0) == ERR_INVALID);
    CHECK("another's topic", client_send(&a, "a/b", 1, 0) == ERR_INVALID);
    CHECK("too long", client_send(&a, "bob", 1, SIGNALING_MESSAGE_MAX + 1) == ERR_INVALID);
    CHECK("as many as may wait", client_send(&a, "bob", MQTT_SENDS_MAX, 0) == ERR_OK);
    CHECK("one more", client_send(&a, "bob", 1, 0) == ERR_LIMIT);
    client_close(&a);
}

static const struct {
    const char *claim, *url, *id, *ca_file;
} bad_configs[] = {
    { "no URL", NULL, "alice", NULL },
    { "another scheme", "http://localhost", "alice", NULL },
    { "no scheme", "localhost:1883", "alice", NULL },
    { "no host", "mqtt://:1883", "alice", NULL },
    { "no ID", "mqtt://localhost", NULL, NULL },
    { "an ID that is a pattern", "mqtt://localhost", "+", NULL },
    { "an unreadable CA file", "mqtts://localhost", "alice", "/nonexistent/ca.pem" },
};

static void open_bad(void *ctx)
{
    struct io_loop *loop = ctx;
    struct signaling_handler h = { .on_state = on_state };

    for (size_t i = 0; i < COUNT(bad_configs); i++) {
        struct mqtt_config cfg = { .url = bad_configs[i].url,
                                   .id = bad_configs[i].id,
                                   .ca_file = bad_configs[i].ca_file };
        struct signaling *face;

        CHECK(bad_configs[i].claim, mqtt_open(&face, loop, &cfg, &h) == ERR_INVALID && !face);
    }
}

TEST(bad_configurations_are_refused)
{
    struct io_loop *loop;

    CHECK("the loop starts", io_loop_new(&loop) == ERR_OK);
    io_loop_run(loop, open_bad, loop);
    io_loop_free(loop);
    signaling_close(NULL);
}

TESTS(TEST_ROW(messages_arrive_in_order_and_are_acknowledged), TEST_ROW(nobody_there_is_offline),
      TEST_ROW(the_broker_may_die_and_come_back), TEST_ROW(the_newest_connection_of_an_id_wins),
      TEST_ROW(a_nudge_ends_a_wait),
      TEST_ROW(a_refusal_is_told_and_each_attempt_has_a_fresh_password), TEST_ROW(tls),
      TEST_ROW(tls_where_there_is_none), TEST_ROW(a_dead_broker_is_told_of_and_blocks_nothing),
      TEST_ROW(a_brokers_last_words_are_understood), TEST_ROW(a_silent_broker_is_given_up),
      TEST_ROW(closing_while_connecting_does_not_wait), TEST_ROW(a_name_that_is_none),
      TEST_ROW(sends_are_bounded_and_checked), TEST_ROW(bad_configurations_are_refused))
