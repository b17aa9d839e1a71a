/* pingpong: 64 bytes there and back between two processes over bare UDP, blocking calls: what the
 * kernel and its scheduler take, and the least any transport on it could.
 *
 *     bench-pingpong SECONDS */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/pair.h"
#include "tests/bench/rounds.h"

enum { PORT = 47006 };

static struct sockaddr_in address(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* A socket at this port, for that one. -1: none. */
static int open_socket(uint16_t local_port, uint16_t remote_port)
{
    struct sockaddr_in local = address(local_port), remote = address(remote_port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    return fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof local) ||
                   connect(fd, (struct sockaddr *)&remote, sizeof remote)
               ? -1
               : fd;
}

static void echo(int fd)
{
    char buf[ROUND_BYTES];
    ssize_t n;

    while ((n = recv(fd, buf, sizeof buf, 0)) > 0 && send(fd, buf, (size_t)n, 0) == n)
        ;
}

static bool trip(void *ctx)
{
    int fd = *(int *)ctx;
    char buf[ROUND_BYTES] = "ping";

    return send(fd, buf, sizeof buf, 0) == sizeof buf && recv(fd, buf, sizeof buf, 0) == sizeof buf;
}

int main(int argc, char **argv)
{
    double seconds = pair_number(argc > 1 ? argv[1] : "2");
    int ours = open_socket(PORT, PORT + 1), theirs = open_socket(PORT + 1, PORT);
    pid_t child = ours < 0 || theirs < 0 ? -1 : fork();
    int status;

    if (child < 0) {
        perror("bench");
        return 1;
    }
    if (child == 0) {
        echo(theirs);
        _exit(1);
    }
    close(theirs);
    status = rounds_run("udp_pingpong", seconds, trip, &ours);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return status;
}
