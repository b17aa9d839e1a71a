#include <stdlib.h>
#include <string.h>

#include "apps/common/bench.h"
#include "apps/common/client.h"
#include "apps/common/host.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "apps/hawser/bench_device.h"
#include "apps/hawser/bench_local.h"
#include "apps/hawser/bench_show.h"
#include "apps/hawser/commands.h"
#include "core/base/bytes.h"

enum { PAIR_MS = 15000 };

struct bench {
    int64_t seconds, sessions_max;
    const char *channels;
    bool is_local, is_device, pair;
    uint8_t load;
};

/* "5" or "1,3,5": channels as bits. 0: that is none, and said. */
static uint8_t read_channels(const char *text)
{
    uint8_t bits = 0;
    const char *at = text;

    while (*at >= '1' && *at < '0' + HAWSER_CHANNELS && (at[1] == ',' || at[1] == '\0')) {
        bits |= (uint8_t)(1u << (*at - '0'));
        if (at[1] == '\0')
            return bits;
        at += 2;
    }
    say_error("--channels: \"%s\" is no list of channels from 1 to 7, as 5 or 1,5", text);
    return 0;
}

static int measure(void *ctx, int handle)
{
    const struct bench *b = ctx;
    struct bench_run run = { .handle = handle, .seconds = b->seconds, .load = b->load };
    int code = bench_run(&run);

    if (!code)
        bench_show(&run);
    bench_run_deinit(&run);
    return code;
}

static int pair_with(const struct options *o, const char *invite)
{
    char id[HAWSER_ID_MAX];
    int error = client_init(o);

    if (error)
        return EXIT_CODE_FAILED;
    error = hawser_pair(invite, PAIR_MS, id);
    hawser_deinit();
    return error ? say_failure(error, "pairing with the local device") : EXIT_CODE_OK;
}

static int run_local(struct bench *b, const struct options *o)
{
    struct bench_local l = { .dir = "" };
    struct options own = *o;
    int code;

    stop_on_signals();
    own.home = l.home;
    code = bench_local_start(&l);
    if (!code)
        code = pair_with(&own, l.invite);
    if (!code)
        code = client_run(&own, l.id, measure, b);
    bench_local_end(&l);
    return code;
}

static int run_device(const struct bench *b, const struct options *o, const char *label)
{
    struct host host = { .serve = bench_device_serve,
                         .sessions_max = (int)b->sessions_max,
                         .pair = b->pair };

    return host_run(&host, o, label);
}

static int run(struct bench *b, const struct options *o, const char *operand)
{
    if (b->is_local + b->is_device + (operand != NULL) != 1 + b->is_device) {
        say_error(b->is_device ? "bench --serve takes the label of the device's key, and no --local"
                               : "bench: give the ID of a device, or --local; --help tells more");
        return EXIT_CODE_USAGE;
    }
    if (b->pair && !b->is_device) {
        say_error("bench: --pair goes with --serve, at the device; here \"hawser pair\" does it");
        return EXIT_CODE_USAGE;
    }
    b->load = read_channels(b->channels);
    if (!b->load)
        return EXIT_CODE_USAGE;
    if (b->is_device)
        return run_device(b, o, operand);
    return b->is_local ? run_local(b, o) : client_run(o, operand, measure, b);
}

int command_bench(int argc, char **argv)
{
    struct bench b = { .seconds = 5, .sessions_max = 8, .channels = "5" };
    const struct option_rule rules[] = {
        { "local", 0, OPTION_FLAG, &b.is_local, 0, 0, "both ends here, on loopback" },
        { "seconds", 's', OPTION_NUMBER, &b.seconds, 1, BENCH_SECONDS_MAX,
          "N  of load each way (5)" },
        { "channels", 'c', OPTION_TEXT, &b.channels, 0, 0, "LIST  that carry the load (5)" },
        { "serve", 0, OPTION_FLAG, &b.is_device, 0, 0, "be the device that is measured" },
        { "pair", 'p', OPTION_FLAG, &b.pair, 0, 0, "of --serve: print a pairing line" },
        { "max-sessions", 0, OPTION_NUMBER, &b.sessions_max, 1, HOST_SESSIONS_MAX,
          "N  of --serve: at once (8)" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "bench [OPTIONS] ID | --local | --serve LABEL",
        .about =
            "Measures a session: throughput down and up, how long a 1 KiB command takes on\n"
            "each channel, idle and while others carry load, CPU time, and what was sent\n"
            "again. The device is hawser-camera, or \"hawser bench --serve\"; --local needs\n"
            "nothing. Channels have their usual priorities: 0, 2, 1, 4, 3, 5, then 6 and 7; one\n"
            "that comes after a loaded channel waits for it.",
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
        .operands_least = 0,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    if (first < 0)
        return options_exit(first);
    return run(&b, &o, first < argc ? argv[first] : NULL);
}
