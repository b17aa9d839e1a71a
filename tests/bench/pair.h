/* pair.h: two processes, one sends for a while, the other receives; what every bulk figure is. */
#ifndef HAWSER_TESTS_BENCH_PAIR_H
#define HAWSER_TESTS_BENCH_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_PIECE     65536 /* bytes a sender hands over at a time, unless it says otherwise */
#define PAIR_FLOWS_MAX 8

struct pair_transport {
    const char *name;
    size_t piece; /* bytes handed over at a time, at most PAIR_PIECE; 0: PAIR_PIECE */
    unsigned
        flows; /* at once, each with a thread of its own on either side; 0: one, and no thread */
    /* In both, only with flows: what receive and send get instead of ctx. */
    void *(*flow)(void *ctx, unsigned i);
    /* In the child, before the parent goes on: bind. Returns NULL on failure. */
    void *(*listen)(void);
    /* In the child: the peer is there. */
    bool (*accept)(void *ctx);
    /* In the child: at least one byte; 0 at the end, < 0 on failure. */
    long (*receive)(void *ctx, void *buf, size_t cap);
    /* In the child: tells the sender that all has come. */
    bool (*acknowledge)(void *ctx);
    /* In the parent. */
    void *(*connect)(void);
    bool (*send)(void *ctx, const void *data, size_t len);
    /* In the parent: no more follows; returns when the receiver has acknowledged. */
    bool (*finish)(void *ctx);
    /* In the parent, at the end; both may be NULL. Bytes that arrived, where some may not; and
     * further members of the line of JSON, each with a comma before it. */
    double (*delivered)(void *ctx);
    void (*describe)(void *ctx, char *text, size_t cap);
};

/* The argument of a bench program; ends it if that is not a positive number. */
double pair_number(const char *text);

/* Of this process, now. */
struct pair_memory {
    double heap_kib, rss_kib;
};
struct pair_memory pair_memory_now(void);

/* Runs it and prints {"name":…,"gbps":…,"cpu_s_per_gb":…,"seconds":…}: bits of payload, and CPU of
 * both processes with all their threads. Returns the exit status. */
int pair_run(const struct pair_transport *t, double seconds);

#endif
