/* stream.h: sends one stream of the source over its channel in real time, on a thread of its own
 * with a demuxer of its own: audio never waits for video, nor one viewer for another. */
#ifndef HAWSER_APPS_CAMERA_STREAM_H
#define HAWSER_APPS_CAMERA_STREAM_H

#include <pthread.h>
#include <stdatomic.h>

#include "apps/camera/source.h"
#include "core/base/usec.h"

struct stream {
    int handle, channel;
    enum record_media media;
    const char *path; /* borrowed */
    bool loop;
    usec zero_at; /* when the file's time 0 is or was due */

    struct source *source;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;    /* under lock */
    atomic_bool done; /* nothing more comes */
    uint64_t sent;    /* units */
};

void stream_init(struct stream *s, int handle, enum record_media media);

/* Call once the session is closed or the stream done: a blocked send ends then. */
void stream_deinit(struct stream *s);

/* Opens the file and starts to send; its earliest time is due at began_at. 0, SOURCE_NONE, or
 * SOURCE_FAILED with why. */
int stream_start(struct stream *s, const char *path, bool loop, usec began_at,
                 char why[SOURCE_WHY_MAX]);

/* Asks it to end after the unit that is being sent; does not wait. */
void stream_stop(struct stream *s);

/* Whether it was started and has not come to its end. */
bool stream_is_running(const struct stream *s);

#endif
