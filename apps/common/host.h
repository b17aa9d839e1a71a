/* host.h: the device side of a program: one device, and a thread for each of its sessions. */
#ifndef HAWSER_APPS_COMMON_HOST_H
#define HAWSER_APPS_COMMON_HOST_H

#include <stdatomic.h>

#include "apps/common/options.h"
#include "core/base/usec.h"
#include "hawser/device.h"

struct host_guest; /* a session and its thread */

#define HOST_SESSIONS_MAX 64

struct host {
    /* Serves one session until it ends or stop_asked(), and closes it; on a thread of its own. */
    void (*serve)(struct host *h, int handle);
    void *ctx;
    int sessions_max; /* 1 … HOST_SESSIONS_MAX; more are refused as HAWSER_REASON_FULL */
    bool pair;        /* print a pairing line once online */
    bool pair_only;   /* end after the first pairing, or when the line has expired */

    int device;
    char id[HAWSER_ID_MAX];
    atomic_int active; /* sessions being served */
    atomic_bool paired;
    bool is_online, is_hinted; /* what has been told of the broker */
    usec hint_at;              /* when its silence is told */
    usec invite_until;         /* USEC_NEVER while there is no line */
    struct host_guest *guests;
};

/* Opens the device and serves until a signal comes, also while no broker answers: an app on the
 * LAN needs none. An exit code. */
int host_run(struct host *h, const struct options *o, const char *label);

#endif
