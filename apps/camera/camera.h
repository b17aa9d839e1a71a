/* camera.h: the reference device: what it serves to each session. */
#ifndef HAWSER_APPS_CAMERA_CAMERA_H
#define HAWSER_APPS_CAMERA_CAMERA_H

#include <stdbool.h>
#include <stdint.h>

struct camera {
    const char *source; /* media file */
    bool loop;
    int files;         /* directory that is served; -1: none */
    uint64_t file_max; /* bytes of a file that an app may put */
};

struct host;

/* Serves one session; struct host's `serve`, with a struct camera as its ctx. */
void camera_serve(struct host *h, int handle);

#endif
