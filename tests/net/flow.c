/* net-flow app|device HOME BROKER [OPTION=VALUE...]: an end of a flow (ends.h), led by lines.
 *
 *     invite            device: its pairing line; before, when it is online, its ID
 *     pair INVITE       app
 *     connect ID [live] app; live: what comes on channel 1 are frames of the command `live`
 *     send CHANNEL      as much as is taken, until the session ends
 *     video KBITS       frames on channel 1 at this rate, each sixtieth eight times as long
 *     live KBITS LIFETIME_MS COUNT FIRST
 *                       device: frames as messages on channel 1, and their count when all are sent
 *     frames COUNT MS   app: after so long, when they came (live.h)
 *     measure MS        samples of what came, and of the session (samples.h)
 *     command COUNT     app: 1 KiB on channel 0 every 100 ms, and the device's answer to each
 *     disconnect        app
 *
 * Each is answered with a line of JSON. What comes on channels 1 and 5 is compared with what was
 * sent, and counted; the device sends back what comes on 0. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "tests/net/ends.h"
#include "tests/net/live.h"
#include "tests/net/samples.h"

enum {
    COMMAND = 0,
    VIDEO = 1,
    FILES = 5,
    COMMAND_BYTES = 1024,
    COMMAND_EVERY_MS = 100,
    COMMANDS_MAX = 1000,
    BUFFER = 65536,
    PERIOD = 65521, /* bytes, a prime: what is lost or comes twice does not fit in again */
    TIMEOUT_MS = 20000
};

static char pattern[PERIOD + BUFFER]; /* of each channel, again and again */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int handle; /* of the session; below 0: none yet, or why there is none */
    bool is_settled;
    atomic_llong received[HAWSER_CHANNELS], wrong; /* bytes; and pieces that are not as sent */
    int device;
} end = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, -1, false, { 0 }, 0, -1 };

static void make_pattern(void)
{
    for (uint64_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % PERIOD * 0x9e3779b97f4a7c15u >> 56);
}

static void settle(int handle)
{
    pthread_mutex_lock(&end.lock);
    end.handle = handle;
    end.is_settled = true;
    pthread_cond_broadcast(&end.changed);
    pthread_mutex_unlock(&end.lock);
}

static int wait_for_session(void)
{
    int handle;

    pthread_mutex_lock(&end.lock);
    while (!end.is_settled)
        (void)pthread_cond_wait(&end.changed, &end.lock);
    handle = end.handle;
    pthread_mutex_unlock(&end.lock);
    return handle;
}

static void start(void *(*run)(void *), long argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, (void *)argument))
        abort();
    (void)pthread_detach(thread);
}

static void print_code(int code)
{
    (void)printf("{\"code\": %d, \"error\": \"%s\"}\n", code, hawser_strerror(code));
}

/* ---- What the session carries --------------------------------------------------------------- */

static void *receive_bytes(void *ctx)
{
    int channel = (int)(long)ctx, handle = wait_for_session(), len;
    char *data = malloc(BUFFER);

    while (data && (len = hawser_recv_data(handle, channel, data, BUFFER, -1)) > 0) {
        end.wrong += memcmp(data, pattern + end.received[channel] % PERIOD, (size_t)len) != 0;
        end.received[channel] += len;
    }
    free(data);
    return NULL;
}

static void *echo_commands(void *ctx)
{
    char data[COMMAND_BYTES];
    int handle = wait_for_session(), len;

    while ((len = hawser_recv_data(handle, COMMAND, data, sizeof data, -1)) > 0)
        if (!ends_send(handle, COMMAND, data, len))
            break;
    return ctx;
}

/* Goes on in the pattern where *sent ends. */
static bool send_more(int handle, int channel, int64_t *sent, int len)
{
    for (int piece; len > 0; len -= piece, *sent += piece) {
        piece = hawser_send_data(handle, channel, pattern + *sent % PERIOD,
                                 len < BUFFER ? len : BUFFER, -1);
        if (piece <= 0)
            return false;
    }
    return true;
}

static void *send_bytes(void *ctx)
{
    int channel = (int)(long)ctx, handle = wait_for_session();
    int64_t sent = 0;

    while (send_more(handle, channel, &sent, BUFFER))
        ;
    return NULL;
}

static void *send_video(void *ctx)
{
    int bytes = live_frame_bytes((long)ctx), handle = wait_for_session();
    usec at = net_now();
    int64_t sent = 0;

    for (int i = 0;
         send_more(handle, VIDEO, &sent, i % KEY_FRAME_EVERY ? bytes : KEY_FRAME_TIMES * bytes);
         i++)
        samples_sleep_until(at += SECOND / FRAMES_A_SECOND);
    return NULL;
}

static void begin_session(bool is_device, bool is_live)
{
    if (is_live)
        live_receive(end.handle);
    else
        start(receive_bytes, VIDEO);
    start(receive_bytes, FILES);
    if (is_device)
        start(echo_commands, 0);
}

/* ---- What is asked for ---------------------------------------------------------------------- */

static void send_on(const char *args)
{
    start(send_bytes, strtol(args, NULL, 10));
    print_code(0);
}

static void video(const char *args)
{
    start(send_video, strtol(args, NULL, 10));
    print_code(0);
}

static void live(const char *args)
{
    struct live_plan plan = { .count = 0 };
    long kbits;

    if (sscanf(args, "%ld %d %ld %ld", &kbits, &plan.lifetime_ms, &plan.count, &plan.first) != 4) {
        print_code(HAWSER_ERR_INVALID);
        return;
    }
    plan.bytes = live_frame_bytes(kbits);
    live_send(wait_for_session(), &plan);
}

static void frames(const char *args)
{
    char *rest;
    long count = strtol(args, &rest, 10);

    live_print(count, strtol(rest, NULL, 10) * MILLISECOND);
}

static void take(void *ctx, int64_t *row)
{
    struct hawser_session_info info = { .chunks_sent = 0 };
    int64_t unsent = 0;

    (void)ctx;
    (void)hawser_session_info(end.handle, &info);
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        unsent += info.channel[i].unsent;
    row[0] = end.received[VIDEO] + end.received[FILES];
    row[1] = end.received[VIDEO];
    row[2] = info.rtt_us;
    row[3] = (int64_t)info.chunks_sent;
    row[4] = (int64_t)info.chunks_resent;
    row[5] = unsent;
    row[6] = info.path_mtu;
    row[7] = end.wrong;
    row[8] = (int64_t)info.chunks_spurious;
    row[9] = (int64_t)info.congestion_window;
    row[10] = (int64_t)info.in_flight;
    row[11] = (int64_t)info.pacing_rate;
    row[12] = (int64_t)info.delivery_rate;
    row[13] = info.congestion;
    row[14] = info.limit;
}

static void measure(const char *args)
{
    static const char *const columns[] = { "bytes",    "video",      "rtt_us",    "sent",
                                           "resent",   "unsent",     "path_mtu",  "wrong",
                                           "spurious", "cwnd",       "in_flight", "pacing",
                                           "delivery", "congestion", "limit" };
    struct samples s = { columns, COUNT(columns), take, NULL };

    samples_run(&s, strtol(args, NULL, 10) * MILLISECOND);
}

static struct {
    long count;
    usec sent_at[COMMANDS_MAX], took[COMMANDS_MAX];
} commands;

/* The channel keeps the order: the answers come as the commands went. */
static void *receive_answers(void *ctx)
{
    char data[COMMAND_BYTES];

    for (long i = 0; i < commands.count; i++) {
        if (!ends_receive(end.handle, COMMAND, data, sizeof data, TIMEOUT_MS))
            break;
        commands.took[i] = net_now() - commands.sent_at[i];
    }
    return ctx;
}

static void command(const char *args)
{
    char data[COMMAND_BYTES] = { 0 };
    usec at = net_now();
    pthread_t receiver;

    memset(&commands, 0, sizeof commands);
    commands.count = strtol(args, NULL, 10);
    if (commands.count < 1 || commands.count > COMMANDS_MAX ||
        pthread_create(&receiver, NULL, receive_answers, NULL)) {
        print_code(HAWSER_ERR_INVALID);
        return;
    }
    for (long i = 0; i < commands.count; i++, at += COMMAND_EVERY_MS * MILLISECOND) {
        samples_sleep_until(at);
        commands.sent_at[i] = net_now();
        if (!ends_send(end.handle, COMMAND, data, sizeof data))
            break;
    }
    (void)pthread_join(receiver, NULL);
    (void)printf("{\"code\": 0, \"wrong\": %lld, \"bytes\": %lld, \"took_us\": [",
                 (long long)end.wrong, (long long)(end.received[VIDEO] + end.received[FILES]));
    for (long i = 0; i < commands.count; i++)
        (void)printf("%s%lld", i ? ", " : "", (long long)commands.took[i]);
    (void)printf("]}\n");
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void *listen_once(void *ctx)
{
    settle(hawser_device_listen(end.device, -1));
    return ctx;
}

static void invite(const char *args)
{
    char line[HAWSER_INVITE_MAX] = "";

    (void)args;
    (void)hawser_device_invite(end.device, 3600, line);
    (void)printf("%s\n", line);
}

static void pair(const char *args)
{
    char id[HAWSER_ID_MAX];

    print_code(hawser_pair(args, TIMEOUT_MS, id));
}

static void on_connect(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    settle(result);
}

static void connect_to(const char *args)
{
    char id[HAWSER_ID_MAX] = "", mode[8] = "";
    int code;

    (void)sscanf(args, "%32s %7s", id, mode);
    code = hawser_connect(id, HAWSER_LAN_AUTO, TIMEOUT_MS, on_connect, NULL, NULL);
    if (!code)
        code = wait_for_session();
    if (code >= 0)
        begin_session(false, strcmp(mode, "live") == 0);
    print_code(code < 0 ? code : 0);
}

static void disconnect(const char *args)
{
    (void)args;
    print_code(hawser_disconnect(end.handle));
}

static void obey(char *line)
{
    static const struct {
        const char *name;
        void (*run)(const char *args);
    } known[] = {
        { "invite", invite },      { "pair", pair },
        { "connect", connect_to }, { "send", send_on },
        { "video", video },        { "measure", measure },
        { "command", command },    { "disconnect", disconnect },
        { "live", live },          { "frames", frames },
    };
    char *name = strsep(&line, " \n");

    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0) {
            line[strcspn(line, "\n")] = '\0';
            known[i].run(line);
            return;
        }
    print_code(HAWSER_ERR_INVALID);
}

static bool open_device(void)
{
    char id[HAWSER_ID_MAX];

    end.device = hawser_device_open("device");
    if (end.device < 0 || hawser_device_id(end.device, id) ||
        hawser_device_wait_online(end.device, TIMEOUT_MS) != 1)
        return false;
    start(listen_once, 0);
    begin_session(true, false);
    (void)printf("%s\n", id);
    return true;
}

static bool open_app(void)
{
    if (hawser_init("app"))
        return false;
    (void)printf("ready\n");
    return true;
}

int main(int argc, char **argv)
{
    bool is_device = argc > 1 && strcmp(argv[1], "device") == 0;
    char line[HAWSER_INVITE_MAX + 16];

    if (!ends_begin(argc - 1, argv + 1))
        return 2;
    make_pattern();
    if (!(is_device ? open_device() : open_app())) {
        (void)fprintf(stderr, "net-flow: the %s cannot be opened\n", argv[1]);
        return 1;
    }
    while (fgets(line, sizeof line, stdin))
        obey(line);
    return is_device ? hawser_device_close(end.device) : hawser_deinit();
}
