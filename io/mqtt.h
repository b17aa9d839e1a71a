/* mqtt.h: signaling over an MQTT 5 broker, by libmosquitto on a thread of its own.
 *
 * Each ID has one inbox, the topic hawser/v1/ID; QoS 1, clean start, nothing retained. Client ID
 * and user name are the ID. The broker's PUBACK "no matching subscribers" is SIGNALING_OFFLINE.
 *
 *     WAITING --due--> CONNECTING --CONNACK and SUBACK--> ONLINE --lost--> WAITING (0.2…30 s)
 *        ^-----------------'--refused, lost, no answer-----' '--taken over--> WAITING (long) */
#ifndef HAWSER_IO_MQTT_H
#define HAWSER_IO_MQTT_H

#include "core/base/usec.h"
#include "io/loop.h"
#include "io/signaling.h"

#define MQTT_TOPIC_PREFIX "hawser/v1/"
#define MQTT_SENDS_MAX    64   /* accepted and not yet told of by on_sent */
#define MQTT_INBOX_MAX    256  /* received and not yet handled; more are dropped and counted */
#define MQTT_PASSWORD_MAX 1024 /* with its NUL */

/* Zero in any field means the default named here. All strings are copied. */
struct mqtt_config {
    const char *url; /* "mqtt://host:1883", "mqtts://host:8883", "mqtt+unix:///path"; required */
    const char *id;  /* [A-Za-z0-9-]{1,64}; required */
    const char *ca_file; /* PEM, for mqtts; NULL: the system's certificates */

    /* Writes a fresh password for one attempt to connect; an error skips the attempt. Called on
     * MQTT's own thread, never after close: it must not call into io/. NULL: no password. */
    int (*password)(void *ctx, char out[MQTT_PASSWORD_MAX]);
    void *password_ctx;

    usec send_timeout_us;    /* 8 s: then SIGNALING_FAILED */
    usec connect_timeout_us; /* 10 s: to CONNACK and SUBACK */
    usec keepalive_us;       /* 20 s, whole seconds, 5 at least */
    usec backoff_min_us;     /* 0.2 s, doubled each time … */
    usec backoff_max_us;     /* … up to 30 s; each wait is 0.5…1 of it, by chance */
    usec backoff_slow_us;    /* 60 s: after REPLACED and REFUSED */
};

/* Begins to connect; states are told by h->on_state, first of all SIGNALING_CONNECTING. The handler
 * is copied. On the loop's thread. ERR_INVALID (url, id, an unreadable ca_file), ERR_NOMEM,
 * ERR_LIMIT (threads or descriptors). */
int mqtt_open(struct signaling **out, struct io_loop *loop, const struct mqtt_config *cfg,
              const struct signaling_handler *h);

#endif
