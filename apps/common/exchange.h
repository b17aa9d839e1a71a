/* exchange.h: the device's end of "list", "get" and "put": one transfer at a time in a session, on
 * a thread of its own, so that control requests are answered meanwhile. */
#ifndef HAWSER_APPS_COMMON_EXCHANGE_H
#define HAWSER_APPS_COMMON_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "apps/common/served.h"
#include "apps/common/transfer.h"

struct exchange {
    int dir;           /* served, borrowed; -1: none */
    uint64_t size_max; /* of a file that an app may put */
    struct flow files; /* of channel 5 */
    pthread_t thread;  /* runs while has_thread */
    bool has_thread;
    atomic_bool is_over; /* the thread has nothing more to do */
    uint32_t number;     /* of the last transfer */
    struct transfer t;
    struct served_put put;
};

void exchange_init(struct exchange *x, int handle, int dir, uint64_t size_max);

/* The session must be closed or closing, so that a transfer that goes on ends. */
void exchange_deinit(struct exchange *x);

/* Whether a transfer is under way, or was until a moment ago. */
bool exchange_is_busy(const struct exchange *x);

/* Each takes the members of a request and returns those of the result, or NULL and why not. */
json_t *exchange_list(struct exchange *x, const json_t *request, const char **why);
json_t *exchange_get(struct exchange *x, const json_t *request, const char **why);
json_t *exchange_put(struct exchange *x, const json_t *request, const char **why);

#endif
