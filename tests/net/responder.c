/* responder.c: the side of the probe that is asked. Answers UDP on two addresses and two ports, and
 * tells whoever connects by TCP how he is seen. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/net/now.h"
#include "tests/net/probe.h"

enum { LATER_MAX = 64, SOCKETS = PROBE_SOURCES + PROBE_TCP_PORTS };

/* An answer that is to go out later. */
struct later {
    usec at; /* 0: none */
    struct probe_answer answer;
};

static struct later later[LATER_MAX];
static int sockets[SOCKETS];

static socklen_t make_address(struct sockaddr_in6 *out, const char *ip, uint16_t port)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };

    *out = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (inet_pton(AF_INET6, ip, &out->sin6_addr) == 1)
        return sizeof *out;
    (void)inet_pton(AF_INET, ip, &four.sin_addr);
    memcpy(out, &four, sizeof four);
    return sizeof four;
}

static int open_socket(const char *ip, uint16_t port, int type)
{
    struct sockaddr_in6 address;
    socklen_t len = make_address(&address, ip, port);
    int fd = socket(address.sin6_family, type | SOCK_CLOEXEC, 0), on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) ||
        (type == SOCK_STREAM && listen(fd, SOMAXCONN))) {
        perror("probe");
        return -1;
    }
    return fd;
}

static void answer(const struct probe_answer *a)
{
    socklen_t len =
        a->seen.sin6_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    (void)sendto(sockets[a->source], a, sizeof *a, 0, (const struct sockaddr *)&a->seen, len);
}

static void answer_later(const struct probe_answer *a, usec at)
{
    for (size_t i = 0; i < LATER_MAX; i++)
        if (later[i].at == 0) {
            later[i] = (struct later){ .at = at, .answer = *a };
            return;
        }
}

static void on_datagram(int fd)
{
    struct probe_answer a = { .nonce = 0 };
    struct probe_request request;
    char data[2048];
    socklen_t len = sizeof a.seen;
    ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&a.seen, &len);

    if (got < (ssize_t)sizeof request)
        return;
    memcpy(&request, data, sizeof request);
    a.nonce = request.nonce;
    a.source = request.source % PROBE_SOURCES;
    if (request.delay_ms)
        answer_later(&a, net_now() + request.delay_ms * MILLISECOND);
    else
        answer(&a);
}

static void on_connection(int fd)
{
    struct probe_answer a = { .nonce = 0 };
    socklen_t len = sizeof a.seen;
    int peer = accept4(fd, (struct sockaddr *)&a.seen, &len, SOCK_CLOEXEC);

    if (peer < 0)
        return;
    (void)write(peer, &a, sizeof a);
    close(peer);
}

/* Answers what is due; returns how long until the next, in ms. */
static int answer_due(void)
{
    usec now = net_now(), next = now + 1000 * MILLISECOND;

    for (size_t i = 0; i < LATER_MAX; i++) {
        if (later[i].at && later[i].at <= now) {
            answer(&later[i].answer);
            later[i].at = 0;
        }
        if (later[i].at)
            next = usec_min(next, later[i].at);
    }
    return (int)((next - now + 999) / 1000);
}

int probe_respond(const char *first, const char *second)
{
    struct pollfd rows[SOCKETS];

    for (int i = 0; i < SOCKETS; i++) {
        bool is_udp = i < PROBE_SOURCES;

        sockets[i] = open_socket(is_udp && i & 2 ? second : first,
                                 is_udp ? (uint16_t)(PROBE_PORT + (i & 1))
                                        : probe_tcp_ports[i - PROBE_SOURCES],
                                 is_udp ? SOCK_DGRAM : SOCK_STREAM);
        if (sockets[i] < 0)
            return 1;
        rows[i] = (struct pollfd){ .fd = sockets[i], .events = POLLIN };
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        (void)poll(rows, SOCKETS, answer_due());
        for (int i = 0; i < SOCKETS; i++)
            if (rows[i].revents && i < PROBE_SOURCES)
                on_datagram(sockets[i]);
            else if (rows[i].revents)
                on_connection(sockets[i]);
    }
}
