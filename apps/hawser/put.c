#include "apps/hawser/commands.h"
#include "apps/hawser/move.h"

int command_put(int argc, char **argv)
{
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "put [OPTIONS] ID LOCAL REMOTE",
        .about = "Brings a file to a device. If that is interrupted, the same command goes on\n"
                 "where it was. The file appears at the device when it is whole and checked, in\n"
                 "place of one of that name.",
        .operands_least = 3,
        .operands_most = 3,
    };
    int first = options_parse(&o, &spec, argc, argv);

    if (first < 0)
        return options_exit(first);
    return move_file(&o, argv[first], argv[first + 2], argv[first + 1], fetch_put);
}
