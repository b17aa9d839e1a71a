/* probe.c: measures the network it is in, in the manner of RFC 5780, and prints it as one line of
 * JSON.
 *
 *     net-probe LOCAL FIRST SECOND [timeout=MS] [count=PACKETS] [mtu]
 *     net-probe responder FIRST SECOND
 *
 * LOCAL is the host's own address, FIRST and SECOND the responder's two. With timeout, it is tried
 * whether mappings live 0.7 of it and are gone after 1.3 of it; with count, that many packets are
 * sent for round trip and loss; with mtu, the longest packet that arrives is sought. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/addr.h"
#include "tests/net/now.h"
#include "tests/net/probe.h"

enum {
    WAIT_MS = 250,
    COUNT_MAX = 2000,
    NONCES = 4096,
    PORTS_TRIED = 4,
    SPACING_US = 2000,
    MTU_LEAST = 1200,
    MTU_MOST = 1500
};

static struct addr local, servers[2];
static uint32_t next_nonce = 1;

/* What came back, by nonce. */
static struct {
    usec sent_at, came_at; /* 0: did not */
    struct addr seen;
} heard[NONCES];

static socklen_t to_socket(struct sockaddr_in6 *out, const struct addr *a)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(a->port) };

    *out = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
    memcpy(&out->sin6_addr, a->ip, 16);
    if (a->family == ADDR_IPV6)
        return sizeof *out;
    memcpy(&four.sin_addr, a->ip, 4);
    memcpy(out, &four, sizeof four);
    return sizeof four;
}

static struct addr from_socket(const struct sockaddr_in6 *in)
{
    struct addr a = { .family = ADDR_IPV6, .port = ntohs(in->sin6_port) };

    memcpy(a.ip, &in->sin6_addr, 16);
    if (in->sin6_family == AF_INET) {
        a = (struct addr){ .family = ADDR_IPV4, .port = a.port };
        memcpy(a.ip, &((const struct sockaddr_in *)in)->sin_addr, 4);
    }
    return a;
}

static int open_udp(void)
{
    struct sockaddr_in6 address;
    socklen_t len = to_socket(&address, &local);
    int fd = socket(address.sin6_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len)) {
        perror("probe");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 address;
    socklen_t len = sizeof address;

    (void)getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.sin6_port);
}

static struct addr server(uint32_t source)
{
    struct addr a = servers[source >> 1];

    a.port = (uint16_t)(PROBE_PORT + (source & 1));
    return a;
}

/* Sends `len` bytes or the least there must be; returns the nonce of the request. */
static uint32_t ask_padded(int fd, uint32_t to, uint32_t source, uint32_t delay_ms, size_t len)
{
    struct addr target = server(to);
    struct probe_request request = { next_nonce++ % NONCES, source, delay_ms };
    struct sockaddr_in6 address;
    char data[MTU_MOST] = { 0 };
    socklen_t address_len = to_socket(&address, &target);

    memcpy(data, &request, sizeof request);
    heard[request.nonce].sent_at = net_now();
    heard[request.nonce].came_at = 0;
    (void)sendto(fd, data, len < sizeof request ? sizeof request : len, 0,
                 (struct sockaddr *)&address, address_len);
    return request.nonce;
}

static uint32_t ask(int fd, uint32_t to, uint32_t source)
{
    return ask_padded(fd, to, source, 0, 0);
}

static void take(int fd)
{
    struct probe_answer a;

    while (recv(fd, &a, sizeof a, 0) == (ssize_t)sizeof a) {
        heard[a.nonce % NONCES].came_at = net_now();
        heard[a.nonce % NONCES].seen = from_socket(&a.seen);
    }
}

/* Takes what comes to these sockets for so long. */
static void listen_for(const int *fds, size_t count, usec span)
{
    struct pollfd rows[8];
    usec until = net_now() + span;

    for (size_t i = 0; i < count; i++)
        rows[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    for (usec now = net_now(); now < until; now = net_now()) {
        struct timespec most = { .tv_sec = (until - now) / SECOND,
                                 .tv_nsec = (until - now) % SECOND * 1000 };

        (void)ppoll(rows, (nfds_t)count, &most, NULL);
        for (size_t i = 0; i < count; i++)
            take(fds[i]);
    }
}

static bool came(uint32_t nonce)
{
    return heard[nonce].came_at > 0;
}

static const char *yes_no(bool is_so)
{
    return is_so ? "true" : "false";
}

/* ---- What is measured ----------------------------------------------------------------------- */

/* Asks until all three have answered once: on a link that loses packets some do not. */
static bool ask_three(int fd, const struct addr *seen[3])
{
    uint32_t nonces[3];
    int answered = 0;

    for (int tries = 0; tries < 25 && answered < 3; tries++) {
        answered = 0;
        for (uint32_t i = 0; i < 3; i++)
            nonces[i] = ask(fd, i, i);
        listen_for(&fd, 1, WAIT_MS * MILLISECOND);
        for (int i = 0; i < 3; i++) {
            seen[i] = &heard[nonces[i]].seen;
            answered += came(nonces[i]);
        }
    }
    return answered == 3;
}

/* False: nothing comes back at all. */
static bool measure_mapping(void)
{
    int fd = open_udp();
    const struct addr *seen[3];
    bool is_answered = ask_three(fd, seen);
    const char *mapping = "endpoint-independent";
    char text[ADDR_TEXT_MAX];

    close(fd);
    (void)printf("\"udp\": %s", yes_no(is_answered));
    if (!is_answered)
        return false;
    if (!addr_equal(seen[0], seen[1]))
        mapping = "address-and-port-dependent";
    else if (!addr_equal(seen[0], seen[2]))
        mapping = "address-dependent";
    (void)printf(", \"translated\": %s, \"outside\": \"%s\", \"mapping\": \"%s\"",
                 yes_no(!addr_equal_ip(seen[0], &local)), addr_format_ip(seen[0], text), mapping);
    return true;
}

static void measure_ports(void)
{
    uint16_t inside[PORTS_TRIED], outside[PORTS_TRIED];
    bool is_preserved = true, is_sequential = true;
    int fds[PORTS_TRIED];
    uint32_t nonces[PORTS_TRIED];

    for (int i = 0; i < PORTS_TRIED; i++) {
        fds[i] = open_udp();
        inside[i] = port_of(fds[i]);
        nonces[i] = ask(fds[i], 0, 0);
    }
    listen_for(fds, PORTS_TRIED, WAIT_MS * MILLISECOND);
    for (int i = 0; i < PORTS_TRIED; i++) {
        outside[i] = heard[nonces[i]].seen.port;
        is_preserved &= outside[i] == inside[i];
        is_sequential &= i == 0 || outside[i] == outside[i - 1] + 1;
        close(fds[i]);
    }
    (void)printf(", \"ports\": \"%s\"", is_preserved    ? "preserved"
                                        : is_sequential ? "sequential"
                                                        : "random");
}

static void measure_filtering(void)
{
    int fd = open_udp();
    uint32_t same = ask(fd, 0, 0), other_port = ask(fd, 0, 1), other = ask(fd, 0, 3);

    listen_for(&fd, 1, WAIT_MS * MILLISECOND);
    close(fd);
    (void)printf(", \"filtering\": \"%s\"", !came(same)        ? "none comes in"
                                            : came(other)      ? "endpoint-independent"
                                            : came(other_port) ? "address-dependent"
                                                               : "address-and-port-dependent");
}

static void send_answer(int fd, const struct addr *to, uint32_t nonce)
{
    struct probe_answer a = { .nonce = nonce };
    struct sockaddr_in6 address;
    socklen_t len = to_socket(&address, to);

    (void)sendto(fd, &a, sizeof a, 0, (struct sockaddr *)&address, len);
}

/* Two sockets send to each other's outside address, twice: the first opens the filter. */
static void measure_hairpinning(void)
{
    int fds[2] = { open_udp(), open_udp() };
    uint32_t nonces[2] = { ask(fds[0], 0, 0), ask(fds[1], 0, 0) }, back = next_nonce++ % NONCES;

    listen_for(fds, 2, WAIT_MS * MILLISECOND);
    heard[back].came_at = 0;
    for (int i = 0; i < 4; i++) {
        send_answer(fds[i % 2], &heard[nonces[1 - i % 2]].seen, back);
        listen_for(fds, 2, WAIT_MS / 4 * MILLISECOND);
    }
    (void)printf(", \"hairpinning\": %s", yes_no(came(back)));
    close(fds[0]);
    close(fds[1]);
}

static void measure_timeout(uint32_t timeout_ms)
{
    int fds[3] = { open_udp(), open_udp(), open_udp() };
    uint32_t soon = timeout_ms * 7 / 10, late = timeout_ms * 13 / 10;
    uint32_t alive = ask_padded(fds[0], 0, 0, soon, 0), gone = ask_padded(fds[1], 0, 0, late, 0);
    uint32_t first = ask_padded(fds[2], 0, 0, soon, 0), then = ask_padded(fds[2], 0, 0, late, 0);

    listen_for(fds, 3, (late + WAIT_MS) * MILLISECOND);
    (void)printf(", \"alive\": %s, \"gone\": %s, \"inbound_refreshing\": %s", yes_no(came(alive)),
                 yes_no(!came(gone)), yes_no(came(first) && came(then)));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static int compare(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return (x > y) - (x < y);
}

static void measure_round_trip(int count)
{
    static usec trips[COUNT_MAX];
    int fd = open_udp(), answered = 0;
    uint32_t first = next_nonce;

    for (int i = 0; i < count; i++) {
        (void)ask(fd, 0, 0);
        listen_for(&fd, 1, SPACING_US);
    }
    listen_for(&fd, 1, WAIT_MS * MILLISECOND);
    close(fd);
    for (int i = 0; i < count; i++) {
        uint32_t nonce = (first + (uint32_t)i) % NONCES;

        if (came(nonce))
            trips[answered++] = heard[nonce].came_at - heard[nonce].sent_at;
    }
    qsort(trips, (size_t)answered, sizeof *trips, compare);
    (void)printf(", \"answered\": %.4f, \"least_ms\": %.3f, \"median_ms\": %.3f, \"p95_ms\": %.3f",
                 (double)answered / count, (double)trips[0] / 1000,
                 (double)trips[answered / 2] / 1000, (double)trips[answered * 95 / 100] / 1000);
}

static bool fits(int fd, size_t packet_len)
{
    size_t headers = local.family == ADDR_IPV6 ? 48 : 28;
    uint32_t nonce = ask_padded(fd, 0, 0, 0, packet_len - headers);

    listen_for(&fd, 1, WAIT_MS / 2 * MILLISECOND);
    return came(nonce);
}

/* Once without the kernel's help, and once what the kernel has learned from ICMP. */
static void measure_mtu(void)
{
    bool is_six = local.family == ADDR_IPV6;
    int level = is_six ? IPPROTO_IPV6 : IPPROTO_IP, fd = open_udp(), told = 0;
    int probing = is_six ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE;
    struct addr target = server(0);
    struct sockaddr_in6 address;
    socklen_t len = to_socket(&address, &target), told_len = sizeof told;
    size_t least = MTU_LEAST, most = MTU_MOST + 1;

    (void)setsockopt(fd, level, is_six ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &probing,
                     sizeof probing);
    while (most - least > 1) {
        size_t middle = (least + most) / 2;

        *(fits(fd, middle) ? &least : &most) = middle;
    }
    (void)connect(fd, (struct sockaddr *)&address, len);
    (void)getsockopt(fd, level, is_six ? IPV6_MTU : IP_MTU, &told, &told_len);
    close(fd);
    (void)printf(", \"mtu\": %zu, \"told_mtu\": %d", least, told);
}

static int begin_tcp(uint16_t port)
{
    struct sockaddr_in6 address;
    struct addr target = servers[0];
    socklen_t len;
    int fd;

    target.port = port;
    len = to_socket(&address, &target);
    fd = socket(address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)connect(fd, (struct sockaddr *)&address, len);
    return fd;
}

/* An answer proves the connection both ways. */
static void measure_tcp(void)
{
    int fds[PROBE_TCP_PORTS];
    usec until = net_now() + 2 * WAIT_MS * MILLISECOND;

    for (int i = 0; i < PROBE_TCP_PORTS; i++)
        fds[i] = begin_tcp(probe_tcp_ports[i]);
    (void)printf(", \"tcp\": {");
    for (int i = 0; i < PROBE_TCP_PORTS; i++) {
        struct pollfd row = { .fd = fds[i], .events = POLLIN };
        usec left = usec_max(until - net_now(), 0);
        struct probe_answer a;
        bool is_open = poll(&row, 1, (int)(left / 1000)) > 0 &&
                       read(fds[i], &a, sizeof a) == (ssize_t)sizeof a;

        (void)printf("%s\"%u\": %s", i ? ", " : "", probe_tcp_ports[i], yes_no(is_open));
        close(fds[i]);
    }
    (void)printf("}");
}

/* ---- The program ---------------------------------------------------------------------------- */

static struct {
    int timeout_ms, count;
    bool has_mtu;
} options;

static bool read_option(const char *text)
{
    if (strncmp(text, "timeout=", 8) == 0)
        options.timeout_ms = (int)strtol(text + 8, NULL, 10);
    else if (strncmp(text, "count=", 6) == 0)
        options.count = (int)strtol(text + 6, NULL, 10);
    else if (strcmp(text, "mtu") == 0)
        options.has_mtu = true;
    else
        return false;
    return options.count <= COUNT_MAX;
}

static void measure(void)
{
    (void)printf("{");
    if (measure_mapping()) {
        measure_ports();
        measure_filtering();
        measure_hairpinning();
        if (options.timeout_ms)
            measure_timeout((uint32_t)options.timeout_ms);
        if (options.count)
            measure_round_trip(options.count);
        if (options.has_mtu)
            measure_mtu();
    }
    measure_tcp();
    (void)printf("}\n");
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "responder") == 0)
        return probe_respond(argv[2], argv[3]);
    for (int i = 4; i < argc; i++)
        if (!read_option(argv[i]))
            return 2;
    if (argc < 4 || !addr_parse_ip(&local, argv[1], 0) || !addr_parse_ip(&servers[0], argv[2], 0) ||
        !addr_parse_ip(&servers[1], argv[3], 0))
        return 2;
    measure();
    return 0;
}
