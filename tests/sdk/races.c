/* races.c: ends that meet beginnings, each at its worst moment. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "core/base/bytes.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "tests/check.h"
#include "tests/sdk/support/here.h"

/* ---- A callback that can be held ------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_asked, may_go;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void gate_set(bool *flag)
{
    pthread_mutex_lock(&gate.lock);
    *flag = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_wait(const bool *flag)
{
    pthread_mutex_lock(&gate.lock);
    while (!*flag)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static int on_request(void *ctx, int device, const struct hawser_request *request)
{
    (void)ctx;
    (void)device;
    (void)request;
    gate_set(&gate.is_asked);
    gate_wait(&gate.may_go);
    return 0;
}

static void *close_device(void *ctx)
{
    int *code = ctx;

    *code = hawser_device_close(*code);
    return NULL;
}

static void wait_until_closed(struct device *d)
{
    bool is_closed = false;

    while (!is_closed) {
        pthread_mutex_lock(&lib.lock);
        is_closed = d->is_closed;
        pthread_mutex_unlock(&lib.lock);
        (void)sched_yield();
    }
}

/* A call on the device is still inside while it closes, so the offer meets a closed device. */
TEST(an_offer_to_a_device_that_is_closing)
{
    char id[HAWSER_ID_MAX];
    int device, closing;
    struct device *d;
    pthread_t closer;

    closing = device = here_open_paired_device(id);
    CHECK("a device", device >= 0);
    gate.is_asked = gate.may_go = false;
    CHECK("asks", hawser_device_set_accept(device, on_request, NULL) == 0);
    CHECK("held open", call_enter_device(device, &d) == 0);
    (void)pthread_create(&closer, NULL, close_device, &closing);
    wait_until_closed(d);
    CHECK("begins", dial_begin(id, 3000, NULL) == 0);
    CHECK("is refused", dial_result() == HAWSER_ERR_LEFT);
    CHECK("and nobody is asked", !gate.is_asked);
    call_leave_device(d);
    (void)pthread_join(closer, NULL);
    CHECK("closed", closing == 0);
    gate_set(&gate.may_go);
    CHECK("deinit", hawser_deinit() == 0);
}

/* The application is still thinking about an offer when the device closes. */
TEST(a_device_that_closes_while_its_application_is_asked)
{
    char id[HAWSER_ID_MAX];
    int device, code;

    device = here_open_paired_device(id);
    CHECK("a device", device >= 0);
    gate.is_asked = gate.may_go = false;
    CHECK("asks", hawser_device_set_accept(device, on_request, NULL) == 0);
    CHECK("begins", dial_begin(id, 2000, NULL) == 0);
    gate_wait(&gate.is_asked);
    CHECK("closes", hawser_device_close(device) == 0);
    gate_set(&gate.may_go);
    code = dial_result();
    CHECK("nobody answers any more", code == HAWSER_ERR_TIMEOUT || code == HAWSER_ERR_LEFT);
    CHECK("deinit", hawser_deinit() == 0);
}

/* ---- A user who logs out in the middle of a connect ----------------------------------------- */

static bool logs_out; /* between the making of a link and the rest of the connect */

int __real_link_new(struct link **out, enum link_side side, const struct recipient *peer,
                    const uint8_t *sid);
int __wrap_link_new(struct link **out, enum link_side side, const struct recipient *peer,
                    const uint8_t *sid);

static void do_nothing(void *ctx)
{
    (void)ctx;
}

int __wrap_link_new(struct link **out, enum link_side side, const struct recipient *peer,
                    const uint8_t *sid)
{
    int err = __real_link_new(out, side, peer, sid);

    if (logs_out && side == LINK_APP) {
        CHECK("logs out", hawser_deinit_p2p() == 0);
        io_loop_run(lib.loop, do_nothing, NULL); /* what that has queued is done */
    }
    return err;
}

TEST(a_user_who_logs_out_in_the_middle_of_a_connect)
{
    char id[HAWSER_ID_MAX];
    int device;

    device = here_open_paired_device(id);
    CHECK("a device", device >= 0);
    logs_out = true;
    CHECK("broken off, by a callback", dial(id, 3000) == HAWSER_ERR_CONNECT_BROKEN);
    logs_out = false;
    CHECK("closes", hawser_device_close(device) == 0);
    CHECK("nothing is left", lib.links == NULL && lib.connect_count == 0 && lib.calls == 0);
}

/* ---- Users who come and go while others connect --------------------------------------------- */

enum { DIALLERS = 3, CHANGES = 60 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned begun, ended;
    bool is_over;
    char id[HAWSER_ID_MAX];
} calls = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void on_connected(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    if (result >= 0)
        (void)hawser_disconnect(result);
    pthread_mutex_lock(&calls.lock);
    calls.ended++;
    pthread_cond_broadcast(&calls.changed);
    pthread_mutex_unlock(&calls.lock);
}

static void *dial_for_ever(void *ctx)
{
    bool is_over = false;

    (void)ctx;
    while (!is_over) {
        bool has_begun =
            hawser_connect(calls.id, HAWSER_LAN_AUTO, 1000, on_connected, NULL, NULL) == 0;

        pthread_mutex_lock(&calls.lock);
        calls.begun += has_begun;
        is_over = calls.is_over;
        pthread_mutex_unlock(&calls.lock);
        if (!has_begun)
            (void)sched_yield();
    }
    return NULL;
}

TEST(each_connect_is_answered_once_whoever_logs_out_meanwhile)
{
    pthread_t thread[DIALLERS];
    int device;

    device = here_open_paired_device(calls.id);
    CHECK("a device", device >= 0);
    for (int i = 0; i < DIALLERS; i++)
        (void)pthread_create(&thread[i], NULL, dial_for_ever, NULL);
    for (int i = 0; i < CHANGES; i++) {
        CHECK("logs out", hawser_deinit_p2p() == 0);
        CHECK("and in again", hawser_init_p2p(USER) == 0);
    }
    pthread_mutex_lock(&calls.lock);
    calls.is_over = true;
    pthread_mutex_unlock(&calls.lock);
    for (int i = 0; i < DIALLERS; i++)
        (void)pthread_join(thread[i], NULL);
    CHECK("leaves", hawser_device_close(device) == 0);
    CHECK("deinit", hawser_deinit() == 0);
    CHECK("one callback each", calls.begun == calls.ended && calls.begun > 0);
    CHECK("nothing is left", lib.links == NULL && lib.connect_count == 0 && lib.calls == 0);
}

TESTS_BETWEEN(here_open, here_close, TEST_ROW(an_offer_to_a_device_that_is_closing),
              TEST_ROW(a_device_that_closes_while_its_application_is_asked),
              TEST_ROW(a_user_who_logs_out_in_the_middle_of_a_connect),
              TEST_ROW(each_connect_is_answered_once_whoever_logs_out_meanwhile))
