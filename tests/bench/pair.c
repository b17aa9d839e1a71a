#include "tests/bench/pair.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static int receiver(const struct pair_transport *t, int ready)
{
    static char buf[1 << 20];
    void *ctx = t->listen();
    long n;

    if (!ctx || write(ready, "r", 1) != 1 || !t->accept(ctx))
        return 1;
    while ((n = t->receive(ctx, buf, sizeof buf)) > 0)
        ;
    return n == 0 && t->acknowledge(ctx) ? 0 : 1;
}

static int sender(const struct pair_transport *t, double seconds, int ready, pid_t child)
{
    static char piece[PAIR_PIECE];
    char byte;
    void *ctx = read(ready, &byte, 1) == 1 ? t->connect() : NULL;
    double cpu = cpu_s(RUSAGE_SELF), begin = now_s(), end, bytes = 0;
    int status = 0;
    bool ok = ctx != NULL;

    while (ok && now_s() - begin < seconds) {
        ok = t->send(ctx, piece, sizeof piece);
        bytes += sizeof piece;
    }
    ok = ok && t->finish(ctx);
    end = now_s();
    if (!ok)
        kill(child, SIGKILL); /* ours: it may wait for what will not come */
    waitpid(child, &status, 0);
    if (!ok || status) {
        fprintf(stderr, "bench: %s did not get through\n", t->name);
        return 1;
    }
    cpu = cpu_s(RUSAGE_SELF) - cpu + cpu_s(RUSAGE_CHILDREN);
    printf("{\"name\":\"%s\",\"gbps\":%.3f,\"cpu_s_per_gb\":%.2f,\"seconds\":%.2f}\n", t->name,
           bytes * 8 / 1e9 / (end - begin), cpu / (bytes / 1e9), end - begin);
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
