/* live.h: live pictures on a lossy channel of a simulated session: numbered and dated messages go
 * out at even times; what arrives is compared, and its age noted. */
#ifndef HAWSER_TESTS_SIM_LIVE_H
#define HAWSER_TESTS_SIM_LIVE_H

#include "core/session/session.h"

#define LIVE_CHANNEL 1

struct live_plan {
    usec every_us; /* 0: there are none */
    usec lifetime_us;
    uint32_t bytes; /* of a picture; at least 16 */
};

struct live {
    struct live_plan plan;
    struct pool *pool;
    usec next_at;           /* the next picture; USEC_NEVER: none */
    uint64_t made, refused; /* pictures, and those that found no room */
    uint64_t sent_bytes, received_bytes;
    uint64_t received, last; /* pictures, and the number of the newest */
    usec oldest_us;          /* the greatest age on arrival */
    const char *fault;       /* NULL: nothing is wrong */
};

/* Out of memory stops the test. */
void live_init(struct live *l, const struct live_plan *plan);
void live_deinit(struct live *l);

void live_open(struct live *l, struct session *s, usec now);
void live_read(struct live *l, struct session *s, usec now);
void live_tick(struct live *l, struct session *s, usec now); /* sends what is due */
void live_stop(struct live *l);

#endif
