/* beside.h: the other programs of this project: where this one is, or in PATH. */
#ifndef HAWSER_APPS_COMMON_BESIDE_H
#define HAWSER_APPS_COMMON_BESIDE_H

#include <limits.h>
#include <stdbool.h>

/* The directory of the running program; false if it cannot be told. */
bool beside_directory(char out[PATH_MAX]);

/* An executable of that name beside this one, in PATH, or in one of the sbin directories. */
bool beside_find(const char *name, char out[PATH_MAX]);

/* Becomes that program. Returns only if it cannot: an exit code, said. */
int beside_exec(const char *name, char **argv);

#endif
