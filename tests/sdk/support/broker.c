#include "tests/sdk/support/broker.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hawser/hawser.h"

enum { START_MS = 10000, LINE_MAX_BYTES = 4096 };

bool directory_make(char out[64])
{
    (void)snprintf(out, 64, "/tmp/hawser-test-XXXXXX");
    return mkdtemp(out) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void directory_remove(const char *path)
{
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void process_freeze(pid_t pid)
{
    int status;

    kill(pid, SIGSTOP);
    (void)waitpid(pid, &status, WUNTRACED);
}

void process_thaw(pid_t pid)
{
    kill(pid, SIGCONT);
}

void process_kill(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) ||
        getsockname(fd, (struct sockaddr *)&a, &len))
        a.sin_port = 0;
    if (fd >= 0)
        close(fd);
    return ntohs(a.sin_port);
}

static bool write_config(const struct broker *b, const char *path)
{
    const char *plugin = getenv("MOSQUITTO_PLUGIN");
    FILE *f = fopen(path, "we");

    if (!f)
        return false;
    (void)fprintf(f, "listener %d 127.0.0.1\nset_tcp_nodelay true\nuser root\n", b->port);
    if (plugin && *plugin)
        (void)fprintf(f, "allow_anonymous false\nplugin %s\nplugin_opt_audience 127.0.0.1\n",
                      plugin);
    else
        (void)fprintf(f, "allow_anonymous true\n");
    return fclose(f) == 0;
}

static void run(const char *config, int log)
{
    const char *program = getenv("MOSQUITTO");

    if (!program || !*program)
        program = "/usr/sbin/mosquitto";
    (void)dup2(log, STDERR_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    execl(program, program, "-c", config, (char *)NULL);
    _exit(127);
}

/* Mosquitto says when it is ready. */
static bool wait_running(int log)
{
    struct pollfd p = { .fd = log, .events = POLLIN };
    char text[LINE_MAX_BYTES];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof text - 1 && poll(&p, 1, START_MS) > 0) {
        n = read(log, text + len, sizeof text - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, " running"))
            return true;
    }
    text[len] = '\0';
    (void)fprintf(stderr, "mosquitto: %s\n", text);
    return false;
}

bool broker_start(struct broker *b)
{
    char config[96];
    int ends[2];

    memset(b, 0, sizeof *b);
    b->port = free_port();
    if (!directory_make(b->directory) || pipe(ends))
        return false;
    (void)snprintf(b->url, sizeof b->url, "mqtt://127.0.0.1:%d", b->port);
    (void)snprintf(config, sizeof config, "%s/mosquitto.conf", b->directory);
    if (!write_config(b, config))
        return false;
    b->pid = fork();
    if (b->pid == 0)
        run(config, ends[1]);
    close(ends[1]);
    b->log = ends[0];
    return b->pid > 0 && wait_running(b->log);
}

void broker_stop(struct broker *b)
{
    process_kill(b->pid);
    close(b->log);
    directory_remove(b->directory);
    b->pid = 0;
}

bool broker_use(const struct broker *b, const char *home)
{
    return !hawser_set_option("home", home) && !hawser_set_option("broker", b->url) &&
           !hawser_set_option("bind", "127.0.0.1");
}
