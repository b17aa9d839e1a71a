/* answer.h: the device's end of channel 0: a table of operations, and the loop that runs them. */
#ifndef HAWSER_APPS_COMMON_ANSWER_H
#define HAWSER_APPS_COMMON_ANSWER_H

#include <jansson.h>

#include "apps/common/flow.h"

/* Takes the members of a request and returns those of the result, or NULL and why not. */
struct answer_op {
    const char *op;
    json_t *(*run)(void *ctx, const json_t *request, const char **why);
};

struct answer_ops {
    const struct answer_op *ops;
    size_t count;
};

/* Answers requests, in their order, until the session ends or stop_asked(). The reason to close it
 * with. */
int answer_requests(struct flow *control, const struct answer_ops *ops, void *ctx);

#endif
