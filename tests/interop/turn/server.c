#include "tests/interop/turn/server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The last thing it says before it serves; its listeners are open by then. */
#define READY    "SQLite DB connection success"
#define READY_MS 10000

struct args {
    const char *list[COTURN_ARGS_MAX + 1];
    size_t count;
};

static void add(struct args *a, const char *arg)
{
    if (a->count < COTURN_ARGS_MAX)
        a->list[a->count++] = arg;
}

static void add_addresses(struct args *a, const struct coturn *s)
{
    for (int i = 0; i < 2 && s->addresses[i]; i++) {
        add(a, "--listening-ip");
        add(a, s->addresses[i]);
        add(a, "--relay-ip");
        add(a, s->addresses[i]);
    }
}

static void run(const struct coturn *s, const char *const more[], int log)
{
    static const char *const always[] = {
        "turnserver",      "-n",         "-v",      "--no-cli",     "--no-dtls",
        "--relay-threads", "1",          "--cert",  "cert.pem",     "--pkey",
        "key.pem",         "--log-file", "stdout",  "--simple-log", "--pidfile",
        "turn.pid",        "--db",       "turn.db", "-r",           "example.org",
    };
    struct args a = { .count = 0 };

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        add(&a, always[i]);
    add_addresses(&a, s);
    while (*more)
        add(&a, *more++);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(getenv("TURN_DIR")) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2)
        execvp("turnserver", (char *const *)a.list);
    _exit(127);
}

/* Reads what there is. 0: nothing more will come. */
static ssize_t read_some(struct coturn *s, char *out, size_t cap)
{
    ssize_t len = read(s->log, out, cap - 1);

    out[len > 0 ? len : 0] = '\0';
    return len;
}

static bool wait_until_ready(struct coturn *s)
{
    struct pollfd p = { .fd = s->log, .events = POLLIN };
    char said[65536];
    size_t len = 0;

    while (len + 1 < sizeof said && poll(&p, 1, READY_MS) == 1) {
        ssize_t n = read_some(s, said + len, sizeof said - len);

        if (n <= 0)
            break;
        len += (size_t)n;
        if (strstr(said, READY))
            return true;
    }
    fprintf(stderr, "coturn did not come up:\n%s\n", len ? said : "(it said nothing)");
    return false;
}

bool coturn_start(struct coturn *s, const char *const more[])
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return false;
    s->log = ends[0];
    s->pid = fork();
    if (s->pid == 0)
        run(s, more, ends[1]);
    close(ends[1]);
    if (s->pid > 0 && wait_until_ready(s) && fcntl(s->log, F_SETFL, O_NONBLOCK) == 0)
        return true;
    coturn_stop(s);
    return false;
}

void coturn_read_log(struct coturn *s)
{
    char said[4096];

    while (read_some(s, said, sizeof said) > 0)
        if (getenv("TURN_LOG"))
            fputs(said, stderr);
}

void coturn_stop(struct coturn *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        close(s->log);
    }
    s->pid = 0;
}
