#include "apps/hawser/commands.h"
#include "apps/hawser/move.h"

int command_get(int argc, char **argv)
{
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "get [OPTIONS] ID REMOTE LOCAL",
        .about = "Fetches a file from a device. If that is interrupted, the same command goes on\n"
                 "where it was; what is there by then is in LOCAL.hawser-part. A file LOCAL that\n"
                 "exists is replaced at the end.",
        .operands_least = 3,
        .operands_most = 3,
    };
    int first = options_parse(&o, &spec, argc, argv);

    if (first < 0)
        return options_exit(first);
    return move_file(&o, argv[first], argv[first + 1], argv[first + 2], fetch_get);
}
