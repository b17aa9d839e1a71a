#include "tests/net/transfer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/net/ends.h"

enum {
    BLOCK = 1000,     /* bytes */
    PACE_MS = 5,      /* between blocks: 1.6 Mbit/s */
    GAP_MS = 100,     /* a pause that is worth a line */
    GAPS_MAX = 64,    /* further ones are counted only */
    PATHS_MAX = 32,   /* likewise */
    LINGER_MS = 15000 /* for what is still under way at the end */
};

struct gap {
    usec at, span; /* since the start */
};

struct path {
    usec at;
    struct hawser_session_info info;
};

static struct {
    int handle;
    usec begun_at, end_at;
    atomic_llong sent, back, wrong;
    atomic_bool is_over;
    struct gap gaps[GAPS_MAX];
    int gap_count;
    usec gap_most;
    struct path paths[PATHS_MAX];
    int path_count;
} t;

/* Every byte tells where it belongs. */
static char byte_at(long long offset)
{
    return (char)((uint64_t)offset * 0x9e3779b97f4a7c15u >> 56);
}

static void sleep_until(usec at)
{
    struct timespec when = { .tv_sec = at / SECOND, .tv_nsec = at % SECOND * 1000 };

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static void *send_blocks(void *ctx)
{
    char block[BLOCK];

    for (usec next = t.begun_at; next < t.end_at; next += PACE_MS * MILLISECOND) {
        sleep_until(next);
        for (int i = 0; i < BLOCK; i++)
            block[i] = byte_at(t.sent + i);
        if (!ends_send(t.handle, CHANNEL_ECHO, block, BLOCK))
            break;
        t.sent += BLOCK;
    }
    return ctx;
}

static void note_gap(usec from, usec to)
{
    t.gap_most = usec_max(t.gap_most, to - from);
    if (to - from >= GAP_MS * MILLISECOND && t.gap_count < GAPS_MAX)
        t.gaps[t.gap_count++] = (struct gap){ from - t.begun_at, to - from };
}

static void *receive_blocks(void *ctx)
{
    usec last_at = net_now();
    char data[8192];

    for (;;) {
        int len = hawser_recv_data(t.handle, CHANNEL_ECHO, data, sizeof data, 100);
        usec now = net_now();

        if (len < 0 && (len != HAWSER_ERR_TIMEOUT || t.is_over))
            break;
        if (len < 0)
            continue;
        note_gap(last_at, now);
        last_at = now;
        for (int i = 0; i < len; i++)
            t.wrong += data[i] != byte_at(t.back + i);
        t.back += len;
    }
    return ctx;
}

/* Notes the path where it is another than before. */
static void watch_path(void)
{
    struct path *last = t.path_count ? &t.paths[t.path_count - 1] : NULL;
    struct hawser_session_info info;

    if (t.path_count == PATHS_MAX || hawser_session_info(t.handle, &info))
        return;
    if (!last || last->info.path != info.path ||
        strcmp(last->info.local_address, info.local_address) != 0 ||
        strcmp(last->info.remote_address, info.remote_address) != 0)
        t.paths[t.path_count++] = (struct path){ net_now() - t.begun_at, info };
}

static void print_result(void)
{
    static const char *const names[] = { "none", "lan", "direct", "relayed" };
    struct hawser_session_info info = { .chunks_sent = 0 };

    (void)hawser_session_info(t.handle, &info);
    (void)printf("{\"code\": %d, \"sent\": %lld, \"back\": %lld, \"wrong\": %lld, "
                 "\"chunks_sent\": %llu, \"chunks_resent\": %llu, \"longest_gap_ms\": %.1f, "
                 "\"gaps\": [",
                 hawser_active_check(t.handle), t.sent, t.back, t.wrong,
                 (unsigned long long)info.chunks_sent, (unsigned long long)info.chunks_resent,
                 (double)t.gap_most / 1000);
    for (int i = 0; i < t.gap_count; i++)
        (void)printf("%s{\"at_ms\": %.1f, \"ms\": %.1f}", i ? ", " : "",
                     (double)t.gaps[i].at / 1000, (double)t.gaps[i].span / 1000);
    (void)printf("], \"paths\": [");
    for (int i = 0; i < t.path_count; i++)
        (void)printf("%s{\"at_ms\": %.1f, \"class\": \"%s\", \"local\": \"%s\", "
                     "\"remote\": \"%s\"}",
                     i ? ", " : "", (double)t.paths[i].at / 1000, names[t.paths[i].info.path],
                     t.paths[i].info.local_address, t.paths[i].info.remote_address);
    (void)printf("]}\n");
}

void transfer_run(int handle, usec span)
{
    pthread_t sender, receiver;
    usec now = net_now();

    memset(&t, 0, sizeof t);
    t.handle = handle;
    t.begun_at = now;
    t.end_at = now + span;
    if (pthread_create(&sender, NULL, send_blocks, NULL) ||
        pthread_create(&receiver, NULL, receive_blocks, NULL))
        return;
    (void)printf("started\n");
    while ((now = net_now()) < t.end_at ||
           (t.back < t.sent && now < t.end_at + LINGER_MS * MILLISECOND &&
            hawser_active_check(handle) >= 0)) {
        watch_path();
        sleep_until(now + 10 * MILLISECOND);
    }
    t.is_over = true;
    (void)pthread_join(sender, NULL);
    (void)pthread_join(receiver, NULL);
    print_result();
}
