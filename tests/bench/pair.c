#include "tests/bench/pair.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_BYTES = 1 << 20 };

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_s(int who)
{
    struct rusage u;

    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* A thread of either side, or the side itself where there is but one flow. */
struct flow {
    const struct pair_transport *t;
    void *ctx;
    double until_s; /* sender */
    double bytes;   /* sender: handed over */
    bool ok;
    pthread_t thread;
};

static void *receive_flow(void *arg)
{
    struct flow *f = arg;
    char *buf = malloc(RECEIVE_BYTES);
    long n = -1;

    while (buf && (n = f->t->receive(f->ctx, buf, RECEIVE_BYTES)) > 0)
        ;
    free(buf);
    f->ok = n == 0;
    return NULL;
}

static void *send_flow(void *arg)
{
    static const char piece[PAIR_PIECE];
    struct flow *f = arg;
    size_t len = f->t->piece ? f->t->piece : sizeof piece;

    f->ok = true;
    while (f->ok && now_s() < f->until_s) {
        f->ok = f->t->send(f->ctx, piece, len);
        f->bytes += (double)len;
    }
    return NULL;
}

/* Returns when all flows have ended; false if one of them failed. *bytes: of all. */
static bool run_flows(const struct pair_transport *t, void *ctx, void *(*run)(void *),
                      double until_s, double *bytes)
{
    struct flow flows[PAIR_FLOWS_MAX];
    unsigned count = t->flows ? t->flows : 1;
    bool ok = true;

    for (unsigned i = 0; i < count; i++) {
        struct flow *f = &flows[i];

        *f = (struct flow){ .t = t, .ctx = t->flows ? t->flow(ctx, i) : ctx, .until_s = until_s };
        if (!t->flows)
            run(f);
        else if (pthread_create(&f->thread, NULL, run, f))
            exit(1);
    }
    *bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        if (t->flows)
            pthread_join(flows[i].thread, NULL);
        *bytes += flows[i].bytes;
        ok &= flows[i].ok;
    }
    return ok;
}

static int receiver(const struct pair_transport *t, int ready)
{
    void *ctx = t->listen();
    double unused;

    if (!ctx || write(ready, "r", 1) != 1 || !t->accept(ctx))
        return 1;
    return run_flows(t, ctx, receive_flow, 0, &unused) && t->acknowledge(ctx) ? 0 : 1;
}

static void print_line(const struct pair_transport *t, void *ctx, double bytes, double cpu,
                       double seconds)
{
    char more[256] = "";

    if (t->describe)
        t->describe(ctx, more, sizeof more);
    printf("{\"name\":\"%s\",\"gbps\":%.3f,\"cpu_s_per_gb\":%.2f,\"seconds\":%.2f%s}\n", t->name,
           bytes * 8 / 1e9 / seconds, cpu / (bytes / 1e9), seconds, more);
}

static int sender(const struct pair_transport *t, double seconds, int ready, pid_t child)
{
    char byte;
    void *ctx = read(ready, &byte, 1) == 1 ? t->connect() : NULL;
    double cpu = cpu_s(RUSAGE_SELF), begin = now_s(), end, bytes = 0;
    int status = 0;
    bool ok = ctx && run_flows(t, ctx, send_flow, begin + seconds, &bytes) && t->finish(ctx);

    end = now_s();
    if (!ok)
        kill(child, SIGKILL); /* ours: it may wait for what will not come */
    waitpid(child, &status, 0);
    if (ok && t->delivered)
        bytes = t->delivered(ctx);
    if (!ok || status || !(bytes > 0)) {
        fprintf(stderr, "bench: %s did not get through\n", t->name);
        return 1;
    }
    cpu = cpu_s(RUSAGE_SELF) - cpu + cpu_s(RUSAGE_CHILDREN);
    print_line(t, ctx, bytes, cpu, end - begin);
    return 0;
}

double pair_number(const char *text)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end != '\0' || !(number > 0)) {
        fprintf(stderr, "bench: %s is not a number above 0\n", text);
        exit(2);
    }
    return number;
}

int pair_run(const struct pair_transport *t, double seconds)
{
    int ready[2];
    pid_t child;

    if (pipe(ready))
        return 1;
    child = fork();
    if (child < 0)
        return 1;
    if (child == 0) {
        close(ready[0]);
        _exit(receiver(t, ready[1]));
    }
    close(ready[1]);
    return sender(t, seconds, ready[0], child);
}

struct pair_memory pair_memory_now(void)
{
    struct mallinfo2 m = mallinfo2();
    long pages = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    if (!statm || fscanf(statm, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (statm)
        fclose(statm);
    return (struct pair_memory){ (double)(m.uordblks + m.hblkhd) / 1024,
                                 (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024 };
}
