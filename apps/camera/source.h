/* source.h: one video or audio stream of a media file, as it was encoded, by libavformat. */
#ifndef HAWSER_APPS_CAMERA_SOURCE_H
#define HAWSER_APPS_CAMERA_SOURCE_H

#include "apps/common/record.h"

struct source;

/* Opens the best stream of that kind in the file. 0; SOURCE_NONE: the file has no such stream;
 * SOURCE_FAILED: why is filled in. */
enum { SOURCE_NONE = 1, SOURCE_FAILED = -1, SOURCE_WHY_MAX = 200 };
int source_open(struct source **out, const char *path, enum record_media media,
                char why[SOURCE_WHY_MAX]);
void source_close(struct source *s);

/* What a receiver must know; borrowed from the source. */
void source_parameters(const struct source *s, struct record *out);

/* The next access unit, borrowed until the next call. False at the end of the file, or where it
 * cannot be read any more. *parameters_changed: source_parameters() before this unit. */
bool source_next(struct source *s, struct record *unit, bool *parameters_changed);

/* Back to the beginning. False if the file cannot seek. */
bool source_rewind(struct source *s);

/* The file's earliest time, and how long it is, with all its streams; 0 if unknown. */
int64_t source_begin_us(const struct source *s);
int64_t source_duration_us(const struct source *s);

#endif
