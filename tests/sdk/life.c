/* life.c: initialising and ending for ever, app and device in one process. */
#include <pthread.h>
#include <string.h>

#include "core/base/bytes.h"
#include "sdk/internal.h"
#include "tests/check.h"
#include "tests/sdk/support/stage.h"

enum { ROUNDS = 50 };

static struct broker broker;
static char home[64];

static int open_own_device(char id[HAWSER_ID_MAX])
{
    int device = hawser_device_open("device");

    CHECK("a device", device >= 0);
    CHECK("with an ID", hawser_device_id(device, id) == 0);
    CHECK("online", hawser_device_wait_online(device, 10000) == 1);
    return device;
}

static void pair_with(int device, const char *id)
{
    char invite[HAWSER_INVITE_MAX], got[HAWSER_ID_MAX];

    CHECK("an invite", hawser_device_invite(device, 0, invite) == 0);
    CHECK("accepted", hawser_pair(invite, 10000, got) == 0 && strcmp(got, id) == 0);
    CHECK("again, by the same app", hawser_pair(invite, 10000, got) == 0);
}

TEST(init_and_deinit_for_ever)
{
    char id[HAWSER_ID_MAX], byte;

    for (int i = 0; i < ROUNDS; i++) {
        int device, handle, ours;

        CHECK("init", hawser_init(USER) == 0);
        device = open_own_device(id);
        if (i == 0)
            pair_with(device, id);
        handle = dial(id, 10000);
        ours = hawser_device_listen(device, 10000);
        CHECK("connected", handle >= 0 && ours >= 0);
        CHECK("a byte", hawser_send_data(handle, 3, "x", 1, 1000) == 1);
        CHECK("arrives", hawser_recv_data(ours, 3, &byte, 1, 10000) == 1);
        if (i % 3 == 1)
            CHECK("closed properly", hawser_disconnect(handle) == 0);
        if (i % 3 == 2)
            CHECK("the device leaves", hawser_device_close(device) == 0);
        CHECK("deinit", hawser_deinit() == 0);
        CHECK("nothing is left", lib.links == NULL && lib.connect_count == 0 && lib.calls == 0);
    }
}

static void *listen_for(void *ctx)
{
    int *code = ctx;

    *code = hawser_device_listen(*code, -1);
    return NULL;
}

static void *receive(void *ctx)
{
    int *code = ctx;
    char byte;

    *code = hawser_recv_data(*code, 0, &byte, 1, -1);
    return NULL;
}

TEST(deinit_ends_every_blocked_call)
{
    char id[HAWSER_ID_MAX];
    int device, listening, receiving;
    pthread_t listener, receiver;

    CHECK("init", hawser_init(USER) == 0);
    listening = device = open_own_device(id);
    receiving = dial(id, 10000);
    CHECK("its other end", hawser_device_listen(device, 10000) >= 0);
    (void)pthread_create(&listener, NULL, listen_for, &listening);
    (void)pthread_create(&receiver, NULL, receive, &receiving);
    CHECK("it waits", stage_wait_receiving(receiving, 0));
    CHECK("deinit", hawser_deinit() == 0);
    (void)pthread_join(listener, NULL);
    (void)pthread_join(receiver, NULL);
    CHECK("receive", receiving == HAWSER_ERR_CLOSED_LOCALLY);
    CHECK("listen", listening == HAWSER_ERR_CLOSED_LOCALLY ||
                        listening == HAWSER_ERR_UNINITIALISED); /* not yet begun */
}

TEST(another_user_takes_over)
{
    char id[HAWSER_ID_MAX];
    int device, handle;

    CHECK("init", hawser_init(USER) == 0);
    device = open_own_device(id);
    handle = dial(id, 10000);
    CHECK("connected", handle >= 0);
    CHECK("the other user", hawser_init("other") == 0);
    CHECK("the first one's session is gone",
          hawser_active_check(handle) == HAWSER_ERR_INVALID_SESSION);
    CHECK("the other has no grant", dial(id, 10000) == HAWSER_ERR_UNAUTHORISED);
    CHECK("the device is still there", hawser_device_wait_online(device, 0) == 1);
    CHECK("its key is taken", hawser_init("device") == HAWSER_ERR_INVALID);
    CHECK("its label is taken", hawser_device_open("device") == HAWSER_ERR_ALREADY_INITIALISED);
    CHECK("the first again", hawser_init(USER) == 0);
    handle = dial(id, 10000);
    CHECK("is welcome", handle >= 0);
    CHECK("unbound at logout", hawser_deinit_p2p() == 0);
    CHECK("nobody to connect for", dial(id, 1000) == HAWSER_ERR_UNINITIALISED);
    CHECK("the device stays", hawser_device_wait_online(device, 0) == 1);
    CHECK("leaves", hawser_device_close(device) == 0);
    CHECK("and with it everything", hawser_deinit() == HAWSER_ERR_UNINITIALISED);
}

/* A phone that has been told nothing but the line on the device. */
TEST(the_invite_tells_the_broker)
{
    char directory[64], invite[HAWSER_INVITE_MAX], id[HAWSER_ID_MAX];
    struct peer p;

    CHECK("a device",
          directory_make(directory) && peer_start(&p, DEVICE_PROGRAM, directory, broker.url));
    peer_tell(&p, "invite");
    (void)snprintf(invite, sizeof invite, "%s", peer_answer(&p));
    CHECK("no broker", hawser_set_option("broker", NULL) == 0);
    CHECK("init", hawser_init("phone") == 0);
    CHECK("pairs", hawser_pair(invite, 10000, id) == 0);
    CHECK("connects", hawser_disconnect(dial(id, 10000)) == 0);
    CHECK("deinit", hawser_deinit() == 0);
    CHECK("init again", hawser_init("phone") == 0);
    CHECK("it was kept", hawser_disconnect(dial(id, 10000)) == 0);
    CHECK("deinit again", hawser_deinit() == 0);
    CHECK("as before", hawser_set_option("broker", broker.url) == 0);
    peer_stop(&p);
    directory_remove(directory);
}

static int deinit_code, device_code;

static void call_from_callback(void *ctx, const char *trace_id, int result)
{
    int *device = ctx;

    (void)trace_id;
    (void)result;
    device_code = hawser_device_close(*device);
    deinit_code = hawser_deinit();
}

TEST(a_callback_may_not_end_it_all)
{
    char id[HAWSER_ID_MAX];
    int device;

    CHECK("init", hawser_init(USER) == 0);
    device = open_own_device(id);
    CHECK("begins", hawser_connect("hw1kzb7iqx6jjneokkdayoocmjtcu5q", 0, 0, call_from_callback,
                                   &device, NULL) == 0);
    CHECK("an option comes too late",
          hawser_set_option("stun", "") == HAWSER_ERR_ALREADY_INITIALISED);
    CHECK("deinit", hawser_deinit() == 0);
    CHECK("not from the callback",
          deinit_code == HAWSER_ERR_INVALID || deinit_code == HAWSER_ERR_UNINITIALISED);
    CHECK("nor that", device_code == HAWSER_ERR_INVALID || device_code == HAWSER_ERR_UNINITIALISED);
}

static int start(void **state)
{
    (void)state;
    return directory_make(home) && broker_start(&broker) && !hawser_set_option("home", home) &&
                   !hawser_set_option("broker", broker.url) &&
                   !hawser_set_option("flush_ms", "100") && !hawser_set_option("bind", "127.0.0.1")
               ? 0
               : -1;
}

static int stop(void **state)
{
    (void)state;
    (void)hawser_deinit();
    broker_stop(&broker);
    directory_remove(home);
    for (size_t i = 0; i < 4; i++)
        (void)hawser_set_option((const char *[]){ "home", "broker", "flush_ms", "bind" }[i], NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ROW(init_and_deinit_for_ever),      TEST_ROW(deinit_ends_every_blocked_call),
        TEST_ROW(another_user_takes_over),       TEST_ROW(the_invite_tells_the_broker),
        TEST_ROW(a_callback_may_not_end_it_all),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
