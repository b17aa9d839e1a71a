/* bench_local.h: all that a session needs, on loopback and for the time of one command: broker,
 * device and keys in a directory that is removed again. */
#ifndef HAWSER_APPS_HAWSER_BENCH_LOCAL_H
#define HAWSER_APPS_HAWSER_BENCH_LOCAL_H

#include <limits.h>

#include "apps/hawser/child.h"
#include "hawser/hawser.h"

#define BENCH_LOCAL_PATH 200

struct bench_local {
    char dir[BENCH_LOCAL_PATH];      /* "": not made */
    char home[BENCH_LOCAL_PATH + 8]; /* the app's; the device's is like it */
    struct child broker, device;
    char id[HAWSER_ID_MAX], invite[HAWSER_INVITE_MAX];
};

/* Starts broker and device, which waits to be paired with. An exit code; said why. */
int bench_local_start(struct bench_local *l);
void bench_local_end(struct bench_local *l);

#endif
