/* camera and watch are hawser-camera: only that program needs FFmpeg's libraries. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "apps/common/beside.h"
#include "apps/common/say.h"
#include "apps/hawser/commands.h"

#define CAMERA "hawser-camera"

int command_camera(int argc, char **argv)
{
    (void)argc;
    argv[0] = CAMERA;
    return beside_exec(CAMERA, argv);
}

/* "hawser watch ID ..." is "hawser-camera --watch ID ...". */
int command_watch(int argc, char **argv)
{
    bool asks_help = argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    char **args;
    int code;

    if (!asks_help && (argc < 2 || argv[1][0] == '-')) {
        say_error("the camera's ID comes first; usage: hawser watch ID --out FILE [OPTIONS]");
        return EXIT_CODE_USAGE;
    }
    args = calloc((size_t)argc + 3, sizeof *args);
    if (!args)
        return say_error("out of memory");
    args[0] = CAMERA;
    args[1] = "--watch";
    if (asks_help)
        args[2] = "ID";
    for (int i = 1; i < argc; i++)
        args[i + 1 + asks_help] = argv[i];
    code = beside_exec(CAMERA, args);
    free(args);
    return code;
}
