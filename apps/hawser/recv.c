#include <unistd.h>

#include "apps/common/channels.h"
#include "apps/common/client.h"
#include "apps/common/say.h"
#include "apps/hawser/commands.h"
#include "apps/hawser/pipe.h"

/* The peer's orderly close ends what was to be received; anything else cut it off. */
static int conclude(int result)
{
    if (result >= 0)
        return result;
    if (result == HAWSER_ERR_CLOSED_BY_APPLICATION || result == HAWSER_ERR_LEFT ||
        result == HAWSER_ERR_ENDED_AS_EXPECTED)
        return EXIT_CODE_OK;
    return say_failure(result, "receiving");
}

struct receiver {
    int64_t channel, bytes; /* bytes 0: to the end */
};

static int receive(void *ctx, int handle)
{
    const struct receiver *r = ctx;
    atomic_ullong most;
    uint64_t done = 0;

    atomic_init(&most, r->bytes ? (uint64_t)r->bytes : UINT64_MAX);
    return conclude(pipe_receive(handle, (int)r->channel, STDOUT_FILENO, &most, &done));
}

int command_recv(int argc, char **argv)
{
    struct receiver r = { .channel = CHANNEL_PASS_THROUGH };
    const struct option_rule rules[] = {
        { "channel", 'n', OPTION_NUMBER, &r.channel, 0, HAWSER_CHANNELS - 1,
          "N  this channel (4)" },
        { "bytes", 'b', OPTION_NUMBER, &r.bytes, 1, INT64_MAX, "N  end after so many" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "recv [OPTIONS] ID",
        .about = "Writes what a channel brings to stdout until the device closes, --bytes or ^C.",
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
        .operands_least = 1,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    return first < 0 ? options_exit(first) : client_run(&o, argv[first], receive, &r);
}
