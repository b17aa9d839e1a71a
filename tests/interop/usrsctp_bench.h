/* usrsctp_bench.h: our SCTP and usrsctp, the stack of Firefox of old and of most native WebRTC
 * libraries, with a wire between them, in virtual time: usrsctp runs without threads, and
 * gettimeofday() is ours. What we send on eight streams it echoes. */
#ifndef HAWSER_TESTS_INTEROP_USRSCTP_BENCH_H
#define HAWSER_TESTS_INTEROP_USRSCTP_BENCH_H

#include <sys/time.h>

#define sctp_event usrsctp_event_subscription /* the same name in both headers */
#include <usrsctp.h>
#undef sctp_event

#include "core/sctp/chunk.h"
#include "core/sctp/sctp.h"

enum {
    STREAMS = 8,
    STREAM_BYTES = 1 << 20,
    MESSAGE_MAX = 16384,
    WIRE_MAX = 4096,
    PACKET_MAX = 2048
};

extern usec now;

/* What each end has: usrsctp interleaves only when told to, and gives up unless told not to. */
struct terms {
    const char *claim;
    unsigned without; /* ours */
    bool they_interleave, they_give_up;
};
extern const struct terms *terms; /* of the next bench; all extensions unless it is set */

struct link {
    usec delay_us, jitter_us;
    uint32_t loss_ppm, duplicate_ppm;
};

struct packet {
    usec at;
    bool is_for_us;
    size_t len;
    uint8_t bytes[PACKET_MAX];
};

/* Of one stream. */
struct echo {
    uint8_t bytes[2 * MESSAGE_MAX];
    size_t len;
    bool is_whole;
    uint32_t ppid; /* network order, as usrsctp has it */
};

struct bench {
    struct link link;
    struct packet *wire[WIRE_MAX]; /* by time of arrival */
    size_t wire_count;
    uint64_t seed;
    struct rng rng;
    struct pool *pool;
    struct sctp *ours;
    struct socket *theirs, *listener;
    struct echo echo[STREAMS];
    int echo_waiting;        /* the stream whose echo found no room, or -1 */
    unsigned chunks[2][256]; /* sent by us, by them */
    bool is_up, is_closed, is_reset, is_their_end;
    uint32_t last_ppid;
    struct sctp_event closed;
    size_t sent[STREAMS], received[STREAMS];
    uint64_t sent_hash[STREAMS], received_hash[STREAMS];
};

enum { WE_CONNECT = 1, THEY_CONNECT = 2 };

bool bench_init(struct bench *b, uint64_t seed, const struct link *link, int who);
void bench_deinit(struct bench *b);

/* One millisecond. */
void bench_step(struct bench *b);
bool bench_run_until(struct bench *b, const bool *flag, usec span);

/* Sends and gets back so many bytes on each stream. */
bool bench_echo_all(struct bench *b, size_t bytes, usec span);

int on_their_output(void *addr, void *data, size_t len, uint8_t tos, uint8_t set_df);

#endif
