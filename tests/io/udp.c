#include "io/udp.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/check.h"
#include "tests/io/gate.h"

/* Two sockets; b echoes everything in runs, a counts and compares. */
struct pair {
    struct gate gate;
    struct io_loop *loop;
    struct udp *a, *b;
    const char *bind_a, *bind_b; /* without port */
    int err;
    uint8_t buf[OUT_BYTES_MAX], echo_buf[OUT_BYTES_MAX];
    struct out run, echo;
    struct addr local_at_b;
    size_t received, wrong, wrong_from, echo_drains;
};

#define SEGMENT 1200
#define LAST    77
#define RUN     40

static void fill(uint8_t *at, size_t len, size_t number)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(number + i * 7);
}

static void on_echo_request(void *ctx, struct udp *u, const struct addr *local,
                            const struct addr *from, uint8_t *data, size_t len)
{
    struct pair *p = ctx;

    p->local_at_b = *local;
    data[0] ^= 0xff; /* the bytes are ours to change */
    if (len > out_room(&p->echo)) {
        udp_send(u, &p->echo);
        out_reset(&p->echo);
    }
    p->echo.from = *local;
    p->echo.to = *from;
    CHECK("room for it", out_add_bytes(&p->echo, bytes_of(data, len)));
}

static void on_echo_drained(void *ctx, struct udp *u)
{
    struct pair *p = ctx;

    p->echo_drains++;
    if (p->echo.count)
        udp_send(u, &p->echo);
    out_reset(&p->echo);
}

static void on_echo(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                    uint8_t *data, size_t len)
{
    struct pair *p = ctx;
    uint8_t expected[SEGMENT];
    size_t number = p->received;

    (void)u;
    (void)local;
    gate_lock(&p->gate);
    fill(expected, sizeof expected, number);
    expected[0] ^= 0xff;
    p->wrong += !bytes_equal(bytes_of(data, len),
                             bytes_of(expected, number % RUN == RUN - 1 ? LAST : SEGMENT));
    p->wrong_from += !addr_equal(from, &p->run.to);
    p->received++;
    gate_unlock(&p->gate);
}

static void on_drained(void *ctx, struct udp *u)
{
    (void)ctx;
    (void)u;
}

static void open_pair(void *ctx)
{
    struct pair *p = ctx;
    struct udp_handler at_a = { .datagram = on_echo, .drained = on_drained, .ctx = p };
    struct udp_handler at_b = { .datagram = on_echo_request, .drained = on_echo_drained, .ctx = p };
    struct addr bind_a, bind_b;

    CHECK("an address", addr_parse_ip(&bind_a, p->bind_a, 0));
    CHECK("an address", addr_parse_ip(&bind_b, p->bind_b, 0));
    p->err = udp_open(&p->a, p->loop, &bind_a, &at_a);
    if (!p->err)
        p->err = udp_open(&p->b, p->loop, &bind_b, &at_b);
    out_init(&p->run, p->buf, sizeof p->buf);
    out_init(&p->echo, p->echo_buf, sizeof p->echo_buf);
}

static void close_pair(void *ctx)
{
    struct pair *p = ctx;

    udp_close(p->a);
    udp_close(p->b);
}

static void send_run(void *ctx)
{
    struct pair *p = ctx;

    for (size_t i = 0; i < RUN; i++) {
        uint8_t packet[SEGMENT];
        size_t len = i == RUN - 1 ? LAST : SEGMENT;

        fill(packet, len, i + p->received);
        CHECK("a run takes it", out_add_bytes(&p->run, bytes_of(packet, len)));
    }
    udp_send(p->a, &p->run);
    p->run.len = p->run.count = p->run.segment = 0;
}

static struct pair *start_pair(const char *bind_a, const char *bind_b)
{
    struct pair *p = calloc(1, sizeof *p);

    *p = (struct pair){ .gate = GATE_INIT, .bind_a = bind_a, .bind_b = bind_b };
    CHECK("the loop starts", io_loop_new(&p->loop) == ERR_OK);
    io_loop_run(p->loop, open_pair, p);
    return p;
}

static void end_pair(struct pair *p)
{
    io_loop_run(p->loop, close_pair, p);
    io_loop_free(p->loop);
    free(p);
}

static const struct {
    const char *claim, *bind_a, *bind_b, *to; /* to: bind_b unless that is any address */
    bool is_plain_a, is_plain_b;              /* without UDP_SEGMENT and UDP_GRO */
} families[] = {
    { "IPv4", "127.0.0.1", "127.0.0.1", "127.0.0.1", false, false },
    { "IPv4, datagrams one by one", "127.0.0.1", "127.0.0.1", "127.0.0.1", true, true },
    { "IPv4, runs to one who takes them one by one", "127.0.0.1", "127.0.0.1", "127.0.0.1", false,
      true },
    { "IPv6", "::1", "::1", "::1", false, false },
    { "IPv4, any address, answers from where it was asked", "127.0.0.1", "0.0.0.0", "127.0.0.2",
      false, false },
    { "the same one by one", "127.0.0.1", "0.0.0.0", "127.0.0.2", true, true },
    { "IPv6, any address", "::1", "::", "::1", false, false },
};

static void make_plain(void *ctx)
{
    udp_set_offload(ctx, false);
}

TEST(runs_round_trip)
{
    for (size_t i = 0; i < COUNT(families); i++) {
        struct pair *p = start_pair(families[i].bind_a, families[i].bind_b);

        if (p->err) {
            CHECK("only a host without IPv6 may refuse", families[i].bind_a[0] == ':');
            end_pair(p);
            continue;
        }
        CHECK("an address", addr_parse_ip(&p->run.to, families[i].to, udp_local(p->b)->port));
        if (families[i].is_plain_a)
            io_loop_run(p->loop, make_plain, p->a);
        if (families[i].is_plain_b)
            io_loop_run(p->loop, make_plain, p->b);
        for (size_t round = 1; round <= 50; round++) {
            io_loop_run(p->loop, send_run, p);
            CHECK(families[i].claim, GATE_WAIT(&p->gate, p->received == round * RUN));
        }
        CHECK("every byte as sent", p->wrong == 0);
        CHECK("answers come from the address asked", p->wrong_from == 0);
        CHECK("told where it arrived", addr_equal(&p->local_at_b, &p->run.to));
        CHECK("drained once per batch, not per datagram", p->echo_drains < p->received);
        CHECK("counted",
              udp_counters(p->a)->sent == 50 * RUN && udp_counters(p->a)->received == 50 * RUN &&
                  udp_counters(p->a)->sent_bytes == 50 * ((RUN - 1) * (uint64_t)SEGMENT + LAST));
        end_pair(p);
    }
}

/* ---- errors ---- */

static void send_too_long(void *ctx)
{
    struct pair *p = ctx;
    static uint8_t packet[SEGMENT];

    /* Loopback's MTU is 65536: only more than a UDP payload can hold is too long there. */
    p->run.buf = calloc(1, 70000);
    p->run.segment = p->run.len = 66000;
    p->run.count = 1;
    udp_send(p->a, &p->run);
    free(p->run.buf);
    out_init(&p->run, p->buf, sizeof p->buf);
    p->run.to = *udp_local(p->b);
    CHECK("small one", out_add_bytes(&p->run, bytes_of(packet, 10)));
    udp_send(p->a, &p->run);
}

TEST(what_cannot_be_sent_is_counted_and_disturbs_nothing)
{
    struct pair *p = start_pair("127.0.0.1", "127.0.0.1");

    p->run.to = *udp_local(p->b);
    io_loop_run(p->loop, send_too_long, p);
    CHECK("the next one arrives", GATE_WAIT(&p->gate, p->received == 1));
    CHECK("counted", udp_counters(p->a)->too_long == 1 && udp_counters(p->a)->sent == 1);
    end_pair(p);
}

static void send_to_nobody(void *ctx)
{
    struct pair *p = ctx;
    static uint8_t packet[10];
    struct addr nowhere = *udp_local(p->b);

    nowhere.port = 1; /* nobody listens there: the kernel answers with an ICMP error */
    p->run.to = nowhere;
    CHECK("room", out_add_bytes(&p->run, bytes_of(packet, sizeof packet)));
    for (int i = 0; i < 20; i++)
        udp_send(p->a, &p->run);
    p->run.to.family = ADDR_IPV6;
    udp_send(p->a, &p->run);
    p->run.len = p->run.count = 0;
    p->run.to = *udp_local(p->b);
}

TEST(icmp_errors_and_foreign_families_are_survived)
{
    struct pair *p = start_pair("127.0.0.1", "127.0.0.1");

    io_loop_run(p->loop, send_to_nobody, p);
    CHECK("the other family is counted as lost", udp_counters(p->a)->unsent == 1);
    io_loop_run(p->loop, send_run, p);
    CHECK("the socket works on", GATE_WAIT(&p->gate, p->received == RUN));
    end_pair(p);
}

static struct {
    const char *claim, *bind;
    int err;
} refusals[] = {
    { "an address that is not ours", "192.0.2.1", ERR_INVALID },
    { "in use", NULL, ERR_WRONG_STATE },
    { "no address", "", ERR_INVALID },
};

static void try_refusals(void *ctx)
{
    struct pair *p = ctx;
    struct udp_handler h = { .datagram = on_echo, .drained = on_drained, .ctx = p };

    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct addr bind = { .family = ADDR_NONE };
        struct udp *u = (struct udp *)p;

        if (!refusals[i].bind)
            bind = *udp_local(p->a);
        else if (refusals[i].bind[0])
            CHECK("parses", addr_parse_ip(&bind, refusals[i].bind, 0));
        errno = 0;
        CHECK(refusals[i].claim, udp_open(&u, p->loop, &bind, &h) == refusals[i].err);
        CHECK("nothing handed out, and errno says why", !u && errno);
    }
}

static void reopen(void *ctx)
{
    struct pair *p = ctx;
    struct addr same = *udp_local(p->a);
    struct udp_handler h = { .datagram = on_echo, .drained = on_drained, .ctx = p };

    udp_close(p->a);
    CHECK("a closed socket's port is free at once", udp_open(&p->a, p->loop, &same, &h) == ERR_OK);
}

TEST(opening)
{
    struct pair *p = start_pair("127.0.0.1", "127.0.0.1");

    io_loop_run(p->loop, try_refusals, p);
    io_loop_run(p->loop, reopen, p);
    p->run.to = *udp_local(p->b);
    io_loop_run(p->loop, send_run, p);
    CHECK("and works", GATE_WAIT(&p->gate, p->received == RUN));
    end_pair(p);
}

static void on_close_me(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                        uint8_t *data, size_t len)
{
    struct pair *p = ctx;

    (void)local;
    (void)from;
    (void)data;
    (void)len;
    udp_close(u);
    gate_lock(&p->gate);
    p->received++;
    gate_unlock(&p->gate);
}

static void open_closing(void *ctx)
{
    struct pair *p = ctx;
    struct udp_handler h = { .datagram = on_close_me, .drained = on_drained, .ctx = p };
    struct addr bind = addr_ipv4(0x7f000001, 0);

    udp_close(p->b);
    CHECK("open", udp_open(&p->b, p->loop, &bind, &h) == ERR_OK);
    p->run.to = *udp_local(p->b);
    send_run(p);
    p->b = NULL;
}

TEST(a_handler_may_close_its_socket)
{
    struct pair *p = start_pair("127.0.0.1", "127.0.0.1");

    io_loop_run(p->loop, open_closing, p);
    CHECK("called", GATE_WAIT(&p->gate, p->received > 0));
    io_loop_run(p->loop, close_pair, p);
    io_loop_free(p->loop);
    CHECK("and not again", p->received == 1);
    free(p);
}

TESTS(TEST_ROW(runs_round_trip), TEST_ROW(what_cannot_be_sent_is_counted_and_disturbs_nothing),
      TEST_ROW(icmp_errors_and_foreign_families_are_survived), TEST_ROW(opening),
      TEST_ROW(a_handler_may_close_its_socket))
