/* The bounded queues between the loop's thread and MQTT's: states, messages in, messages out. */
#include <stdio.h>
#include <stdlib.h>

#include "io/mqtt_link.h"

static bool take_state(struct mqtt_link *l, struct mqtt_state_note *note)
{
    bool has = l->state_count > 0;

    if (has) {
        *note = l->states[0];
        memmove(l->states, l->states + 1, --l->state_count * sizeof l->states[0]);
    }
    return has;
}

static bool take_message(struct mqtt_link *l, struct bytes *message)
{
    bool has = l->inbox_count > 0;

    if (has) {
        *message = l->inbox[l->inbox_first];
        l->inbox_first = (l->inbox_first + 1) % MQTT_INBOX_MAX;
        l->inbox_count--;
    }
    return has;
}

static struct mqtt_send *oldest_in(struct mqtt_link *l, enum mqtt_send_state state)
{
    struct mqtt_send *oldest = NULL;

    for (size_t i = 0; i < MQTT_SENDS_MAX; i++)
        if (l->sends[i].state == state && (!oldest || l->sends[i].order < oldest->order))
            oldest = &l->sends[i];
    return oldest;
}

static bool take_sent(struct mqtt_link *l, struct mqtt_send *sent)
{
    struct mqtt_send *done = oldest_in(l, SEND_DONE);

    if (done) {
        *sent = *done;
        done->state = SEND_FREE;
    }
    return done;
}

void mqtt_queue_take(struct mqtt_link *l, struct mqtt_happening *h)
{
    h->kind = MQTT_NOTHING;
    pthread_mutex_lock(&l->lock);
    if (take_state(l, &h->state))
        h->kind = MQTT_STATE;
    else if (take_message(l, &h->message))
        h->kind = MQTT_MESSAGE;
    else if (take_sent(l, &h->sent))
        h->kind = MQTT_SENT;
    pthread_mutex_unlock(&l->lock);
}

void mqtt_queue_add_state(struct mqtt_link *l, enum signaling_state state, const char *detail)
{
    struct mqtt_state_note *note;

    pthread_mutex_lock(&l->lock);
    if (l->state_count == MQTT_STATES_MAX)
        l->state_count--; /* nobody listens; the newest is what counts */
    note = &l->states[l->state_count++];
    note->state = state;
    snprintf(note->detail, sizeof note->detail, "%s", detail);
    pthread_mutex_unlock(&l->lock);
    io_loop_wake(l->loop, &l->deliver_task);
}

void mqtt_queue_add_message(struct mqtt_link *l, struct bytes message)
{
    uint8_t *copy = message.len <= SIGNALING_MESSAGE_MAX ? malloc(message.len) : NULL;

    if (copy)
        memcpy(copy, message.data, message.len);
    pthread_mutex_lock(&l->lock);
    if (copy && l->inbox_count < MQTT_INBOX_MAX) {
        l->inbox[(l->inbox_first + l->inbox_count) % MQTT_INBOX_MAX] = bytes_of(copy, message.len);
        l->inbox_count++;
        copy = NULL;
    } else {
        l->inbox_dropped++;
    }
    pthread_mutex_unlock(&l->lock);
    free(copy);
    io_loop_wake(l->loop, &l->deliver_task);
}

/* With the lock held. */
static void finish(struct mqtt_link *l, struct mqtt_send *s, enum signaling_result result)
{
    free(s->message);
    s->message = NULL;
    s->state = SEND_DONE;
    s->result = result;
    io_loop_wake(l->loop, &l->deliver_task);
}

void mqtt_queue_finish(struct mqtt_link *l, int mid, enum signaling_result result)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < MQTT_SENDS_MAX; i++)
        if (l->sends[i].state == SEND_PUBLISHED && l->sends[i].mid == mid)
            finish(l, &l->sends[i], result);
    pthread_mutex_unlock(&l->lock);
}

static bool is_under_way(const struct mqtt_send *s)
{
    return s->state == SEND_WAITING || s->state == SEND_PUBLISHED;
}

void mqtt_queue_expire(struct mqtt_link *l, usec now)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < MQTT_SENDS_MAX; i++)
        if (is_under_way(&l->sends[i]) && l->sends[i].expires_at <= now)
            finish(l, &l->sends[i], SIGNALING_FAILED);
    pthread_mutex_unlock(&l->lock);
}

usec mqtt_queue_next_expiry(struct mqtt_link *l)
{
    usec at = USEC_NEVER;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < MQTT_SENDS_MAX; i++)
        if (is_under_way(&l->sends[i]))
            at = usec_min(at, l->sends[i].expires_at);
    pthread_mutex_unlock(&l->lock);
    return at;
}

void mqtt_queue_requeue(struct mqtt_link *l)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < MQTT_SENDS_MAX; i++)
        if (l->sends[i].state == SEND_PUBLISHED)
            l->sends[i].state = SEND_WAITING;
    pthread_mutex_unlock(&l->lock);
}

struct mqtt_send *mqtt_queue_next_waiting(struct mqtt_link *l)
{
    return oldest_in(l, SEND_WAITING);
}
