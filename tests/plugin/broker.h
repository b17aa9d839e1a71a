/* broker.h: a real mosquitto with the plugin, on a loopback port of its own, and clients of it. */
#ifndef HAWSER_TESTS_PLUGIN_BROKER_H
#define HAWSER_TESTS_PLUGIN_BROKER_H

#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define BROKER_NAME "broker.example.org" /* what logins must be made for */

struct broker {
    pid_t pid;
    int port;
    FILE *log;
    char dir[64];
};

/* `options` are further lines of its configuration. */
bool broker_run(struct broker *b, const char *options);

/* The same, and waits until it says that it runs. */
bool broker_start(struct broker *b, const char *options);

/* Ends it and removes its directory. Returns its exit status, -1 if a signal ended it. */
int broker_stop(struct broker *b);

/* The same, and counts the lines of its log with `text` in them. */
int broker_stop_counting(struct broker *b, const char *text, int *count);

/* Reads the log up to a line with `text` in it; false if the log ends before. */
bool broker_has_said(struct broker *b, const char *text);

/* What has been heard from the broker; -1: nothing yet. Reasons are those of MQTT 5. */
struct client {
    struct mosquitto *m;
    int connack, suback, puback, disconnect;
    int messages; /* received */
    int last_len; /* of the last */
};

struct login {
    const char *client_id, *username, *password; /* NULL: none */
    const char *will;                            /* its topic; NULL: none */
};

/* Connects and waits for the answer, which is returned. */
int client_start(struct client *c, const struct broker *b, const struct login *login);
void client_stop(struct client *c);

/* Wait for the answer and return it. */
int client_subscribe(struct client *c, const char *topic);

struct message {
    const char *topic;
    int len;
    bool is_retained;
};
int client_publish(struct client *c, const struct message *m);

/* Handles what comes until *what is no longer `was`; false if that takes unreasonably long. */
bool client_wait(struct client *c, const int *what, int was);

#endif
