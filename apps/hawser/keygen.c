#include "apps/common/client.h"
#include "apps/common/say.h"
#include "apps/hawser/commands.h"

int command_keygen(int argc, char **argv)
{
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "keygen [OPTIONS] [LABEL]",
        .about = "Makes the key of this label, unless there is one, and prints its ID. Without\n"
                 "LABEL it is \"" CLIENT_LABEL "\", the key that the other commands use.",
        .operands_most = 1,
        .side = OPTIONS_HOME,
    };
    int first = options_parse(&o, &spec, argc, argv), error;
    char id[HAWSER_ID_MAX];
    const char *label;

    if (first < 0)
        return options_exit(first);
    if (options_apply(&o))
        return EXIT_CODE_FAILED;
    label = first < argc ? argv[first] : CLIENT_LABEL;
    error = hawser_keygen(label, id);
    if (error)
        return say_key_failure(error, label);
    say("%s", id);
    say_json(json_pack("{ssss}", "label", label, "id", id));
    return EXIT_CODE_OK;
}
