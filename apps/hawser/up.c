#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apps/common/beside.h"
#include "apps/common/clock.h"
#include "apps/common/options.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "apps/hawser/broker.h"
#include "apps/hawser/child.h"
#include "apps/hawser/commands.h"
#include "apps/hawser/plugin.h"

enum { READY_MS = 10000, LOOK_MS = 50, LINE_BYTES = 1024 };

struct up {
    struct broker broker;
    int64_t stun_port;
    struct child mosquitto, relay;
    int lock, log, relay_out; /* descriptors; -1: none */
};

/* One at a time in a state directory: they would write over each other's files. */
static int take_state(struct up *u)
{
    char path[PATH_MAX];

    if (mkdir(u->broker.state, 0700) && errno != EEXIST)
        return say_error("--state %s: %s", u->broker.state, strerror(errno));
    if (broker_check_client_config(&u->broker))
        return EXIT_CODE_FAILED;
    u->lock = open(broker_path(&u->broker, "lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (u->lock < 0)
        return say_error("%s: %s", path, strerror(errno));
    if (flock(u->lock, LOCK_EX | LOCK_NB))
        return say_error("\"hawser up\" runs already with its state in %s", u->broker.state);
    u->log = open(broker_path(&u->broker, "mosquitto.log", path),
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return u->log < 0 ? say_error("%s: %s", path, strerror(errno)) : EXIT_CODE_OK;
}

static int start_mosquitto(struct up *u)
{
    char program[PATH_MAX], conf[PATH_MAX];
    char *argv[] = { program, (char[]){ "-c" }, conf, NULL };

    if (!beside_find("mosquitto", program))
        return say_error("mosquitto is not installed: sudo apt install mosquitto");
    if (broker_check_port(&u->broker) || broker_write_conf(&u->broker))
        return EXIT_CODE_FAILED;
    broker_path(&u->broker, "mosquitto.conf", conf);
    return child_start(&u->mosquitto, "mosquitto", argv, u->log, u->log) ? EXIT_CODE_FAILED
                                                                         : EXIT_CODE_OK;
}

static int start_relay(struct up *u)
{
    char program[PATH_MAX], listen[100];
    char *argv[] = { program, (char[]){ "--json" }, (char[]){ "--listen" }, listen, NULL };
    bool v6 = strchr(u->broker.address, ':') != NULL;
    int ends[2], failed;

    if (!beside_find("hawser-relay", program))
        return say_error("hawser-relay is neither beside this program nor in PATH");
    snprintf(listen, sizeof listen, v6 ? "[%s]:%d" : "%s:%d", u->broker.address, (int)u->stun_port);
    if (pipe2(ends, O_CLOEXEC))
        return say_error("hawser-relay cannot be started: %s", strerror(errno));
    failed = child_start(&u->relay, "hawser-relay", argv, ends[1], -1);
    close(ends[1]);
    u->relay_out = ends[0];
    return failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

/* Where hawser-relay listens, from its {"ready":{"listen":["192.0.2.1:3478"]}}. */
static bool read_ready(struct up *u, const char *line)
{
    json_t *ready = json_loads(line, 0, NULL);
    json_t *list = json_object_get(json_object_get(ready, "ready"), "listen");
    const char *address = json_string_value(json_array_get(list, 0));
    const char *port = address ? strrchr(address, ':') : NULL;

    if (port)
        snprintf(u->broker.stun, sizeof u->broker.stun,
                 strchr(u->broker.name, ':') ? "[%.40s]%s" : "%.40s%s", u->broker.name, port);
    json_decref(ready);
    return port != NULL;
}

static int await_relay(struct up *u)
{
    struct pollfd wait = { .fd = u->relay_out, .events = POLLIN };
    char line[LINE_BYTES];
    ssize_t got = poll(&wait, 1, READY_MS) == 1 ? read(u->relay_out, line, sizeof line - 1) : 0;

    line[got > 0 ? got : 0] = '\0';
    if (read_ready(u, line))
        return EXIT_CODE_OK;
    return say_error("hawser-relay did not start; its message above says why "
                     "(--stun-port takes another port)");
}

static void print_log(const struct up *u)
{
    char path[PATH_MAX], line[LINE_BYTES];
    FILE *f = fopen(broker_path(&u->broker, "mosquitto.log", path), "r");

    while (f && fgets(line, sizeof line, f))
        fprintf(stderr, "    %s", line);
    if (f)
        fclose(f);
}

static int await_mosquitto(struct up *u)
{
    struct timespec pause = clock_timespec(LOOK_MS * MILLISECOND);
    usec until = clock_now() + READY_MS * MILLISECOND;

    while (!stop_asked() && clock_now() < until && !child_has_ended(&u->mosquitto)) {
        if (broker_answers(&u->broker))
            return EXIT_CODE_OK;
        nanosleep(&pause, NULL);
    }
    if (stop_asked())
        return EXIT_CODE_FAILED;
    say_error("mosquitto did not start; this is its log:");
    print_log(u);
    return EXIT_CODE_FAILED;
}

static void say_ready(const struct up *u)
{
    char url[300], config[PATH_MAX];

    broker_url(&u->broker, url, sizeof url);
    broker_path(&u->broker, "config.json", config);
    say("broker  %s\nSTUN    %s\nconfig  %s: copy it to the home directory (~/.hawser) of devices "
        "and apps,\n        or give them --broker %s --stun %s",
        url, u->broker.stun, config, url, u->broker.stun);
    say_json(
        json_pack("{s{ssssss}}", "ready", "broker", url, "stun", u->broker.stun, "config", config));
}

static int supervise(struct up *u)
{
    struct timespec pause = clock_timespec(STOP_POLL_MS * MILLISECOND);

    while (!stop_asked()) {
        if (child_has_ended(&u->mosquitto)) {
            say_error("mosquitto has ended; this is its log:");
            print_log(u);
            return EXIT_CODE_FAILED;
        }
        if (child_has_ended(&u->relay))
            return say_error("hawser-relay has ended");
        nanosleep(&pause, NULL);
    }
    return EXIT_CODE_OK;
}

static int run(struct up *u)
{
    char plugin[PATH_MAX];

    if (take_state(u) || plugin_find(u->broker.plugin, plugin))
        return EXIT_CODE_FAILED;
    u->broker.plugin = plugin;
    if (start_mosquitto(u) || start_relay(u) || await_relay(u) || await_mosquitto(u) ||
        broker_write_client_config(&u->broker))
        return EXIT_CODE_FAILED;
    say_ready(u);
    return supervise(u);
}

static void end(struct up *u)
{
    const int fds[] = { u->lock, u->log, u->relay_out };

    child_end(&u->relay);
    child_end(&u->mosquitto);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static bool is_everywhere(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

int command_up(int argc, char **argv)
{
    struct up u = { .broker = { .state = ".hawser", .address = "127.0.0.1" },
                    .stun_port = 3478,
                    .lock = -1,
                    .log = -1,
                    .relay_out = -1 };
    int64_t port = 1883;
    const struct option_rule rules[] = {
        { "state", 's', OPTION_TEXT, &u.broker.state, 0, 0,
          "DIR  config and logs go here (.hawser)" },
        { "address", 'a', OPTION_TEXT, &u.broker.address, 0, 0, "IP  listen here (127.0.0.1)" },
        { "name", 'n', OPTION_TEXT, &u.broker.name, 0, 0,
          "HOST  how clients reach it (the address)" },
        { "broker-port", 'p', OPTION_NUMBER, &port, 0, 65535, "N  TCP (1883); 0: a free one" },
        { "stun-port", 0, OPTION_NUMBER, &u.stun_port, 0, 65535, "N  UDP (3478); 0: a free one" },
        { "plugin", 0, OPTION_TEXT, &u.broker.plugin, 0, 0,
          "FILE  " PLUGIN_NAME ", or $" PLUGIN_VARIABLE },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "up [OPTIONS]",
        .about = "Starts what devices and apps need to find each other: mosquitto with hawser's\n"
                 "plugin, and hawser-relay. Runs until ^C. With --address 0.0.0.0 (and --name)\n"
                 "other machines can use it.",
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
        .side = OPTIONS_ALONE,
    };
    int first = options_parse(&o, &spec, argc, argv), code;

    if (first < 0)
        return options_exit(first);
    stop_on_signals();
    u.broker.port = (uint16_t)port;
    if (!u.broker.name && is_everywhere(u.broker.address)) {
        say_error("--address %s: --name HOST must tell how clients reach this machine",
                  u.broker.address);
        return EXIT_CODE_USAGE;
    }
    if (!u.broker.name)
        u.broker.name = u.broker.address;
    code = run(&u);
    end(&u);
    return code;
}
