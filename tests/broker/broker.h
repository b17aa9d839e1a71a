/* broker.h: a real mosquitto on a loopback port, in a temporary directory, for one test. */
#ifndef HAWSER_TESTS_BROKER_H
#define HAWSER_TESTS_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct broker {
    char dir[64]; /* broker.conf, and cert.pem and key.pem if made */
    uint16_t port;
    char url[40];
    pid_t pid; /* 0 while stopped */
    int log;   /* its standard error */
};

/* A port of loopback that was free a moment ago. */
uint16_t broker_free_port(void);

/* extra: lines for the configuration, such as "allow_anonymous true\n"; %s in it is the directory.
 * with_cert makes a self-signed certificate for localhost first. False: no mosquitto here. */
bool broker_init(struct broker *b, const char *extra, bool with_cert);
bool broker_start(struct broker *b); /* returns when it serves */
void broker_kill(struct broker *b);
void broker_deinit(struct broker *b); /* also of one that was never made */

#endif
