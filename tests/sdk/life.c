/* life.c: initialising and ending for ever, app and device in one process. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "core/base/bytes.h"
#include "sdk/internal.h"
#include "tests/check.h"
#include "tests/sdk/support/here.h"
#include "tests/sdk/support/peer.h"

enum { ROUNDS = 50 };

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
        struct pair_of_handles h;
        int device;

        device = here_open_device(id);
        CHECK("a device", device >= 0);
        if (i == 0)
            pair_with(device, id);
        h = here_connect(id, device);
        CHECK("connected", h.app >= 0 && h.device >= 0);
        CHECK("a byte", hawser_send_data(h.app, 3, "x", 1, 1000) == 1);
        CHECK("arrives", hawser_recv_data(h.device, 3, &byte, 1, 10000) == 1);
        if (i % 3 == 1)
            CHECK("closed properly", hawser_disconnect(h.app) == 0);
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

    listening = device = here_open_device(id);
    CHECK("a device", device >= 0);
    receiving = dial(id, 10000);
    CHECK("its other end", hawser_device_listen(device, 10000) >= 0);
    (void)pthread_create(&listener, NULL, listen_for, &listening);
    (void)pthread_create(&receiver, NULL, receive, &receiving);
    CHECK("it waits", session_wait_receiving(receiving, 0));
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

    device = here_open_device(id);
    CHECK("a device", device >= 0);
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
    char directory[64], id[HAWSER_ID_MAX];
    const char *invite;
    struct peer p;

    CHECK("a device", directory_make(directory) && peer_start(&p, directory, here.broker.url));
    invite = peer_invite(&p);
    CHECK("no broker", hawser_set_option("broker", NULL) == 0);
    CHECK("init", hawser_init("phone") == 0);
    CHECK("pairs", hawser_pair(invite, 10000, id) == 0);
    CHECK("connects", hawser_disconnect(dial(id, 10000)) == 0);
    CHECK("deinit", hawser_deinit() == 0);
    CHECK("init again", hawser_init("phone") == 0);
    CHECK("it was kept", hawser_disconnect(dial(id, 10000)) == 0);
    CHECK("deinit again", hawser_deinit() == 0);
    CHECK("as before", hawser_set_option("broker", here.broker.url) == 0);
    peer_stop(&p);
    directory_remove(directory);
}

static void on_openssl_freed(void)
{
    _exit(EXIT_FAILURE);
}

/* Threads of the library that still run would use what OpenSSL has freed, and crash. */
TEST(a_program_may_end_without_deinit)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        exit(!OPENSSL_atexit(on_openssl_freed) || hawser_init(USER));
    CHECK("a child", child > 0 && waitpid(child, &status, 0) == child);
    CHECK("ends as it meant to", WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
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

    device = here_open_device(id);
    CHECK("a device", device >= 0);
    CHECK("begins", hawser_connect(NOBODY, 0, 0, call_from_callback, &device, NULL) == 0);
    CHECK("an option comes too late",
          hawser_set_option("stun", "") == HAWSER_ERR_ALREADY_INITIALISED);
    CHECK("deinit", hawser_deinit() == 0);
    CHECK("not from the callback",
          deinit_code == HAWSER_ERR_INVALID || deinit_code == HAWSER_ERR_UNINITIALISED);
    CHECK("nor that", device_code == HAWSER_ERR_INVALID || device_code == HAWSER_ERR_UNINITIALISED);
}

TESTS_BETWEEN(here_open, here_close, TEST_ROW(init_and_deinit_for_ever),
              TEST_ROW(deinit_ends_every_blocked_call), TEST_ROW(another_user_takes_over),
              TEST_ROW(the_invite_tells_the_broker), TEST_ROW(a_program_may_end_without_deinit),
              TEST_ROW(a_callback_may_not_end_it_all))
