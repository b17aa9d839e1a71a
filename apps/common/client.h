/* client.h: the app side of a program: one user, one session. */
#ifndef HAWSER_APPS_COMMON_CLIENT_H
#define HAWSER_APPS_COMMON_CLIENT_H

#include "apps/common/options.h"
#include "hawser/hawser.h"

#define CLIENT_LABEL "me" /* the key that --as selects by default */

/* Starts the library as options say. 0, or a code that has been said. */
int client_init(const struct options *o);

/* The same, and connects; waits for the result or for a signal. The handle, to be ended with
 * client_close(), or a code that has been said, with nothing to close. */
int client_open(const struct options *o, const char *id);
void client_close(int handle);

/* All of it: connects, runs body(ctx, handle), closes. From here on signals ask to stop. The exit
 * code of body, or EXIT_CODE_FAILED. */
int client_run(const struct options *o, const char *id, int (*body)(void *ctx, int handle),
               void *ctx);

#endif
