/* mqtt_client.h: one connection to the broker by libmosquitto, for mqtt_link.c alone. */
#ifndef HAWSER_IO_MQTT_CLIENT_H
#define HAWSER_IO_MQTT_CLIENT_H

#include <mosquitto.h>

#include "io/mqtt_link.h"

#define MQTT_QOS       1
#define MQTT_TOPIC_MAX (sizeof MQTT_TOPIC_PREFIX + MQTT_ID_MAX)

enum mqtt_phase { PHASE_WAITING, PHASE_CONNECTING, PHASE_ONLINE };

/* A broker's name may have addresses of both families of which one does not answer, and
 * libmosquitto tries only the first that does not fail at once; so a failed try is repeated bound
 * to an IPv4 address, which makes it pass over the others. */
enum mqtt_family { FAMILY_ANY, FAMILY_IPV4 };

struct mqtt_conn {
    struct mqtt_link *link;
    struct mosquitto *m; /* NULL while WAITING */
    struct rng rng;
    enum mqtt_phase phase;
    enum mqtt_family family;
    usec wait_until;   /* WAITING */
    usec deadline_at;  /* CONNECTING: of this try; ONLINE: of a probe or never */
    usec online_since; /* ONLINE */
    usec misc_at;      /* when libmosquitto next looks at its keep-alive */
    unsigned failures; /* in a row */
    bool is_tcp_up;
    bool is_kicked;     /* the network changed, and nothing was heard since */
    bool is_suspicious; /* online was lost, and the broker was there again at once */

    /* What libmosquitto's callbacks told. */
    bool is_over;    /* the connection ended */
    bool is_dropped; /* by the broker, without a word */
    enum signaling_state over_state;
    char why[MQTT_DETAIL_MAX], tls_error[MQTT_DETAIL_MAX];
};

/* The inbox of an ID. */
void mqtt_topic(char out[MQTT_TOPIC_MAX], const char *id);

/* Makes c->m and begins to connect. What goes wrong, now or later, is noted in c->is_over. */
void mqtt_client_start(struct mqtt_conn *c);

/* The connection is over. Only the first reason is kept: it is the true one. */
void mqtt_client_note_over(struct mqtt_conn *c, enum signaling_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
