/* child.h: a program that another one starts, watches and ends. */
#ifndef HAWSER_APPS_HAWSER_CHILD_H
#define HAWSER_APPS_HAWSER_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
    const char *name; /* borrowed */
    pid_t pid;        /* 0: not running */
};

/* Starts argv[0] in a process group of its own, so that ^C reaches only its parent; it ends if the
 * parent dies. stdout and stderr become these descriptors; -1: as the parent's. 0 or -1, said. */
int child_start(struct child *c, const char *name, char *const argv[], int out, int err);

/* Whether it has ended by itself. */
bool child_has_ended(struct child *c);

/* Asks it to end, then makes it. Fine on one that is not running. */
void child_end(struct child *c);

#endif
