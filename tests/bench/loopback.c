#include "tests/bench/loopback.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* With the kernel's own default, whatever this machine prefers: pacing costs wake-ups here. */
static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    return fd;
}

static struct sockaddr_in address(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

int loopback_listen(uint16_t port)
{
    struct sockaddr_in a = address(port);
    int fd = new_socket(), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1) ? -1 : fd;
}

int loopback_connect(uint16_t port)
{
    struct sockaddr_in a = address(port);
    int fd = new_socket();

    return connect(fd, (struct sockaddr *)&a, sizeof a) ? -1 : fd;
}
