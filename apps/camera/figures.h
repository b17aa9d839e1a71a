/* figures.h: what a watcher shows while it watches, and at the end. */
#ifndef HAWSER_APPS_CAMERA_FIGURES_H
#define HAWSER_APPS_CAMERA_FIGURES_H

#include "apps/camera/receive.h"
#include "apps/common/fetch.h"
#include "core/base/usec.h"

struct pings {
    uint64_t count;
    usec last, least, most, sum;
};

struct figures {
    int handle;
    const struct receiver *video, *audio;
    const struct fetch *fetch; /* NULL: no file is fetched */
    atomic_ullong fetched, fetch_size;
    struct pings pings;

    usec began_at, drawn_at, draw_at; /* the start; the last time; the next */
    unsigned long long video_then, audio_then, fetched_then; /* bytes, when it was last drawn */
    bool is_live; /* stderr is a terminal: one line, again and again */
};

void figures_init(struct figures *f, int handle);
void figures_ping(struct figures *f, usec round_trip);

/* Draws or prints the line when it is time to. */
void figures_show(struct figures *f, usec now);

/* The last word. `device` is the device's own view of the session; NULL where it was not had. */
void figures_summary(struct figures *f, const json_t *device);

#endif
