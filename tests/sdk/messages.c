/* messages.c: messages between two processes, and channels that may lose them. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sdk/support/rows.h"
#include "tests/sdk/support/stage.h"

enum { PATIENCE_MS = 20000 };

static char message[HAWSER_MESSAGE_MAX + 1], got[HAWSER_MESSAGE_MAX];

/* As the device makes them: the bytes follow from the length. */
static int send_one(int handle, int channel, int len, int timeout_ms)
{
    for (int i = 0; i < len; i++)
        message[i] = (char)(i * 31 + len);
    return hawser_send_message(handle, channel, message, len, timeout_ms);
}

static bool recv_one(int handle, int channel, int len)
{
    bool is_so = hawser_recv_message(handle, channel, got, sizeof got, PATIENCE_MS) == len;

    for (int i = 0; is_so && i < len; i++)
        is_so = got[i] == (char)(i * 31 + len);
    return is_so;
}

static long device_recv(struct pair_of_handles h, int channel)
{
    return peer_ask(&stage.device, "recv_message %d %d %d", h.device, channel, PATIENCE_MS);
}

static long device_send(struct pair_of_handles h, int channel, int len)
{
    return peer_ask(&stage.device, "send_message %d %d %d %d", h.device, channel, len, PATIENCE_MS);
}

static const int lengths[] = {
    1, 2, 1000, 1199, 4080, 4096, 16383, 16384, 16385, 65536, 99999, 262143, HAWSER_MESSAGE_MAX
};

TEST(every_length_on_every_channel_both_ways)
{
    struct pair_of_handles h = stage_connect();

    for (int channel = 0; channel < HAWSER_CHANNELS; channel++)
        for (size_t i = 0; i < COUNT(lengths); i++) {
            CHECK("taken", send_one(h.app, channel, lengths[i], PATIENCE_MS) == lengths[i]);
            CHECK("as it was", device_recv(h, channel) == lengths[i]);
            CHECK("taken there", device_send(h, channel, lengths[i]) == lengths[i]);
            CHECK("its length is told",
                  hawser_message_size(h.app, channel, PATIENCE_MS) == lengths[i]);
            CHECK("as it was", recv_one(h.app, channel, lengths[i]));
        }
    stage_disconnect(h);
}

/* Many at once, of lengths that follow no pattern, through full buffers. */
TEST(their_order_is_kept)
{
    struct pair_of_handles h = stage_connect();
    int sent = 0, received = 0;

    CHECK("echo", peer_ask(&stage.device, "echo_messages %d", h.device) == 0);
    while (received < 400) {
        int next = 1 + sent * 7919 % 60000;

        if (sent < 400 && send_one(h.app, 5, next, 0) == next) {
            sent++;
            continue;
        }
        if (!recv_one(h.app, 5, 1 + received * 7919 % 60000))
            break;
        received++;
    }
    CHECK("each as it was, and in order", received == 400);
    stage_disconnect(h);
}

TEST(a_buffer_that_is_too_small_loses_nothing)
{
    struct pair_of_handles h = stage_connect();

    CHECK("sent", device_send(h, 3, 5000) == 5000);
    CHECK("and another", device_send(h, 3, 7) == 7);
    CHECK("its size", hawser_message_size(h.app, 3, PATIENCE_MS) == 5000);
    check_code("too small", hawser_recv_message(h.app, 3, got, 4999, PATIENCE_MS), -5);
    check_code("much too small", hawser_recv_message(h.app, 3, got, 0, 0), -5);
    CHECK("its size still", hawser_message_size(h.app, 3, 0) == 5000);
    CHECK("large enough", recv_one(h.app, 3, 5000));
    CHECK("and the next", recv_one(h.app, 3, 7));
    check_code("and no other", hawser_message_size(h.app, 3, 0), -3);
    stage_disconnect(h);
}

TEST(messages_and_bytes_mix)
{
    struct pair_of_handles h = stage_connect();
    int left = 100000;

    CHECK("bytes", peer_ask(&stage.device, "send %d 4 100000 %d", h.device, PATIENCE_MS) == 100000);
    CHECK("a message", device_send(h, 4, 1234) == 1234);
    CHECK("bytes", peer_ask(&stage.device, "send %d 4 10 %d", h.device, PATIENCE_MS) == 10);
    while (left > 0) {
        int n = hawser_recv_message(h.app, 4, got, sizeof got, PATIENCE_MS);

        CHECK("bytes come as messages", n > 0 && n <= left);
        if (n <= 0)
            break;
        left -= n;
    }
    CHECK("a message is not joined to them", left == 0 && recv_one(h.app, 4, 1234));
    CHECK("nor they to it", hawser_recv_message(h.app, 4, got, sizeof got, PATIENCE_MS) == 10);
    CHECK("a message", device_send(h, 4, 1000) == 1000);
    CHECK("taken as bytes, in part", hawser_recv_data(h.app, 4, got, 400, PATIENCE_MS) == 400);
    CHECK("the rest is one", hawser_recv_message(h.app, 4, got, sizeof got, PATIENCE_MS) == 600);
    stage_disconnect(h);
}

/* ---- Limits and ends ------------------------------------------------------------------------- */

static const struct {
    const char *claim;
    int channel, len, code;
} refused[] = {
    { "an empty one", 0, 0, -5 },       { "one too long", 1, HAWSER_MESSAGE_MAX + 1, -5 },
    { "channel 8", 8, 1, -5 },          { "channel -1", -1, 1, -5 },
    { "a negative length", 0, -1, -5 },
};

TEST(messages_that_there_are_not)
{
    struct pair_of_handles h = stage_connect();

    for (size_t i = 0; i < COUNT(refused); i++)
        check_code(refused[i].claim,
                   hawser_send_message(h.app, refused[i].channel, message, refused[i].len, 0),
                   refused[i].code);
    check_code("no buffer", hawser_send_message(h.app, 0, NULL, 1, 0), -5);
    check_code("none to fill", hawser_recv_message(h.app, 0, NULL, 1, 0), -5);
    check_code("nothing there", hawser_recv_message(h.app, 0, got, sizeof got, 0), -3);
    check_code("in time", hawser_recv_message(h.app, 0, got, sizeof got, 50), -3);
    check_code("a size of channel 8", hawser_message_size(h.app, 8, 0), -5);
    check_code("a handle nobody got", hawser_send_message(12345, 0, message, 1, 0), -11);
    stage_disconnect(h);
}

TEST(full_buffers_take_all_of_a_message_or_none)
{
    struct pair_of_handles h = stage_connect();
    int taken = 0, code;

    while ((code = send_one(h.app, 4, 50000, 300)) == 50000)
        taken++;
    check_code("in time there was no room", code, -3);
    check_code("nor at once", send_one(h.app, 4, 50000, 0), -3);
    for (int i = 0; i < taken; i++)
        CHECK("whole", device_recv(h, 4) == 50000);
    CHECK("and no part of another",
          peer_ask(&stage.device, "recv_message %d 4 200", h.device) == HAWSER_ERR_TIMEOUT);
    CHECK("room again", send_one(h.app, 4, 50000, PATIENCE_MS) == 50000);
    CHECK("and heard", device_recv(h, 4) == 50000);
    stage_disconnect(h);
}

struct blocked {
    int handle, code;
};

static void *receive_blocked(void *ctx)
{
    struct blocked *b = ctx;

    b->code = hawser_recv_message(b->handle, 2, got, sizeof got, -1);
    return NULL;
}

static void *send_blocked(void *ctx)
{
    struct blocked *b = ctx;

    do
        b->code = hawser_send_message(b->handle, 6, message, 50000, -1);
    while (b->code > 0);
    return NULL;
}

TEST(a_close_ends_those_who_wait)
{
    struct pair_of_handles h = stage_connect();
    struct blocked receiver = { h.app, 0 }, sender = { h.app, 0 };
    pthread_t threads[2];

    (void)pthread_create(&threads[0], NULL, receive_blocked, &receiver);
    (void)pthread_create(&threads[1], NULL, send_blocked, &sender);
    CHECK("it waits", session_wait_receiving(h.app, 2));
    CHECK("closes", peer_ask(&stage.device, "close %d 9", h.device) == 0);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    check_code("the receiver", receiver.code, -109);
    check_code("the sender", sender.code, -109);
    stage_disconnect(h);
}

TEST(what_came_before_a_close_is_delivered)
{
    struct pair_of_handles h = stage_connect();

    CHECK("sent", device_send(h, 1, HAWSER_MESSAGE_MAX) == HAWSER_MESSAGE_MAX);
    CHECK("and more", device_send(h, 1, 3) == 3);
    CHECK("closes", peer_ask(&stage.device, "close %d 9", h.device) == 0);
    check_code("over", session_wait_end(h.app), -109);
    CHECK("the first", recv_one(h.app, 1, HAWSER_MESSAGE_MAX));
    CHECK("the second", recv_one(h.app, 1, 3));
    check_code("then the code", hawser_recv_message(h.app, 1, got, sizeof got, -1), -109);
    stage_disconnect(h);
}

/* ---- Lossy channels -------------------------------------------------------------------------- */

static const struct {
    const char *claim;
    int channel, lifetime_ms, retransmits, code;
} limits[] = {
    { "by time", 6, 1, -1, 0 },       { "by retransmissions", 1, -1, 0, 0 },
    { "by both", 2, 60000, 1000, 0 }, { "again", 2, 100, 3, 0 },
    { "by neither", 3, -1, -1, -5 },  { "no time at all", 3, 0, 1, -5 },
    { "too long", 3, 60001, 0, -5 },  { "too often", 3, -1, 1001, -5 },
    { "channel 8", 8, 100, 0, -5 },
};

TEST(limits_of_loss)
{
    struct pair_of_handles h = stage_connect();
    struct hawser_session_info info;

    for (size_t i = 0; i < COUNT(limits); i++)
        check_code(limits[i].claim,
                   hawser_set_lossy(h.app, limits[i].channel, limits[i].lifetime_ms,
                                    limits[i].retransmits),
                   limits[i].code);
    CHECK("told", hawser_session_info(h.app, &info) == 0);
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        CHECK("these are", info.channel[i].is_lossy == (i == 1 || i == 2 || i == 6) &&
                               !info.channel[i].peer_is_lossy);
    check_code("no bytes go there", hawser_send_data(h.app, 1, "x", 1, 0), -5);
    check_code("none come", hawser_recv_data(h.app, 1, got, 1, 0), -5);
    CHECK("elsewhere they do", hawser_send_data(h.app, 3, "x", 1, PATIENCE_MS) == 1);
    CHECK("and there messages", send_one(h.app, 1, 77, PATIENCE_MS) == 77);
    CHECK("which arrive", device_recv(h, 1) == 77);
    CHECK("not as bytes",
          peer_ask(&stage.device, "recv %d 1 10 0", h.device) == HAWSER_ERR_INVALID);
    CHECK("closes", peer_ask(&stage.device, "close %d 9", h.device) == 0);
    check_code("ended", session_wait_end(h.app), -109);
    check_code("the code of its end", hawser_set_lossy(h.app, 3, 100, 0), -109);
    stage_disconnect(h);
}

static void *receive_bytes(void *ctx)
{
    struct blocked *b = ctx;

    b->code = hawser_recv_data(b->handle, 2, got, sizeof got, -1);
    return NULL;
}

static long device_goes_lossy(const struct pair_of_handles *h)
{
    return peer_ask(&stage.device, "lossy %d 2 100 0", h->device);
}

static long app_goes_lossy(const struct pair_of_handles *h)
{
    return hawser_set_lossy(h->app, 2, 100, 0);
}

/* The app waits for bytes of channel 2 meanwhile. */
static void wait_while(long (*goes_lossy)(const struct pair_of_handles *h))
{
    struct pair_of_handles h = stage_connect();
    struct blocked receiver = { h.app, 0 };
    pthread_t thread;

    (void)pthread_create(&thread, NULL, receive_bytes, &receiver);
    CHECK("it waits", session_wait_receiving(h.app, 2));
    CHECK("lossy", goes_lossy(&h) == 0);
    (void)pthread_join(thread, NULL);
    check_code("told", receiver.code, -5);
    stage_disconnect(h);
}

TEST(who_waits_for_bytes_is_told_that_none_will_come)
{
    wait_while(device_goes_lossy);
    wait_while(app_goes_lossy);
}

/* The app reads nothing: its oldest go, the newest stay, and the device is never held up. */
TEST(who_does_not_read_loses_the_oldest)
{
    struct pair_of_handles h = stage_connect();
    struct hawser_session_info info;
    int first = -1, last = -1, number, count = 0, n;

    CHECK("lossy", peer_ask(&stage.device, "lossy %d 4 -1 1000", h.device) == 0);
    CHECK("all are taken", peer_ask(&stage.device, "flood %d 4 300", h.device) == 300);
    do { /* the last has come, whatever else has gone */
        n = hawser_recv_message(h.app, 4, got, sizeof got, PATIENCE_MS);
        CHECK("whole", n == 10000 && got[9999] == 'f');
        if (n != 10000)
            break;
        memcpy(&number, got, sizeof number);
        CHECK("in order", number > last);
        first = first < 0 ? number : first;
        last = number;
        count++;
    } while (last < 299);
    CHECK("to the newest", last == 299);
    CHECK("told", hawser_session_info(h.app, &info) == 0);
    CHECK("counted", info.channel[4].dropped == 300 - (uint64_t)count);
    CHECK("some were", info.channel[4].dropped > 0);
    CHECK("it knows of the mode", info.channel[4].peer_is_lossy && !info.channel[4].is_lossy);
    stage_disconnect(h);
}

TEST(a_path_that_takes_no_more_is_told)
{
    struct pair_of_handles h = stage_connect();
    int code, count = 0;

    CHECK("lossy", hawser_set_lossy(h.app, 1, -1, 1000) == 0);
    kill(stage.device.pid, SIGSTOP);
    while ((code = send_one(h.app, 1, 100000, 100)) == 100000 && count++ < 1000)
        continue;
    check_code("full, in time", code, -15);
    check_code("and at once", send_one(h.app, 1, 100000, 0), -15);
    kill(stage.device.pid, SIGCONT);
    CHECK("room again", send_one(h.app, 1, 100000, PATIENCE_MS) == 100000);
    stage_disconnect(h);
}

TESTS_BETWEEN(stage_open, stage_close, TEST_ROW(every_length_on_every_channel_both_ways),
              TEST_ROW(their_order_is_kept), TEST_ROW(a_buffer_that_is_too_small_loses_nothing),
              TEST_ROW(messages_and_bytes_mix), TEST_ROW(messages_that_there_are_not),
              TEST_ROW(full_buffers_take_all_of_a_message_or_none),
              TEST_ROW(a_close_ends_those_who_wait),
              TEST_ROW(what_came_before_a_close_is_delivered), TEST_ROW(limits_of_loss),
              TEST_ROW(who_waits_for_bytes_is_told_that_none_will_come),
              TEST_ROW(who_does_not_read_loses_the_oldest),
              TEST_ROW(a_path_that_takes_no_more_is_told))
