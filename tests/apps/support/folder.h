/* folder.h: an empty directory of the test's own, and files in it. */
#ifndef HAWSER_TESTS_APPS_FOLDER_H
#define HAWSER_TESTS_APPS_FOLDER_H

#include "core/base/bytes.h"

struct folder {
    char path[64];
    int fd;
};

void folder_init(struct folder *f);
void folder_deinit(struct folder *f); /* with all that is in it */

/* Writes a whole file; makes a directory. */
void folder_write(const struct folder *f, const char *name, struct bytes content);
void folder_make(const struct folder *f, const char *name);

/* Whether a file is there with exactly this content. */
bool folder_holds(const struct folder *f, const char *name, struct bytes content);

/* "PATH/NAME", in a static buffer that lasts for four calls. */
const char *folder_path(const struct folder *f, const char *name);

#endif
