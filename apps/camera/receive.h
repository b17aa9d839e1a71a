/* receive.h: receives one stream's records from its channel and hands them to the remuxer, on a
 * thread of its own. */
#ifndef HAWSER_APPS_CAMERA_RECEIVE_H
#define HAWSER_APPS_CAMERA_RECEIVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "apps/camera/remux.h"

struct receiver {
    int handle;
    enum record_media media;
    struct remux *remux; /* borrowed */
    pthread_t thread;
    bool has_thread;
    atomic_bool done;
    atomic_ullong units, bytes; /* received so far; bytes of access units */
    /* For the time after receiver_join(). */
    bool complete;           /* END came, and as many units as it counts */
    int code;                /* of the library, or 0 */
    char why[REMUX_WHY_MAX]; /* "" when complete */
};

/* Starts the thread. False if there is none to be had. */
bool receiver_start(struct receiver *r, int handle, enum record_media media, struct remux *remux);
void receiver_join(struct receiver *r);

/* True while it goes on. */
bool receiver_is_running(const struct receiver *r);

#endif
