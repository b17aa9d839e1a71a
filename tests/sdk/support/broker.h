/* broker.h: a mosquitto of the test's own, on a free port of 127.0.0.1, and a place for files. */
#ifndef HAWSER_TESTS_SDK_BROKER_H
#define HAWSER_TESTS_SDK_BROKER_H

#include <stdbool.h>
#include <sys/types.h>

struct broker {
    pid_t pid;
    int log; /* its stderr */
    int port;
    char directory[64]; /* made for it, removed by broker_stop() */
    char url[64];
};

/* With the plugin of $MOSQUITTO_PLUGIN, or without if that is not set. False: it does not run. */
bool broker_start(struct broker *b);
void broker_stop(struct broker *b);

/* Sets the library's options: this broker, this home, and loopback only. */
bool broker_use(const struct broker *b, const char *home);

/* A process stopped in its tracks: sockets open, nothing answered. And its continuation. */
void process_freeze(pid_t pid);
void process_thaw(pid_t pid);
void process_kill(pid_t pid); /* and waits for its end */

bool directory_make(char out[64]);
void directory_remove(const char *path); /* with what it holds */

#endif
