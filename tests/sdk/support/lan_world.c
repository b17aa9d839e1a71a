#include "tests/sdk/support/lan_world.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/lan.h"
#include "sdk/identity.h"
#include "sdk/internal.h"

struct lan_world world;

/* ---- The networks ---------------------------------------------------------------------------- */

bool go_to(int host)
{
    return setns(world.host[host], CLONE_NEWNET) == 0;
}

/* Runs lines of shell where this process is. */
bool shell(const char *lines)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-ec", lines, (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

static bool make_host(int host)
{
    if (unshare(CLONE_NEWNET))
        return false;
    world.host[host] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return world.host[host] >= 0 && shell("ip link set lo up");
}

/* A cable from the switch on the app's host to eth0 of another. */
static bool plug(const char *port, int host, const char *address)
{
    char lines[512];

    (void)snprintf(lines, sizeof lines,
                   "ip link add %s type veth peer name eth0 netns /proc/%d/fd/%d\n"
                   "ip link set %s addrgenmode none\nip link set %s master br0 up",
                   port, (int)getpid(), world.host[host], port, port);
    if (!shell(lines) || !go_to(host))
        return false;
    (void)snprintf(lines, sizeof lines,
                   "sysctl -qw net.ipv6.conf.eth0.accept_dad=0\n"
                   "ip address add %s/24 dev eth0; ip link set eth0 up\n"
                   "ip route add default via 10.77.0.1 || true",
                   address);
    return shell(lines) && go_to(APP_HOST);
}

bool lan_world_make(void)
{
    return make_host(DEVICE_HOST) && make_host(INTERNET) && make_host(APP_HOST) &&
           shell("ip link add br0 type bridge\nsysctl -qw net.ipv6.conf.br0.accept_dad=0\n"
                 "ip address add 10.77.0.2/24 dev br0\nip link set br0 up\n"
                 "ip route add default via 10.77.0.1") &&
           plug("device0", DEVICE_HOST, "10.77.0.3") && plug("internet0", INTERNET, "10.77.0.1");
}

static bool start_broker(void)
{
    bool ok = go_to(INTERNET) && broker_start(&world.broker);

    return go_to(APP_HOST) && ok;
}

bool start_device(struct peer *p, int host, const char *home, const char *broker)
{
    bool ok = go_to(host) && peer_start(p, home, broker);

    return go_to(APP_HOST) && ok;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

bool start_app(void)
{
    (void)hawser_deinit();
    return !hawser_set_option("home", world.app_home) && !hawser_set_option("broker", BROKER_URL) &&
           !hawser_set_option("stun", "stun.nowhere.example:3478") &&
           !hawser_set_option("flush_ms", "100") && hawser_init(USER) == HAWSER_ERR_OK;
}

uint64_t probes_sent(void)
{
    return lib.lan ? lan_counts(lib.lan).probes_sent : 0; /* nobody sends at the moment */
}

static bool wait_app_online(void)
{
    usec until = io_now() + 10 * SECOND;
    bool is_online = false;

    while (!is_online && io_now() < until) {
        pthread_mutex_lock(&lib.lock);
        is_online = lib.app->is_online;
        pthread_mutex_unlock(&lib.lock);
        (void)sched_yield();
    }
    return is_online;
}

/* Both sides are started anew where the state is about the start. */
bool make_state(enum broker_state state)
{
    bool ok = true;

    peer_stop(&world.device); /* while there is a broker to say goodbye to */
    (void)hawser_deinit();
    broker_kill(&world.broker);
    if (state != DEAD_FROM_THE_START)
        ok = start_broker();
    ok = ok && start_device(&world.device, DEVICE_HOST, world.device_home, BROKER_URL) &&
         start_app();
    if (state != DEAD_FROM_THE_START)
        ok = ok && wait_app_online() && peer_ask(&world.device, "online 10000") == 1;
    if (state == DIES_LATER)
        broker_kill(&world.broker);
    if (state == CUT)
        ok = ok && shell("ip link set internet0 down");
    return ok;
}

void end_state(enum broker_state state)
{
    if (state == CUT)
        (void)shell("ip link set internet0 up");
}

bool pair_with(struct peer *p)
{
    char id[HAWSER_ID_MAX];

    return peer_ask(p, "online 10000") == 1 &&
           hawser_pair(peer_invite(p), 10000, id) == HAWSER_ERR_OK && strcmp(id, p->id) == 0;
}

static void write_log(void *ctx, enum hawser_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "%lld app: %s\n", (long long)(io_now() / MILLISECOND % 1000000), line);
}

int lan_world_open(void **state)
{
    (void)state;
    if (getenv("VERBOSE"))
        hawser_set_log(HAWSER_LOG_DEBUG, write_log, NULL);
    (void)setenv("ANYWHERE", "1", 1);
    if (!directory_make(world.directory) ||
        !broker_init(&world.broker,
                     "allow_anonymous true\nset_tcp_nodelay true\n"
                     "listener 1883 10.77.0.1\n",
                     false))
        return -1;
    (void)snprintf(world.app_home, sizeof world.app_home, "%s/app", world.directory);
    (void)snprintf(world.device_home, sizeof world.device_home, "%s/device", world.directory);
    (void)snprintf(world.second_home, sizeof world.second_home, "%s/second", world.directory);
    if (!start_broker() ||
        !start_device(&world.device, DEVICE_HOST, world.device_home, BROKER_URL) || !start_app())
        return -1;
    return pair_with(&world.device) ? 0 : -1;
}

int lan_world_close(void **state)
{
    (void)state;
    (void)hawser_deinit();
    peer_stop(&world.device);
    broker_deinit(&world.broker);
    directory_remove(world.directory);
    return 0;
}
