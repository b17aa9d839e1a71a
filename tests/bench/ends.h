/* ends.h: a device and an app, each a process over the library's public face, and a real broker
 * between them. The environment names the broker (BENCH_BROKER), a STUN server (BENCH_STUN, may be
 * empty), an empty directory (BENCH_DIR) and further options (BENCH_OPTIONS: name=value, separated
 * by commas); tests/bench/run makes all of them. Calls return codes of enum hawser_code. */
#ifndef HAWSER_TESTS_BENCH_ENDS_H
#define HAWSER_TESTS_BENCH_ENDS_H

#include <sys/types.h>

#include "hawser/device.h"

enum { END_WAIT_MS = 10000, END_SESSIONS_MAX = 256 /* of one device */ };

/* Says on stderr what failed. */
void end_fail(const char *what, int code);

/* Opens a device, online and with a pairing line for end_pair(); returns it. */
int end_open_device(const char *name);

/* A device in a process of its own, which ends with serve(). Returns when it is online; -1 if it is
 * not. Kill it by its id: end_stop(). */
pid_t end_start_device(const char *name, int (*serve)(int device));
void end_stop(pid_t child);

/* Starts the library for the app. */
int end_open_app(void);

/* Pairs with a device of that name, and fills in its ID. */
int end_pair(const char *name, char id[HAWSER_ID_MAX]);

/* Returns the session's handle when it is open. */
int end_connect(const char *id);

#endif
