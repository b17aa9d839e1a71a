/* peer.h: the device in a process of its own, led by lines. */
#ifndef HAWSER_TESTS_SDK_PEER_H
#define HAWSER_TESTS_SDK_PEER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "hawser/hawser.h"

struct peer {
    pid_t pid;
    FILE *to;
    int from;
    char id[HAWSER_ID_MAX];
};

/* Starts the program and opens its device. */
bool peer_start(struct peer *p, const char *home, const char *broker);
void peer_stop(struct peer *p);

/* Sends a command and returns the number it answers; INT32_MIN if there is none in time. */
long peer_ask(struct peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The two halves of that, for commands that block; the answer's text is kept until the next. */
void peer_tell(struct peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *peer_answer(struct peer *p);

/* The line of an invite that it has made; until the next answer. */
const char *peer_invite(struct peer *p);

#endif
