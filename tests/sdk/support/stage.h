/* stage.h: a broker, a device in a process of its own, and this process as the app, paired. */
#ifndef HAWSER_TESTS_SDK_STAGE_H
#define HAWSER_TESTS_SDK_STAGE_H

#include "tests/sdk/support/app.h"
#include "tests/sdk/support/system.h"
#include "tests/sdk/support/peer.h"

/* One a process. */
extern struct stage {
    struct broker broker;
    struct peer device;
    char directory[64], app_home[80], device_home[80];
} stage;

/* A group's set-up, up to the library being initialised as USER and the grant fetched; its end. */
int stage_open(void **state);
int stage_close(void **state);

/* Starts the device again after its process was killed. */
bool stage_restart_device(void);

/* hawser_deinit(), this option (NULL: none), hawser_init(). */
bool stage_reinit(const char *option, const char *value);

/* A session, both ends of it. */
struct pair_of_handles stage_connect(void);

/* Ends what is left of it. */
void stage_disconnect(struct pair_of_handles h);

/* Ends it too. Returns 0 if it lived, or why not. */
int stage_prove(struct pair_of_handles h);

/* Waits until the device has ended it, and returns the code the app gets. */
int stage_wait_end(struct pair_of_handles h);

#endif
