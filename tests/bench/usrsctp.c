/* usrsctp: Debian's libusrsctp over UDP, blocking calls, one stream: under most data channels. No
 * ICE, no encryption: what it shows is the transport alone.
 *
 *     bench-usrsctp SECONDS        bulk
 *     bench-usrsctp idle COUNT     memory and connect time of idle associations */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <usrsctp.h>

#include "tests/bench/pair.h"

enum {
    SCTP_PORT = 5000,
    RECEIVER_UDP = 47002,
    SENDER_UDP = 47003,
    BUFFER = 4 << 20,
    MESSAGE = 16384
};

struct peer {
    struct socket *listener, *connection;
};

static struct sockaddr_in address(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(SCTP_PORT) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void start_library(uint16_t udp_port)
{
    usrsctp_init(udp_port, NULL, NULL);
    usrsctp_sysctl_set_sctp_sendspace(BUFFER);
    usrsctp_sysctl_set_sctp_recvspace(BUFFER);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
}

static struct socket *open_socket(uint16_t remote_udp_port)
{
    struct sctp_udpencaps encaps = { .sue_address.ss_family = AF_INET,
                                     .sue_port = htons(remote_udp_port) };
    struct socket *so = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    int on = 1;

    if (so && (usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps,
                                  sizeof encaps) ||
               usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on)))
        return NULL;
    return so;
}

static void *peer_listen(void)
{
    struct peer *p = calloc(1, sizeof *p);
    struct sockaddr_in a = address();

    start_library(RECEIVER_UDP);
    p->listener = open_socket(SENDER_UDP);
    if (!p->listener || usrsctp_bind(p->listener, (struct sockaddr *)&a, sizeof a) ||
        usrsctp_listen(p->listener, 128))
        return NULL;
    return p;
}

static bool peer_accept(void *ctx)
{
    struct peer *p = ctx;

    p->connection = usrsctp_accept(p->listener, NULL, NULL);
    return p->connection != NULL;
}

static long peer_receive(void *ctx, void *buf, size_t cap)
{
    struct sctp_rcvinfo info;
    socklen_t info_len = sizeof info;
    unsigned info_type;
    int flags = 0;

    return (long)usrsctp_recvv(((struct peer *)ctx)->connection, buf, cap, NULL, NULL, &info,
                               &info_len, &info_type, &flags);
}

/* The end of the association is the acknowledgement: shutdown delivers everything first, and the
 * library must be let finish it, as its threads end with the process. */
static bool peer_acknowledge(void *ctx)
{
    struct peer *p = ctx;

    usrsctp_close(p->connection);
    usrsctp_close(p->listener);
    for (int i = 0; i < 500; i++) {
        if (usrsctp_finish() == 0)
            return true;
        usleep(10000);
    }
    return false;
}

static struct peer *connect_another(void)
{
    struct peer *p = calloc(1, sizeof *p);
    struct sockaddr_in a = address();

    p->connection = open_socket(RECEIVER_UDP);
    if (!p->connection || usrsctp_connect(p->connection, (struct sockaddr *)&a, sizeof a))
        return NULL;
    return p;
}

static void *peer_connect(void)
{
    start_library(SENDER_UDP);
    return connect_another();
}

static bool peer_send(void *ctx, const void *data, size_t len)
{
    for (size_t at = 0; at < len; at += MESSAGE)
        if (usrsctp_sendv(((struct peer *)ctx)->connection, (const char *)data + at, MESSAGE, NULL,
                          0, NULL, 0, SCTP_SENDV_NOINFO, 0) != MESSAGE)
            return false;
    return true;
}

static bool peer_finish(void *ctx)
{
    struct peer *p = ctx;
    char byte;

    usrsctp_shutdown(p->connection, SHUT_WR);
    return peer_receive(p, &byte, 1) <= 0; /* 0, or a reset: the association has ended */
}

/* ---- idle ---- */

static int answer(int ready, int stop)
{
    struct peer *p = peer_listen();
    char byte;

    if (!p || write(ready, "r", 1) != 1)
        return 1;
    return read(stop, &byte, 1) < 0; /* the library's threads answer; the end of the pipe ends us */
}

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int measure(int count)
{
    struct pair_memory before, after;
    double begin;

    if (!peer_connect()) /* what only the first association costs is not counted */
        return 1;
    before = pair_memory_now();
    begin = now_ms();
    for (int i = 0; i < count; i++)
        if (!connect_another())
            return 1;
    after = pair_memory_now();
    printf("{\"name\":\"usrsctp-idle\",\"count\":%d,\"connect_ms\":%.3f,\"heap_kib\":%.1f,"
           "\"rss_kib\":%.1f}\n",
           count, (now_ms() - begin) / count, (after.heap_kib - before.heap_kib) / count,
           (after.rss_kib - before.rss_kib) / count);
    fflush(stdout);
    return 0;
}

static int idle(int count)
{
    int ready[2], stop[2], status;
    char byte;
    pid_t child;

    if (pipe(ready) || pipe(stop))
        return 1;
    child = fork();
    if (child == 0) {
        close(stop[1]);
        _exit(answer(ready[1], stop[0]));
    }
    close(ready[1]);
    status = child < 0 || read(ready[0], &byte, 1) != 1 || measure(count);
    close(stop[1]);
    waitpid(child, NULL, 0);
    if (status)
        fprintf(stderr, "bench: usrsctp did not get through\n");
    _exit(status); /* its threads would go on */
}

int main(int argc, char **argv)
{
    static const struct pair_transport usrsctp = {
        .name = "usrsctp",
        .listen = peer_listen,
        .accept = peer_accept,
        .receive = peer_receive,
        .acknowledge = peer_acknowledge,
        .connect = peer_connect,
        .send = peer_send,
        .finish = peer_finish,
    };

    if (argc > 2 && strcmp(argv[1], "idle") == 0)
        return idle((int)pair_number(argv[2]));
    return pair_run(&usrsctp, pair_number(argc > 1 ? argv[1] : "3"));
}
