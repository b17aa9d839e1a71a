#include "tests/broker/broker.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 20000 };

/* Read by the thread sanitizer: libmosquitto 2.0 unlocks a mutex it does not hold when the broker
 * says goodbye. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "mutex:libmosquitto\n";
}

uint16_t broker_free_port(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&sin, len) || getsockname(fd, (struct sockaddr *)&sin, &len))
        abort();
    close(fd);
    return ntohs(sin.sin_port);
}

static void exec_openssl(const char *key, const char *cert)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    dup2(null, STDERR_FILENO);
    execlp("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
           "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert, (char *)NULL);
    _exit(127);
}

static bool make_certificate(const struct broker *b)
{
    char key[96], cert[96];
    int status = -1;
    pid_t pid;

    snprintf(key, sizeof key, "%s/key.pem", b->dir);
    snprintf(cert, sizeof cert, "%s/cert.pem", b->dir);
    pid = fork();
    if (pid == 0)
        exec_openssl(key, cert);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

bool broker_init(struct broker *b, const char *extra, bool with_cert)
{
    char path[96];
    FILE *f;

    *b = (struct broker){ .port = broker_free_port(), .log = -1 };
    snprintf(b->dir, sizeof b->dir, "/tmp/hawser-broker-XXXXXX");
    snprintf(b->url, sizeof b->url, "mqtt://127.0.0.1:%u", b->port);
    if (!mkdtemp(b->dir) || (with_cert && !make_certificate(b)))
        return false;
    snprintf(path, sizeof path, "%s/broker.conf", b->dir);
    f = fopen(path, "w");
    if (!f)
        return false;
    fprintf(f, "listener %u 127.0.0.1\nuser root\npersistence false\nlog_dest stderr\n", b->port);
    for (const char *at = extra; *at; at++) {
        if (strncmp(at, "%s", 2) == 0)
            fputs(b->dir, f), at++;
        else
            fputc(*at, f);
    }
    fclose(f);
    return true;
}

static void exec_broker(const struct broker *b, int log)
{
    char path[96];
    sigset_t none;

    snprintf(path, sizeof path, "%s/broker.conf", b->dir);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(log, STDERR_FILENO);
    execlp("mosquitto", "mosquitto", "-c", path, (char *)NULL);
    execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
    _exit(127);
}

/* Reads the log until it says that the broker runs. */
static bool wait_until_running(const struct broker *b)
{
    char log[4096];
    size_t len = 0;
    struct pollfd readable = { .fd = b->log, .events = POLLIN };

    while (len < sizeof log - 1 && poll(&readable, 1, START_MS) == 1) {
        ssize_t got = read(b->log, log + len, sizeof log - 1 - len);

        if (got <= 0)
            break;
        len += (size_t)got;
        log[len] = '\0';
        if (strstr(log, " running"))
            return true;
    }
    log[len] = '\0';
    fprintf(stderr, "mosquitto did not start: %s\n", log);
    return false;
}

bool broker_start(struct broker *b)
{
    int ends[2];

    if (pipe(ends))
        return false;
    b->pid = fork();
    if (b->pid == 0)
        exec_broker(b, ends[1]);
    close(ends[1]);
    b->log = ends[0]; /* a full pipe would stop it; these tests cause little log */
    return b->pid > 0 && wait_until_running(b);
}

void broker_kill(struct broker *b)
{
    if (b->pid > 0) {
        kill(b->pid, SIGKILL);
        waitpid(b->pid, NULL, 0);
    }
    if (b->log >= 0)
        close(b->log);
    b->pid = 0;
    b->log = -1;
}

void broker_deinit(struct broker *b)
{
    static const char *const files[] = {
        "broker.conf", "cert.pem", "key.pem", "passwords", "socket",
    };
    char path[96];

    if (!*b->dir)
        return;
    broker_kill(b);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", b->dir, files[i]);
        unlink(path);
    }
    rmdir(b->dir);
}
