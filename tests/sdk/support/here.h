/* here.h: a broker, and app and device both in this process. */
#ifndef HAWSER_TESTS_SDK_HERE_H
#define HAWSER_TESTS_SDK_HERE_H

#include "tests/sdk/support/app.h"
#include "tests/sdk/support/system.h"

/* One a process. */
extern struct here {
    struct broker broker;
    char home[64];
} here;

/* A group's set-up: options only, of which `flush_ms` is short; and its end, with the library's. */
int here_open(void **state);
int here_close(void **state);

/* Initialises the library as USER, opens the device "device", waits until it is online and writes
 * its ID. < 0: something of that does not work. */
int here_open_device(char id[HAWSER_ID_MAX]);

/* The same, and the app pairs with it. */
int here_open_paired_device(char id[HAWSER_ID_MAX]);

/* A session, both ends of it; and its end. */
struct pair_of_handles here_connect(const char *id, int device);
void here_disconnect(struct pair_of_handles h);

#endif
