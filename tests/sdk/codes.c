/* codes.c: each code, provoked by its real cause: an app, a device in another process, a broker. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sdk/support/rows.h"
#include "tests/sdk/support/stage.h"

/* ---- Without a library ---------------------------------------------------------------------- */

static void ignore(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    (void)result;
}

static int connect_now(void)
{
    return hawser_connect(NOBODY, 0, 0, ignore, NULL, NULL);
}

static int send_now(void)
{
    return hawser_send_data(4096, 0, "x", 1, 0);
}

static int recv_now(void)
{
    char byte;

    return hawser_recv_data(4096, 0, &byte, 1, 0);
}

static int check_now(void)
{
    return hawser_active_check(4096);
}

static int break_now(void)
{
    return hawser_connect_break("x");
}

static int listen_now(void)
{
    return hawser_device_listen(4096, 0);
}

static const struct row uninitialised_rows[] = {
    { "connect", -1, connect_now },
    { "send", -1, send_now },
    { "receive", -1, recv_now },
    { "active check", -1, check_now },
    { "connect break", -1, break_now },
    { "deinit", -1, hawser_deinit },
    { "deinit of P2P", -1, hawser_deinit_p2p },
    { "listen", -1, listen_now },
};

TEST(calls_before_init_and_after_deinit)
{
    (void)hawser_deinit();
    run_rows(uninitialised_rows, COUNT(uninitialised_rows));
    CHECK("init again", hawser_init(USER) == HAWSER_ERR_OK);
    CHECK("deinit", hawser_deinit() == HAWSER_ERR_OK);
    run_rows(uninitialised_rows, COUNT(uninitialised_rows));
    CHECK("init once more", hawser_init(USER) == HAWSER_ERR_OK);
    CHECK("the same user again", hawser_init(USER) == HAWSER_ERR_OK);
}

/* ---- Bad arguments -------------------------------------------------------------------------- */

static int empty_id(void)
{
    return hawser_connect("", 0, 0, ignore, NULL, NULL);
}

static int mistyped_id(void)
{
    return hawser_connect("hw1kzb7iqx6jjneokkdayoocmjtcu5r", 0, 0, ignore, NULL, NULL);
}

static int unknown_lan_mode(void)
{
    return hawser_connect(stage.device.id, 3, 0, ignore, NULL, NULL);
}

static int channel_eight(void)
{
    return hawser_send_data(4096, 8, "x", 1, 0);
}

static int channel_negative(void)
{
    char byte;

    return hawser_recv_data(4096, -1, &byte, 1, 0);
}

static int null_buffer(void)
{
    return hawser_recv_data(4096, 0, NULL, 1, 0);
}

static int negative_length(void)
{
    return hawser_send_data(4096, 0, "x", -1, 0);
}

static int break_of_nothing(void)
{
    return hawser_connect_break("0123456789abcdef0123456789abcdef");
}

static int break_of_finished(void)
{
    char trace[HAWSER_TRACE_ID_MAX];
    int code = dial_begin(NOBODY, 0, trace);

    return code || dial_result() != HAWSER_ERR_UNAUTHORISED ? INT_MAX : hawser_connect_break(trace);
}

static int bad_label(void)
{
    return hawser_init("no spaces");
}

static int unknown_handle(void)
{
    return hawser_active_check(12345);
}

static int alias(void)
{
    return dial("VENDOR-12345-ABCDE", 1000);
}

static const struct row argument_rows[] = {
    { "an empty ID", -5, empty_id },
    { "a mistyped ID", -5, mistyped_id },
    { "an unknown lan_mode", -5, unknown_lan_mode },
    { "channel 8", -5, channel_eight },
    { "channel -1", -5, channel_negative },
    { "no buffer", -5, null_buffer },
    { "a negative length", -5, negative_length },
    { "breaking what never began", -5, break_of_nothing },
    { "breaking what has finished", -5, break_of_finished },
    { "a user ID with a space", -5, bad_label },
    { "a handle nobody got", -11, unknown_handle },
    { "a vendor's alias, without a directory", -30, alias },
};

TEST(bad_arguments)
{
    run_rows(argument_rows, COUNT(argument_rows));
}

/* ---- A session ------------------------------------------------------------------------------ */

static int connects(void)
{
    return stage_prove(stage_connect());
}

static int sends_nothing(void)
{
    struct pair_of_handles h = stage_connect();
    int code = hawser_send_data(h.app, 0, "", 0, 0);

    stage_disconnect(h);
    return code;
}

static int nothing_to_receive(void)
{
    struct pair_of_handles h = stage_connect();
    char byte;
    int code = hawser_recv_data(h.app, 0, &byte, 1, 50);

    stage_disconnect(h);
    return code;
}

/* Nobody reads at the other end: in the end the buffers are full. */
static int fill(int handle)
{
    static char data[65536];
    int code;

    do
        code = hawser_send_data(handle, 4, data, sizeof data, 200);
    while (code > 0);
    return code;
}

static int nothing_can_be_sent(void)
{
    struct pair_of_handles h = stage_connect();
    int code = fill(h.app);

    stage_disconnect(h);
    return code;
}

static int nobody_asks(void)
{
    return (int)peer_ask(&stage.device, "listen 10");
}

static int listen_broken(void)
{
    return peer_ask(&stage.device, "listen_break") ? INT_MAX
                                                   : (int)peer_ask(&stage.device, "listen 5000");
}

static int closed_handle(void)
{
    struct pair_of_handles h = stage_connect();
    int code = hawser_disconnect(h.app);

    code = code ? INT_MAX : hawser_active_check(h.app);
    stage_disconnect(h);
    return code;
}

static void *receive(void *ctx)
{
    static char byte;
    int *handle = ctx;

    *handle = hawser_recv_data(*handle, 2, &byte, 1, -1);
    return NULL;
}

static int closed_while_waiting(void)
{
    struct pair_of_handles h = stage_connect();
    int code = h.app;
    pthread_t thread;

    (void)pthread_create(&thread, NULL, receive, &code);
    CHECK("the call has begun to wait", session_wait_receiving(h.app, 2));
    (void)hawser_disconnect(h.app);
    (void)pthread_join(thread, NULL);
    stage_disconnect(h);
    return code;
}

static const struct row session_rows[] = {
    { "a session", 0, connects },
    { "no bytes on a live session", 0, sends_nothing },
    { "nothing arrives in time", -3, nothing_to_receive },
    { "nothing can be sent in time", -3, nothing_can_be_sent },
    { "nobody asks for the device in time", -3, nobody_asks },
    { "listening is broken off", -16, listen_broken },
    { "a closed handle", -11, closed_handle },
    { "closed by this side while it waited", -14, closed_while_waiting },
};

TEST(sessions_and_waiting)
{
    run_rows(session_rows, COUNT(session_rows));
}

/* ---- What the device decides ---------------------------------------------------------------- */

/* The code a connect gets while the device has been told `command`, which `undo` takes back. */
static int refused(const char *command, const char *undo)
{
    int code;

    if (peer_ask(&stage.device, "%s", command))
        return INT_MAX;
    code = dial(stage.device.id, 10000);
    (void)peer_ask(&stage.device, "%s", undo);
    return code;
}

static const struct {
    const char *claim;
    int code;
    const char *command, *undo;
} refusals[] = {
    { "privacy mode is on", -102, "privacy 1", "privacy 0" },
    { "it could not start sending, said before", -103, "accept 3", "accept 0" },
    { "its application is full", -104, "accept 4", "accept 0" },
    { "it is in a call", -113, "in_call 1", "in_call 0" },
    { "its application has no resources", -114, "accept 14", "accept 0" },
};

TEST(what_the_device_refuses)
{
    struct pair_of_handles h = stage_connect();

    check_code("the device's limit", refused("limit 1", "limit 8"), -23);
    stage_disconnect(h);
    for (size_t i = 0; i < COUNT(refusals); i++)
        check_code(refusals[i].claim, refused(refusals[i].command, refusals[i].undo),
                   refusals[i].code);
}

static const struct {
    const char *claim;
    int code, reason;
} closings[] = {
    { "closed with reason 0", -100, 0 },
    { "it could not start sending, said later", -103, 3 },
    { "closed as expected", -106, 6 },
    { "closed by its application", -109, 9 },
    { "its application ran out of resources", -114, 14 },
    { "a reason nobody knows", -177, 77 },
};

TEST(what_the_device_closes)
{
    for (size_t i = 0; i < COUNT(closings); i++) {
        struct pair_of_handles h = stage_connect();

        CHECK("closes", peer_ask(&stage.device, "close %d %d", h.device, closings[i].reason) == 0);
        check_code(closings[i].claim, stage_wait_end(h), closings[i].code);
    }
}

static const struct {
    const char *claim;
    int code;
    const char *command, *undo;
} endings[] = {
    { "it left", -110, "leave", "restart" },
    { "privacy mode was switched on", -111, "privacy 1", "privacy 0" },
};

TEST(what_ends_every_session_of_the_device)
{
    for (size_t i = 0; i < COUNT(endings); i++) {
        struct pair_of_handles h = stage_connect();

        CHECK("a session", h.app >= 0 && h.device >= 0);
        (void)peer_ask(&stage.device, "%s", endings[i].command);
        check_code(endings[i].claim, stage_wait_end(h), endings[i].code);
        (void)peer_ask(&stage.device, "%s", endings[i].undo);
    }
}

/* ---- Texts ---------------------------------------------------------------------------------- */

TEST(every_code_has_a_text)
{
#define HAS_TEXT(name, value, text) CHECK(#name, strcmp(hawser_strerror(value), text) == 0);
    HAWSER_CODES(HAS_TEXT)
    CHECK("an unknown refusal", strstr(hawser_strerror(-177), "reason of its own"));
    CHECK("nothing known", strcmp(hawser_strerror(-9999), "unknown code") == 0);
    CHECK("the version", strcmp(hawser_get_version(), "0.1.0") == 0);
}

TESTS_BETWEEN(stage_open, stage_close, TEST_ROW(every_code_has_a_text),
              TEST_ROW(calls_before_init_and_after_deinit), TEST_ROW(bad_arguments),
              TEST_ROW(sessions_and_waiting), TEST_ROW(what_the_device_refuses),
              TEST_ROW(what_the_device_closes), TEST_ROW(what_ends_every_session_of_the_device))
