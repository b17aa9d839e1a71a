/* options.h: what can be set: by hawser_set_option(), else in config.json, else the default. */
#ifndef HAWSER_SDK_OPTIONS_H
#define HAWSER_SDK_OPTIONS_H

#include "core/turn/turn.h"
#include "io/endpoint.h"
#include "io/interfaces.h"
#include "sdk/relays.h"

#define OPTION_TEXT_MAX 512

struct options {
    char home[OPTION_TEXT_MAX];
    char broker[OPTION_TEXT_MAX]; /* empty: none */
    char broker_name[OPTION_TEXT_MAX];
    char broker_ca[OPTION_TEXT_MAX]; /* empty: the system's */
    size_t stun_count;
    struct endpoint stun[ICE_STUN_SERVERS_MAX];
    size_t turn_count;
    struct relay_server turn[RELAY_SERVERS_MAX];
    char turn_username[TURN_CREDENTIAL_MAX], turn_password[TURN_CREDENTIAL_MAX];
    char turn_ca[OPTION_TEXT_MAX]; /* empty: the system's */
    size_t bind_count;             /* 0: all interfaces */
    struct addr bind[INTERFACES_MAX];
    int sessions_max, dead_ms, flush_ms, zombie_ms;
    int lan;     /* 0: neither looked at nor listened to */
    int offload; /* 0: never GSO or GRO */
};

/* Keeps a copy of the value for later loads; NULL forgets it. ERR_INVALID, ERR_NOMEM. Under the
 * library's lock, as everything here. */
int options_set(const char *name, const char *value);

/* Reads config.json of the home directory and puts together what holds. ERR_INVALID (a broken file
 * or value, logged), ERR_NOMEM. */
int options_load(struct options *out);

/* Of options that name no broker: this one, which was not this machine's to choose, so it may
 * not be a local socket. ERR_INVALID. */
int options_set_broker(struct options *o, const char *url);

/* Only where the home directory is: for calls that need nothing else. ERR_INVALID. */
int options_home(char out[OPTION_TEXT_MAX]);

#endif
