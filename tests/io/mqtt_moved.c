/* A client at the broker whose address changes, in a network namespace of our own. */
#include "io/mqtt.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/broker/broker.h"
#include "tests/check.h"
#include "tests/io/client.h"

#define BROKER "192.0.2.1"

static bool ip(const char *lines)
{
    FILE *f = popen("ip -batch -", "w");

    return f && fputs(lines, f) >= 0 && pclose(f) == 0;
}

static void kick(void *ctx)
{
    signaling_kick(((struct client *)ctx)->face);
}

/* Nothing but a change of address can end this connection within the test's patience, nor bring it
 * back: the broker does not care, and waits between attempts are long. */
TEST(a_new_address_is_a_new_connection)
{
    struct client a = { .cfg = { .backoff_min_us = 1000 * SECOND,
                                 .backoff_max_us = 1000 * SECOND } };
    struct broker broker;
    char extra[80];

    CHECK("addresses",
          ip("link set lo up\naddr add " BROKER "/32 dev lo\naddr add 192.0.2.2/32 dev lo\n"
             "route replace local " BROKER " dev lo src 192.0.2.2 table local\n"));
    snprintf(extra, sizeof extra, "allow_anonymous true\nlistener 1883 " BROKER "\n");
    CHECK("a configuration", broker_init(&broker, extra, false));
    CHECK("mosquitto runs", broker_start(&broker));
    CHECK("opens", client_open(&a, "mqtt://" BROKER, 1883));
    CLIENT_WAIT("online", &a, a.state == SIGNALING_ONLINE);
    io_loop_run(a.loop, kick, &a);
    CHECK("accepted", client_send(&a, "alice", 1, 0) == ERR_OK);
    CLIENT_WAIT("it stays where nothing changed", &a, a.messages == 1);
    CHECK("another address", ip("addr add 192.0.2.3/32 dev lo\n"
                                "route replace local " BROKER " dev lo src 192.0.2.3 table local\n"
                                "addr del 192.0.2.2/32 dev lo\n"));
    io_loop_run(a.loop, kick, &a);
    CLIENT_WAIT("online again", &a, a.told[SIGNALING_ONLINE] == 2);
    CHECK("down once", a.told[SIGNALING_DOWN] == 1);
    CHECK("accepted", client_send(&a, "alice", 1, 0) == ERR_OK);
    CLIENT_WAIT("messages arrive", &a, a.messages == 2);
    client_close(&a);
    broker_deinit(&broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST_ROW(a_new_address_is_a_new_connection) };

    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return 77; /* no namespace of our own is to be had: skipped */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
