/* hawser: the command line of this project. */
#include <stdio.h>
#include <string.h>

#include "apps/common/say.h"
#include "apps/hawser/commands.h"
#include "core/base/bytes.h"
#include "hawser/hawser.h"

static const struct command {
    const char *name, *about;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "up", "start what devices and apps need here: broker and STUN server", command_up },
    { "keygen", "make a key and show its ID", command_keygen },
    { "pair", "make a device trust this app, or an app trust this device", command_pair },
    { "connect", "connect to a device and tell how", command_connect },
    { "status", "what a device says of itself; \"local\": what is set up here", command_status },
    { "ping", "measure round trips of requests", command_ping },
    { "send", "stdin to a channel", command_send },
    { "recv", "a channel to stdout", command_recv },
    { "list", "the files that a device serves", command_list },
    { "get", "fetch a file from a device", command_get },
    { "put", "bring a file to a device", command_put },
    { "watch", "store what a camera streams", command_watch },
    { "bench", "measure throughput and latency; \"--local\": here", command_bench },
    { "camera", "be a camera that streams a file", command_camera },
    { "echo", "be a device that sends everything back", command_echo },
};

static int help(FILE *out)
{
    fputs("usage: hawser COMMAND [OPTIONS] ...\n\n", out);
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].about);
    fputs("\n\"hawser COMMAND --help\" tells more. Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
          out);
    return out == stdout ? EXIT_CODE_OK : EXIT_CODE_USAGE;
}

static int run(const struct command *c, int argc, char **argv)
{
    char name[32];

    snprintf(name, sizeof name, "hawser %s", c->name);
    argv[0] = name; /* what getopt_long() begins its messages with */
    return c->run(argc, argv);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(stdout);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0)
        return puts(hawser_get_version()) < 0;
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    if (*name)
        fprintf(stderr, "hawser: no command \"%s\"\n", name);
    return help(stderr);
}
