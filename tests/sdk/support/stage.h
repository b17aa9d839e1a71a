/* stage.h: a broker, a device in a process of its own, and this process as the app, paired. */
#ifndef HAWSER_TESTS_SDK_STAGE_H
#define HAWSER_TESTS_SDK_STAGE_H

#include "tests/sdk/support/broker.h"
#include "tests/sdk/support/peer.h"

#define USER "app"

struct stage {
    struct broker broker;
    struct peer device;
    char directory[64], app_home[80], device_home[80];
};

/* One a process. Everything up to the library being initialised as USER, and the grant fetched. */
bool stage_open(struct stage *s, const char *device_program);
void stage_close(struct stage *s);

/* Starts the device again after its process was killed. */
bool stage_restart_device(struct stage *s, const char *device_program);

/* hawser_deinit(), this option (NULL: none), hawser_init(). */
bool stage_reinit(const char *option, const char *value);

struct pair_of_handles {
    int app, device; /* < 0: why not */
};

/* A session, both ends of it. */
struct pair_of_handles stage_connect(struct stage *s);

/* Ends what is left of it. */
void stage_disconnect(struct stage *s, struct pair_of_handles h);

/* Returns when a call waits in hawser_recv_data() of this process. False: none does in 10 s. */
bool stage_wait_receiving(int handle, unsigned channel);

#endif
