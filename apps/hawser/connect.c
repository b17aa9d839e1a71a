#include <time.h>

#include "apps/common/client.h"
#include "apps/common/describe.h"
#include "apps/common/clock.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "apps/hawser/commands.h"

/* Returns the session's close code, or 0 after a signal. */
static int stay(int handle)
{
    struct timespec pause = clock_timespec(STOP_POLL_MS * MILLISECOND);
    int state = 0;

    hawser_keep_alive(handle, 1); /* nothing is sent here, and that is meant */
    while (!stop_asked() && (state = hawser_active_check(handle)) >= 0)
        nanosleep(&pause, NULL);
    return state < 0 ? state : 0;
}

static int show(int handle)
{
    struct hawser_session_info info;
    char text[200];
    int error = hawser_session_info(handle, &info);

    if (error)
        return say_failure(error, "the session");
    describe_session(&info, text, sizeof text);
    say("connected to %s in %.1f ms, %.1f ms after its answer\n%s", info.peer_id,
        (double)info.connect_us / 1000, (double)info.established_us / 1000, text);
    say_json(json_pack("{so*}", "connected", describe_session_json(handle)));
    return EXIT_CODE_OK;
}

static int show_and_stay(void *ctx, int handle)
{
    const bool *once = ctx;
    int code = show(handle);

    if (!code && !*once) {
        int closed;

        say_aside("staying connected until ^C; with --once it ends at once");
        closed = stay(handle);
        code = closed ? say_failure(closed, "the session ended") : EXIT_CODE_OK;
    }
    return code;
}

int command_connect(int argc, char **argv)
{
    bool once = false;
    const struct option_rule rules[] = {
        { "once", '1', OPTION_FLAG, &once, 0, 0, "disconnect at once" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "connect [OPTIONS] ID",
        .about = "Connects to a device, tells by which path and how fast, and stays connected\n"
                 "until ^C.",
        .rules = rules,
        .count = 1,
        .operands_least = 1,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    return first < 0 ? options_exit(first) : client_run(&o, argv[first], show_and_stay, &once);
}
