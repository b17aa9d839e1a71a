/* watch.h: an app that stores what a camera streams, fetches a file meanwhile if asked to, and
 * tells how the connection does. */
#ifndef HAWSER_APPS_CAMERA_WATCH_H
#define HAWSER_APPS_CAMERA_WATCH_H

#include "apps/common/options.h"

struct watch {
    const char *id, *out;
    const char *get, *get_as; /* a file of the camera, and where to store it; NULL: none */
    int64_t duration_s;       /* 0: until the stream ends */
};

/* Connects, watches, disconnects. An exit code. */
int watch_run(const struct watch *w, const struct options *o);

#endif
