/* lan.c: connecting on a local network, with a broker, without, and with one that goes. Namespaces
 * need root, or a kernel that gives them to users. */
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/lan.h"
#include "sdk/internal.h"
#include "sdk/link.h"
#include "sdk/store.h"
#include "tests/sdk/support/lan_world.h"

/* How the app heard the device. */
static bool is_by_lan(int handle)
{
    struct link *l;
    bool by_lan;

    if (call_enter_link(handle, &l))
        return false;
    by_lan = l->ways.heard.link == l && !l->ways.heard.is_by_broker;
    call_leave_link(l);
    return by_lan;
}

enum way { BY_BROKER, BY_LAN, BY_WHICHEVER_IS_FIRST };

/* Connects, sends a byte there and back, closes. 0, or why not. */
static int meet_by(struct peer *device, int mode, enum way way)
{
    int app, there, code;
    char byte;

    peer_tell(device, "listen 12000");
    app = dial_in_mode(device->id, mode, 10000);
    there = (int)strtol(peer_answer(device), NULL, 10);
    if (app < 0 || there < 0) {
        if (there >= 0)
            (void)peer_ask(device, "disconnect %d", there);
        return app < 0 ? app : there;
    }
    CHECK("by this way", way == BY_WHICHEVER_IS_FIRST || is_by_lan(app) == (way == BY_LAN));
    CHECK("a byte goes", peer_ask(device, "send %d 0 1 1000", there) == 1 &&
                             hawser_recv_data(app, 0, &byte, 1, 5000) == 1);
    code = hawser_send_data(app, 0, "x", 1, 1000) == 1 ? 0 : HAWSER_ERR_LOST;
    (void)hawser_disconnect(app);
    (void)peer_ask(device, "disconnect %d", there);
    return code;
}

static const struct {
    const char *claim;
    enum broker_state state;
    enum way way[3]; /* by lan_mode */
} states[] = {
    { "with a broker", ALIVE, { BY_WHICHEVER_IS_FIRST, BY_BROKER, BY_LAN } },
    { "the broker dead from the start of both", DEAD_FROM_THE_START, { BY_LAN, BY_LAN, BY_LAN } },
    { "a broker that died later", DIES_LATER, { BY_LAN, BY_LAN, BY_LAN } },
    { "the cable to the internet cut", CUT, { BY_LAN, BY_LAN, BY_LAN } },
};

TEST(every_mode_whatever_the_broker_does)
{
    for (size_t i = 0; i < COUNT(states); i++) {
        CHECK(states[i].claim, make_state(states[i].state));
        for (int mode = HAWSER_LAN_AUTO; mode <= HAWSER_LAN_FIRST; mode++) {
            uint64_t before = probes_sent(), sent;

            check_code(states[i].claim, meet_by(&world.device, mode, states[i].way[mode]), 0);
            sent = probes_sent() - before;
            print_message("%s, lan_mode %d: %u probes\n", states[i].claim, mode, (unsigned)sent);
            CHECK("few probes", sent <= 10); /* two each round; a slow machine needs more rounds */
            if (states[i].way[mode] == BY_BROKER)
                CHECK("not even one where the internet works", sent == 0);
        }
        end_state(states[i].state);
    }
}

/* ---- Secrets --------------------------------------------------------------------------------- */

static bool change_secret(uint8_t by, bool has_lan)
{
    struct device_record r;
    bool ok = store_load_device(&r, world.app_home, USER, world.device.id) == ERR_OK;

    r.lan[0] ^= by;
    r.has_lan = has_lan;
    ok = ok && store_save_device(&r, world.app_home, USER) == ERR_OK;
    device_record_deinit(&r);
    return ok;
}

TEST(a_wrong_secret_meets_silence)
{
    CHECK("no broker", make_state(DEAD_FROM_THE_START));
    CHECK("changed", change_secret(1, true));
    check_code("nobody answers", dial_in_mode(world.device.id, HAWSER_LAN_FIRST, 4000), -3);
    CHECK("was looked for, not for ever", probes_sent() > 0 && probes_sent() <= 10);
    CHECK("a broker", make_state(ALIVE));
    check_code("then by the broker", meet_by(&world.device, HAWSER_LAN_FIRST, BY_BROKER), 0);
    CHECK("changed back", change_secret(1, true));
    check_code("found again", meet_by(&world.device, HAWSER_LAN_FIRST, BY_LAN), 0);
}

/* Of a program that had paired before there was a LAN. */
static void check_old_record(void)
{
    uint8_t secret[LAN_SECRET_BYTES];
    struct device_record r;
    bool ok = store_load_device(&r, world.app_home, USER, world.device.id) == ERR_OK;

    memcpy(secret, r.lan, sizeof secret);
    r.has_lan = false;
    CHECK("without it", ok && store_save_device(&r, world.app_home, USER) == ERR_OK);
    check_code("by the broker", meet_by(&world.device, HAWSER_LAN_FIRST, BY_BROKER), 0);
    CHECK("no probe at all", probes_sent() == 0);
    memcpy(r.lan, secret, sizeof secret);
    r.has_lan = true;
    CHECK("with it again", store_save_device(&r, world.app_home, USER) == ERR_OK);
    device_record_deinit(&r);
}

TEST(a_record_without_a_secret_uses_the_broker)
{
    CHECK("anew", make_state(ALIVE));
    check_old_record();
}

/* ---- Who is there ---------------------------------------------------------------------------- */

TEST(offline_is_said_when_both_are_silent)
{
    char id[HAWSER_ID_MAX];

    CHECK("a broker", make_state(ALIVE));
    memcpy(id, world.device.id, sizeof id);
    peer_stop(&world.device);
    for (int mode = HAWSER_LAN_AUTO; mode <= HAWSER_LAN_FIRST; mode++)
        check_code("offline", dial_in_mode(id, mode, 8000), HAWSER_ERR_OFFLINE);
    CHECK("the device is back",
          start_device(&world.device, DEVICE_HOST, world.device_home, BROKER_URL));
    check_code("found", meet_by(&world.device, HAWSER_LAN_AUTO, BY_WHICHEVER_IS_FIRST), 0);
}

TEST(a_device_that_has_no_broker_is_found)
{
    CHECK("a broker", make_state(ALIVE));
    peer_stop(&world.device);
    CHECK("a device that cannot reach it",
          start_device(&world.device, DEVICE_HOST, world.device_home, "mqtt://10.77.0.9:1883"));
    for (int mode = HAWSER_LAN_AUTO; mode <= HAWSER_LAN_FIRST; mode++)
        check_code("though the broker says offline", meet_by(&world.device, mode, BY_LAN), 0);
}

static void meet_both(const char *claim)
{
    CHECK(claim, meet_by(&world.second, HAWSER_LAN_FIRST, BY_LAN) == 0);
    CHECK(claim, meet_by(&world.device, HAWSER_LAN_FIRST, BY_LAN) == 0);
}

TEST(two_devices_of_one_host_and_one_beside_the_app)
{
    CHECK("a broker", make_state(ALIVE));
    CHECK("a second device",
          start_device(&world.second, DEVICE_HOST, world.second_home, BROKER_URL));
    CHECK("paired", pair_with(&world.second));
    broker_kill(&world.broker);
    meet_both("on one host");
    peer_stop(&world.second);
    CHECK("moved to the app's",
          start_device(&world.second, APP_HOST, world.second_home, BROKER_URL));
    meet_both("one on the app's own host");
    peer_stop(&world.second);
}

static int refused(int reason, int mode)
{
    int code;

    (void)peer_ask(&world.device, "accept %d", reason);
    code = dial_in_mode(world.device.id, mode, 5000);
    (void)peer_ask(&world.device, "accept 0");
    return code;
}

TEST(refusals_come_back_by_the_lan)
{
    CHECK("no broker", make_state(DEAD_FROM_THE_START));
    check_code("asked and refused", refused(4, HAWSER_LAN_AUTO), -104);
    (void)peer_ask(&world.device, "privacy 1");
    check_code("privacy", dial_in_mode(world.device.id, HAWSER_LAN_FIRST, 5000), -102);
    (void)peer_ask(&world.device, "privacy 0");
}

static long count_sessions(void)
{
    long sessions = 0;

    while (peer_ask(&world.device, "listen 300") >= 0)
        sessions++;
    return sessions;
}

/* On the loop's thread. */
static void look_at_legs(void *ctx)
{
    bool *have = ctx;

    pthread_mutex_lock(&lib.lock);
    *have = lib.links && lib.links->ways.lan && lib.links->ways.is_broker_begun;
    pthread_mutex_unlock(&lib.lock);
}

/* Both legs of the newest connect have begun. */
static bool have_both_begun(void)
{
    usec until = io_now() + 10 * SECOND;
    bool have = false;

    while (!have && io_now() < until) {
        io_loop_run(lib.loop, look_at_legs, &have);
        (void)sched_yield();
    }
    return have;
}

/* A device that sleeps for longer than the head start finds the same offer on both ways. */
TEST(an_offer_is_answered_once)
{
    int handle[5];

    CHECK("a broker", make_state(ALIVE));
    for (size_t i = 0; i < COUNT(handle); i++) {
        process_freeze(world.device.pid);
        CHECK("begins", dial_begin(world.device.id, 10000, NULL) == 0);
        CHECK("by both ways", have_both_begun());
        process_thaw(world.device.pid);
        handle[i] = dial_result();
        CHECK("connected", handle[i] >= 0);
    }
    CHECK("one session each", count_sessions() == COUNT(handle));
    for (size_t i = 0; i < COUNT(handle); i++)
        (void)hawser_disconnect(handle[i]);
}

/* Without a broker the new candidates travel by the LAN, too. */
TEST(a_session_survives_a_new_address)
{
    char byte;
    int app, there;

    CHECK("no broker", make_state(DEAD_FROM_THE_START));
    peer_tell(&world.device, "listen 12000");
    app = dial_in_mode(world.device.id, HAWSER_LAN_AUTO, 10000);
    there = (int)strtol(peer_answer(&world.device), NULL, 10);
    CHECK("connected", app >= 0 && there >= 0);
    CHECK("moved", shell("ip -6 address flush dev br0\nip address del 10.77.0.2/24 dev br0\n"
                         "ip address add 10.77.0.4/24 dev br0"));
    CHECK("it goes on there", hawser_send_data(app, 0, "x", 1, 1000) == 1);
    CHECK("and is heard", peer_ask(&world.device, "recv %d 0 1 15000", there) == 1);
    CHECK("and back", peer_ask(&world.device, "send %d 0 1 1000", there) == 1 &&
                          hawser_recv_data(app, 0, &byte, 1, 15000) == 1);
    (void)hawser_disconnect(app);
    (void)peer_ask(&world.device, "disconnect %d", there);
    CHECK("moved back", shell("ip address del 10.77.0.4/24 dev br0\n"
                              "ip address add 10.77.0.2/24 dev br0\nip link set br0 down\n"
                              "ip link set br0 up\nip route add default via 10.77.0.1"));
}

/* Two hosts on a cable, with neither a server for addresses nor a router. */
TEST(link_local_addresses_are_enough)
{
    CHECK("no broker", make_state(DEAD_FROM_THE_START));
    CHECK("no IPv4", shell("ip address del 10.77.0.2/24 dev br0") && go_to(DEVICE_HOST) &&
                         shell("ip address del 10.77.0.3/24 dev eth0") && go_to(APP_HOST));
    check_code("found", meet_by(&world.device, HAWSER_LAN_AUTO, BY_LAN), 0);
    CHECK("IPv4 again", shell("ip address add 10.77.0.2/24 dev br0\n"
                              "ip route add default via 10.77.0.1") &&
                            go_to(DEVICE_HOST) &&
                            shell("ip address add 10.77.0.3/24 dev eth0\n"
                                  "ip route add default via 10.77.0.1") &&
                            go_to(APP_HOST));
}

/* ---- What an observer sees ------------------------------------------------------------------- */

static int open_observer(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(LAN_PORT) };
    struct ip_mreq group = { .imr_interface.s_addr = htonl(0x0a4d0002) };
    struct addr a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

    (void)addr_parse_ip(&a, LAN_GROUP_IPV4, 0);
    memcpy(&group.imr_multiaddr, a.ip, 4);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    CHECK("bound", bind(fd, (struct sockaddr *)&sin, sizeof sin) == 0);
    CHECK("joined", setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0);
    return fd;
}

static bool holds(const uint8_t *data, size_t len, const void *what, size_t what_len)
{
    return memmem(data, len, what, what_len) != NULL;
}

TEST(a_probe_names_nobody)
{
    struct device_record r;
    uint8_t data[2048], before[64] = { 0 };
    ssize_t len;
    int seen = 0, fd;

    CHECK("no broker", make_state(DEAD_FROM_THE_START));
    fd = open_observer();
    CHECK("record", store_load_device(&r, world.app_home, USER, world.device.id) == ERR_OK);
    for (int i = 0; i < 3; i++)
        check_code("connects", meet_by(&world.device, HAWSER_LAN_FIRST, BY_LAN), 0);
    while ((len = recv(fd, data, sizeof data, 0)) > 0) {
        size_t n = (size_t)len;

        CHECK("short", n <= 300);
        CHECK("no ID", !holds(data, n, "hw1", 3) && !holds(data, n, world.device.id + 3, 8));
        CHECK("no key", !holds(data, n, r.card.ed25519, 8) && !holds(data, n, r.card.x25519, 8));
        CHECK("no secret",
              !holds(data, n, r.lan, 8) && !holds(data, n, key_public(lib.app->key), 8));
        CHECK("none like the one before", memcmp(data + 8, before + 8, 16) != 0);
        memcpy(before, data, n < sizeof before ? n : sizeof before);
        seen++;
    }
    CHECK("some were seen", seen >= 3);
    device_record_deinit(&r);
    close(fd);
}

TEST(switched_off_it_is_silent)
{
    CHECK("no broker", make_state(DEAD_FROM_THE_START));
    (void)peer_ask(&world.device, "restart lan 0");
    check_code("not found", dial_in_mode(world.device.id, HAWSER_LAN_AUTO, 2000), -3);
    CHECK("was looked for", probes_sent() > 0);
    (void)peer_ask(&world.device, "restart lan 1");
    check_code("found", meet_by(&world.device, HAWSER_LAN_AUTO, BY_LAN), 0);
    (void)hawser_deinit();
    CHECK("the app's", hawser_set_option("lan", "0") == 0 && start_app());
    check_code("does not look", dial_in_mode(world.device.id, HAWSER_LAN_AUTO, 1000), -3);
    CHECK("no probe", probes_sent() == 0);
    (void)hawser_deinit();
    CHECK("back", hawser_set_option("lan", NULL) == 0);
}

/* ---- The world ------------------------------------------------------------------------------- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ROW(every_mode_whatever_the_broker_does),
        TEST_ROW(a_wrong_secret_meets_silence),
        TEST_ROW(a_record_without_a_secret_uses_the_broker),
        TEST_ROW(offline_is_said_when_both_are_silent),
        TEST_ROW(a_device_that_has_no_broker_is_found),
        TEST_ROW(two_devices_of_one_host_and_one_beside_the_app),
        TEST_ROW(refusals_come_back_by_the_lan),
        TEST_ROW(an_offer_is_answered_once),
        TEST_ROW(a_session_survives_a_new_address),
        TEST_ROW(link_local_addresses_are_enough),
        TEST_ROW(a_probe_names_nobody),
        TEST_ROW(switched_off_it_is_silent),
    };

    if (geteuid() != 0 && unshare(CLONE_NEWUSER)) {
        (void)fprintf(stderr, "SKIP: network namespaces need root here\n");
        return 77;
    }
    if (!lan_world_make()) {
        (void)fprintf(stderr, "SKIP: network namespaces cannot be made here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, lan_world_open, lan_world_close);
}
