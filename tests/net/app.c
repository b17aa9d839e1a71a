/* net-app HOME BROKER [OPTION=VALUE...]: the app at the other end (ends.h), led by lines. Prints
 * `ready`, then one line of JSON for each:
 *
 *     pair INVITE
 *     connect ID TIMEOUT_MS    a session, and when its first bytes came
 *     climb TIMEOUT_MS         waits until its path is no relayed one
 *     transfer SECONDS         bytes there and back at a steady pace, and the gaps between them;
 *                              prints a line `started` first
 *     disconnect */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/net/ends.h"
#include "tests/net/transfer.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    int result;
} dialled = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int handle = -1;
static usec begun_at;

static void on_connect(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    pthread_mutex_lock(&dialled.lock);
    dialled.is_done = true;
    dialled.result = result;
    pthread_cond_signal(&dialled.changed);
    pthread_mutex_unlock(&dialled.lock);
}

static int dial(const char *id, int timeout_ms)
{
    int code;

    dialled.is_done = false;
    code = hawser_connect(id, HAWSER_LAN_AUTO, timeout_ms, on_connect, NULL, NULL);
    if (code)
        return code;
    pthread_mutex_lock(&dialled.lock);
    while (!dialled.is_done)
        (void)pthread_cond_wait(&dialled.changed, &dialled.lock);
    pthread_mutex_unlock(&dialled.lock);
    return dialled.result;
}

static double ms_since_begin(usec at)
{
    return (double)(at - begun_at) / 1000;
}

static const char *class_of(const struct hawser_session_info *info)
{
    static const char *const names[] = { "none", "lan", "direct", "relayed" };

    return names[info->path];
}

static void print_error(int code)
{
    (void)printf("{\"code\": %d, \"error\": \"%s\", \"after_ms\": %.1f}\n", code,
                 hawser_strerror(code), ms_since_begin(net_now()));
}

static void pair(const char *invite)
{
    char id[HAWSER_ID_MAX];
    int code;

    begun_at = net_now();
    code = hawser_pair(invite, 10000, id);
    if (code)
        print_error(code);
    else
        (void)printf("{\"code\": 0, \"id\": \"%s\"}\n", id);
}

/* The first data is the first byte to arrive at either end. */
static void print_session(usec connected_at, usec device_data_at, usec request_at)
{
    struct hawser_session_info info;

    if (hawser_session_info(handle, &info))
        memset(&info, 0, sizeof info);
    (void)printf("{\"code\": 0, \"class\": \"%s\", \"connect_ms\": %.2f, \"answer_ms\": %.2f, "
                 "\"first_data_ms\": %.2f, \"device_data_ms\": %.2f, "
                 "\"first_request_ms\": %.2f, \"rtt_ms\": %.2f, "
                 "\"local\": \"%s\", \"remote\": \"%s\"}\n",
                 class_of(&info), ms_since_begin(connected_at),
                 (double)(info.connect_us - info.established_us) / 1000,
                 ms_since_begin(usec_min(device_data_at, request_at)),
                 ms_since_begin(device_data_at), ms_since_begin(request_at),
                 (double)info.rtt_us / 1000, info.local_address, info.remote_address);
}

static void connect_to(const char *args)
{
    usec connected_at, device_data_at, device_at, request_at;
    char id[HAWSER_ID_MAX];
    int timeout_ms = 0;

    if (sscanf(args, "%32s %d", id, &timeout_ms) != 2)
        id[0] = '\0';
    begun_at = net_now();
    handle = dial(id, timeout_ms);
    connected_at = net_now();
    if (handle < 0) {
        print_error(handle);
        return;
    }
    (void)ends_send(handle, CHANNEL_TIMES, "?", 1);
    if (!ends_receive(handle, CHANNEL_TIMES, &device_at, sizeof device_at, timeout_ms)) {
        print_error(HAWSER_ERR_TIMEOUT);
        return;
    }
    device_data_at = net_now();
    if (ends_receive(handle, CHANNEL_TIMES, &request_at, sizeof request_at, timeout_ms))
        print_session(connected_at, device_data_at, request_at);
    else
        print_error(HAWSER_ERR_TIMEOUT);
}

static void climb(const char *args)
{
    usec until = net_now() + strtol(args, NULL, 10) * MILLISECOND;
    struct timespec pause = { .tv_nsec = 5000000 };
    struct hawser_session_info info = { .path = HAWSER_PATH_NONE };

    while (hawser_session_info(handle, &info) == 0 && info.path == HAWSER_PATH_RELAYED &&
           net_now() < until)
        (void)nanosleep(&pause, NULL);
    (void)printf("{\"code\": 0, \"class\": \"%s\", \"after_ms\": %.1f, \"local\": \"%s\", "
                 "\"remote\": \"%s\"}\n",
                 class_of(&info), ms_since_begin(net_now()), info.local_address,
                 info.remote_address);
}

static void transfer(const char *args)
{
    transfer_run(handle, strtol(args, NULL, 10) * SECOND);
}

static void disconnect(const char *args)
{
    (void)args;
    (void)printf("{\"code\": %d}\n", hawser_disconnect(handle));
}

static const struct {
    const char *name;
    void (*run)(const char *args);
} commands[] = {
    { "pair", pair },         { "connect", connect_to },    { "climb", climb },
    { "transfer", transfer }, { "disconnect", disconnect },
};

static void obey(char *line)
{
    char *name = strsep(&line, " \n");

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) {
            line[strcspn(line, "\n")] = '\0';
            commands[i].run(line);
            return;
        }
    (void)printf("{\"code\": -5, \"error\": \"no such command\"}\n");
}

int main(int argc, char **argv)
{
    char line[HAWSER_INVITE_MAX + 16];

    if (!ends_begin(argc, argv) || hawser_init("app"))
        return 2;
    (void)printf("ready\n");
    while (fgets(line, sizeof line, stdin))
        obey(line);
    (void)hawser_deinit();
    return 0;
}
