#include "tests/sdk/support/plain.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/net/space.h"

struct plain plain = { .app = -1, .device = -1, .router = -1 };

bool plain_is_possible(void)
{
    int space = space_new();

    if (space >= 0)
        close(space);
    return space >= 0 && access("/usr/bin/turnserver", X_OK) == 0;
}

static void write_log(void *ctx, enum hawser_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "app: %s\n", line);
}

bool plain_ip(int space, const char *lines)
{
    static const char *const argv[] = { "ip", "-batch", "-", NULL };

    return space_run(space, argv, lines);
}

bool plain_forward(bool on)
{
    return space_set(plain.router, "ipv4/ip_forward", on ? "1" : "0");
}

/* What this thread starts from now on, threads and processes, is on that host. */
static bool enter(int space)
{
    return setns(space, CLONE_NEWNET) == 0;
}

static bool wire(void)
{
    char lines[512];

    (void)snprintf(lines, sizeof lines,
                   "link set lo up\n"
                   "link add r1 type veth peer name a0 netns /proc/%d/fd/%d\n"
                   "link add r2 type veth peer name d0 netns /proc/%d/fd/%d\n"
                   "addr add 10.1.0.1/24 dev r1\naddr add 10.2.0.1/24 dev r2\n"
                   "link set r1 up\nlink set r2 up\n",
                   getpid(), plain.app, getpid(), plain.device);
    return plain_ip(plain.router, lines) &&
           plain_ip(plain.app, "addr add 10.1.0.2/24 dev a0\nlink set lo up\nlink set a0 up\n"
                               "route add default via 10.1.0.1\n") &&
           plain_ip(plain.device, "addr add 10.2.0.2/24 dev d0\nlink set lo up\nlink set d0 up\n"
                                  "route add default via 10.2.0.1\n");
}

static bool open_broker(void)
{
    const char *plugin = getenv("MOSQUITTO_PLUGIN");
    char lines[1024];
    int len = snprintf(lines, sizeof lines, "set_tcp_nodelay true\nlistener 1883 0.0.0.0\n");

    if (plugin && *plugin)
        (void)snprintf(lines + len, sizeof lines - (size_t)len,
                       "allow_anonymous false\nplugin %s\nplugin_opt_audience 10.1.0.1\n", plugin);
    else
        (void)snprintf(lines + len, sizeof lines - (size_t)len, "allow_anonymous true\n");
    return enter(plain.router) && broker_init(&plain.broker, lines, false) &&
           broker_start(&plain.broker);
}

/* coturn wants a certificate; here for its address. */
static bool make_certificate(void)
{
    char command[512];

    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=turn -addext subjectAltName=IP:10.1.0.1 -keyout %s/key.pem "
                   "-out %s/cert.pem 2>/dev/null",
                   plain.directory, plain.directory);
    return pclose(popen(command, "r")) == 0 && setenv("TURN_DIR", plain.directory, 1) == 0;
}

static bool open_device(void)
{
    return enter(plain.device) &&
           peer_start(&plain.peer, plain.device_home, "mqtt://10.1.0.1:1883") &&
           peer_ask(&plain.peer, "restart bind ,") == 0; /* all its addresses */
}

static bool open_app(void)
{
    char id[HAWSER_ID_MAX];

    return enter(plain.app) && !hawser_set_option("home", plain.app_home) &&
           !hawser_set_option("broker", "mqtt://10.1.0.1:1883") && !hawser_init(USER) &&
           hawser_pair(peer_invite(&plain.peer), 10000, id) == HAWSER_ERR_OK;
}

int plain_open(void **state)
{
    (void)state;
    if (getenv("VERBOSE"))
        hawser_set_log(HAWSER_LOG_DEBUG, write_log, NULL);
    plain.app = space_new();
    plain.device = space_new();
    plain.router = space_new();
    if (plain.app < 0 || plain.device < 0 || plain.router < 0 || !directory_make(plain.directory))
        return -1;
    (void)snprintf(plain.app_home, sizeof plain.app_home, "%s/app", plain.directory);
    (void)snprintf(plain.device_home, sizeof plain.device_home, "%s/device", plain.directory);
    return wire() && make_certificate() && open_broker() && open_device() && open_app() ? 0 : -1;
}

int plain_close(void **state)
{
    (void)state;
    (void)hawser_deinit();
    peer_stop(&plain.peer);
    coturn_stop(&plain.turn);
    broker_deinit(&plain.broker);
    directory_remove(plain.directory);
    return 0;
}

bool plain_start_turn(struct coturn *turn, const char *const more[])
{
    static const char *const always[] = { "--lt-cred-mech", "-u", "user:secret", NULL };
    const char *args[16];
    size_t count = 0;
    bool is_up;

    for (size_t i = 0; always[i]; i++)
        args[count++] = always[i];
    for (size_t i = 0; more && more[i] && count < 15; i++)
        args[count++] = more[i];
    args[count] = NULL;
    coturn_stop(turn);
    turn->addresses[0] = "10.1.0.1";
    is_up = enter(plain.router) && coturn_start(turn, args);
    return enter(plain.app) && is_up;
}

bool plain_reinit(const struct plain_option *options, size_t count)
{
    (void)hawser_deinit();
    for (size_t i = 0; i < count; i++)
        if (hawser_set_option(options[i].name, options[i].value))
            return false;
    return hawser_init(USER) == HAWSER_ERR_OK;
}

struct pair_of_handles plain_connect(int timeout_ms)
{
    struct pair_of_handles h = { .app = HAWSER_ERR_OFFLINE };

    peer_tell(&plain.peer, "listen %d", timeout_ms);
    for (int i = 0; i < 10 && h.app == HAWSER_ERR_OFFLINE; i++)
        h.app = dial(plain.peer.id, timeout_ms);
    h.device = (int)strtol(peer_answer(&plain.peer), NULL, 10);
    return h;
}

void plain_disconnect(struct pair_of_handles h)
{
    coturn_read_log(&plain.turn);
    if (h.app >= 0)
        (void)hawser_disconnect(h.app);
    if (h.device >= 0)
        (void)peer_ask(&plain.peer, "disconnect %d", h.device);
}
