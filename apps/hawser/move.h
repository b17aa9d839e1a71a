/* move.h: what get and put share: one file over one session, with a progress bar. */
#ifndef HAWSER_APPS_HAWSER_MOVE_H
#define HAWSER_APPS_HAWSER_MOVE_H

#include "apps/common/fetch.h"
#include "apps/common/options.h"

/* Connects, lets `run` (fetch_get or fetch_put) do it, says the result. An exit code. */
int move_file(const struct options *o, const char *id, const char *remote, const char *local,
              int (*run)(struct fetch *f));

#endif
