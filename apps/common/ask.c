#include "apps/common/ask.h"

#include <stdlib.h>

#include "apps/common/channels.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "hawser/hawser.h"

enum { WAITING_MS = 1000 };

void ask_init(struct ask *a, int handle)
{
    flow_init(&a->in, handle, CHANNEL_CONTROL);
    pthread_mutex_init(&a->lock, NULL);
    a->id = 0;
    a->silence_ms = ASK_SILENCE_MS;
    a->waiting = NULL;
}

void ask_deinit(struct ask *a)
{
    pthread_mutex_destroy(&a->lock);
    flow_deinit(&a->in);
}

/* A line, or that there was silence for so long; a look at the path in between. */
static int await_line(struct ask *a, struct bytes *line)
{
    for (int left_ms = a->silence_ms;;) {
        int slice = left_ms < WAITING_MS ? left_ms : WAITING_MS;
        int error = flow_next_line(&a->in, CONTROL_LINE_MAX, slice, line);

        left_ms -= slice;
        if (error != HAWSER_ERR_TIMEOUT || left_ms <= 0)
            return error;
        if (stop_asked())
            return HAWSER_ERR_CLOSED_LOCALLY;
        if (a->waiting)
            a->waiting(a->ctx, a->in.handle);
    }
}

/* Replies to requests that were given up for silence are passed over. */
static int await_reply(struct ask *a, struct control_reply *reply)
{
    for (;;) {
        struct bytes line;
        int error = await_line(a, &line);

        if (error)
            return error;
        if (control_decode_reply(reply, line))
            return HAWSER_ERR_INVALID;
        if (reply->id == a->id)
            return 0;
        control_deinit_reply(reply);
    }
}

int ask_for(struct ask *a, const char *op, json_t *members, struct control_reply *reply)
{
    char *line;
    int error = HAWSER_ERR_NO_MEMORY;

    pthread_mutex_lock(&a->lock);
    line = control_encode_request(++a->id, op, members);
    if (line)
        error = flow_send(a->in.handle, CHANNEL_CONTROL, bytes_of_string(line), a->silence_ms);
    if (!error)
        error = await_reply(a, reply);
    pthread_mutex_unlock(&a->lock);
    free(line);
    return error;
}

void ask_say(const struct ask *a, const char *what, int error)
{
    if (error == HAWSER_ERR_CLOSED_LOCALLY && stop_asked())
        return;
    if (error == HAWSER_ERR_INVALID) /* the session is sound, and the ID was right */
        say_error("%s: the device does not answer requests as hawser-camera does", what);
    else if (error == HAWSER_ERR_TIMEOUT)
        say_failure_with(error,
                         "The session is not lost yet, but its path carries nothing now, or the "
                         "device's program is busy.",
                         "%s: no answer in %.1f s", what, a->silence_ms / 1000.0);
    else
        say_failure(error, "%s", what);
}

json_t *ask_or_say(struct ask *a, const char *what, const char *op, json_t *members)
{
    struct control_reply reply;
    int error = ask_for(a, op, members, &reply);

    if (error) {
        ask_say(a, what, error);
        return NULL;
    }
    if (reply.ok)
        return reply.members;
    say_error("%s: the device refused: %s", what, reply.error);
    control_deinit_reply(&reply);
    return NULL;
}
