/* device.c: a device led by lines on its standard input; one line of answer for each.
 *
 *     sdk-device HOME BROKER      first answers its ID
 *     invite | online MS | listen MS | listen_break | close H REASON | disconnect H | abort H
 *     leave | deinit
 *     accept REASON | privacy ON | in_call ON | limit N | option NAME VALUE (then: restart)
 *     send H CHANNEL COUNT MS | recv H CHANNEL COUNT MS | fill H CHANNEL | active H
 *     send_message H CHANNEL COUNT MS | recv_message H CHANNEL MS | size H CHANNEL MS
 *     lossy H CHANNEL MS COUNT | flood H CHANNEL COUNT
 *     echo H | echo_messages H    all channels, until the session ends; answers at once
 *
 * ANYWHERE=1 in its environment: all interfaces, and it does not wait for the broker. */
#include <stdatomic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/session/internal.h"
#include "hawser/device.h"
#include "sdk/internal.h"
#include "sdk/link.h"

static int device = -1;
static const char *home, *broker;
static atomic_int accept_reason; /* read by the dispatcher's thread */

void __real_session_get_local(const struct session *s, struct session_description *out);
void __wrap_session_get_local(const struct session *s, struct session_description *out);

void __wrap_session_get_local(const struct session *s, struct session_description *out)
{
    __real_session_get_local(s, out);
    if (getenv("TAMPER"))
        out->fingerprint[7] ^= 1;
}

static void write_log(void *ctx, enum hawser_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "device: %s\n", line);
}

static int on_accept(void *ctx, int number, const struct hawser_request *request)
{
    (void)ctx;
    (void)number;
    (void)request;
    return accept_reason;
}

static int open_device(void)
{
    device = hawser_device_open("device");
    if (device < 0)
        return device;
    if (getenv("ANYWHERE"))
        return 0;
    return hawser_device_wait_online(device, 10000) == 1 ? 0 : HAWSER_ERR_OFFLINE;
}

static void answer(long number)
{
    (void)printf("%ld\n", number);
}

static long numbers(const char *args, int which)
{
    char *end;
    long value = 0;

    for (int i = 0; i <= which; i++) {
        value = strtol(args, &end, 10);
        args = end;
    }
    return value;
}

static int arg(const char *args, int which)
{
    return (int)numbers(args, which);
}

static void invite(const char *args)
{
    char line[HAWSER_INVITE_MAX];

    (void)args;
    if (hawser_device_invite(device, 0, line) == 0)
        (void)printf("%s\n", line);
    else
        answer(-1);
}

static void wait_online(const char *args)
{
    answer(hawser_device_wait_online(device, arg(args, 0)));
}

static void listen_for(const char *args)
{
    answer(hawser_device_listen(device, arg(args, 0)));
}

static void listen_break(const char *args)
{
    (void)args;
    answer(hawser_device_listen_break(device));
}

static void close_session(const char *args)
{
    answer(hawser_close(arg(args, 0), arg(args, 1)));
}

static void disconnect(const char *args)
{
    answer(hawser_disconnect(arg(args, 0)));
}

static void abort_on_loop(void *ctx)
{
    struct link *l = ctx;

    sctp_abort(l->session->sctp, io_now(), "");
    link_turn(l);
}

/* As a stack does that breaks down: ABORT, and no reason said before. */
static void abort_session(const char *args)
{
    struct link *l;
    int code = call_enter_link(arg(args, 0), &l);

    if (!code) {
        io_loop_run(lib.loop, abort_on_loop, l);
        call_leave_link(l);
    }
    answer(code);
}

static void leave(const char *args)
{
    (void)args;
    answer(hawser_device_close(device));
}

static void deinit(const char *args)
{
    (void)args;
    answer(hawser_deinit());
}

static void set_accept(const char *args)
{
    int reason = arg(args, 0);

    accept_reason = reason;
    answer(hawser_device_set_accept(device, reason ? on_accept : NULL, NULL));
}

static void set_privacy(const char *args)
{
    answer(hawser_device_set_privacy(device, arg(args, 0)));
}

static void set_in_call(const char *args)
{
    answer(hawser_device_set_in_call(device, arg(args, 0)));
}

static void set_limit(const char *args)
{
    answer(hawser_device_set_limit(device, arg(args, 0)));
}

static void restart(const char *args)
{
    char name[32], value[256];

    (void)hawser_deinit();
    if (sscanf(args, "%31s %255s", name, value) == 2)
        (void)hawser_set_option(name, value);
    answer(open_device());
}

static void send_bytes(const char *args)
{
    int len = arg(args, 2);
    char *data = calloc(1, (size_t)len + 1);

    answer(hawser_send_data(arg(args, 0), arg(args, 1), data, len, arg(args, 3)));
    free(data);
}

static void recv_bytes(const char *args)
{
    int len = arg(args, 2);
    char *data = calloc(1, (size_t)len + 1);

    answer(hawser_recv_data(arg(args, 0), arg(args, 1), data, len, arg(args, 3)));
    free(data);
}

static char message[HAWSER_MESSAGE_MAX];

/* A message's bytes follow from its length. */
static void send_message(const char *args)
{
    int len = arg(args, 2);

    for (int i = 0; i < len; i++)
        message[i] = (char)(i * 31 + len);
    answer(hawser_send_message(arg(args, 0), arg(args, 1), message, len, arg(args, 3)));
}

/* Its length, or -1000 if it is not one that send_message() made. */
static void recv_message(const char *args)
{
    int len =
        hawser_recv_message(arg(args, 0), arg(args, 1), message, sizeof message, arg(args, 2));
    bool is_sound = true;

    for (int i = 0; i < len; i++)
        is_sound &= message[i] == (char)(i * 31 + len);
    answer(is_sound ? len : -1000);
}

static void message_size(const char *args)
{
    answer(hawser_message_size(arg(args, 0), arg(args, 1), arg(args, 2)));
}

static void set_lossy(const char *args)
{
    answer(hawser_set_lossy(arg(args, 0), arg(args, 1), arg(args, 2), arg(args, 3)));
}

/* Messages of 10000 bytes that begin with their number; how many were taken. */
static void flood(const char *args)
{
    int count = arg(args, 2), taken = 0;

    memset(message, 'f', 10000);
    for (int i = 0; i < count; i++) {
        memcpy(message, &i, sizeof i);
        taken += hawser_send_message(arg(args, 0), arg(args, 1), message, 10000, 1000) == 10000;
    }
    answer(taken);
}

/* Sends until nothing moves any more. */
static void fill(const char *args)
{
    static char data[65536];
    int code;

    do
        code = hawser_send_data(arg(args, 0), arg(args, 1), data, sizeof data, 200);
    while (code > 0);
    answer(code);
}

static void active(const char *args)
{
    answer(hawser_active_check(arg(args, 0)));
}

struct echo {
    int handle, channel;
};

static void *echo_channel(void *ctx)
{
    struct echo e = *(struct echo *)ctx;
    char *data = malloc(65536);
    int len, done, n;

    free(ctx);
    while ((len = hawser_recv_data(e.handle, e.channel, data, 65536, -1)) > 0)
        for (done = 0; done < len; done += n)
            if ((n = hawser_send_data(e.handle, e.channel, data + done, len - done, -1)) < 0)
                break;
    free(data);
    return NULL;
}

static void *echo_message_channel(void *ctx)
{
    struct echo e = *(struct echo *)ctx;
    char *data = malloc(HAWSER_MESSAGE_MAX);
    int len;

    free(ctx);
    while ((len = hawser_recv_message(e.handle, e.channel, data, HAWSER_MESSAGE_MAX, -1)) > 0)
        if (hawser_send_message(e.handle, e.channel, data, len, -1) != len)
            break;
    free(data);
    return NULL;
}

static void start_echo(const char *args, void *(*run)(void *))
{
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        struct echo *e = malloc(sizeof *e);
        pthread_t thread;

        *e = (struct echo){ .handle = arg(args, 0), .channel = i };
        (void)pthread_create(&thread, NULL, run, e);
        (void)pthread_detach(thread);
    }
    answer(0);
}

static void echo(const char *args)
{
    start_echo(args, echo_channel);
}

static void echo_messages(const char *args)
{
    start_echo(args, echo_message_channel);
}

static const struct {
    const char *name;
    void (*run)(const char *args);
} commands[] = {
    { "invite", invite },       { "online", wait_online },
    { "listen", listen_for },   { "listen_break", listen_break },
    { "close", close_session }, { "disconnect", disconnect },
    { "abort", abort_session }, { "leave", leave },
    { "deinit", deinit },       { "accept", set_accept },
    { "privacy", set_privacy }, { "in_call", set_in_call },
    { "limit", set_limit },     { "restart", restart },
    { "send", send_bytes },     { "recv", recv_bytes },
    { "fill", fill },           { "active", active },
    { "echo", echo },           { "echo_messages", echo_messages },
    { "size", message_size },   { "send_message", send_message },
    { "lossy", set_lossy },     { "recv_message", recv_message },
    { "flood", flood },
};

static void obey(char *line)
{
    size_t len = strcspn(line, " \n");

    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strlen(commands[i].name) == len && memcmp(commands[i].name, line, len) == 0) {
            commands[i].run(line + len);
            return;
        }
    (void)printf("unknown\n");
}

int main(int argc, char **argv)
{
    char id[HAWSER_ID_MAX], line[512];

    if (argc != 3)
        return 2;
    home = argv[1];
    broker = argv[2];
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (getenv("VERBOSE"))
        hawser_set_log(HAWSER_LOG_DEBUG, write_log, NULL);
    (void)hawser_set_option("home", home);
    (void)hawser_set_option("broker", broker);
    if (getenv("ANYWHERE"))
        (void)hawser_set_option("flush_ms", "100"); /* its broker may be dead when it ends */
    else
        (void)hawser_set_option("bind", "127.0.0.1");
    if (open_device() || hawser_device_id(device, id))
        return 1;
    (void)printf("%s\n", id);
    while (fgets(line, sizeof line, stdin))
        obey(line);
    (void)hawser_deinit();
    return 0;
}
