/* client.h: the app side of a program: one user, one session. */
#ifndef HAWSER_APPS_COMMON_CLIENT_H
#define HAWSER_APPS_COMMON_CLIENT_H

#include <jansson.h>

#include "apps/common/options.h"
#include "hawser/hawser.h"

#define CLIENT_LABEL "me" /* the key that --as selects by default */

/* Starts the library as options say. 0, or a code that has been said. */
int client_init(const struct options *o);

/* Connects; waits for the result or for a signal. The handle, or a code that has been said. */
int client_connect(const struct options *o, const char *id);

/* Both. Ends with client_close() if it is >= 0; otherwise there is nothing to close. */
int client_open(const struct options *o, const char *id);
void client_close(int handle);

/* "lan", "direct", "relayed" or "none". */
const char *client_path_name(enum hawser_path_kind path);

/* What is known of the session, for --json; NULL if it is gone. */
json_t *client_session_json(int handle);

/* The same for people: "direct 192.0.2.1:4000 - 192.0.2.2:4001, round trip 0.4 ms". */
void client_describe(const struct hawser_session_info *info, char *text, size_t cap);

#endif
