/* camera and watch are hawser-camera: only that program needs FFmpeg's libraries. */
#include <stdlib.h>

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
    char **args = calloc((size_t)argc + 2, sizeof *args);
    int code;

    if (!args)
        return say_error("out of memory");
    args[0] = CAMERA;
    args[1] = argc > 1 && argv[1][0] != '-' ? "--watch" : "--help";
    for (int i = 1; i < argc; i++)
        args[i + 1] = argv[i];
    code = beside_exec(CAMERA, args);
    free(args);
    return code;
}
