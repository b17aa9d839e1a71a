/* server.h: a coturn of our own, ready when coturn_start() returns and gone after coturn_stop(). */
#ifndef HAWSER_TESTS_INTEROP_TURN_SERVER_H
#define HAWSER_TESTS_INTEROP_TURN_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define COTURN_ARGS_MAX 48

struct coturn {
    pid_t pid;                /* 0: none */
    int log;                  /* its output; must be read, or it would stop */
    const char *addresses[2]; /* where it listens and for which it relays; NULL: only one */
};

/* `more` ends with NULL. The directory of the environment's TURN_DIR holds cert.pem and key.pem,
 * and takes what coturn writes. False, with a line on stderr: it did not come up in 10 s. */
bool coturn_start(struct coturn *s, const char *const more[]);
void coturn_read_log(struct coturn *s);
void coturn_stop(struct coturn *s);

#endif
