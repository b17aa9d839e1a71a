/* callbacks.c: what the callbacks are told and may do; app and device in one process. */
#include <pthread.h>
#include <string.h>

#include "core/base/bytes.h"
#include "io/thread.h"
#include "sdk/wait.h"
#include "tests/check.h"
#include "tests/sdk/support/here.h"

static char device_id[HAWSER_ID_MAX], user_id[HAWSER_ID_MAX];
static int device;

/* What the callbacks leave for the tests. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done;         /* callbacks that have run */
    bool is_listened; /* the device has both sessions */
    int result, reason, asked;
    struct hawser_request request;
    char paired[HAWSER_ID_MAX];
    int info, sent, check, second, disconnected, bound;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void wait_done(int count)
{
    usec until = deadline_of(20000);

    pthread_mutex_lock(&seen.lock);
    while (seen.done < count && cond_wait_until(&seen.changed, &seen.lock, until))
        ;
    CHECK("the callback came", seen.done >= count);
    pthread_mutex_unlock(&seen.lock);
}

static void mark_done(void)
{
    pthread_mutex_lock(&seen.lock);
    seen.done++;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
}

/* ---- Accept --------------------------------------------------------------------------------- */

static int on_accept(void *ctx, int number, const struct hawser_request *request)
{
    (void)number;
    seen.asked++;
    seen.request = *request;
    return *(int *)ctx;
}

TEST(the_application_is_asked)
{
    struct pair_of_handles h;
    int reason = 0;

    seen.asked = 0;
    CHECK("set", hawser_device_set_accept(device, on_accept, &reason) == 0);
    h = here_connect(device_id, device);
    CHECK("accepted", h.app >= 0 && h.device >= 0);
    CHECK("once", seen.asked == 1);
    CHECK("who", strcmp(seen.request.peer_id, user_id) == 0);
    CHECK("with which right", strcmp(seen.request.role, "owner") == 0 &&
                                  seen.request.channels == 0xff && seen.request.sessions == 0);
    reason = 321;
    CHECK("a reason of its own", dial(device_id, 10000) == -421);
    CHECK("one session was there", seen.request.sessions == 1);
    reason = 900;
    CHECK("a reason that cannot be told", dial(device_id, 10000) == HAWSER_ERR_NO_RESOURCES);
    CHECK("unset", hawser_device_set_accept(device, NULL, NULL) == 0);
    here_disconnect(h);
}

/* ---- Paired --------------------------------------------------------------------------------- */

static void on_paired(void *ctx, int number, const char *peer_id)
{
    (void)ctx;
    (void)number;
    memcpy(seen.paired, peer_id, strlen(peer_id) + 1);
    mark_done();
}

TEST(the_device_is_told_who_has_paired)
{
    char invite[HAWSER_INVITE_MAX], id[HAWSER_ID_MAX];

    seen.done = 0;
    CHECK("set", hawser_device_set_paired(device, on_paired, NULL) == 0);
    CHECK("an invite", hawser_device_invite(device, 0, invite) == 0);
    CHECK("pairs", hawser_pair(invite, 10000, id) == 0);
    wait_done(1);
    CHECK("who", strcmp(seen.paired, user_id) == 0);
    CHECK("unset", hawser_device_set_paired(device, NULL, NULL) == 0);
}

/* ---- Calls in callbacks --------------------------------------------------------------------- */

static void wait_listened(void)
{
    usec until = deadline_of(20000);

    pthread_mutex_lock(&seen.lock);
    while (!seen.is_listened && cond_wait_until(&seen.changed, &seen.lock, until))
        ;
    pthread_mutex_unlock(&seen.lock);
}

static void on_second(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    seen.second = result;
    wait_listened(); /* a session that ends before it was listened for is never given out */
    seen.disconnected = hawser_disconnect(result);
    mark_done();
}

static void use_session(void *ctx, const char *trace_id, int result)
{
    struct hawser_session_info info;

    (void)ctx;
    (void)trace_id;
    seen.result = result;
    seen.info = hawser_session_info(result, &info);
    seen.sent = hawser_send_data(result, 0, "hello", 5, 1000);
    seen.check = hawser_active_check(result);
    seen.bound = hawser_init(USER);
    (void)hawser_connect(device_id, 0, 10000, on_second, NULL, NULL);
    mark_done();
}

TEST(callbacks_may_call)
{
    char text[5];
    int ours, second;

    seen.done = 0;
    CHECK("begins", hawser_connect(device_id, 0, 10000, use_session, NULL, NULL) == 0);
    ours = hawser_device_listen(device, 10000);
    second = hawser_device_listen(device, 10000);
    pthread_mutex_lock(&seen.lock);
    seen.is_listened = true;
    pthread_cond_broadcast(&seen.changed);
    pthread_mutex_unlock(&seen.lock);
    wait_done(2);
    CHECK("connected", seen.result >= 0 && ours >= 0);
    CHECK("asked", seen.info == 0 && seen.check == 0);
    CHECK("sent", seen.sent == 5);
    CHECK("bound again", seen.bound == 0);
    CHECK("which arrived", hawser_recv_data(ours, 0, text, 5, 10000) == 5);
    CHECK("connected once more", seen.second >= 0 && second >= 0);
    CHECK("and disconnected", seen.disconnected == 0);
    CHECK("which the device sees",
          hawser_recv_data(second, 0, text, 5, 10000) == HAWSER_ERR_TERMINATED);
    (void)hawser_disconnect(ours);
    (void)hawser_disconnect(second);
    (void)hawser_disconnect(seen.result);
}

/* ---- Nothing is used up --------------------------------------------------------------------- */

TEST(a_dozen_broken_connects_leave_the_device_free)
{
    struct pair_of_handles h;

    CHECK("two at once", hawser_device_set_limit(device, 2) == 0);
    for (int i = 0; i < 12; i++) {
        char trace[HAWSER_TRACE_ID_MAX];

        CHECK("begins", dial_begin(device_id, 10000, trace) == 0);
        if (hawser_connect_break(trace) == 0)
            CHECK("broken", dial_result() == HAWSER_ERR_CONNECT_BROKEN);
        else
            (void)hawser_disconnect(dial_result());
    }
    h = here_connect(device_id, device);
    CHECK("the next is let in", h.app >= 0);
    CHECK("and given out", h.device >= 0);
    CHECK("many again", hawser_device_set_limit(device, 8) == 0);
    here_disconnect(h);
}

/* The oldest ended session makes room, also if nobody disconnects it. */
TEST(ended_sessions_do_not_use_up_the_handles)
{
    int first = -1;

    for (int i = 0; i < 40; i++) { /* sessions_max is 6 */
        struct pair_of_handles h = here_connect(device_id, device);

        CHECK("connected", h.app >= 0 && h.device >= 0);
        CHECK("closed by the device", hawser_close(h.device, 9) == 0);
        CHECK("seen", session_wait_end(h.app) == HAWSER_ERR_CLOSED_BY_APPLICATION);
        if (i == 0)
            first = h.app;
    }
    CHECK("the first is forgotten", hawser_active_check(first) == HAWSER_ERR_INVALID_SESSION);
}

/* Here the goodbyes have the usual time. */
static int open_here(void **state)
{
    (void)thread_cond_init(&seen.changed);
    if (here_open(state) || hawser_set_option("flush_ms", NULL) ||
        hawser_set_option("sessions_max", "6"))
        return -1;
    device = here_open_paired_device(device_id);
    return device >= 0 && hawser_keygen(USER, user_id) == 0 ? 0 : -1;
}

TESTS_BETWEEN(open_here, here_close, TEST_ROW(the_application_is_asked),
              TEST_ROW(the_device_is_told_who_has_paired), TEST_ROW(callbacks_may_call),
              TEST_ROW(a_dozen_broken_connects_leave_the_device_free),
              TEST_ROW(ended_sessions_do_not_use_up_the_handles))
