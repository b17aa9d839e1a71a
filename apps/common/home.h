/* home.h: where keys, grants and config.json are. */
#ifndef HAWSER_APPS_COMMON_HOME_H
#define HAWSER_APPS_COMMON_HOME_H

#define HOME_PATH_MAX 1024

/* What --home says, borrowed; NULL: nothing. */
void home_set(const char *given);

/* The directory that the library uses: --home, else $HAWSER_HOME, else ~/.hawser. Returns out. */
const char *home_get(char out[HOME_PATH_MAX]);

#endif
