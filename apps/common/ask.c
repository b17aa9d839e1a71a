#include "apps/common/ask.h"

#include <stdlib.h>

#include "apps/common/channels.h"
#include "apps/common/say.h"
#include "hawser/hawser.h"

void ask_init(struct ask *a, int handle)
{
    flow_init(&a->in, handle, CHANNEL_CONTROL);
    pthread_mutex_init(&a->lock, NULL);
    a->id = 0;
}

void ask_deinit(struct ask *a)
{
    pthread_mutex_destroy(&a->lock);
    flow_deinit(&a->in);
}

/* Replies to requests that were given up for silence are passed over. */
static int await_reply(struct ask *a, struct control_reply *reply)
{
    for (;;) {
        struct bytes line;
        int error = flow_next_line(&a->in, CONTROL_LINE_MAX, ASK_SILENCE_MS, &line);

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
        error = flow_send(a->in.handle, CHANNEL_CONTROL, bytes_of_string(line), ASK_SILENCE_MS);
    if (!error)
        error = await_reply(a, reply);
    pthread_mutex_unlock(&a->lock);
    free(line);
    return error;
}

json_t *ask_or_say(struct ask *a, const char *what, const char *op, json_t *members)
{
    struct control_reply reply;
    int error = ask_for(a, op, members, &reply);

    if (error == HAWSER_ERR_INVALID) /* the session is sound, and the ID was right */
        say_error("%s: the device does not answer requests as hawser-camera does", what);
    else if (error)
        say_failure(error, "%s", what);
    if (error)
        return NULL;
    if (reply.ok)
        return reply.members;
    say_error("%s: the device refused: %s", what, reply.error);
    control_deinit_reply(&reply);
    return NULL;
}
