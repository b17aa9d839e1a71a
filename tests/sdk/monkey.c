/* monkey.c: any call, at any time, from many threads; nothing may break or be left behind. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "sdk/internal.h"
#include "tests/check.h"
#include "tests/sdk/support/here.h"

enum { MONKEYS = 6, DEEDS = 1500, KEPT = 16 };

static char id[HAWSER_ID_MAX];
static atomic_int device, begun, ended;
static atomic_int handles[KEPT]; /* given out lately; stale ones are as good */
static char traces[KEPT][HAWSER_TRACE_ID_MAX];
static pthread_mutex_t traces_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static void keep(int handle)
{
    static atomic_uint next;

    if (handle >= 0)
        atomic_store(&handles[atomic_fetch_add(&next, 1) % KEPT], handle);
}

static void on_connected(void *ctx, const char *trace_id, int result)
{
    static uint32_t state;

    (void)ctx;
    keep(result);
    if (draw(&state, 4) == 0)
        (void)hawser_disconnect(result);
    if (draw(&state, 8) == 0)
        (void)hawser_connect_break(trace_id);
    atomic_fetch_add(&ended, 1);
}

static void on_state(void *ctx, int handle, int code)
{
    char byte;

    (void)ctx;
    if (code == HAWSER_ERR_OK)
        return; /* another path */
    (void)hawser_recv_data(handle, 0, &byte, 1, 0);
    (void)hawser_disconnect(handle);
}

static int on_request(void *ctx, int number, const struct hawser_request *request)
{
    static uint32_t state;

    (void)ctx;
    (void)request;
    if (draw(&state, 4) == 0)
        (void)hawser_device_set_limit(number, 1 + (int)draw(&state, 8));
    return draw(&state, 8) == 0 ? HAWSER_REASON_FULL : 0;
}

static void connect_somewhere(uint32_t *state)
{
    char trace[HAWSER_TRACE_ID_MAX] = "";

    if (hawser_connect(id, (int)draw(state, 3), 1000, on_connected, NULL, trace))
        return;
    atomic_fetch_add(&begun, 1);
    pthread_mutex_lock(&traces_lock);
    memcpy(traces[draw(state, KEPT)], trace, sizeof trace);
    pthread_mutex_unlock(&traces_lock);
}

static void break_one(uint32_t *state)
{
    char trace[HAWSER_TRACE_ID_MAX];

    pthread_mutex_lock(&traces_lock);
    memcpy(trace, traces[draw(state, KEPT)], sizeof trace);
    pthread_mutex_unlock(&traces_lock);
    (void)hawser_connect_break(trace);
}

static void open_device(void)
{
    int number = hawser_device_open("device");

    if (number < 0)
        return; /* another monkey was quicker */
    atomic_store(&device, number);
    (void)hawser_device_set_accept(number, on_request, NULL);
    (void)hawser_device_wait_online(number, 1000);
}

static void use_session(uint32_t *state)
{
    static const char some[5000];
    char back[1000];
    struct hawser_session_info info;
    struct hawser_buffer buffer;
    int handle = atomic_load(&handles[draw(state, KEPT)]), channel = (int)draw(state, 8);

    switch (draw(state, 6)) {
    case 0:
        (void)hawser_send_data(handle, channel, some, sizeof some, (int)draw(state, 20));
        break;
    case 1:
        (void)hawser_recv_data(handle, channel, back, sizeof back, (int)draw(state, 20));
        break;
    case 2:
        (void)hawser_session_info(handle, &info);
        break;
    case 3:
        (void)hawser_channel_buffer(handle, channel, &buffer);
        break;
    case 4:
        (void)hawser_active_check(handle);
        break;
    default:
        if (draw(state, 20) == 0)
            (void)hawser_close(handle, (int)draw(state, 20));
        break;
    }
}

static void use_device(uint32_t *state)
{
    int number = atomic_load(&device);

    switch (draw(state, 6)) {
    case 0:
        (void)hawser_device_set_privacy(number, draw(state, 30) == 0);
        break;
    case 1:
        (void)hawser_device_set_in_call(number, draw(state, 30) == 0);
        break;
    case 2:
        (void)hawser_device_listen_break(number);
        break;
    case 3:
        (void)hawser_device_set_accept(number, draw(state, 2) ? on_request : NULL, NULL);
        break;
    default:
        keep(hawser_device_listen(number, (int)draw(state, 40)));
        break;
    }
}

static void begin_anew(uint32_t *state)
{
    switch (draw(state, 4)) {
    case 0:
        (void)hawser_deinit();
        break;
    case 1:
        (void)hawser_deinit_p2p();
        break;
    default:
        (void)hawser_device_close(atomic_load(&device));
        break;
    }
    (void)hawser_init(USER);
    (void)hawser_set_state_callback(on_state, NULL);
    open_device();
}

static void *run_monkey(void *ctx)
{
    uint32_t state = (uint32_t)(uintptr_t)ctx * 2654435761u;

    for (int i = 0; i < DEEDS; i++) {
        uint32_t deed = draw(&state, 1000);

        if (deed < 12)
            connect_somewhere(&state);
        else if (deed < 13)
            break_one(&state);
        else if (deed < 500)
            use_session(&state);
        else if (deed < 998)
            use_device(&state);
        else
            begin_anew(&state);
    }
    return NULL;
}

TEST(any_call_at_any_time)
{
    pthread_t thread[MONKEYS];

    for (size_t i = 0; i < KEPT; i++)
        atomic_store(&handles[i], -1);
    atomic_store(&device, here_open_paired_device(id));
    CHECK("a device", atomic_load(&device) >= 0);
    CHECK("asks", hawser_device_set_accept(atomic_load(&device), on_request, NULL) == 0);
    CHECK("told", hawser_set_state_callback(on_state, NULL) == 0);
    for (size_t i = 0; i < MONKEYS; i++)
        (void)pthread_create(&thread[i], NULL, run_monkey, (void *)(i + 1));
    for (size_t i = 0; i < MONKEYS; i++)
        (void)pthread_join(thread[i], NULL);
    (void)hawser_deinit();
    CHECK("something happened", atomic_load(&begun) > 0);
    CHECK("one callback each", atomic_load(&begun) == atomic_load(&ended));
    CHECK("nothing is left", lib.links == NULL && lib.connect_count == 0 && lib.calls == 0);
}

TESTS_BETWEEN(here_open, here_close, TEST_ROW(any_call_at_any_time))
