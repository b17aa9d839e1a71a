/* tcp: the kernel's TCP over loopback, the baseline of bulk throughput. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/loopback.h"
#include "tests/bench/pair.h"

#define PORT 47001

struct tcp {
    int listener, connection;
};

static struct tcp *make(void)
{
    struct tcp *t = calloc(1, sizeof *t);

    if (t)
        t->listener = t->connection = -1;
    return t;
}

static void *tcp_listen(void)
{
    struct tcp *t = make();

    if (t)
        t->listener = loopback_listen(PORT);
    return t && t->listener >= 0 ? t : NULL;
}

static bool tcp_accept(void *ctx)
{
    struct tcp *t = ctx;

    t->connection = accept(t->listener, NULL, NULL);
    return t->connection >= 0;
}

static long tcp_receive(void *ctx, void *buf, size_t cap)
{
    return read(((struct tcp *)ctx)->connection, buf, cap);
}

static bool tcp_acknowledge(void *ctx)
{
    return write(((struct tcp *)ctx)->connection, "a", 1) == 1;
}

static void *tcp_connect(void)
{
    struct tcp *t = make();

    if (t)
        t->connection = loopback_connect(PORT);
    return t && t->connection >= 0 ? t : NULL;
}

static bool tcp_send(void *ctx, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(((struct tcp *)ctx)->connection, p, len);

        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool tcp_finish(void *ctx)
{
    struct tcp *t = ctx;
    char byte;

    shutdown(t->connection, SHUT_WR);
    return read(t->connection, &byte, 1) == 1;
}

int main(int argc, char **argv)
{
    static const struct pair_transport tcp = {
        .name = "tcp",
        .listen = tcp_listen,
        .accept = tcp_accept,
        .receive = tcp_receive,
        .acknowledge = tcp_acknowledge,
        .connect = tcp_connect,
        .send = tcp_send,
        .finish = tcp_finish,
    };

    return pair_run(&tcp, pair_number(argc > 1 ? argv[1] : "3"));
}
