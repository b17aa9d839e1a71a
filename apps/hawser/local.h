/* local.h: what is set up on this machine, without connecting to anything. */
#ifndef HAWSER_APPS_HAWSER_LOCAL_H
#define HAWSER_APPS_HAWSER_LOCAL_H

#include "apps/common/options.h"

/* Shows version, key and servers, never a password. An exit code: a config.json that no command
 * could use is a failure. */
int local_status(const struct options *o);

#endif
