/* bench.h: what the two ends of a bench run say on the channels that it uses (docs/channels.md):
 *
 *     length 4 | kind 1 | body
 *
 * FILL is load, whose body is only counted. PING is answered by PONG with the same body. END is the
 * last of each side and tells how many bytes of FILL's bodies it sent. */
#ifndef HAWSER_APPS_COMMON_BENCH_H
#define HAWSER_APPS_COMMON_BENCH_H

#include <jansson.h>
#include <pthread.h>

#include "core/base/bytes.h"

#define BENCH_HEAD_BYTES  5
#define BENCH_FILL_MAX    (1u << 20) /* bytes of a body */
#define BENCH_PING_MAX    4096
#define BENCH_END_BYTES   8
#define BENCH_SECONDS_MAX 60

/* A kind is on the wire as it is here. */
enum bench_kind { BENCH_NONE, BENCH_FILL, BENCH_PING, BENCH_PONG, BENCH_END };

/* What of a channel's stream is not read to its end. */
struct bench_reader {
    uint8_t head[BENCH_HEAD_BYTES], body[BENCH_PING_MAX];
    size_t have;     /* of the head and what is kept of the body */
    size_t left;     /* of the body that is arriving */
    uint64_t filled; /* bytes of FILL so far */
};

struct bench_frame {
    enum bench_kind kind; /* BENCH_NONE: all of the input was used up */
    struct bytes body;    /* lives until the next call */
};

/* Takes frames off the front of *data, up to the first that is not FILL. False: malformed. */
bool bench_read(struct bench_reader *r, struct bytes *data, struct bench_frame *frame);

/* A frame's head for a body of so many bytes. */
void bench_put_head(uint8_t head[BENCH_HEAD_BYTES], enum bench_kind kind, size_t len);

/* The sending end of a channel, whole frames at a time from any thread. */
struct bench_writer {
    int handle, channel;
    pthread_mutex_t lock;
    uint64_t filled; /* bytes of FILL handed over */
    bool has_ended;
};

void bench_writer_init(struct bench_writer *w, int handle, int channel);
void bench_writer_deinit(struct bench_writer *w);

/* 0, or the library's code; silence_ms: without a byte moving. After END nothing is sent any more,
 * and that is no error. */
int bench_write(struct bench_writer *w, enum bench_kind kind, struct bytes body, int silence_ms);
int bench_write_end(struct bench_writer *w, int silence_ms);

/* One FILL frame of a good length. */
int bench_write_fill(struct bench_writer *w, int silence_ms);

/* Channels as requests and results list them; a bit for each. What is no channel that a run can use
 * is left out. */
json_t *bench_channels_json(uint8_t bits);
uint8_t bench_channels_of(const json_t *list);

/* CPU time of this process so far, both kinds, in microseconds. */
int64_t bench_cpu_us(void);

#endif
