/* served.h: the files of a served directory, and nothing outside of it. Every part of a path is
 * opened by itself with O_NOFOLLOW, so neither ".." nor a symbolic link leads out, not even one
 * that somebody puts there meanwhile. */
#ifndef HAWSER_APPS_COMMON_SERVED_H
#define HAWSER_APPS_COMMON_SERVED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVED_PARTIAL ".hawser-part" /* what an unfinished upload's name ends in */

/* Opens a regular file to read. Its descriptor, or -1 with errno (EINVAL: no such path allowed). */
int served_open(int dir, const char *path, uint64_t *size);

/* A file being received: the partial beside its place. */
struct served_put {
    int parent, fd;
    char name[256], partial[256];
    uint64_t held; /* bytes there from an earlier try */
};

/* Opens or makes the partial of `path` and locks it. 0, or -1 with errno; EWOULDBLOCK: another
 * upload of the same file is under way. */
int served_put_open(struct served_put *p, int dir, const char *path);

/* Puts the whole file in its place. 0 or -1 with errno. */
int served_put_finish(struct served_put *p);

/* Throws the partial away: it cannot become the file any more. */
void served_put_discard(struct served_put *p);
void served_put_close(struct served_put *p);

/* Regular files and directories, [{"name":,"size":,"kind":}], the first `most` in no order; *more
 * tells that there were others. "" or "." is the served directory. NULL with errno. */
json_t *served_list(int dir, const char *path, size_t most, bool *more);

#endif
