/* net-plain WHAT ...: the kernel's TCP and UDP, for what hawser is compared with.
 *
 *     tcp-receive IP PORT MS                     prints `ready`, then the bytes of one connection
 *     tcp-send IP PORT MS CONTROL                as fast as that congestion control lets it
 *     udp-echo IP PORT                           prints `ready`, and sends back what comes
 *     udp-ping IP PORT COUNT BYTES               round trips one after the other
 *     udp-receive IP PORT MS                     prints `ready`, then what became of a stream
 *     udp-send IP PORT MS KBITS BYTES            a stream at an even pace, in bits of IP packets
 *
 * Each prints one line of JSON at its end, samples.h's where it says nothing else. IPv4 alone. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "tests/net/now.h"
#include "tests/net/samples.h"

enum { BUFFER = 256 * 1024, DATAGRAM_MAX = 1472, UDP_IP_BYTES = 28, DELAYS_MAX = 1 << 20 };

static struct {
    int socket;
    atomic_llong bytes;
} moved;

struct stamp {
    uint64_t number;
    usec sent_at;
};

static bool fail(const char *what)
{
    perror(what);
    return false;
}

static long number(const char *text)
{
    return strtol(text, NULL, 10);
}

static struct sockaddr_in address(char **args)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(args[1])) };

    (void)inet_pton(AF_INET, args[0], &a.sin_addr);
    return a;
}

static int bound(int type, char **args)
{
    struct sockaddr_in a = address(args);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || (type == SOCK_STREAM && listen(fd, 1)))
        (void)fail("bind");
    (void)printf("ready\n");
    return fd;
}

static int connected(int type, char **args)
{
    struct sockaddr_in a = address(args);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&a, sizeof a)) {
        (void)fail("connect");
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- TCP ----------------------------------------------------------------------------------- */

static void *receive_bytes(void *ctx)
{
    static char buffer[BUFFER];
    ssize_t len;

    while ((len = read(moved.socket, buffer, sizeof buffer)) > 0)
        moved.bytes += len;
    return ctx;
}

static void *send_bytes(void *ctx)
{
    static char buffer[BUFFER];
    ssize_t len;

    while ((len = send(moved.socket, buffer, sizeof buffer, MSG_NOSIGNAL)) > 0)
        moved.bytes += len;
    return ctx;
}

static void take_received(void *ctx, int64_t *row)
{
    (void)ctx;
    row[0] = moved.bytes;
}

static void take_sent(void *ctx, int64_t *row)
{
    struct tcp_info info = { .tcpi_rtt = 0 };
    socklen_t len = sizeof info;

    (void)ctx;
    (void)getsockopt(moved.socket, IPPROTO_TCP, TCP_INFO, &info, &len);
    row[0] = moved.bytes;
    row[1] = info.tcpi_rtt;
    row[2] = (int64_t)info.tcpi_snd_cwnd * info.tcpi_snd_mss;
    row[3] = info.tcpi_total_retrans;
    row[4] = info.tcpi_snd_mss;
}

/* Moves bytes on a thread of its own for as long as samples are taken. */
static bool move(void *(*run)(void *), const struct samples *s, usec span)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, NULL))
        return fail("pthread_create");
    samples_run(s, span);
    (void)shutdown(moved.socket, SHUT_RDWR);
    return pthread_join(thread, NULL) == 0;
}

static bool tcp_receive(char **args)
{
    static const char *const columns[] = { "bytes" };
    struct samples s = { columns, COUNT(columns), take_received, NULL };
    int listener = bound(SOCK_STREAM, args);

    moved.socket = accept(listener, NULL, NULL);
    return moved.socket >= 0 ? move(receive_bytes, &s, number(args[2]) * MILLISECOND)
                             : fail("accept");
}

static bool tcp_send(char **args)
{
    static const char *const columns[] = { "bytes", "rtt_us", "cwnd", "resent", "mss" };
    struct samples s = { columns, COUNT(columns), take_sent, NULL };

    moved.socket = connected(SOCK_STREAM, args);
    if (moved.socket < 0)
        return false;
    if (setsockopt(moved.socket, IPPROTO_TCP, TCP_CONGESTION, args[3], (socklen_t)strlen(args[3])))
        return fail(args[3]);
    return move(send_bytes, &s, number(args[2]) * MILLISECOND);
}

/* ---- UDP ----------------------------------------------------------------------------------- */

static bool udp_echo(char **args)
{
    int fd = bound(SOCK_DGRAM, args);

    for (;;) {
        char data[DATAGRAM_MAX];
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        ssize_t len = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &from_len);

        if (len < 0)
            return fail("recvfrom");
        (void)sendto(fd, data, (size_t)len, 0, (struct sockaddr *)&from, from_len);
    }
}

static int by_size(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return (x > y) - (x < y);
}

/* Sorts them. */
static void print_times(usec *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    (void)printf("\"count\": %zu, \"least_us\": %lld, \"median_us\": %lld, \"p95_us\": %lld, "
                 "\"p99_us\": %lld, \"most_us\": %lld",
                 count, (long long)times[0], (long long)times[count / 2],
                 (long long)times[count * 95 / 100], (long long)times[count * 99 / 100],
                 (long long)times[count - 1]);
}

static bool udp_ping(char **args)
{
    static usec times[10000];
    size_t count = (size_t)number(args[2]), len = (size_t)number(args[3]), answered = 0;
    struct timeval patience = { .tv_sec = 2 };
    char data[DATAGRAM_MAX] = { 0 };
    int fd = connected(SOCK_DGRAM, args);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (size_t i = 0; i < count && answered < COUNT(times); i++) {
        usec sent_at = net_now();

        if (send(fd, data, len, 0) == (ssize_t)len && recv(fd, data, sizeof data, 0) > 0)
            times[answered++] = net_now() - sent_at;
    }
    if (!answered)
        return fail("no answer");
    (void)printf("{\"code\": 0, ");
    print_times(times, answered);
    (void)printf("}\n");
    return true;
}

static bool udp_receive(char **args)
{
    static usec delays[DELAYS_MAX];
    usec until = net_now() + number(args[2]) * MILLISECOND, first_at = 0, last_at = 0;
    struct timeval patience = { .tv_usec = 100000 };
    int fd = bound(SOCK_DGRAM, args);
    size_t count = 0;
    uint64_t bytes = 0;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (net_now() < until && count < DELAYS_MAX) {
        char data[DATAGRAM_MAX];
        struct stamp stamp;
        ssize_t len = recv(fd, data, sizeof data, 0);

        if (len < (ssize_t)sizeof stamp)
            continue;
        memcpy(&stamp, data, sizeof stamp);
        last_at = net_now();
        first_at = first_at ? first_at : last_at;
        delays[count++] = last_at - stamp.sent_at;
        bytes += (uint64_t)len + UDP_IP_BYTES;
    }
    if (count < 2)
        return fail("nothing came");
    (void)printf("{\"code\": 0, \"mbits\": %.3f, ",
                 (double)bytes * 8 / (double)(last_at - first_at));
    print_times(delays, count);
    (void)printf("}\n");
    return true;
}

static bool udp_send(char **args)
{
    usec begun_at = net_now(), span = number(args[2]) * MILLISECOND;
    size_t len = (size_t)number(args[4]);
    double every_us = (double)(len + UDP_IP_BYTES) * 8000 / (double)number(args[3]);
    char data[DATAGRAM_MAX] = { 0 };
    int fd = connected(SOCK_DGRAM, args);
    uint64_t sent = 0;

    for (; (double)sent * every_us < (double)span; sent++) {
        usec at = begun_at + (usec)((double)sent * every_us);
        struct stamp stamp;

        if (at > net_now())
            samples_sleep_until(at);
        stamp = (struct stamp){ sent, net_now() };
        memcpy(data, &stamp, sizeof stamp);
        (void)send(fd, data, len, 0);
    }
    (void)printf("{\"code\": 0, \"sent\": %llu}\n", (unsigned long long)sent);
    return true;
}

static const struct {
    const char *name;
    int arg_count;
    bool (*run)(char **args);
} roles[] = {
    { "tcp-receive", 3, tcp_receive }, { "tcp-send", 4, tcp_send },
    { "udp-echo", 2, udp_echo },       { "udp-ping", 4, udp_ping },
    { "udp-receive", 3, udp_receive }, { "udp-send", 5, udp_send },
};

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (size_t i = 0; argc > 1 && i < COUNT(roles); i++)
        if (strcmp(roles[i].name, argv[1]) == 0 && argc == roles[i].arg_count + 2)
            return roles[i].run(argv + 2) ? EXIT_SUCCESS : EXIT_FAILURE;
    (void)fprintf(stderr, "usage: net-plain ROLE IP PORT ...: see tests/net/plain.c\n");
    return 2;
}
