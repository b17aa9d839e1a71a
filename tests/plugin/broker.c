#include "tests/plugin/broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 200 /* of ROUND_MS: only a broken broker takes that long */
#define ROUND_MS   50
#define LOG_BYTES  1048576

/* A port nobody listens on at the moment. */
static int find_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static bool write_config(const struct broker *b, const char *options)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/conf", b->dir);
    f = fopen(path, "w");
    if (!f)
        return false;
    fprintf(f,
            "listener %d 127.0.0.1\nallow_anonymous false\nlog_dest stderr\nlog_type "
            "error\nlog_type warning\nlog_type notice\nlog_type information\n"
            "user root\npersistence false\nplugin %s\n%s\n",
            b->port, PLUGIN, options);
    return fclose(f) == 0;
}

/* In the child: mosquitto with its log in the pipe, ended with us. */
static void run(const struct broker *b, int log)
{
    char path[128];

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    snprintf(path, sizeof path, "%s/conf", b->dir);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execlp(MOSQUITTO, MOSQUITTO, "-c", path, (char *)NULL);
    _exit(127);
}

bool broker_run(struct broker *b, const char *options)
{
    int fds[2];

    *b = (struct broker){ .port = find_port(), .dir = "/tmp/hawser-broker-XXXXXX" };
    if (!mkdtemp(b->dir) || !write_config(b, options) || pipe2(fds, O_CLOEXEC) != 0)
        return false;
    fcntl(fds[1], F_SETPIPE_SZ, LOG_BYTES); /* nobody reads while clients are served */
    b->pid = fork();
    if (b->pid == 0)
        run(b, fds[1]);
    close(fds[1]);
    b->log = fdopen(fds[0], "r");
    return b->pid > 0;
}

bool broker_start(struct broker *b, const char *options)
{
    return broker_run(b, options) && broker_has_said(b, " running");
}

int broker_stop(struct broker *b)
{
    return broker_stop_counting(b, "\n", &(int){ 0 });
}

int broker_stop_counting(struct broker *b, const char *text, int *count)
{
    char path[128];
    int status = 0;

    kill(b->pid, SIGTERM);
    waitpid(b->pid, &status, 0);
    for (*count = 0; broker_has_said(b, text);)
        ++*count;
    fclose(b->log);
    snprintf(path, sizeof path, "%s/conf", b->dir);
    unlink(path);
    rmdir(b->dir);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool broker_has_said(struct broker *b, const char *text)
{
    char line[4096];

    while (fgets(line, sizeof line, b->log))
        if (strstr(line, text))
            return true;
    return false;
}

static void on_connect(struct mosquitto *m, void *arg, int reason, int flags,
                       const mosquitto_property *properties)
{
    (void)m;
    (void)flags;
    (void)properties;
    ((struct client *)arg)->connack = reason;
}

static void on_disconnect(struct mosquitto *m, void *arg, int reason,
                          const mosquitto_property *properties)
{
    (void)m;
    (void)properties;
    ((struct client *)arg)->disconnect = reason;
}

static void on_subscribe(struct mosquitto *m, void *arg, int mid, int count, const int *granted,
                         const mosquitto_property *properties)
{
    (void)m;
    (void)mid;
    (void)properties;
    ((struct client *)arg)->suback = count == 1 ? granted[0] : -2;
}

static void on_publish(struct mosquitto *m, void *arg, int mid, int reason,
                       const mosquitto_property *properties)
{
    (void)m;
    (void)mid;
    (void)properties;
    ((struct client *)arg)->puback = reason;
}

static void on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct client *c = arg;

    (void)m;
    (void)properties;
    c->messages++;
    c->last_len = message->payloadlen;
}

bool client_wait(struct client *c, const int *what, int was)
{
    for (int i = 0; i < ROUNDS_MAX && *what == was; i++)
        if (mosquitto_loop(c->m, ROUND_MS, 1) != MOSQ_ERR_SUCCESS)
            break;
    return *what != was;
}

int client_start(struct client *c, const struct broker *b, const struct login *login)
{
    *c = (struct client){ .connack = -1, .suback = -1, .puback = -1, .disconnect = -1 };
    c->m = mosquitto_new(login->client_id, true, c);
    if (!c->m)
        return -1;
    mosquitto_int_option(c->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_username_pw_set(c->m, login->username, login->password);
    if (login->will)
        mosquitto_will_set(c->m, login->will, 4, "gone", 1, false);
    mosquitto_connect_v5_callback_set(c->m, on_connect);
    mosquitto_disconnect_v5_callback_set(c->m, on_disconnect);
    mosquitto_subscribe_v5_callback_set(c->m, on_subscribe);
    mosquitto_publish_v5_callback_set(c->m, on_publish);
    mosquitto_message_v5_callback_set(c->m, on_message);
    if (mosquitto_connect(c->m, "127.0.0.1", b->port, 60) == MOSQ_ERR_SUCCESS)
        client_wait(c, &c->connack, -1);
    return c->connack;
}

void client_stop(struct client *c)
{
    if (c->m)
        mosquitto_disconnect(c->m);
    mosquitto_destroy(c->m);
}

int client_subscribe(struct client *c, const char *topic)
{
    c->suback = -1;
    if (mosquitto_subscribe_v5(c->m, NULL, topic, 1, 0, NULL) == MOSQ_ERR_SUCCESS)
        client_wait(c, &c->suback, -1);
    return c->suback;
}

int client_publish(struct client *c, const struct message *m)
{
    static const char payload[65536];

    c->puback = -1;
    if (mosquitto_publish_v5(c->m, NULL, m->topic, m->len, payload, 1, m->is_retained, NULL) ==
        MOSQ_ERR_SUCCESS)
        client_wait(c, &c->puback, -1);
    return c->puback;
}
