#include "apps/common/client.h"
#include "apps/common/host.h"
#include "apps/common/say.h"
#include "apps/hawser/commands.h"

/* Nobody is to stay: this program is the device only until an app has paired. */
static void serve_nobody(struct host *h, int handle)
{
    (void)h;
    hawser_close(handle, HAWSER_REASON_FULL);
}

static int pair_device(const struct options *o, const char *label)
{
    struct host host = {
        .serve = serve_nobody, .sessions_max = 1, .pair = true, .pair_only = true
    };

    return host_run(&host, o, label);
}

static int pair_app(const struct options *o, const char *invite)
{
    char id[HAWSER_ID_MAX];
    int error;

    if (client_init(o))
        return EXIT_CODE_FAILED;
    error = hawser_pair(invite, o->timeout_ms, id);
    hawser_deinit();
    if (error == HAWSER_ERR_INVALID)
        return say_failure_with(error,
                                "That is not a whole pairing line. It begins with hawser: and "
                                "belongs in quotes.",
                                "pairing");
    if (error == HAWSER_ERR_UNAUTHORISED)
        return say_failure_with(error,
                                "The line has expired, was used or was tried too often: let the "
                                "device make a new one.",
                                "pairing");
    if (error)
        return say_failure(error, "pairing");
    say("paired with %s\n\nnow: hawser connect %s", id, id);
    say_json(json_pack("{s{ss}}", "paired", "peer", id));
    return EXIT_CODE_OK;
}

int command_pair(int argc, char **argv)
{
    const char *device = NULL;
    const struct option_rule rules[] = {
        { "device", 'd', OPTION_TEXT, &device, 0, 0, "LABEL  be the device: show a pairing line" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "pair [OPTIONS] 'hawser:...' | pair [OPTIONS] --device LABEL",
        .about = "With a device's pairing line: makes this app an owner of the device.\n"
                 "With --device: prints such a line and its QR code and waits up to five minutes\n"
                 "until an app has used it. Not while the device's own program runs, which may\n"
                 "have a --pair of its own: hawser-camera has.",
        .rules = rules,
        .count = 1,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    if (first < 0)
        return options_exit(first);
    if ((first < argc) == (device != NULL)) {
        say_error("either the device's line in quotes, or --device LABEL");
        return EXIT_CODE_USAGE;
    }
    return device ? pair_device(&o, device) : pair_app(&o, argv[first]);
}
