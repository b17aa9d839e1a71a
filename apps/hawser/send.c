#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apps/common/channels.h"
#include "apps/common/client.h"
#include "apps/common/clock.h"
#include "apps/common/flow.h"
#include "apps/common/progress.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "apps/hawser/commands.h"
#include "apps/hawser/pipe.h"

enum { PIECE = 65536, SILENCE_MS = 30000, LOOK_MS = 10 };

struct sender {
    int handle;
    int64_t channel;
    bool reply;
    uint64_t sent;
    /* What comes back is taken meanwhile, or neither side would get on; it goes to stdout with
     * --reply, and nowhere without. */
    pthread_t thread;
    uint64_t received;
    int received_code;
    atomic_ullong expected; /* how much will come back in all; UINT64_MAX: unknown yet */
};

static void *receive(void *arg)
{
    struct sender *s = arg;

    s->received_code =
        pipe_receive(s->handle, (int)s->channel, s->reply ? STDOUT_FILENO : PIPE_NOWHERE,
                     &s->expected, &s->received);
    if (s->received_code == EXIT_CODE_FAILED) /* nobody reads stdout, so there is no use in more */
        stop_ask();
    return NULL;
}

static int send_stdin(struct sender *s)
{
    static char buf[PIECE];
    struct progress progress;
    ssize_t got = 0;
    int error = 0;

    progress_init(&progress, "sent", 0, 0);
    while (!error && !stop_asked() && (got = read(STDIN_FILENO, buf, sizeof buf)) > 0) {
        error = flow_send(s->handle, (int)s->channel, bytes_of(buf, (size_t)got), SILENCE_MS);
        s->sent += error ? 0 : (uint64_t)got;
        progress_show(&progress, s->sent);
    }
    progress_end(&progress);
    if (error == HAWSER_ERR_CLOSED_LOCALLY && stop_asked())
        return EXIT_CODE_FAILED;
    if (error == HAWSER_ERR_TIMEOUT)
        return say_failure_with(
            error, "The device takes nothing: does its program read this channel?", "sending");
    if (error)
        return say_failure(error, "sending");
    return got < 0 && errno != EINTR ? say_error("stdin: %s", strerror(errno)) : EXIT_CODE_OK;
}

/* All was accepted; waits until it is with the peer, for disconnecting does not wait long. */
static int await_arrival(struct sender *s)
{
    struct timespec pause = clock_timespec(LOOK_MS * MILLISECOND);
    struct hawser_buffer buffer;
    int error;

    while (!(error = hawser_channel_buffer(s->handle, (int)s->channel, &buffer)) && buffer.unsent &&
           !stop_asked())
        nanosleep(&pause, NULL);
    return error ? say_failure(error, "sending") : EXIT_CODE_OK;
}

static int run(void *ctx, int handle)
{
    struct sender *s = ctx;
    int code;

    s->handle = handle;
    atomic_init(&s->expected, UINT64_MAX);
    if (pthread_create(&s->thread, NULL, receive, s))
        return say_error("no thread could be started");
    code = send_stdin(s);
    if (s->reply)
        atomic_store(&s->expected, code ? 0 : s->sent);
    if (!code)
        code = await_arrival(s);
    if (!s->reply)
        atomic_store(&s->expected, 0);
    pthread_join(s->thread, NULL);
    if (!code && s->reply && s->received_code < 0)
        code = say_failure(s->received_code, "receiving");
    if (s->received_code == EXIT_CODE_FAILED)
        code = EXIT_CODE_FAILED; /* said */
    say_json(json_pack("{sIsI}", "sent", (json_int_t)s->sent, "received", (json_int_t)s->received));
    return code;
}

int command_send(int argc, char **argv)
{
    struct sender s = { .channel = CHANNEL_PASS_THROUGH };
    const struct option_rule rules[] = {
        { "channel", 'n', OPTION_NUMBER, &s.channel, 0, HAWSER_CHANNELS - 1,
          "N  this channel (4)" },
        { "reply", 'r', OPTION_FLAG, &s.reply, 0, 0,
          "print as much as was sent of what comes back" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "send [OPTIONS] ID",
        .about = "Sends stdin over a channel, to its end, and waits until it has arrived.",
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
        .operands_least = 1,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    return first < 0 ? options_exit(first) : client_run(&o, argv[first], run, &s);
}
