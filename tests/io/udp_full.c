/* A socket that is full: loopback in a namespace of its own, slowed down so that the kernel's send
 * buffer fills. Where namespaces or tc are not to be had, the test says so and is skipped. */
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/udp.h"
#include "tests/check.h"
#include "tests/io/gate.h"

#define RUNS    200
#define SEGMENT 1000
#define RUN_LEN 60

struct flow {
    struct gate gate;
    struct io_loop *loop;
    struct udp *from, *to;
    uint8_t buf[OUT_BYTES_MAX];
    struct out run;
    uint32_t sent, received, out_of_order; /* datagrams */
    size_t refused_before;                 /* times udp_can_send() said no */
    bool is_polite;                        /* asks udp_can_send() first */
    struct udp_counters counted;           /* of the sending socket, by count() */
    bool has_drained;                      /* what the full socket kept has gone */
};

/* As root directly, otherwise as the root of a user namespace, so that tc keeps its powers. */
static bool enter_namespace(void)
{
    unsigned uid = getuid();
    FILE *map;
    bool is_written;

    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return false;
    map = fopen("/proc/self/uid_map", "w");
    is_written = map && fprintf(map, "0 %u 1\n", uid) > 0;
    return map && fclose(map) == 0 && is_written;
}

static bool bring_loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_up = !ioctl(fd, SIOCGIFFLAGS, &request);

    request.ifr_flags |= IFF_UP;
    is_up = is_up && !ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return is_up;
}

static bool slow_loopback_down(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execlp("tc", "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "100mbit", "burst",
               "64kb", "latency", "60s", (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

static void send_more(struct flow *f)
{
    while (f->sent < RUNS * RUN_LEN) {
        if (f->is_polite && !udp_can_send(f->from)) {
            f->refused_before++;
            return;
        }
        f->run.len = f->run.count = f->run.segment = 0;
        for (size_t i = 0; i < RUN_LEN; i++, f->sent++) {
            uint8_t packet[SEGMENT] = { 0 };

            memcpy(packet, &f->sent, sizeof f->sent);
            CHECK("a run takes it", out_add_bytes(&f->run, bytes_of(packet, sizeof packet)));
        }
        udp_send(f->from, &f->run);
    }
}

static void on_datagram(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                        uint8_t *data, size_t len)
{
    struct flow *f = ctx;
    uint32_t number;

    (void)u;
    (void)local;
    (void)from;
    memcpy(&number, data, sizeof number);
    gate_lock(&f->gate);
    f->out_of_order += number != f->received || len != SEGMENT;
    f->received++;
    gate_unlock(&f->gate);
}

static void on_drained(void *ctx, struct udp *u)
{
    struct flow *f = ctx;

    if (u != f->from)
        return;
    send_more(f);
    gate_lock(&f->gate);
    f->has_drained = udp_can_send(f->from);
    gate_unlock(&f->gate);
}

static void start(void *ctx)
{
    struct flow *f = ctx;
    struct udp_handler h = { .datagram = on_datagram, .drained = on_drained, .ctx = f };
    struct addr bind = addr_ipv4(0x7f000001, 0);

    CHECK("opens",
          !udp_open(&f->from, f->loop, &bind, &h) && !udp_open(&f->to, f->loop, &bind, &h));
    out_init(&f->run, f->buf, sizeof f->buf);
    f->run.to = *udp_local(f->to);
    send_more(f);
}

static void end(void *ctx)
{
    struct flow *f = ctx;

    udp_close(f->from);
    udp_close(f->to);
}

static void count(void *ctx)
{
    struct flow *f = ctx;

    f->counted = *udp_counters(f->from);
}

static void run_flow(struct flow *f)
{
    CHECK("the loop starts", io_loop_new(&f->loop) == ERR_OK);
    io_loop_run(f->loop, start, f);
}

TEST(what_waits_its_turn_arrives_whole_and_in_order)
{
    static struct flow f = { .gate = GATE_INIT, .is_polite = true };

    run_flow(&f);
    CHECK("everything arrives", GATE_WAIT(&f.gate, f.received == RUNS * RUN_LEN));
    CHECK("in order", f.out_of_order == 0);
    CHECK("the socket was full at times: else this proves nothing", f.refused_before > 0);
    CHECK("nothing was lost here",
          udp_counters(f.from)->unsent == 0 && udp_counters(f.from)->sent == RUNS * RUN_LEN);
    io_loop_run(f.loop, end, &f);
    io_loop_free(f.loop);
}

TEST(what_does_not_wait_is_lost_and_counted)
{
    static struct flow f = { .gate = GATE_INIT };

    run_flow(&f);
    CHECK("the socket takes datagrams again", GATE_WAIT(&f.gate, f.has_drained));
    io_loop_run(f.loop, count, &f);
    CHECK("some was lost", f.counted.unsent > 0);
    CHECK("each was sent or is counted", f.counted.sent + f.counted.unsent == f.sent);
    io_loop_run(f.loop, end, &f);
    io_loop_free(f.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ROW(what_waits_its_turn_arrives_whole_and_in_order),
        TEST_ROW(what_does_not_wait_is_lost_and_counted),
    };

    if (!enter_namespace() || !bring_loopback_up() || !slow_loopback_down()) {
        puts("skipped: needs network namespaces and tc");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
