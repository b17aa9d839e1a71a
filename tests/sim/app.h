/* app.h: the application on a simulated session: sends known bytes on every channel, compares what
 * it receives, and notes when. */
#ifndef HAWSER_TESTS_SIM_APP_H
#define HAWSER_TESTS_SIM_APP_H

#include "core/session/session.h"
#include "tests/sim/live.h"

/* Bytes of a channel follow from key alone: both ends can make them. */
struct app_plan {
    uint64_t tx_key, rx_key;
    uint32_t tx_bytes[CHANNEL_COUNT], rx_bytes[CHANNEL_COUNT];
    usec reads_every_us;   /* 0: at once */
    usec paced_every_us;   /* 0: all is sent as fast as it is taken; else a piece each time … */
    uint32_t paced_bytes;  /* … of this many bytes, on every channel that has some left */
    struct live_plan live; /* channel LIVE_CHANNEL is for that alone then */
};

struct app {
    struct app_plan plan;
    const struct rng *rng; /* borrowed */
    bool is_writable[CHANNEL_COUNT];
    uint32_t sent[CHANNEL_COUNT], received[CHANNEL_COUNT];
    usec read_at;  /* it looks into its channels then */
    usec paced_at; /* it sends the next pieces then */
    usec first_data_at, last_data_at;
    usec gap_us, gap_at; /* the longest time between two arrivals since app_watch(), and its end */
    const char *fault;   /* what went wrong; NULL: nothing */
    struct live live;
};

void app_init(struct app *a, const struct app_plan *plan, const struct rng *rng);
void app_deinit(struct app *a);

/* What the session's events are for the application. */
void app_open(struct app *a, struct session *s, usec now);
void app_write(struct app *a, struct session *s, usec now, unsigned channel);
void app_read(struct app *a, struct session *s, usec now);
void app_close(struct app *a, struct session *s, usec now); /* reads what is left */

void app_tick(struct app *a, struct session *s, usec now);
usec app_next_timeout(const struct app *a);

/* Both ends agree to send so many bytes more on a channel; app_write() begins. */
void app_extend(struct app *a, unsigned channel, uint32_t tx_bytes, uint32_t rx_bytes);

/* From here on the longest gap is looked for anew, and counts from now. */
void app_watch(struct app *a, usec now);

bool app_has_everything(const struct app *a);

/* Its own fault, or a difference to what the session counts. */
const char *app_fault(const struct app *a, const struct session_info *info);

#endif
