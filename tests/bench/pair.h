/* pair.h: two processes, one sends for a while, the other receives; what every bulk figure is. */
#ifndef HAWSER_TESTS_BENCH_PAIR_H
#define HAWSER_TESTS_BENCH_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_PIECE 65536 /* bytes a sender hands over at a time */

struct pair_transport {
    const char *name;
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
};

/* The argument of a bench program; ends it if that is not a positive number. */
double pair_number(const char *text);

/* Of this process, now. */
struct pair_memory {
    double heap_kib, rss_kib;
};
struct pair_memory pair_memory_now(void);

/* Runs it and prints {"name":…,"gbps":…,"cpu_s_per_gb":…,"seconds":…}; the exit status. */
int pair_run(const struct pair_transport *t, double seconds);

#endif
