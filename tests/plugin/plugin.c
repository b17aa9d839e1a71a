/* The plugin in a real mosquitto, with real clients over MQTT 5. */
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/token/broker_login.h"
#include "tests/check.h"
#include "tests/plugin/broker.h"
#include "tests/support/rng.h"

#define OPTIONS "plugin_opt_audience other.example.org," BROKER_NAME

enum { ALICE, BOB, ABSENT, PEOPLE };

static struct key *people[PEOPLE];
static struct broker broker;

static const char *id_of(int who)
{
    return key_id(people[who]);
}

static const char *inbox_of(int who)
{
    static char topics[PEOPLE][64];

    snprintf(topics[who], sizeof topics[who], "hawser/v1/%s", id_of(who));
    return topics[who];
}

/* The password of one who signs off_s seconds from now; the caller's to free(). */
static char *password_of(int who, const char *audience, int off_s)
{
    char *text = NULL;

    CHECK("signed", login_make(people[who], audience, time(NULL) + off_s, &text) == ERR_OK);
    return text;
}

static int start(struct client *c, int who)
{
    char *password = password_of(who, BROKER_NAME, 0);
    struct login login = { .client_id = id_of(who), .username = id_of(who), .password = password };
    int reason = client_start(c, &broker, &login);

    free(password);
    return reason;
}

static const struct {
    const char *claim;
    int signer;
    const char *audience;
    int off_s;
    int username, client_id; /* whose; -1: none */
    bool has_password;
    int reason;
} login_rows[] = {
    { "one's own", ALICE, BROKER_NAME, 0, ALICE, ALICE, true, 0 },
    { "for its other name", ALICE, "other.example.org", 0, ALICE, ALICE, true, 0 },
    { "four minutes slow", ALICE, BROKER_NAME, -240, ALICE, ALICE, true, 0 },
    { "an hour old", ALICE, BROKER_NAME, -3600, ALICE, ALICE, true, MQTT_RC_NOT_AUTHORIZED },
    { "an hour early", ALICE, BROKER_NAME, 3600, ALICE, ALICE, true, MQTT_RC_NOT_AUTHORIZED },
    { "for another broker", ALICE, "broker.example.com", 0, ALICE, ALICE, true,
      MQTT_RC_NOT_AUTHORIZED },
    { "another's signature", BOB, BROKER_NAME, 0, ALICE, ALICE, true, MQTT_RC_NOT_AUTHORIZED },
    { "another's client ID", ALICE, BROKER_NAME, 0, ALICE, BOB, true, MQTT_RC_NOT_AUTHORIZED },
    { "no client ID", ALICE, BROKER_NAME, 0, ALICE, -1, true, MQTT_RC_NOT_AUTHORIZED },
    { "no user name", ALICE, BROKER_NAME, 0, -1, ALICE, false, MQTT_RC_NOT_AUTHORIZED },
    { "no password", ALICE, BROKER_NAME, 0, ALICE, ALICE, false, MQTT_RC_NOT_AUTHORIZED },
};

TEST(logins)
{
    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    for (size_t i = 0; i < COUNT(login_rows); i++) {
        char *password =
            password_of(login_rows[i].signer, login_rows[i].audience, login_rows[i].off_s);
        struct login login = {
            .client_id = login_rows[i].client_id < 0 ? NULL : id_of(login_rows[i].client_id),
            .username = login_rows[i].username < 0 ? NULL : id_of(login_rows[i].username),
            .password = login_rows[i].has_password ? password : NULL,
        };
        struct client c;

        CHECK(login_rows[i].claim, client_start(&c, &broker, &login) == login_rows[i].reason);
        client_stop(&c);
        free(password);
    }
    CHECK("a clean end", broker_stop(&broker) == 0);
}

TEST(every_change_of_a_password_is_refused)
{
    char *password = password_of(ALICE, BROKER_NAME, 0);
    size_t len = strlen(password);

    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    for (size_t i = 0; i < len; i += 7) {
        struct login login = { .client_id = id_of(ALICE),
                               .username = id_of(ALICE),
                               .password = password };
        struct client c;
        char was = password[i];

        password[i] = was == 'A' ? 'B' : 'A';
        CHECK("refused", client_start(&c, &broker, &login) == MQTT_RC_NOT_AUTHORIZED);
        client_stop(&c);
        password[i] = was;
    }
    CHECK("and said so", broker_has_said(&broker, "hawser: refused login of hw1"));
    free(password);
    broker_stop(&broker);
}

TEST(subscriptions)
{
    struct client c;
    char below[80], shared[80], upper[80];
    const char *const denied[] = { inbox_of(BOB), "#",     "hawser/#",   "hawser/v1/+",
                                   "$SYS/#",      "+/+/+", "hawser/v1/", "hawser/v1",
                                   below,         shared,  upper };

    snprintf(below, sizeof below, "%s/#", inbox_of(ALICE));
    snprintf(shared, sizeof shared, "$share/g/%s", inbox_of(BOB));
    snprintf(upper, sizeof upper, "hawser/v1/H%s", id_of(BOB) + 1);
    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    CHECK("connects", start(&c, ALICE) == 0);
    CHECK("one's own inbox", client_subscribe(&c, inbox_of(ALICE)) == 1);
    for (size_t i = 0; i < COUNT(denied); i++)
        CHECK(denied[i], client_subscribe(&c, denied[i]) == MQTT_RC_NOT_AUTHORIZED);
    client_stop(&c);
    broker_stop(&broker);
}

TEST(messages)
{
    struct client alice, bob;
    char cut[64], below[80];
    const struct {
        const char *claim;
        struct message message;
        int reason;
    } rows[] = {
        { "to an inbox", { inbox_of(BOB), 100, false }, 0 },
        { "as long as may be", { inbox_of(BOB), 16384, false }, 0 },
        { "to one's own", { inbox_of(ALICE), 1, false }, 0 },
        { "to one who is not there",
          { inbox_of(ABSENT), 1, false },
          MQTT_RC_NO_MATCHING_SUBSCRIBERS },
        { "too long", { inbox_of(BOB), 16385, false }, MQTT_RC_NOT_AUTHORIZED },
        { "retained", { inbox_of(BOB), 1, true }, MQTT_RC_NOT_AUTHORIZED },
        { "to no ID", { cut, 1, false }, MQTT_RC_NOT_AUTHORIZED },
        { "below an inbox", { below, 1, false }, MQTT_RC_NOT_AUTHORIZED },
        { "anywhere", { "presence/alice", 1, false }, MQTT_RC_NOT_AUTHORIZED },
        { "to the system", { "$SYS/x", 1, false }, MQTT_RC_NOT_AUTHORIZED },
    };

    snprintf(cut, sizeof cut, "%s", inbox_of(BOB));
    cut[strlen(cut) - 1] = '\0';
    snprintf(below, sizeof below, "%s/x", inbox_of(BOB));
    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    CHECK("both connect", start(&alice, ALICE) == 0 && start(&bob, BOB) == 0);
    CHECK("both listen", client_subscribe(&alice, inbox_of(ALICE)) == 1 &&
                             client_subscribe(&bob, inbox_of(BOB)) == 1);
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, client_publish(&alice, &rows[i].message) == rows[i].reason);
    CHECK("one", client_wait(&bob, &bob.messages, 0) && bob.last_len == 100);
    CHECK("another", client_wait(&bob, &bob.messages, 1) && bob.last_len == 16384);
    CHECK("the last", !client_publish(&alice, &(struct message){ inbox_of(BOB), 7, false }));
    CHECK("and nothing between", client_wait(&bob, &bob.messages, 2) && bob.last_len == 7);
    client_stop(&alice);
    client_stop(&bob);
    broker_stop(&broker);
}

/* A will is a message like any other: judged when it is sent. */
TEST(wills)
{
    char *password = password_of(ALICE, BROKER_NAME, 0);
    struct login login = { .client_id = id_of(ALICE),
                           .username = id_of(ALICE),
                           .password = password };
    struct client c, bob;

    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    CHECK("bob listens", start(&bob, BOB) == 0 && client_subscribe(&bob, inbox_of(BOB)) == 1);
    login.will = inbox_of(BOB);
    CHECK("to an inbox", client_start(&c, &broker, &login) == 0);
    mosquitto_destroy(c.m); /* without a good-bye */
    CHECK("arrives", client_wait(&bob, &bob.messages, 0) && bob.last_len == 4);
    login.will = "presence/alice";
    CHECK("elsewhere", client_start(&c, &broker, &login) == 0);
    mosquitto_destroy(c.m);
    CHECK("goes nowhere", broker_has_said(&broker, "nobody's inbox"));
    client_stop(&bob);
    free(password);
    broker_stop(&broker);
}

TEST(the_newest_connection_of_a_key_wins)
{
    struct client first, second, thief, bob;
    char *password = password_of(BOB, BROKER_NAME, 0);
    struct login stolen = { .client_id = id_of(ALICE),
                            .username = id_of(BOB),
                            .password = password };

    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    CHECK("connects", start(&first, ALICE) == 0);
    CHECK("listens", client_subscribe(&first, inbox_of(ALICE)) == 1);
    CHECK("another key cannot", client_start(&thief, &broker, &stolen) == MQTT_RC_NOT_AUTHORIZED);
    CHECK("bob", start(&bob, BOB) == 0);
    CHECK("the first still has it",
          !client_publish(&bob, &(struct message){ inbox_of(ALICE), 3, false }) &&
              client_wait(&first, &first.messages, 0));
    CHECK("the same key again", start(&second, ALICE) == 0);
    CHECK("the first is told", client_wait(&first, &first.disconnect, -1) &&
                                   first.disconnect == MQTT_RC_ADMINISTRATIVE_ACTION);
    CHECK("the second listens", client_subscribe(&second, inbox_of(ALICE)) == 1);
    CHECK("and gets the messages",
          !client_publish(&bob, &(struct message){ inbox_of(ALICE), 4, false }) &&
              client_wait(&second, &second.messages, 0) && first.messages == 1);
    client_stop(&first);
    client_stop(&second);
    client_stop(&thief);
    client_stop(&bob);
    free(password);
    broker_stop(&broker);
}

TEST(taking_over_again_and_again)
{
    struct client clients[2] = { { .m = NULL }, { .m = NULL } };

    CHECK("the broker runs", broker_start(&broker, OPTIONS));
    for (int i = 0; i < 100; i++) {
        client_stop(&clients[i % 2]);
        CHECK("connects", start(&clients[i % 2], ALICE) == 0);
        CHECK("listens", client_subscribe(&clients[i % 2], inbox_of(ALICE)) == 1);
        CHECK("gets its messages",
              !client_publish(&clients[i % 2], &(struct message){ inbox_of(ALICE), 5, false }) &&
                  client_wait(&clients[i % 2], &clients[i % 2].messages, 0));
    }
    client_stop(&clients[0]);
    client_stop(&clients[1]);
    CHECK("a clean end", broker_stop(&broker) == 0);
}

static const struct {
    const char *options, *said;
} option_rows[] = {
    { "", "plugin_opt_audience is missing" },
    { "plugin_opt_audience ,", "plugin_opt_audience is missing" },
    { OPTIONS "\nplugin_opt_skew soon", "plugin_opt_skew must be" },
    { OPTIONS "\nplugin_opt_payload_max 0", "plugin_opt_payload_max must be" },
    { OPTIONS "\nplugin_opt_publish_rate -1", "plugin_opt_publish_rate must be" },
    { OPTIONS "\nplugin_opt_publish_rate fast", "plugin_opt_publish_rate must be" },
    { OPTIONS "\nplugin_opt_audiance x", "unknown plugin_opt_" },
};

/* How many of `tries` messages to bob are taken. */
static int publish(struct client *c, int tries)
{
    int taken = 0;

    for (int i = 0; i < tries; i++) {
        int reason = client_publish(c, &(struct message){ inbox_of(BOB), 1, false });

        CHECK("taken or refused", reason == 0 || reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS ||
                                      reason == MQTT_RC_NOT_AUTHORIZED);
        taken += reason != MQTT_RC_NOT_AUTHORIZED;
    }
    return taken;
}

/* One message a second: a test that takes a minute would still see some refused. */
TEST(a_client_that_floods_is_slowed_down)
{
    struct client alice, bob;
    int taken;

    CHECK("the broker runs", broker_start(&broker, OPTIONS "\nplugin_opt_publish_rate 1"));
    CHECK("connects", start(&alice, ALICE) == 0);
    taken = publish(&alice, 400);
    CHECK("a burst passes, a flood does not", taken >= 100 && taken < 300);
    client_stop(&alice);
    CHECK("connects again", start(&alice, ALICE) == 0);
    CHECK("which does not help", publish(&alice, 100) < 50);
    CHECK("others are not slowed", start(&bob, BOB) == 0 && publish(&bob, 50) == 50);
    CHECK("still connected", client_subscribe(&alice, inbox_of(ALICE)) == 1);
    client_stop(&alice);
    client_stop(&bob);
    CHECK("a clean end", broker_stop_counting(&broker, "publish_rate allows", &taken) == 0);
    CHECK("said once", taken == 1);
}

TEST(a_flood_may_be_allowed)
{
    struct client c;

    CHECK("the broker runs", broker_start(&broker, OPTIONS "\nplugin_opt_publish_rate 0"));
    CHECK("connects", start(&c, ALICE) == 0);
    CHECK("all pass", publish(&c, 1000) == 1000);
    client_stop(&c);
    broker_stop(&broker);
}

TEST(wrong_options_stop_the_broker)
{
    for (size_t i = 0; i < COUNT(option_rows); i++) {
        CHECK(option_rows[i].said, broker_run(&broker, option_rows[i].options));
        CHECK(option_rows[i].said, broker_has_said(&broker, option_rows[i].said));
        CHECK(option_rows[i].said, !broker_has_said(&broker, " running"));
        CHECK(option_rows[i].said, broker_stop(&broker) > 0);
    }
}

TEST(options_are_kept)
{
    struct client c;

    CHECK("the broker runs", broker_start(&broker, OPTIONS "\nplugin_opt_payload_max 10"));
    CHECK("connects", start(&c, ALICE) == 0);
    CHECK("ten", client_publish(&c, &(struct message){ inbox_of(BOB), 10, false }) ==
                     MQTT_RC_NO_MATCHING_SUBSCRIBERS);
    CHECK("eleven", client_publish(&c, &(struct message){ inbox_of(BOB), 11, false }) ==
                        MQTT_RC_NOT_AUTHORIZED);
    client_stop(&c);
    broker_stop(&broker);
}

static int make_people(void **state)
{
    uint64_t seed = 51;
    struct rng rng = test_rng(&seed);

    (void)state;
    mosquitto_lib_init();
    for (int i = 0; i < PEOPLE; i++)
        if (key_new(&people[i], &rng) != ERR_OK)
            return -1;
    return 0;
}

static int forget_people(void **state)
{
    (void)state;
    for (int i = 0; i < PEOPLE; i++)
        key_free(people[i]);
    return mosquitto_lib_cleanup();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ROW(logins),
        TEST_ROW(every_change_of_a_password_is_refused),
        TEST_ROW(subscriptions),
        TEST_ROW(messages),
        TEST_ROW(wills),
        TEST_ROW(the_newest_connection_of_a_key_wins),
        TEST_ROW(taking_over_again_and_again),
        TEST_ROW(a_client_that_floods_is_slowed_down),
        TEST_ROW(a_flood_may_be_allowed),
        TEST_ROW(wrong_options_stop_the_broker),
        TEST_ROW(options_are_kept),
    };

    return cmocka_run_group_tests(tests, make_people, forget_people);
}
