#include <pthread.h>

#include "apps/common/host.h"
#include "apps/common/mirror.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "apps/hawser/commands.h"

struct mirror {
    pthread_t thread;
    int handle, channel;
    bool has_thread;
};

static void *mirror(void *arg)
{
    const struct mirror *m = arg;

    mirror_channel(m->handle, m->channel);
    return NULL;
}

/* A blocked call returns when the session ends: by the peer, or because the device is closed. */
static void serve(struct host *h, int handle)
{
    struct mirror mirrors[HAWSER_CHANNELS];

    (void)h;
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        mirrors[i] = (struct mirror){ .handle = handle, .channel = i };
        mirrors[i].has_thread = !pthread_create(&mirrors[i].thread, NULL, mirror, &mirrors[i]);
        if (!mirrors[i].has_thread)
            hawser_close(handle, HAWSER_REASON_NO_RESOURCES);
    }
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (mirrors[i].has_thread)
            pthread_join(mirrors[i].thread, NULL);
    hawser_close(handle, HAWSER_REASON_LEFT);
}

int command_echo(int argc, char **argv)
{
    int64_t sessions_max = 8;
    bool pair = false;
    const struct option_rule rules[] = {
        { "pair", 'p', OPTION_FLAG, &pair, 0, 0, "print a pairing line and its QR code" },
        { "max-sessions", 0, OPTION_NUMBER, &sessions_max, 1, HOST_SESSIONS_MAX,
          "N  sessions at once (8)" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "echo [OPTIONS] LABEL",
        .about = "Is a device, with the key of this label, that sends back what comes on each\n"
                 "channel: for tests, and to see whether a connection carries data.",
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
        .operands_least = 1,
        .operands_most = 1,
        .side = OPTIONS_DEVICE,
    };
    int first = options_parse(&o, &spec, argc, argv);
    struct host host = { .serve = serve };

    if (first < 0)
        return options_exit(first);
    host.sessions_max = (int)sessions_max;
    host.pair = pair;
    return host_run(&host, &o, argv[first]);
}
