#include "apps/hawser/bench_local.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/common/say.h"
#include "apps/common/stop.h"

enum { READY_MS = 15000, LINE_BYTES = 1024 };

/* The next line of a child, parsed; NULL when it ends or takes too long. Read byte by byte, for
 * what follows is somebody else's to read. */
static json_t *next_line(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char line[LINE_BYTES];
    size_t len = 0;

    while (len + 1 < sizeof line && poll(&wait, 1, READY_MS) == 1 && read(fd, line + len, 1) == 1)
        if (line[len++] == '\n')
            break;
    return json_loadb(line, len, 0, NULL);
}

/* Reads lines up to one with this member; owned. */
static json_t *await_member(int fd, const char *name)
{
    json_t *line;

    while (!stop_asked() && (line = next_line(fd))) {
        json_t *member = json_incref(json_object_get(line, name));

        json_decref(line);
        if (member)
            return member;
    }
    return NULL;
}

static bool copy_text(char *out, size_t cap, const json_t *text)
{
    const char *from = json_string_value(text);

    return from && snprintf(out, cap, "%s", from) < (int)cap;
}

/* Starts this program again with other arguments; its stdout is to be read at *fd. */
static int start_self(struct child *c, const char *name, char *const args[], int *fd)
{
    char *argv[16] = { (char[]){ "/proc/self/exe" } };
    int ends[2], failed;

    for (size_t i = 0; args[i] && i + 2 < sizeof argv / sizeof *argv; i++)
        argv[i + 1] = args[i];
    if (pipe2(ends, O_CLOEXEC))
        return say_error("%s cannot be started: %s", name, strerror(errno));
    failed = child_start(c, name, argv, ends[1], -1);
    close(ends[1]);
    *fd = ends[0];
    return failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static int make_home(const struct bench_local *l, const char *name, const char *broker,
                     char home[BENCH_LOCAL_PATH + 8])
{
    char path[BENCH_LOCAL_PATH + 32];
    json_t *config =
        json_pack("{ss ss ss si}", "broker", broker, "stun", "", "bind", "127.0.0.1", "lan", 0);
    int failed;

    (void)snprintf(home, BENCH_LOCAL_PATH + 8, "%s/%s", l->dir, name);
    (void)snprintf(path, sizeof path, "%s/config.json", home);
    failed = mkdir(home, 0700) || json_dump_file(config, path, JSON_COMPACT);
    json_decref(config);
    return failed ? say_error("%s: %s", path, strerror(errno)) : EXIT_CODE_OK;
}

static int start_broker(struct bench_local *l, char *url, size_t cap)
{
    char state[BENCH_LOCAL_PATH + 8];
    char *args[] = { (char[]){ "up" },
                     (char[]){ "--json" },
                     (char[]){ "--state" },
                     state,
                     (char[]){ "--broker-port" },
                     (char[]){ "0" },
                     (char[]){ "--stun-port" },
                     (char[]){ "0" },
                     NULL };
    json_t *ready;
    int fd = -1;
    bool is_so;

    (void)snprintf(state, sizeof state, "%s/net", l->dir);
    if (start_self(&l->broker, "hawser up", args, &fd))
        return EXIT_CODE_FAILED;
    ready = await_member(fd, "ready");
    is_so = ready && copy_text(url, cap, json_object_get(ready, "broker"));
    json_decref(ready);
    close(fd);
    return is_so ? EXIT_CODE_OK : say_error("the local broker did not start; see above why");
}

static int start_device(struct bench_local *l, const char *home)
{
    char *args[] = { (char[]){ "bench" },  (char[]){ "--json" },
                     (char[]){ "--pair" }, (char[]){ "--home" },
                     (char *)home,         (char[]){ "--serve" },
                     (char[]){ "bench" },  NULL };
    json_t *ready, *invite;
    int fd = -1;
    bool is_so;

    if (start_self(&l->device, "the device", args, &fd))
        return EXIT_CODE_FAILED;
    ready = await_member(fd, "ready");
    invite = ready ? await_member(fd, "invite") : NULL;
    is_so = ready && copy_text(l->id, sizeof l->id, json_object_get(ready, "id")) &&
            copy_text(l->invite, sizeof l->invite, invite);
    json_decref(ready);
    json_decref(invite);
    close(fd);
    return is_so ? EXIT_CODE_OK : say_error("the local device did not start; see above why");
}

int bench_local_start(struct bench_local *l)
{
    const char *tmp = getenv("TMPDIR");
    char broker[300], device_home[BENCH_LOCAL_PATH + 8];

    (void)snprintf(l->dir, sizeof l->dir, "%s/hawser-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(l->dir)) {
        int code = say_error("%s: %s", l->dir, strerror(errno));

        l->dir[0] = '\0';
        return code;
    }
    if (start_broker(l, broker, sizeof broker) || make_home(l, "app", broker, l->home) ||
        make_home(l, "device", broker, device_home) || start_device(l, device_home))
        return EXIT_CODE_FAILED;
    return EXIT_CODE_OK;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void bench_local_end(struct bench_local *l)
{
    child_end(&l->device);
    child_end(&l->broker);
    if (*l->dir)
        (void)nftw(l->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
