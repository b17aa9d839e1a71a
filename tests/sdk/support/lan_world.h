/* lan_world.h: two hosts on a local network, and the internet beyond it; one of each a process.
 *
 *     app host (this process)          device host              internet
 *        br0 10.77.0.2, fe80:: ---------- eth0 10.77.0.3           |
 *         '------------------------------------------------- eth0 10.77.0.1, mosquitto
 *
 * Each is a network namespace. */
#ifndef HAWSER_TESTS_SDK_LAN_WORLD_H
#define HAWSER_TESTS_SDK_LAN_WORLD_H

#include "tests/broker/broker.h"
#include "tests/sdk/support/app.h"
#include "tests/sdk/support/peer.h"
#include "tests/sdk/support/rows.h"
#include "tests/sdk/support/system.h"

#define BROKER_URL "mqtt://10.77.0.1:1883"

enum { APP_HOST, DEVICE_HOST, INTERNET, HOSTS };

extern struct lan_world {
    int host[HOSTS]; /* descriptors of namespaces */
    struct broker broker;
    struct peer device, second;
    char directory[64], app_home[80], device_home[80], second_home[80];
} world;

/* The networks; this process becomes the app's host. False: not allowed, or no tools. */
bool lan_world_make(void);

/* A group's set-up, up to the app being paired with the device; its end. */
int lan_world_open(void **state);
int lan_world_close(void **state);

/* This thread goes to another host; back, with APP_HOST. */
bool go_to(int host);

/* Runs lines of shell on this host. */
bool shell(const char *lines);

bool start_app(void);
bool start_device(struct peer *p, int host, const char *home, const char *broker);
bool pair_with(struct peer *p);

enum broker_state { ALIVE, DEAD_FROM_THE_START, DIES_LATER, CUT };

/* Starts both sides and the broker anew, as the state has it. */
bool make_state(enum broker_state state);
void end_state(enum broker_state state);

/* Multicast datagrams of the app since it was started. */
uint64_t probes_sent(void);

#endif
