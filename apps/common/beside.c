#include "apps/common/beside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/common/say.h"

bool beside_directory(char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    char *slash;

    if (len <= 0)
        return false;
    out[len] = '\0';
    slash = strrchr(out, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

static bool is_there(const char *directory, size_t len, const char *name, char out[PATH_MAX])
{
    return len && snprintf(out, PATH_MAX, "%.*s/%s", (int)len, directory, name) < PATH_MAX &&
           access(out, X_OK) == 0;
}

static bool search(const char *path, const char *name, char out[PATH_MAX])
{
    while (path && *path) {
        size_t len = strcspn(path, ":");

        if (is_there(path, len, name, out))
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

bool beside_find(const char *name, char out[PATH_MAX])
{
    char here[PATH_MAX];

    if (beside_directory(here) && is_there(here, strlen(here), name, out))
        return true;
    /* mosquitto is in an sbin directory, which is not in everybody's PATH */
    return search(getenv("PATH"), name, out) || search("/usr/local/sbin:/usr/sbin", name, out);
}

int beside_exec(const char *name, char **argv)
{
    char path[PATH_MAX];

    if (!beside_find(name, path))
        return say_error("%s is neither beside this program nor in PATH", name);
    execv(path, argv);
    return say_error("%s: %s", path, strerror(errno));
}
