#include "apps/common/answer.h"

#include <stdlib.h>

#include "apps/common/control.h"
#include "apps/common/stop.h"
#include "hawser/device.h"

enum { SEND_SILENCE_MS = 30000 };

/* The reply to one line, from malloc; NULL when out of memory. */
static char *answer(const struct answer_ops *ops, void *ctx, struct bytes line)
{
    struct control_request r;
    const char *why = control_decode_request(&r, line);
    json_t *result = NULL;
    char *reply;

    if (why)
        return control_encode_error(0, why);
    why = "no such operation";
    for (size_t i = 0; i < ops->count; i++)
        if (strcmp(ops->ops[i].op, r.op) == 0)
            result = ops->ops[i].run(ctx, r.members, &why);
    reply = result ? control_encode_result(r.id, result) : control_encode_error(r.id, why);
    control_deinit_request(&r);
    return reply;
}

int answer_requests(struct flow *control, const struct answer_ops *ops, void *ctx)
{
    while (!stop_asked()) {
        struct bytes line;
        int error = flow_next_line(control, CONTROL_LINE_MAX, STOP_POLL_MS, &line);
        char *reply;

        if (error == HAWSER_ERR_TIMEOUT)
            continue;
        if (error) /* it is closed already, or the peer sends what is no line */
            return HAWSER_REASON_CLOSED;
        reply = answer(ops, ctx, line);
        if (!reply)
            return HAWSER_REASON_NO_RESOURCES;
        error =
            flow_send(control->handle, control->channel, bytes_of_string(reply), SEND_SILENCE_MS);
        free(reply);
        if (error)
            return HAWSER_REASON_CLOSED;
    }
    return HAWSER_REASON_LEFT;
}
