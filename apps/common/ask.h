/* ask.h: the app's end of channel 0: one request at a time, from any thread. */
#ifndef HAWSER_APPS_COMMON_ASK_H
#define HAWSER_APPS_COMMON_ASK_H

#include <pthread.h>

#include "apps/common/control.h"
#include "apps/common/flow.h"

#define ASK_SOON_MS    10000 /* for requests that take no work to answer */
#define ASK_SILENCE_MS 45000 /* longer than a session lives unheard: then its code tells more */

struct ask {
    struct flow in;
    int silence_ms;                         /* ASK_SILENCE_MS, or what its owner sets */
    void (*waiting)(void *ctx, int handle); /* every second without an answer; may be NULL */
    void *ctx;
    pthread_mutex_t lock;
    int64_t id; /* of the last request */
};

void ask_init(struct ask *a, int handle);
void ask_deinit(struct ask *a);

/* Sends a request, taking over `members` (may be NULL), and waits for its reply. 0: *reply is to
 * be deinit'ed, and its `ok` tells. Or a code of the library; -3: no answer in silence_ms; -5: a
 * reply that makes no sense; -14: stop_asked(). */
int ask_for(struct ask *a, const char *op, json_t *members, struct control_reply *reply);

/* Says why ask_for() failed; nothing where that was a signal. */
void ask_say(const struct ask *a, const char *what, int error);

/* Both in one, where a refusal is a failure too and said, with `what` in front. The
 * reply's members, to be released, or NULL. */
json_t *ask_or_say(struct ask *a, const char *what, const char *op, json_t *members);

#endif
