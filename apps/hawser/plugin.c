#include "apps/hawser/plugin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/common/beside.h"
#include "apps/common/say.h"
#include "core/base/bytes.h"

/* The build knows the folder for its own prefix; a tree that was staged or moved since is known by
 * this program's place in it. */
static const char *const places[] = { "", HAWSER_PLUGIN_BESIDE, "/../lib/hawser" };

static int take(const char *path, const char *who, char out[PATH_MAX])
{
    if (access(path, R_OK) || !realpath(path, out)) /* a bare name mosquitto would look for */
        return say_error("%s%s: %s", who, path, strerror(errno));
    return EXIT_CODE_OK;
}

/* Below a folder that all may write to, as in /tmp, one that was only found could be anybody's. */
static bool is_trusted(const char *path)
{
    struct stat file, program;

    return stat(path, &file) == 0 && stat("/proc/self/exe", &program) == 0 &&
           (file.st_uid == 0 || file.st_uid == geteuid() || file.st_uid == program.st_uid);
}

static bool look(const char *folder, const char *below, char out[PATH_MAX])
{
    char path[PATH_MAX];

    return snprintf(path, sizeof path, "%s%s/" PLUGIN_NAME, folder, below) < PATH_MAX &&
           access(path, R_OK) == 0 && realpath(path, out) && is_trusted(out);
}

static bool search(const char *here, char out[PATH_MAX])
{
    for (size_t i = 0; here && i < COUNT(places); i++)
        if (look(here, places[i], out))
            return true;
    return look(HAWSER_PLUGIN_DIR, "", out);
}

/* Both of the lib directories are one in most builds; it is told of once. */
static int say_where(const char *here)
{
    char list[4 * PATH_MAX] = "";
    size_t len = 0;

    for (size_t i = 0; here && i < COUNT(places) && len < sizeof list; i++)
        if (i == 0 || strcmp(places[i], places[i - 1]) != 0)
            len += (size_t)snprintf(list + len, sizeof list - len, "\n    %s%s/" PLUGIN_NAME, here,
                                    places[i]);
    return say_error(
        "mosquitto's plugin is at none of these places, or not ours:%s\n    %s/" PLUGIN_NAME "\n"
        "--plugin FILE or the variable " PLUGIN_VARIABLE " tells where it is",
        list, HAWSER_PLUGIN_DIR);
}

int plugin_find(const char *named, char out[PATH_MAX])
{
    const char *set = getenv(PLUGIN_VARIABLE);
    char folder[PATH_MAX];
    const char *here = beside_directory(folder) ? folder : NULL;

    if (named)
        return take(named, "--plugin ", out);
    if (set && *set)
        return take(set, PLUGIN_VARIABLE " ", out);
    return search(here, out) ? EXIT_CODE_OK : say_where(here);
}
