#include "apps/common/ask.h"
#include "apps/common/client.h"
#include "apps/common/progress.h"
#include "apps/common/say.h"
#include "apps/hawser/commands.h"

static void print_entry(const json_t *entry)
{
    const char *name = control_text(entry, "name", "?");
    int64_t size = control_number(entry, "size", -1);
    char text[32];

    if (size < 0) {
        say("%12s  %s/", "", name);
        return;
    }
    progress_format_bytes((double)size, text, sizeof text);
    say("%12s  %s", text, name);
}

static int list(void *ctx, int handle)
{
    const char *path = ctx;
    struct ask ask;
    json_t *reply, *entries;

    ask_init(&ask, handle);
    reply = ask_or_say(&ask, "list", "list", json_pack("{ss}", "path", path));
    ask_deinit(&ask);
    if (!reply)
        return EXIT_CODE_FAILED;
    entries = json_object_get(reply, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++)
        print_entry(json_array_get(entries, i));
    if (json_is_true(json_object_get(reply, "more")))
        say_aside("and more that the device did not list");
    say_json(json_pack("{sO*}", "entries", entries));
    json_decref(reply);
    return EXIT_CODE_OK;
}

int command_list(int argc, char **argv)
{
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "list [OPTIONS] ID [DIR]",
        .about = "Lists the files that a device serves, or those in a directory of them.",
        .operands_least = 1,
        .operands_most = 2,
    };
    int first = options_parse(&o, &spec, argc, argv);
    char all[] = "";

    if (first < 0)
        return options_exit(first);
    return client_run(&o, argv[first], list, first + 1 < argc ? argv[first + 1] : all);
}
