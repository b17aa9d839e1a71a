/* broker.h: what "hawser up" writes for others to read: mosquitto's configuration, and the one of
 * devices and apps; and what it must know of addresses before. */
#ifndef HAWSER_APPS_HAWSER_BROKER_H
#define HAWSER_APPS_HAWSER_BROKER_H

#include <limits.h>
#include <stdint.h>

/* How this machine is served. */
struct broker {
    const char *state;   /* directory for all that is written */
    const char *address; /* numeric, to listen on */
    const char *name;    /* by which clients know this machine */
    const char *plugin;  /* path of mosquitto-hawser.so */
    uint16_t port;       /* of the broker */
    char stun[64];       /* "192.0.2.1:3478" */
};

/* Whether a TCP port can be had there; a port of 0 becomes a free one. 0, or an exit code, said. */
int broker_check_port(struct broker *b);

/* 0 while nothing answers at the broker's port, 1 when something does. */
int broker_answers(const struct broker *b);

/* STATE/mosquitto.conf and STATE/config.json. 0, or an exit code, said. */
int broker_write_conf(const struct broker *b);
int broker_write_client_config(const struct broker *b);

/* Whether the latter may be written: where the state directory is a home directory too, it may be
 * the user's own. Then it was there before the first lock, has members that we do not write, or
 * lacks one that we do, like what pairing keeps there. 0, or an exit code, said. */
int broker_check_client_config(const struct broker *b);

/* "STATE/NAME". */
const char *broker_path(const struct broker *b, const char *name, char out[PATH_MAX]);

/* "mqtt://name:port", with brackets around an IPv6 address. */
void broker_url(const struct broker *b, char *out, int cap);

#endif
