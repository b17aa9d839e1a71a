/* mqtt_link.h: what the two halves of MQTT signaling share: mqtt.c on the loop's thread, and
 * mqtt_link.c, which alone talks to libmosquitto, on a thread of its own. */
#ifndef HAWSER_IO_MQTT_LINK_H
#define HAWSER_IO_MQTT_LINK_H

#include <pthread.h>

#include "io/endpoint.h"
#include "io/mqtt.h"

#define MQTT_ID_MAX     64
#define MQTT_DETAIL_MAX 192
#define MQTT_STATES_MAX 8 /* told of, not yet handled; the newest replaces the newest but one */

/* WAITING --online--> PUBLISHED --PUBACK or out of time--> DONE --told--> FREE; PUBLISHED goes back
 * to WAITING with the connection. */
enum mqtt_send_state { SEND_FREE, SEND_WAITING, SEND_PUBLISHED, SEND_DONE };

struct mqtt_send {
    enum mqtt_send_state state;
    enum signaling_result result; /* of DONE */
    uint64_t request, order;      /* order: of acceptance, so that it is the order on the wire */
    char to_id[MQTT_ID_MAX + 1];
    uint8_t *message; /* owned, until DONE */
    size_t len;
    usec expires_at;
    int mid; /* of PUBLISHED */
};

struct mqtt_state_note {
    enum signaling_state state;
    char detail[MQTT_DETAIL_MAX];
};

struct mqtt_link {
    struct signaling face; /* first: what the owner holds */

    /* Set before the thread starts, then only read. */
    struct io_loop *loop;
    struct mqtt_config cfg; /* its pointers are to the copies below */
    struct endpoint broker;
    bool is_tls;
    char url[320], id[MQTT_ID_MAX + 1];
    char *ca_file; /* owned */
    int wake_fd;   /* eventfd: the thread looks at the shared fields */

    /* The loop's thread alone. */
    struct signaling_handler handler;
    struct io_task deliver_task, ended_task;
    pthread_t thread;
    bool is_closed;

    /* Taken for the whole of cfg.password(), so that closing can wait for it. */
    pthread_mutex_t password_lock;

    pthread_mutex_t lock; /* guards the rest */
    bool is_stopping, is_kicked;
    uint64_t next_order;
    struct mqtt_send sends[MQTT_SENDS_MAX];
    struct bytes inbox[MQTT_INBOX_MAX]; /* owned copies, a ring */
    size_t inbox_first, inbox_count;
    uint64_t inbox_dropped;
    struct mqtt_state_note states[MQTT_STATES_MAX]; /* oldest first */
    size_t state_count;
};

/* ---- the queues between the two; all lock by themselves unless they say otherwise ---- */

/* One thing that happened, in this order of urgency. */
struct mqtt_happening {
    enum { MQTT_NOTHING, MQTT_STATE, MQTT_MESSAGE, MQTT_SENT } kind;
    struct mqtt_state_note state;
    struct bytes message; /* owned by the taker */
    struct mqtt_send sent;
};

/* For the loop's thread. */
void mqtt_queue_take(struct mqtt_link *l, struct mqtt_happening *h);

/* For the other one; these wake deliver_task. */
void mqtt_queue_add_state(struct mqtt_link *l, enum signaling_state state, const char *detail);
void mqtt_queue_add_message(struct mqtt_link *l, struct bytes message); /* copies */
void mqtt_queue_finish(struct mqtt_link *l, int mid, enum signaling_result result);
void mqtt_queue_expire(struct mqtt_link *l, usec now);
usec mqtt_queue_next_expiry(struct mqtt_link *l);

/* What an old connection had not acknowledged is sent again by the next. */
void mqtt_queue_requeue(struct mqtt_link *l);

/* With the lock held; NULL if none. */
struct mqtt_send *mqtt_queue_next_waiting(struct mqtt_link *l);

/* The thread: ctx is the mqtt_link. Wakes ended_task as its last act. */
void *mqtt_link_main(void *ctx);

#endif
