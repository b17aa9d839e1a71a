/* ask.h: the app's end of channel 0: one request at a time, from any thread. */
#ifndef HAWSER_APPS_COMMON_ASK_H
#define HAWSER_APPS_COMMON_ASK_H

#include <pthread.h>

#include "apps/common/control.h"
#include "apps/common/flow.h"

#define ASK_SILENCE_MS 45000 /* longer than a session lives unheard: then its code tells more */

struct ask {
    struct flow in;
    pthread_mutex_t lock;
    int64_t id; /* of the last request */
};

void ask_init(struct ask *a, int handle);
void ask_deinit(struct ask *a);

/* Sends a request, taking over `members` (may be NULL), and waits for its reply. 0: *reply is to
 * be deinit'ed, and its `ok` tells. Or a code of the library; -5: a reply that makes no sense. */
int ask_for(struct ask *a, const char *op, json_t *members, struct control_reply *reply);

/* The same where a refusal is a failure too: both are said, with `what` in front. The reply's
 * members, to be released, or NULL. */
json_t *ask_or_say(struct ask *a, const char *what, const char *op, json_t *members);

#endif
