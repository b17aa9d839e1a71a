/* client.h: one signaling client over MQTT with a loop of its own, and what its handlers saw. */
#ifndef HAWSER_TESTS_IO_CLIENT_H
#define HAWSER_TESTS_IO_CLIENT_H

#include <stdio.h>

#include "io/mqtt.h"
#include "tests/io/gate.h"

#define STATES  (SIGNALING_REPLACED + 1)
#define RESULTS (SIGNALING_FAILED + 1)

/* One client and what its handlers were told. */
struct client {
    struct gate gate;
    struct io_loop *loop;
    struct signaling *face;
    struct mqtt_config cfg;
    char url[128];
    int err;

    size_t told[STATES];
    enum signaling_state state;
    char detail[256];
    size_t results[RESULTS], out_of_order_results;
    uint64_t last_request;
    size_t messages, wrong_messages;
    size_t passwords;
};

/* Every field of cfg may be set before; url gets the port unless that is 0. False: it does not
 * open. */
bool client_open(struct client *c, const char *url, uint16_t port);
void client_close(struct client *c);

/* Sends "message 0", "message 1" …, or zeroes if len is not 0, as requests 1, 2 …; returns the
 * last answer. */
int client_send(struct client *c, const char *to, size_t count, size_t len);

#define CLIENT_WAIT(claim, c, condition)                                                  \
    do {                                                                                  \
        bool is_so = GATE_WAIT(&(c)->gate, condition);                                    \
                                                                                          \
        CHECK(claim, is_so);                                                              \
        if (!is_so)                                                                       \
            print_error("    %s: %s\n", signaling_state_string((c)->state), (c)->detail); \
    } while (0)

#endif
