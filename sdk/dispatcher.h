/* dispatcher.h: the thread that runs the application's callbacks, one after another.
 *
 * A job belongs to whoever made it until it is posted; posting cannot fail, and the queue is as
 * bounded as its makers: a connect has one job, a session one, an offer one, a pairing one. */
#ifndef HAWSER_SDK_DISPATCHER_H
#define HAWSER_SDK_DISPATCHER_H

#include <stdbool.h>

#include "core/base/err.h"

struct job {
    void (*run)(struct job *job); /* frees it, or hands it on */
    struct job *next;
};

struct dispatcher;

/* ERR_NOMEM, ERR_LIMIT (threads). */
int dispatcher_new(struct dispatcher **out);

/* Runs what is queued, then ends the thread. Not from a job. NULL is fine. */
void dispatcher_free(struct dispatcher *d);

void dispatcher_post(struct dispatcher *d, struct job *job); /* [any thread] */
bool dispatcher_is_current(const struct dispatcher *d);      /* [any thread] */

#endif
