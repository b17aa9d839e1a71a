#include "io/mqtt.h"

#include "tests/check.h"
#include "tests/broker/broker.h"
#include "tests/io/client.h"

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
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker.port));
        CHECK("opens", client_open(&b, "mqtt://localhost",
                                   broker.port)); /* also where ::1 does not answer */
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

TEST(a_broker_behind_a_unix_socket)
{
    struct broker broker;
    struct client a = { .face = NULL };
    char url[96];

    CHECK("a configuration",
          broker_init(&broker, "allow_anonymous true\nlistener 0 %s/socket\n", false));
    CHECK("mosquitto runs", broker_start(&broker));
    snprintf(url, sizeof url, "mqtt+unix://%s/socket", broker.dir);
    CHECK("opens", client_open(&a, url, 0));
    CHECK("accepted", client_send(&a, "alice", 3, 0) == ERR_OK);
    CLIENT_WAIT("they arrive", &a, a.messages == 3 && a.results[SIGNALING_DELIVERED] == 3);
    broker_kill(&broker);
    CLIENT_WAIT("its end is told", &a, a.told[SIGNALING_DOWN] >= 1);
    client_close(&a);
    broker_deinit(&broker);
}

TEST(nobody_there_is_offline)
{
    struct broker broker;
    struct client a = { .face = NULL };

    if (start_broker(&broker)) {
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker.port));
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
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker.port));
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
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker.port));
        CLIENT_WAIT("online", &a, a.state == SIGNALING_ONLINE);
        CHECK("opens", client_open(&b, "mqtt://127.0.0.1", broker.port));
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

static void kick(void *ctx)
{
    signaling_kick(((struct client *)ctx)->face);
}

TEST(a_change_of_network_ends_a_wait)
{
    struct broker broker;
    struct client a = { .cfg = { .backoff_min_us = 1000 * SECOND,
                                 .backoff_max_us = 1000 * SECOND } };

    if (start_broker(&broker)) {
        broker_kill(&broker);
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker.port));
        CLIENT_WAIT("down", &a, a.state == SIGNALING_DOWN);
        CHECK("comes back", broker_start(&broker));
        io_loop_run(a.loop, kick, &a);
        CLIENT_WAIT("online at once", &a, a.state == SIGNALING_ONLINE);
        io_loop_run(a.loop, kick, &a);
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
        CHECK("opens", client_open(&a, "mqtt://127.0.0.1", broker.port));
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
        CHECK("opens", client_open(&a, tls_rows[i].url, broker.port));
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
        CHECK("opens", client_open(&a, "mqtts://localhost", broker.port));
        CLIENT_WAIT("told", &a, a.state == SIGNALING_DOWN);
        client_close(&a);
    }
    broker_deinit(&broker);
}

TESTS(TEST_ROW(messages_arrive_in_order_and_are_acknowledged),
      TEST_ROW(a_broker_behind_a_unix_socket), TEST_ROW(nobody_there_is_offline),
      TEST_ROW(the_broker_may_die_and_come_back), TEST_ROW(the_newest_connection_of_an_id_wins),
      TEST_ROW(a_change_of_network_ends_a_wait),
      TEST_ROW(a_refusal_is_told_and_each_attempt_has_a_fresh_password), TEST_ROW(tls),
      TEST_ROW(tls_where_there_is_none))
