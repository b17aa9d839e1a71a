#include "tests/bench/ends.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 512 };

void end_fail(const char *what, int code)
{
    fprintf(stderr, "bench: %s: %s\n", what, hawser_strerror(code));
}

static void path_in(char path[PATH_MAX_BYTES], const char *name, const char *ending)
{
    const char *folder = getenv("BENCH_DIR");

    snprintf(path, PATH_MAX_BYTES, "%s/%s%s", folder ? folder : ".", name, ending);
}

static void set_further_options(const char *list)
{
    char *text = strdup(list), *rest = text, *item;

    while ((item = strsep(&rest, ",")) != NULL) {
        char *value = strchr(item, '=');
        int code;

        if (!value)
            continue;
        *value++ = '\0';
        code = hawser_set_option(item, value);
        if (code) {
            end_fail(item, code);
            exit(1);
        }
    }
    free(text);
}

static void set_options(const char *name)
{
    const char *stun = getenv("BENCH_STUN"), *further = getenv("BENCH_OPTIONS");
    char path[PATH_MAX_BYTES];

    path_in(path, name, "");
    hawser_set_option("home", path);
    hawser_set_option("broker", getenv("BENCH_BROKER"));
    hawser_set_option("stun", stun ? stun : "");
    hawser_set_option("bind", "127.0.0.1");
    hawser_set_option("sessions_max", "4096");
    if (further)
        set_further_options(further);
}

/* ---- The device ------------------------------------------------------------------------------ */

static int write_invite(int device, const char *name)
{
    char invite[HAWSER_INVITE_MAX], path[PATH_MAX_BYTES];
    int code = hawser_device_invite(device, 0, invite);
    FILE *file;

    if (code)
        return code;
    path_in(path, name, ".invite");
    file = fopen(path, "w");
    if (!file)
        return HAWSER_ERR_INVALID;
    fprintf(file, "%s\n", invite);
    fclose(file);
    return 0;
}

int end_open_device(const char *name)
{
    int device, code;

    set_options(name);
    device = hawser_device_open("bench");
    if (device < 0)
        return device;
    if (hawser_device_wait_online(device, END_WAIT_MS) <= 0)
        return HAWSER_ERR_OFFLINE;
    hawser_device_set_limit(device, END_SESSIONS_MAX);
    code = write_invite(device, name);
    return code ? code : device;
}

static int run_device(const char *name, int ready, int (*serve)(int device))
{
    int device = end_open_device(name);

    if (device < 0)
        end_fail("device", device);
    if (device < 0 || write(ready, "r", 1) != 1)
        return 1;
    return serve(device);
}

pid_t end_start_device(const char *name, int (*serve)(int device))
{
    int ready[2];
    char byte;
    pid_t child;

    if (pipe(ready))
        return -1;
    child = fork();
    if (child == 0) {
        close(ready[0]);
        _exit(run_device(name, ready[1], serve));
    }
    close(ready[1]);
    if (child > 0 && read(ready[0], &byte, 1) != 1) {
        waitpid(child, NULL, 0);
        child = -1;
    }
    close(ready[0]);
    return child;
}

void end_stop(pid_t child)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

/* ---- The app --------------------------------------------------------------------------------- */

int end_open_app(void)
{
    set_options("app");
    return hawser_init("bench");
}

int end_pair(const char *name, char id[HAWSER_ID_MAX])
{
    char invite[HAWSER_INVITE_MAX], path[PATH_MAX_BYTES];
    FILE *file;
    bool ok;

    path_in(path, name, ".invite");
    file = fopen(path, "r");
    ok = file && fgets(invite, sizeof invite, file);
    if (file)
        fclose(file);
    if (!ok)
        return HAWSER_ERR_INVALID;
    invite[strcspn(invite, "\n")] = '\0';
    return hawser_pair(invite, END_WAIT_MS, id);
}

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

int end_connect(const char *id)
{
    struct connecting c = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 };
    int code = hawser_connect(id, HAWSER_LAN_AUTO, END_WAIT_MS, on_connect, &c, NULL);

    if (code)
        return code;
    pthread_mutex_lock(&c.lock);
    while (!c.is_done)
        pthread_cond_wait(&c.done, &c.lock);
    pthread_mutex_unlock(&c.lock);
    return c.result;
}
