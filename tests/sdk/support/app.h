/* app.h: this process as the app: its connects made to wait, its sessions looked at. */
#ifndef HAWSER_TESTS_SDK_APP_H
#define HAWSER_TESTS_SDK_APP_H

#include <stdbool.h>

#include "hawser/device.h"
#include "tests/broker/broker.h"

#define USER   "app"
#define NOBODY "hw1kzb7iqx6jjneokkdayoocmjtcu5q" /* a well-formed ID that we know nothing of */

/* Starts a broker, with the plugin of $MOSQUITTO_PLUGIN if that is set, and sets the library's
 * options: that broker, this home, and loopback only. */
bool app_open_broker(struct broker *b, const char *home);

/* hawser_connect() and its callback's result. */
int dial(const char *id, int timeout_ms);
int dial_in_mode(const char *id, int lan_mode, int timeout_ms);

/* The same in two halves. One at a time. */
int dial_begin(const char *id, int timeout_ms, char trace[HAWSER_TRACE_ID_MAX]);
int dial_result(void);

/* How many callbacks have come. */
unsigned dial_callbacks(void);

/* The two ends of a session. */
struct pair_of_handles {
    int app, device; /* < 0: why not */
};

/* What a call gets that receives on channel 0 until the session has ended. */
int session_wait_end(int handle);

/* Returns when a call waits in hawser_recv_data() of this process. False: none does in 10 s. */
bool session_wait_receiving(int handle, unsigned channel);

#endif
