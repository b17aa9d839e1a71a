#include "apps/common/home.h"

#include <stdio.h>
#include <stdlib.h>

static const char *home_given;

void home_set(const char *given)
{
    home_given = given;
}

const char *home_get(char out[HOME_PATH_MAX])
{
    const char *set = getenv("HAWSER_HOME"), *user = getenv("HOME");

    if (home_given)
        (void)snprintf(out, HOME_PATH_MAX, "%s", home_given);
    else if (set && *set)
        (void)snprintf(out, HOME_PATH_MAX, "%s", set);
    else
        (void)snprintf(out, HOME_PATH_MAX, "%s/.hawser", user ? user : "");
    return out;
}
