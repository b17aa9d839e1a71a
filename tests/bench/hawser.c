/* hawser: the library's own figures, over its public face and a real broker (ends.h).
 *
 *     bench-hawser bulk SECONDS [all | stalled]    throughput, two processes
 *     bench-hawser pingpong SECONDS                64 bytes there and back
 *     bench-hawser connect COUNT                   one after another
 *     bench-hawser idle COUNT SETTLE_S WATCH_S     memory and CPU of sessions that do nothing
 *
 * Each prints one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bulk.h"
#include "tests/bench/ends.h"
#include "tests/bench/pair.h"
#include "tests/bench/rounds.h"

enum { CHANNEL = 0, CONNECTS_MAX = 1000, IDLE_MAX = 4000, DEVICES_MAX = 16 };

static double ms_of(clockid_t clock)
{
    struct timespec t = { 0 };

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1000000;
}

/* Takes sessions and does nothing with them. */
static int serve_nothing(int device)
{
    while (hawser_device_listen(device, -1) >= 0)
        ;
    return 0;
}

/* ---- Ping-pong ------------------------------------------------------------------------------- */

static int serve_echo(int device)
{
    int handle = hawser_device_listen(device, 2 * END_WAIT_MS);
    char buf[ROUND_BYTES];
    int n;

    while ((n = hawser_recv_data(handle, CHANNEL, buf, sizeof buf, -1)) > 0 &&
           hawser_send_data(handle, CHANNEL, buf, n, -1) == n)
        ;
    return 0;
}

static bool trip(void *ctx)
{
    int handle = *(int *)ctx,
        n = hawser_send_data(handle, CHANNEL, (char[ROUND_BYTES]){ "ping" }, ROUND_BYTES, -1);

    for (int left = ROUND_BYTES; n > 0 && left > 0; left -= n) {
        char buf[ROUND_BYTES];

        n = hawser_recv_data(handle, CHANNEL, buf, left, END_WAIT_MS);
    }
    if (n <= 0)
        end_fail("ping", n);
    return n > 0;
}

static int measure_rounds(const char *id, double seconds)
{
    int handle = end_connect(id);

    if (handle < 0)
        end_fail("connect", handle);
    return handle < 0 || rounds_run("pingpong", seconds, trip, &handle);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Of both ends, all threads, so far. */
static double cpu_ms_now(pid_t device)
{
    clockid_t clock;

    if (clock_getcpuclockid(device, &clock))
        return 0;
    return ms_of(CLOCK_PROCESS_CPUTIME_ID) + ms_of(clock);
}

static int measure_connects(const char *id, size_t count, pid_t device)
{
    static int64_t established[CONNECTS_MAX], whole[CONNECTS_MAX];
    double cpu_ms = cpu_ms_now(device);

    for (size_t i = 0; i < count; i++) {
        struct hawser_session_info info;
        int handle = end_connect(id);

        if (handle < 0 || hawser_session_info(handle, &info)) {
            end_fail("connect", handle);
            return 1;
        }
        established[i] = info.established_us;
        whole[i] = info.connect_us;
        hawser_disconnect(handle);
    }
    cpu_ms = (cpu_ms_now(device) - cpu_ms) / (double)count;
    qsort(established, count, sizeof *established, compare);
    qsort(whole, count, sizeof *whole, compare);
    printf(
        "{\"name\":\"connect\",\"count\":%zu,\"established_us\":%lld,\"established_p95_us\":%lld,"
        "\"connect_us\":%lld,\"cpu_ms\":%.2f}\n",
        count, (long long)established[count / 2], (long long)established[count * 95 / 100],
        (long long)whole[count / 2], cpu_ms);
    return 0;
}

static int with_device(const char *what, const char *number)
{
    bool is_connect = strcmp(what, "connect") == 0;
    double n = pair_number(number);
    pid_t child = end_start_device("device", is_connect ? serve_nothing : serve_echo);
    int status = 1, code = child > 0 ? end_open_app() : HAWSER_ERR_OFFLINE;
    char id[HAWSER_ID_MAX];

    if (!code)
        code = end_pair("device", id);
    if (code)
        end_fail(what, code);
    else if (is_connect)
        status = measure_connects(id, n < CONNECTS_MAX ? (size_t)n : CONNECTS_MAX, child);
    else
        status = measure_rounds(id, n);
    hawser_deinit();
    end_stop(child);
    return status;
}

/* ---- Idling ---------------------------------------------------------------------------------- */

static pid_t devices[DEVICES_MAX];

/* Each holds as many sessions as a device may. Before the library of the app: these are forks. */
static bool start_devices(int count)
{
    for (int i = 0; i * END_SESSIONS_MAX < count; i++) {
        char name[16];

        snprintf(name, sizeof name, "device%d", i);
        devices[i] = end_start_device(name, serve_nothing);
        if (devices[i] < 0)
            return false;
    }
    return true;
}

/* *before is taken with the first session open: what only that costs is the library's. */
static int open_sessions(int count, struct pair_memory *before)
{
    char id[HAWSER_ID_MAX], name[16];
    int code = 0;

    for (int i = 0; i < count && code >= 0; i++) {
        if (i % END_SESSIONS_MAX == 0) {
            snprintf(name, sizeof name, "device%d", i / END_SESSIONS_MAX);
            code = end_pair(name, id);
        }
        if (code >= 0)
            code = end_connect(id);
        if (i == 0)
            *before = pair_memory_now();
    }
    return code < 0 ? code : 0;
}

static int measure_idle(int count, double settle_s, double watch_s)
{
    struct pair_memory before, after;
    int code = end_open_app();
    double cpu_ms, from_ms;

    if (!code)
        code = open_sessions(count + 1, &before);
    if (code) {
        end_fail("connect", code);
        return 1;
    }
    usleep((useconds_t)(settle_s * 1e6));
    after = pair_memory_now();
    cpu_ms = ms_of(CLOCK_PROCESS_CPUTIME_ID);
    from_ms = ms_of(CLOCK_MONOTONIC);
    usleep((useconds_t)(watch_s * 1e6));
    cpu_ms = ms_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_ms;
    printf("{\"name\":\"idle\",\"count\":%d,\"heap_kib\":%.1f,\"rss_kib\":%.1f,\"cpu_pct\":%.3f}\n",
           count, (after.heap_kib - before.heap_kib) / count,
           (after.rss_kib - before.rss_kib) / count,
           100 * cpu_ms / (ms_of(CLOCK_MONOTONIC) - from_ms));
    return 0;
}

static int idle(int count, double settle_s, double watch_s)
{
    struct rlimit files;
    int status = 1;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a socket each */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    count = count < IDLE_MAX ? count : IDLE_MAX;
    if (start_devices(count + 1))
        status = measure_idle(count, settle_s, watch_s);
    for (int i = 0; i < DEVICES_MAX; i++)
        end_stop(devices[i]);
    return status;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *kind = argc > 3 ? argv[3] : "";

    if (strcmp(what, "bulk") == 0 && argc > 2)
        return bulk_run(strcmp(kind, "all") == 0       ? BULK_ALL
                        : strcmp(kind, "stalled") == 0 ? BULK_STALLED
                                                       : BULK_ONE,
                        pair_number(argv[2]));
    if ((strcmp(what, "pingpong") == 0 || strcmp(what, "connect") == 0) && argc == 3)
        return with_device(what, argv[2]);
    if (strcmp(what, "idle") == 0 && argc == 5)
        return idle((int)pair_number(argv[2]), pair_number(argv[3]), pair_number(argv[4]));
    fprintf(stderr, "usage: bench-hawser bulk SECONDS [all | stalled] | pingpong SECONDS |\n"
                    "                    connect COUNT | idle COUNT SETTLE_S WATCH_S\n");
    return 2;
}
