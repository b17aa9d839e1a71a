/* plain.h: three hosts without names: the app's, the device's, and a router between them on which
 * the broker runs, and a TURN server if wanted. Needs root, or a user namespace. */
#ifndef HAWSER_TESTS_SDK_PLAIN_H
#define HAWSER_TESTS_SDK_PLAIN_H

#include "tests/interop/turn/server.h"
#include "tests/sdk/support/app.h"
#include "tests/sdk/support/peer.h"
#include "tests/sdk/support/system.h"

/* One a process. Addresses: app 10.1.0.2, device 10.2.0.2, router .1 of each. */
extern struct plain {
    int app, device, router; /* namespaces */
    struct broker broker;
    struct coturn turn;
    struct peer peer;
    char directory[64], app_home[80], device_home[80];
} plain;

/* Whether namespaces can be made here, and coturn is installed. */
bool plain_is_possible(void);

/* A group's set-up, up to both being paired; and its end. */
int plain_open(void **state);
int plain_close(void **state);

/* Runs these lines of ip's on a host. */
bool plain_ip(int space, const char *lines);

/* Whether the router passes datagrams on: if not, only itself can be reached. */
bool plain_forward(bool on);

/* Starts coturn on the router, with user "user" and password "secret". */
bool plain_start_turn(struct coturn *turn, const char *const more[]);

/* hawser_deinit(), these options, hawser_init(). */
struct plain_option {
    const char *name, *value;
};
bool plain_reinit(const struct plain_option *options, size_t count);

/* A device that has just moved may be at the broker again only a moment later. */
struct pair_of_handles plain_connect(int timeout_ms);
void plain_disconnect(struct pair_of_handles h);

#endif
