/* MQTT signaling where the broker is dead, silent, hostile, or cannot even be named. */
#include "io/mqtt.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/broker/broker.h"
#include "tests/io/client.h"

TEST(a_dead_broker_is_told_of_and_blocks_nothing)
{
    struct client a = { .cfg = { .send_timeout_us = 50 * MILLISECOND } };

    CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker_free_port()));
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
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", port));
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

        CHECK("opens", client_open(&a, urls[i], port));
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
    CHECK("opens", client_open(&a, "mqtt://127.0.0.1", port));
    client_close(&a);
    close(fd);
}

TEST(a_name_that_is_none)
{
    struct client a = { .face = NULL };

    CHECK("opens", client_open(&a, "mqtt://no-such-host.invalid", 1883));
    CLIENT_WAIT("down", &a, a.state == SIGNALING_DOWN);
    CHECK("with its reason", strstr(a.detail, "no-such-host.invalid"));
    client_close(&a);
}

TEST(sends_are_bounded_and_checked)
{
    struct client a = { .cfg = { .send_timeout_us = 1000 * SECOND } };

    CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker_free_port()));
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
    struct signaling_handler h = { .ctx = NULL };

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

TESTS(TEST_ROW(a_dead_broker_is_told_of_and_blocks_nothing),
      TEST_ROW(a_brokers_last_words_are_understood), TEST_ROW(a_silent_broker_is_given_up),
      TEST_ROW(closing_while_connecting_does_not_wait), TEST_ROW(a_name_that_is_none),
      TEST_ROW(sends_are_bounded_and_checked), TEST_ROW(bad_configurations_are_refused))
