/* Finding and talking over the local network, on the loopback interface. */
#include "io/lan.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/lan/finder.h"
#include "io/sockaddr.h"
#include "tests/check.h"
#include "tests/io/gate.h"

#define DEVICES 2

/* Devices and apps, each side with a hub of its own, as in two processes. */
static struct {
    struct gate gate;
    struct io_loop *loop;
    struct lan *device_lan, *app_lan;
    struct lan_service *service[DEVICES];
    struct signaling *app;
    int err;
    struct lan_counts device_counts, app_counts;
    uint16_t port;

    unsigned to_device[DEVICES], to_app, sent[3], ups, downs; /* under the gate */
    bool is_mute, wants_hold;
    char last[64];
} all = { .gate = GATE_INIT };

static const uint8_t secrets[DEVICES + 1][LAN_SECRET_BYTES] = { { 1 }, { 2 }, { 3 } };

static void keep_text(struct bytes message)
{
    size_t len = message.len < sizeof all.last - 1 ? message.len : sizeof all.last - 1;

    memcpy(all.last, message.data, len);
    all.last[len] = '\0';
}

static void on_device_message(void *ctx, uint64_t guest, struct bytes message)
{
    size_t which = *(const size_t *)ctx;
    bool is_mute, wants_hold;

    gate_lock(&all.gate);
    all.to_device[which]++;
    keep_text(message);
    is_mute = all.is_mute;
    wants_hold = all.wants_hold;
    gate_unlock(&all.gate);
    if (wants_hold)
        lan_hold(all.device_lan, guest);
    if (!is_mute)
        CHECK("answers", lan_reply(all.device_lan, guest, bytes_of_string("answer")) == ERR_OK);
}

static void on_app_message(void *ctx, struct bytes message)
{
    (void)ctx;
    gate_lock(&all.gate);
    all.to_app++;
    keep_text(message);
    gate_unlock(&all.gate);
}

static void on_sent(void *ctx, uint64_t request, enum signaling_result result)
{
    (void)ctx;
    (void)request;
    gate_lock(&all.gate);
    all.sent[result]++;
    gate_unlock(&all.gate);
}

static void on_state(void *ctx, enum signaling_state state, const char *detail)
{
    (void)ctx;
    (void)detail;
    gate_lock(&all.gate);
    all.ups += state == SIGNALING_ONLINE;
    all.downs += state == SIGNALING_DOWN;
    gate_unlock(&all.gate);
}

static const struct signaling_handler app_handler = { .on_message = on_app_message,
                                                      .on_sent = on_sent,
                                                      .on_state = on_state };

static void open_on_loop(void *ctx)
{
    static const size_t numbers[DEVICES] = { 0, 1 };
    const struct lan_config cfg = { .with_loopback = true,
                                    .bind_count = 1,
                                    .bind = { addr_ipv4(0x7f000001, 0) } };

    (void)ctx;
    all.err = lan_new(&all.device_lan, all.loop, &cfg);
    if (!all.err)
        all.err = lan_new(&all.app_lan, all.loop, &cfg);
    for (size_t i = 0; i < DEVICES && !all.err; i++) {
        const struct lan_service_handler h = { .on_message = on_device_message,
                                               .ctx = (void *)(uintptr_t)&numbers[i] };

        all.err = lan_serve(&all.service[i], all.device_lan, secrets[i], &h);
    }
    if (!all.err)
        all.port = lan_listener_port(all.device_lan, ADDR_IPV4);
}

static void close_on_loop(void *ctx)
{
    (void)ctx;
    signaling_close(all.app);
    for (size_t i = 0; i < DEVICES; i++)
        lan_unserve(all.service[i]);
    lan_free(all.app_lan);
    lan_free(all.device_lan);
    all.app = NULL;
}

static int set_up(void **state)
{
    (void)state;
    memset(all.to_device, 0, sizeof all.to_device);
    memset(all.sent, 0, sizeof all.sent);
    all.to_app = all.ups = all.downs = 0;
    all.is_mute = all.wants_hold = false;
    all.app = NULL;
    if (io_loop_new(&all.loop))
        return -1;
    io_loop_run(all.loop, open_on_loop, NULL);
    return all.err;
}

static int tear_down(void **state)
{
    (void)state;
    io_loop_run(all.loop, close_on_loop, NULL);
    io_loop_free(all.loop);
    return 0;
}

struct order {
    const uint8_t *secret;
    usec timeout_us;
    const char *text;
};

static void send_on_loop(void *ctx)
{
    const struct order *o = ctx;

    all.err = ERR_OK;
    if (!all.app)
        all.err = lan_open(&all.app, all.app_lan, o->secret, o->timeout_us, &app_handler);
    if (!all.err)
        all.err = signaling_send(all.app, "", bytes_of_string(o->text), 7);
}

static void count_on_loop(void *ctx)
{
    (void)ctx;
    all.device_counts = lan_counts(all.device_lan);
    all.app_counts = lan_counts(all.app_lan);
}

static int send_to(const uint8_t *secret, usec timeout_us, const char *text)
{
    struct order o = { secret, timeout_us, text };

    io_loop_run(all.loop, send_on_loop, &o);
    return all.err;
}

TEST(a_message_reaches_the_device_of_the_secret)
{
    CHECK("sends", send_to(secrets[1], 0, "offer") == ERR_OK);
    CHECK("there", GATE_WAIT(&all.gate, all.to_device[1] == 1));
    CHECK("and back", GATE_WAIT(&all.gate, all.to_app == 1 && !strcmp(all.last, "answer")));
    CHECK("told", GATE_WAIT(&all.gate, all.sent[SIGNALING_DELIVERED] == 1 && all.ups == 1));
    CHECK("more by the same connection", send_to(NULL, 0, "candidates") == ERR_OK);
    CHECK("there", GATE_WAIT(&all.gate, all.to_device[1] == 2));
    CHECK("not to the other device", all.to_device[0] == 0);
    io_loop_run(all.loop, count_on_loop, NULL);
    CHECK("one probe was enough", all.app_counts.probes_sent == 1);
    CHECK("two secrets, a reply and a hello", all.device_counts.macs <= 4);
}

TEST(nobody_answers_a_wrong_secret)
{
    CHECK("sends", send_to(secrets[DEVICES], 350 * MILLISECOND, "offer") == ERR_OK);
    CHECK("fails", GATE_WAIT(&all.gate, all.sent[SIGNALING_FAILED] == 1));
    io_loop_run(all.loop, count_on_loop, NULL);
    CHECK("was looked for", all.app_counts.probes_sent >= 1 && all.app_counts.probes_sent <= 3);
    CHECK("in vain", all.ups == 0 && all.to_device[0] + all.to_device[1] == 0);
    CHECK("the devices have looked",
          all.device_counts.macs == DEVICES * all.app_counts.probes_sent);
}

static void unserve_on_loop(void *ctx)
{
    (void)ctx;
    lan_unserve(all.service[0]);
    all.service[0] = NULL;
}

TEST(a_device_that_goes_is_noticed)
{
    CHECK("sends", send_to(secrets[0], 300 * MILLISECOND, "offer") == ERR_OK);
    CHECK("there", GATE_WAIT(&all.gate, all.to_app == 1 && all.ups == 1));
    io_loop_run(all.loop, unserve_on_loop, NULL);
    CHECK("down", GATE_WAIT(&all.gate, all.downs == 1));
    CHECK("another is looked for", send_to(NULL, 0, "again") == ERR_OK);
    CHECK("and not found", GATE_WAIT(&all.gate, all.sent[SIGNALING_FAILED] == 1));
}

TEST(closing_while_looking_and_while_connected)
{
    CHECK("looks", send_to(secrets[DEVICES], 0, "offer") == ERR_OK);
    io_loop_run(all.loop, close_on_loop, NULL);
    memset(all.service, 0, sizeof all.service);
    io_loop_run(all.loop, open_on_loop, NULL);
    CHECK("connects", send_to(secrets[0], 0, "offer") == ERR_OK);
    CHECK("there", GATE_WAIT(&all.gate, all.to_device[0] == 1));
}

TEST(limits_of_one_sender)
{
    static char long_text[SIGNALING_MESSAGE_MAX + 2];
    unsigned taken = 0;

    memset(long_text, 'x', sizeof long_text - 1);
    CHECK("too long", send_to(secrets[DEVICES], 0, long_text) == ERR_INVALID);
    CHECK("empty", send_to(secrets[DEVICES], 0, "") == ERR_INVALID);
    long_text[SIGNALING_MESSAGE_MAX] = '\0';
    while (taken < 100 && send_to(secrets[DEVICES], 0, "x") == ERR_OK)
        taken++;
    CHECK("so many wait", taken == LAN_SENDS_MAX && all.err == ERR_LIMIT);
}

TEST(the_longest_message)
{
    static char long_text[SIGNALING_MESSAGE_MAX + 1];

    memset(long_text, 'x', sizeof long_text - 1);
    CHECK("sends", send_to(secrets[0], 0, long_text) == ERR_OK);
    CHECK("there", GATE_WAIT(&all.gate, all.to_device[0] == 1 && all.to_app == 1));
}

/* ---- Strangers ------------------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_port = htons(all.port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK("connects", connect(fd, (struct sockaddr *)&sin, sizeof sin) == 0);
    return fd;
}

/* Whether the other side has closed. */
static bool is_closed(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char byte;

    return poll(&p, 1, GATE_PATIENCE_S * 1000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

TEST(a_stranger_is_closed)
{
    uint8_t nonsense[LAN_MESSAGE_BYTES] = { 'h', 'w', 'L', 1, LAN_HELLO };
    int silent = dial(), rude = dial();

    CHECK("writes", send(rude, nonsense, sizeof nonsense, MSG_NOSIGNAL) == sizeof nonsense);
    CHECK("no hello of ours", is_closed(rude));
    CHECK("says nothing for too long", is_closed(silent));
    io_loop_run(all.loop, count_on_loop, NULL);
    CHECK("counted", all.device_counts.guests_refused == 1);
    CHECK("at no cost", all.device_counts.macs == 0);
    close(rude);
    close(silent);
}

TEST(one_source_has_few_places)
{
    int fd[LAN_GUESTS_OF_ONE_MAX + 1];

    for (size_t i = 0; i < COUNT(fd); i++)
        fd[i] = dial();
    CHECK("the last is closed at once", is_closed(fd[LAN_GUESTS_OF_ONE_MAX]));
    for (size_t i = 0; i < COUNT(fd); i++)
        close(fd[i]);
    CHECK("then there is room again", send_to(secrets[0], 0, "offer") == ERR_OK);
    CHECK("there", GATE_WAIT(&all.gate, all.to_device[0] == 1));
}

/* A datagram to the group, and whether anything comes back. */
static ssize_t probe(const uint8_t *data, size_t len, uint8_t *reply, size_t reply_len)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(LAN_PORT) };
    struct in_addr lo = { htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct addr group;
    ssize_t got = 0;

    (void)addr_parse_ip(&group, LAN_GROUP_IPV4, 0);
    memcpy(&sin.sin_addr, group.ip, 4);
    (void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo);
    CHECK("goes", sendto(fd, data, len, 0, (struct sockaddr *)&sin, sizeof sin) == (ssize_t)len);
    io_loop_run(all.loop, count_on_loop, NULL); /* the loop has been round once more … */
    io_loop_run(all.loop, count_on_loop, NULL); /* … and has read it */
    if (poll(&p, 1, 50) == 1)
        got = recv(fd, reply, reply_len, 0);
    close(fd);
    return got;
}

TEST(what_a_reply_is)
{
    uint8_t out[LAN_MESSAGE_BYTES], reply[512];
    struct rng rng = io_rng();
    struct lan_finder f = { .round_count = 0 };
    struct lan_message m;
    ssize_t len;

    lan_finder_start(&f, 0, &rng, secrets[0]);
    CHECK("a probe", lan_finder_probe(&f, out) == ERR_OK);
    len = probe(out, sizeof out, reply, sizeof reply);
    CHECK("replied to, and no longer", len == sizeof out);
    CHECK("genuine", lan_finder_input(&f, bytes_of(reply, sizeof out), &m) == VERDICT_TAKEN);
    CHECK("it names the listener", m.port == all.port);
    CHECK("a second time there is silence", probe(out, sizeof out, reply, sizeof reply) == 0);
    CHECK("a new one", lan_finder_probe(&f, out) == ERR_OK);
    out[LAN_MESSAGE_BYTES - 1] ^= 1;
    CHECK("forged", probe(out, sizeof out, reply, sizeof reply) == 0);
    CHECK("cut", probe(out, sizeof out - 1, reply, sizeof reply) == 0);
    CHECK("oversized", probe(reply, sizeof reply, out, sizeof out) == 0);
}

TEST(a_flood_costs_little)
{
    uint8_t out[LAN_MESSAGE_BYTES], reply[LAN_MESSAGE_BYTES];
    struct rng rng = io_rng();
    struct lan_finder f = { .round_count = 0 };
    struct addr group;
    struct sockaddr_storage ss;
    struct in_addr lo = { htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo);
    (void)addr_parse_ip(&group, LAN_GROUP_IPV4, LAN_PORT);
    lan_finder_start(&f, 0, &rng, secrets[DEVICES]);
    CHECK("a probe", lan_finder_probe(&f, out) == ERR_OK);
    for (int i = 0; i < 5000; i++)
        (void)sendto(fd, out, sizeof out, 0, (struct sockaddr *)&ss, sockaddr_encode(&ss, &group));
    close(fd);
    io_loop_run(all.loop, count_on_loop, NULL);
    (void)probe(out, sizeof out, reply, sizeof reply);
    io_loop_run(all.loop, count_on_loop, NULL);
    CHECK("the flood was seen", all.device_counts.macs >= 40 * DEVICES);
    CHECK("and looked at for a moment", all.device_counts.macs < 200 * DEVICES);
}

/* A guest that says hello and then too much. */
static int become_guest(struct lan_finder *f)
{
    uint8_t out[LAN_MESSAGE_BYTES], reply[LAN_MESSAGE_BYTES];
    struct rng rng = io_rng();
    struct lan_message m;
    int fd = dial();

    lan_finder_start(f, 0, &rng, secrets[0]);
    CHECK("a probe", lan_finder_probe(f, out) == ERR_OK);
    CHECK("a reply", probe(out, sizeof out, reply, sizeof reply) == sizeof reply);
    CHECK("genuine", lan_finder_input(f, bytes_of(reply, sizeof reply), &m) == VERDICT_TAKEN);
    CHECK("a hello", lan_finder_hello(f, &rng, &m, out) == ERR_OK);
    CHECK("said", send(fd, out, sizeof out, MSG_NOSIGNAL) == sizeof out);
    return fd;
}

static void be_mute(bool wants_hold)
{
    gate_lock(&all.gate);
    all.is_mute = true;
    all.wants_hold = wants_hold;
    gate_unlock(&all.gate);
}

TEST(a_guest_nobody_wants_may_say_little)
{
    struct lan_finder f = { .round_count = 0 };
    static const char message[] = "\0\4junk";
    int fd = become_guest(&f);

    be_mute(false);
    for (int i = 0; i < LAN_GUEST_MESSAGES_MAX + 1; i++)
        (void)send(fd, message, 6, MSG_NOSIGNAL);
    CHECK("is closed", is_closed(fd));
    CHECK("having said this much",
          GATE_WAIT(&all.gate, all.to_device[0] == LAN_GUEST_MESSAGES_MAX));
    close(fd);
}

TEST(one_that_is_held_may_say_more)
{
    struct lan_finder f = { .round_count = 0 };
    static const char message[] = "\0\4junk";
    int fd = become_guest(&f);

    be_mute(true);
    for (int i = 0; i < 4 * LAN_GUEST_MESSAGES_MAX; i++)
        CHECK("says", send(fd, message, 6, MSG_NOSIGNAL) == 6);
    CHECK("all of it", GATE_WAIT(&all.gate, all.to_device[0] == 4 * LAN_GUEST_MESSAGES_MAX));
    CHECK("a length of nothing", send(fd, "\0\0", 2, MSG_NOSIGNAL) == 2);
    CHECK("is nonsense", is_closed(fd));
    close(fd);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS(ROW(a_message_reaches_the_device_of_the_secret), ROW(nobody_answers_a_wrong_secret),
      ROW(a_device_that_goes_is_noticed), ROW(closing_while_looking_and_while_connected),
      ROW(limits_of_one_sender), ROW(the_longest_message), ROW(a_stranger_is_closed),
      ROW(one_source_has_few_places), ROW(what_a_reply_is), ROW(a_flood_costs_little),
      ROW(a_guest_nobody_wants_may_say_little), ROW(one_that_is_held_may_say_more))
