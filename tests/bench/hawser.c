/* hawser: the library's own figures, two processes over its public face and a real broker.
 *
 *     bench-hawser bulk SECONDS | connect COUNT | idle COUNT
 *
 * The environment names a broker (BENCH_BROKER), a STUN server (BENCH_STUN) and an empty directory
 * (BENCH_DIR); tests/bench/run makes all three. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hawser/device.h"
#include "tests/bench/pair.h"

enum { BULK_CHANNEL = 5, COUNT_CHANNEL = 0, WAIT_MS = 10000, COUNT_MAX = 250 };

static const char *path_in(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", getenv("BENCH_DIR") ? getenv("BENCH_DIR") : ".", name);
    return path;
}

static void set_options(const char *home)
{
    hawser_set_option("home", path_in(home));
    hawser_set_option("broker", getenv("BENCH_BROKER"));
    hawser_set_option("stun", getenv("BENCH_STUN") ? getenv("BENCH_STUN") : "");
    hawser_set_option("bind", "127.0.0.1");
    hawser_set_option("sessions_max", "1024");
}

static void fail(const char *what, int code)
{
    fprintf(stderr, "bench: %s: %s\n", what, hawser_strerror(code));
}

/* ---- the device, in the child ---- */

static int open_device(void)
{
    char invite[HAWSER_INVITE_MAX];
    int device, code;
    FILE *file;

    set_options("device");
    device = hawser_device_open("bench");
    if (device < 0)
        return device;
    code = hawser_device_wait_online(device, WAIT_MS);
    if (code <= 0)
        return HAWSER_ERR_OFFLINE;
    hawser_device_set_limit(device, 256);
    code = hawser_device_invite(device, 0, invite);
    file = code ? NULL : fopen(path_in("invite"), "w");
    if (!file)
        return code ? code : HAWSER_ERR_INVALID;
    fprintf(file, "%s\n", invite);
    fclose(file);
    return device;
}

/* ---- the app, in the parent ---- */

struct connecting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    int result;
};

static void on_connect(void *ctx, const char *trace_id, int result)
{
    struct connecting *c = ctx;

    (void)trace_id;
    pthread_mutex_lock(&c->lock);
    c->result = result;
    c->is_done = true;
    pthread_cond_signal(&c->done);
    pthread_mutex_unlock(&c->lock);
}

static int connect_to(const char *id)
{
    struct connecting c = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 };
    int code = hawser_connect(id, HAWSER_LAN_AUTO, WAIT_MS, on_connect, &c, NULL);

    if (code)
        return code;
    pthread_mutex_lock(&c.lock);
    while (!c.is_done)
        pthread_cond_wait(&c.done, &c.lock);
    pthread_mutex_unlock(&c.lock);
    return c.result;
}

static int open_app(char id[HAWSER_ID_MAX])
{
    char invite[HAWSER_INVITE_MAX] = "";
    FILE *file = fopen(path_in("invite"), "r");
    int code;

    if (!file || !fgets(invite, sizeof invite, file))
        return HAWSER_ERR_INVALID;
    fclose(file);
    invite[strcspn(invite, "\n")] = '\0';
    set_options("app");
    code = hawser_init("bench");
    return code ? code : hawser_pair(invite, WAIT_MS, id);
}

/* ---- bulk ---- */

struct bulk {
    int device, handle;
    uint64_t moved, total; /* total: 0 until the sender told it */
};

static void *bulk_listen(void)
{
    struct bulk *b = calloc(1, sizeof *b);

    b->device = open_device();
    if (b->device < 0)
        fail("device", b->device);
    return b->device < 0 ? NULL : b;
}

static bool bulk_accept(void *ctx)
{
    struct bulk *b = ctx;

    b->handle = hawser_device_listen(b->device, 2 * WAIT_MS);
    return b->handle >= 0;
}

static long bulk_receive(void *ctx, void *buf, size_t cap)
{
    struct bulk *b = ctx;
    int n;

    for (;;) {
        if (b->total && b->moved == b->total)
            return 0;
        n = hawser_recv_data(b->handle, BULK_CHANNEL, buf, (int)cap, 20);
        if (n != HAWSER_ERR_TIMEOUT)
            break;
        hawser_recv_data(b->handle, COUNT_CHANNEL, &b->total, sizeof b->total, 0);
    }
    if (n > 0)
        b->moved += (uint64_t)n;
    else
        fail("receive", n);
    return n;
}

static bool bulk_acknowledge(void *ctx)
{
    struct bulk *b = ctx;
    char byte;

    if (hawser_send_data(b->handle, COUNT_CHANNEL, "a", 1, WAIT_MS) != 1)
        return false;
    hawser_recv_data(b->handle, COUNT_CHANNEL, &byte, 1, WAIT_MS); /* until the app has gone */
    return hawser_device_close(b->device) == 0;
}

static void *bulk_connect(void)
{
    struct bulk *b = calloc(1, sizeof *b);
    char id[HAWSER_ID_MAX];
    int code = open_app(id);

    b->handle = code ? code : connect_to(id);
    if (b->handle < 0)
        fail("connect", b->handle);
    return b->handle < 0 ? NULL : b;
}

static bool bulk_send(void *ctx, const void *data, size_t len)
{
    struct bulk *b = ctx;
    int n = hawser_send_data(b->handle, BULK_CHANNEL, data, (int)len, -1);

    if (n != (int)len)
        fail("send", n);
    b->total += len;
    return n == (int)len;
}

static bool bulk_finish(void *ctx)
{
    struct bulk *b = ctx;
    struct hawser_session_info info;
    char byte;

    hawser_send_data(b->handle, COUNT_CHANNEL, &b->total, sizeof b->total, -1);
    if (hawser_recv_data(b->handle, COUNT_CHANNEL, &byte, 1, WAIT_MS) != 1)
        return false;
    if (hawser_session_info(b->handle, &info) == 0)
        fprintf(stderr, "bench: %.4f %% of the chunks were sent again\n",
                100.0 * (double)info.chunks_resent / (double)(info.chunks_sent + 1));
    return hawser_disconnect(b->handle) == 0;
}

static int bulk(double seconds)
{
    static const struct pair_transport hawser = {
        .name = "hawser",
        .listen = bulk_listen,
        .accept = bulk_accept,
        .receive = bulk_receive,
        .acknowledge = bulk_acknowledge,
        .connect = bulk_connect,
        .send = bulk_send,
        .finish = bulk_finish,
    };

    return pair_run(&hawser, seconds);
}

/* ---- connect and idle: the device only answers ---- */

static int answer(int ready)
{
    int device = open_device();

    if (device < 0 || write(ready, "r", 1) != 1)
        return 1;
    while (hawser_device_listen(device, -1) >= 0)
        ;
    return 0;
}

static pid_t start_device(void)
{
    int ready[2];
    char byte;
    pid_t child;

    if (pipe(ready))
        return -1;
    child = fork();
    if (child == 0) {
        close(ready[0]);
        _exit(answer(ready[1]));
    }
    close(ready[1]);
    if (child > 0 && read(ready[0], &byte, 1) != 1) {
        waitpid(child, NULL, 0);
        return -1;
    }
    return child;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static pid_t device_process;

static double cpu_ms_of(clockid_t clock)
{
    struct timespec t = { 0 };

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1000000;
}

/* Of both ends, all threads, so far. */
static double cpu_ms_now(void)
{
    clockid_t device;

    if (clock_getcpuclockid(device_process, &device))
        return 0;
    return cpu_ms_of(CLOCK_PROCESS_CPUTIME_ID) + cpu_ms_of(device);
}

static int measure_connects(const char *id, int count)
{
    int64_t established[COUNT_MAX], whole[COUNT_MAX];
    double cpu_ms = cpu_ms_now();

    for (int i = 0; i < count; i++) {
        struct hawser_session_info info;
        int handle = connect_to(id);

        if (handle < 0 || hawser_session_info(handle, &info)) {
            fail("connect", handle);
            return 1;
        }
        established[i] = info.established_us;
        whole[i] = info.connect_us;
        hawser_disconnect(handle);
    }
    cpu_ms = (cpu_ms_now() - cpu_ms) / count;
    qsort(established, (size_t)count, sizeof *established, compare);
    qsort(whole, (size_t)count, sizeof *whole, compare);
    printf("{\"name\":\"connect\",\"count\":%d,\"established_us\":%lld,\"established_p95_us\":%lld,"
           "\"connect_us\":%lld,\"cpu_ms\":%.2f}\n",
           count, (long long)established[count / 2], (long long)established[count * 95 / 100],
           (long long)whole[count / 2], cpu_ms);
    return 0;
}

static int measure_idle(const char *id, int count)
{
    int first = connect_to(id); /* what only the first session costs is not counted */
    struct pair_memory before, after;

    if (first < 0) {
        fail("connect", first);
        return 1;
    }
    before = pair_memory_now();
    for (int i = 0; i < count; i++) {
        int handle = connect_to(id);

        if (handle < 0) {
            fail("connect", handle);
            return 1;
        }
    }
    after = pair_memory_now();
    printf("{\"name\":\"idle\",\"count\":%d,\"heap_kib\":%.1f,\"rss_kib\":%.1f}\n", count,
           (after.heap_kib - before.heap_kib) / count, (after.rss_kib - before.rss_kib) / count);
    return 0;
}

static int with_device(int (*measure)(const char *, int), int count)
{
    char id[HAWSER_ID_MAX];
    pid_t child = start_device();
    int status = 1, code = child > 0 ? open_app(id) : HAWSER_ERR_OFFLINE;

    device_process = child;
    if (code)
        fail("pair", code);
    else
        status = measure(id, count < COUNT_MAX ? count : COUNT_MAX);
    hawser_deinit();
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *what = argc == 3 ? argv[1] : "";

    if (strcmp(what, "bulk") == 0)
        return bulk(pair_number(argv[2]));
    if (strcmp(what, "connect") == 0)
        return with_device(measure_connects, (int)pair_number(argv[2]));
    if (strcmp(what, "idle") == 0)
        return with_device(measure_idle, (int)pair_number(argv[2]));
    fprintf(stderr, "usage: bench-hawser bulk SECONDS | connect COUNT | idle COUNT\n");
    return 2;
}
