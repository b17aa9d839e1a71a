#include "tests/interop/turn/client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/stun/stun.h"

#define WAIT_US     (10 * SECOND)
#define CLIENTS_MAX 4

union sock {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_sock(const struct addr *a, union sock *s)
{
    memset(s, 0, sizeof *s);
    if (a->family == ADDR_IPV4) {
        s->v4.sin_family = AF_INET;
        s->v4.sin_port = htons(a->port);
        memcpy(&s->v4.sin_addr, a->ip, 4);
        return sizeof s->v4;
    }
    s->v6.sin6_family = AF_INET6;
    s->v6.sin6_port = htons(a->port);
    memcpy(&s->v6.sin6_addr, a->ip, 16);
    return sizeof s->v6;
}

static struct addr from_sock(const union sock *s)
{
    struct addr a = { .family = s->any.sa_family == AF_INET ? ADDR_IPV4 : ADDR_IPV6 };

    if (a.family == ADDR_IPV4) {
        a.port = ntohs(s->v4.sin_port);
        memcpy(a.ip, &s->v4.sin_addr, 4);
    } else {
        a.port = ntohs(s->v6.sin6_port);
        memcpy(a.ip, &s->v6.sin6_addr, 16);
    }
    return a;
}

static usec clock_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec / 1000;
}

usec client_now(const struct client *c)
{
    return clock_us() * c->speed;
}

static void fill_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    if (RAND_bytes(out, (int)len) != 1)
        memset(out, 1, len);
}

static bool start_tls(struct client *c)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = c->ctx ? SSL_new(c->ctx) : NULL;
    return c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_connect(c->ssl) == 1;
}

static bool connect_socket(struct client *c)
{
    struct timeval patience = { .tv_sec = 5 };
    union sock s;
    socklen_t len = to_sock(&c->server, &s);
    int on = 1;

    c->fd =
        socket(s.any.sa_family, (c->wire == WIRE_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        connect(c->fd, &s.any, len))
        return false;
    if (c->wire != WIRE_UDP)
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c->wire == WIRE_TLS && !start_tls(c))
        return false;
    len = sizeof s;
    if (getsockname(c->fd, &s.any, &len) || fcntl(c->fd, F_SETFL, O_NONBLOCK))
        return false;
    c->local = from_sock(&s);
    return true;
}

bool client_open(struct client *c, const struct client_config *cfg)
{
    struct turn_config turn = { .stream = cfg->wire != WIRE_UDP, .family = cfg->family };

    *c = (struct client){ .rng = { .fill = fill_random }, .fd = -1, .wire = cfg->wire };
    c->speed = cfg->speed ? cfg->speed : 1;
    if (!cfg->is_nobody) {
        turn.username = cfg->username ? cfg->username : "user";
        turn.password = cfg->password ? cfg->password : "secret";
    }
    if (!addr_parse(&c->server, cfg->server ? cfg->server : CLIENT_SERVER) || !connect_socket(c))
        return false;
    turn.local = c->local;
    turn.server = c->server;
    if (turn_new(&c->turn, &turn, &c->rng))
        return false;
    turn_start(c->turn, client_now(c));
    return true;
}

static bool write_stream(struct client *c, const uint8_t *data, size_t len)
{
    struct pollfd p = { .fd = c->fd, .events = POLLOUT };

    while (len > 0) {
        ssize_t n =
            c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);

        if (n <= 0 && poll(&p, 1, 2000) != 1)
            return false;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool write_run(struct client *c, const struct out *out)
{
    bool sent = true;

    if (out->stream)
        return write_stream(c, out->buf, out->len);
    for (size_t i = 0; i < out->count; i++) {
        struct bytes d = out_datagram(out, i);

        sent &= send(c->fd, d.data, d.len, MSG_NOSIGNAL) == (ssize_t)d.len;
    }
    return sent;
}

void client_drain(struct client *c)
{
    uint8_t buf[4096];
    struct out out;
    struct turn_event ev;

    out_init(&out, buf, sizeof buf);
    for (;;) {
        if (turn_poll_output(c->turn, client_now(c), &out))
            (void)write_run(c, &out);
        else if (c->event_count < 4 && turn_poll_event(c->turn, &ev))
            c->events[c->event_count++] = ev;
        else
            break;
    }
}

static void pull_data(struct client *c)
{
    struct bytes data;

    while (turn_poll_data(c->turn, &c->from, &data)) {
        memcpy(c->data, data.data, data.len);
        c->len = data.len;
        c->count++;
    }
}

static void take(struct client *c, struct bytes in)
{
    struct stun_msg m;

    if (c->wire == WIRE_UDP && stun_decode(&m, in) == VERDICT_TAKEN && m.error_code == 438)
        c->stale++;
    if (c->wire != WIRE_UDP)
        (void)turn_input_stream(c->turn, client_now(c), in);
    else
        (void)turn_input(c->turn, client_now(c), &c->server, in);
}

static void read_all(struct client *c)
{
    uint8_t buf[TURN_STREAM_MAX];
    ssize_t n;

    while ((n = c->ssl ? SSL_read(c->ssl, buf, sizeof buf) : recv(c->fd, buf, sizeof buf, 0)) > 0) {
        take(c, bytes_of(buf, (size_t)n));
        pull_data(c);
        client_drain(c);
    }
}

bool client_send(struct client *c, const struct addr *peer, uint8_t fill, size_t count, size_t len)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct out run;

    out_init(&run, buf, sizeof buf);
    for (size_t i = 0; i < count; i++) {
        memset(out_next(&run), fill, len);
        out_add(&run, len);
    }
    run.from = *turn_relayed(c->turn);
    run.to = *peer;
    return turn_wrap(c->turn, &run) == ERR_OK && write_run(c, &run);
}

/* One round: waits for a socket or the next deadline, at most 50 ms. */
static void step(struct client *const *c, size_t count)
{
    struct pollfd p[CLIENTS_MAX] = { { 0 } };
    usec wait = 50 * MILLISECOND;

    for (size_t i = 0; i < count; i++) {
        usec next = turn_next_timeout(c[i]->turn);

        client_drain(c[i]);
        p[i] = (struct pollfd){ .fd = c[i]->fd, .events = POLLIN };
        if (next != USEC_NEVER)
            wait = usec_clamp((next - client_now(c[i])) / c[i]->speed, 0, wait);
    }
    (void)poll(p, count, (int)((wait + 999) / 1000));
    for (size_t i = 0; i < count; i++) {
        if (p[i].revents)
            read_all(c[i]);
        turn_tick(c[i]->turn, client_now(c[i]));
        client_drain(c[i]);
    }
}

bool clients_run(struct client *const *c, size_t count, bool (*done)(void *ctx), void *ctx)
{
    usec until = clock_us() + WAIT_US;

    while (!done(ctx) && clock_us() < until)
        step(c, count);
    return done(ctx);
}

/* A request under way is given up within 5 s; nothing else is due so soon. */
static bool is_settled(void *ctx)
{
    struct client *c = ctx;

    return turn_next_timeout(c->turn) - client_now(c) > 5 * SECOND;
}

bool client_settles(struct client *c)
{
    client_drain(c);
    return clients_run(&c, 1, is_settled, c);
}

void client_close(struct client *c)
{
    if (c->turn) {
        turn_stop(c->turn, client_now(c));
        client_drain(c);
    }
    turn_free(c->turn);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    c->turn = NULL;
    c->fd = -1;
}

int peer_open(const char *ip, struct addr *at)
{
    struct timeval patience = { .tv_sec = 2 };
    union sock s;
    socklen_t len;
    int fd;

    addr_parse_ip(at, ip, 0);
    len = to_sock(at, &s);
    fd = socket(s.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, &s.any, len) || getsockname(fd, &s.any, &len) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience))
        return -1;
    *at = from_sock(&s);
    return fd;
}

size_t peer_read(int fd, struct addr *from, uint8_t *out, size_t cap)
{
    union sock s;
    socklen_t len = sizeof s;
    ssize_t n = recvfrom(fd, out, cap, 0, &s.any, &len);

    if (n <= 0)
        return 0;
    *from = from_sock(&s);
    return (size_t)n;
}

bool peer_write(int fd, const struct addr *to, const void *data, size_t len)
{
    union sock s;
    socklen_t sock_len = to_sock(to, &s);

    return sendto(fd, data, len, 0, &s.any, sock_len) == (ssize_t)len;
}
