/* remux.h: puts received records into a media file, every access unit as it came. Safe from the
 * threads of the video and the audio channel at once. */
#ifndef HAWSER_APPS_CAMERA_REMUX_H
#define HAWSER_APPS_CAMERA_REMUX_H

#include "apps/common/record.h"

struct remux;

enum { REMUX_WHY_MAX = 200 };

/* The container follows the name's extension. The streams that will come are said now, for the
 * file's head needs the parameters of all of them. NULL and why. */
struct remux *remux_new(const char *path, bool video, bool audio, char why[REMUX_WHY_MAX]);
void remux_free(struct remux *m);

/* Takes one record that is not END; blocks until the parameters of the other stream are there too.
 * False when it cannot be stored, or after remux_cancel(). */
bool remux_add(struct remux *m, enum record_media media, const struct record *r);

/* Nothing more will come: whoever waits for the other stream's parameters stops waiting. */
void remux_cancel(struct remux *m);

/* Completes the file. NULL or why it is not complete. */
const char *remux_finish(struct remux *m);

#endif
