#include "apps/hawser/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "apps/common/say.h"
#include "core/base/bytes.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool address_of(const struct broker *b, union address *a, socklen_t *len)
{
    *a = (union address){ 0 };
    if (inet_pton(AF_INET, b->address, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(b->port);
        *len = sizeof a->v4;
        return true;
    }
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons(b->port);
    *len = sizeof a->v6;
    return inet_pton(AF_INET6, b->address, &a->v6.sin6_addr) == 1;
}

static int say_port(const struct broker *b, int error)
{
    const char *more = "";

    if (error == EADDRINUSE)
        more = "; stop what uses it (ss -ltnp shows it), or choose another --broker-port";
    else if (error == EADDRNOTAVAIL)
        more = "; no interface of this machine has that address";
    else if (error == EACCES)
        more = "; ports below 1024 need privileges";
    return say_error("TCP port %u of %s: %s%s", b->port, b->address, strerror(error), more);
}

int broker_check_port(struct broker *b)
{
    union address a;
    socklen_t len;
    int fd, one = 1, error = 0;

    if (!address_of(b, &a, &len))
        return say_error("--address %s: not a numeric IP address", b->address);
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return say_port(b, errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); /* as mosquitto does */
    if (bind(fd, &a.any, len) || listen(fd, 1) || getsockname(fd, &a.any, &len))
        error = errno;
    close(fd);
    if (error)
        return say_port(b, error);
    b->port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return EXIT_CODE_OK;
}

int broker_answers(const struct broker *b)
{
    union address a;
    socklen_t len;
    int fd, answers;

    if (!address_of(b, &a, &len))
        return 0;
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    answers = fd >= 0 && connect(fd, &a.any, len) == 0;
    if (fd >= 0)
        close(fd);
    return answers;
}

const char *broker_path(const struct broker *b, const char *name, char out[PATH_MAX])
{
    if (snprintf(out, PATH_MAX, "%s/%s", b->state, name) >= PATH_MAX)
        out[0] = '\0'; /* opening it fails, and says so */
    return out;
}

void broker_url(const struct broker *b, char *out, int cap)
{
    snprintf(out, (size_t)cap, strchr(b->name, ':') ? "mqtt://[%s]:%u" : "mqtt://%s:%u", b->name,
             b->port);
}

int broker_write_conf(const struct broker *b)
{
    char path[PATH_MAX];
    FILE *f = fopen(broker_path(b, "mosquitto.conf", path), "w");
    const struct passwd *user = getpwuid(getuid());

    if (!f)
        return say_error("%s: %s", path, strerror(errno));
    fprintf(f,
            "# Written by \"hawser up\" each time it starts.\n"
            "listener %u %s\n"
            "allow_anonymous false\n"
            "plugin %s\n"
            "plugin_opt_audience %s\n"
            "persistence false\n"
            "set_tcp_nodelay true\n"
            "log_dest stderr\n"
            "connection_messages false\n"
            "max_packet_size 65536\n"
            "max_queued_messages 100\n",
            b->port, b->address, b->plugin, b->name);
    if (user) /* started by root, mosquitto would become a user that cannot read our directories */
        fprintf(f, "user %s\n", user->pw_name);
    if (fclose(f))
        return say_error("%s: %s", path, strerror(errno));
    return EXIT_CODE_OK;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* It has what we always write, and nothing that we never do. */
static bool is_our_config(const json_t *config)
{
    static const char *const members[] = { "broker", "broker_name", "stun" };
    size_t count = json_object_get(config, "bind") != NULL;

    for (size_t i = 0; i < COUNT(members); i++)
        if (!json_object_get(config, members[i]))
            return false;
    return count + COUNT(members) == json_object_size(config);
}

int broker_check_client_config(const struct broker *b)
{
    char path[PATH_MAX], lock[PATH_MAX];
    json_t *config = json_load_file(broker_path(b, "config.json", path), 0, NULL);
    bool is_ours = is_our_config(config) && access(broker_path(b, "lock", lock), F_OK) == 0;

    json_decref(config);
    if (is_ours || access(path, F_OK))
        return EXIT_CODE_OK;
    return say_error("%s is not as \"hawser up\" writes it: --state DIR takes another place", path);
}

int broker_write_client_config(const struct broker *b)
{
    char path[PATH_MAX], url[300];
    json_t *config;
    int failed;

    broker_url(b, url, sizeof url);
    config = json_pack("{ssssss}", "broker", url, "broker_name", b->name, "stun", b->stun);
    if (is_loopback(
            b->address)) /* both sides are on this machine, which may have no other address */
        json_object_set_new(config, "bind", json_string(b->address));
    failed = json_dump_file(config, broker_path(b, "config.json", path), JSON_INDENT(4));
    json_decref(config);
    return failed ? say_error("%s: %s", path, strerror(errno)) : EXIT_CODE_OK;
}
