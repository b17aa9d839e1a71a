#include <unistd.h>

#include "apps/common/channels.h"
#include "apps/common/client.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
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

int command_recv(int argc, char **argv)
{
    int64_t channel = CHANNEL_PASS_THROUGH, bytes = 0;
    const struct option_rule rules[] = {
        { "channel", 'n', OPTION_NUMBER, &channel, 0, HAWSER_CHANNELS - 1, "N  this channel (4)" },
        { "bytes", 'b', OPTION_NUMBER, &bytes, 1, INT64_MAX, "N  end after so many" },
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
    int first = options_parse(&o, &spec, argc, argv), handle, code;
    atomic_ullong most;
    uint64_t done = 0;

    if (first < 0)
        return options_exit(first);
    stop_on_signals();
    handle = client_open(&o, argv[first]);
    if (handle < 0)
        return EXIT_CODE_FAILED;
    atomic_init(&most, bytes ? (uint64_t)bytes : UINT64_MAX);
    code = conclude(pipe_receive(handle, (int)channel, STDOUT_FILENO, &most, &done));
    client_close(handle);
    return code;
}
