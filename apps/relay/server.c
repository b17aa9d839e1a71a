#include "apps/relay/server.h"

#include <errno.h>

#include "core/relay/relay.h"

_Static_assert(sizeof(((struct server *)0)->buf) >= RELAY_ANSWER_MAX, "an answer fits");

void server_init(struct server *s, struct io_loop *loop)
{
    *s = (struct server){ .loop = loop };
    out_init(&s->out, s->buf, sizeof s->buf);
}

/* Answers go one by one: a run is for one address, and each asks from another. */
static void on_datagram(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                        uint8_t *data, size_t len)
{
    struct server *s = ctx;
    struct wr answer;

    out_reset(&s->out);
    answer = wr_of(out_next(&s->out), out_room(&s->out));
    if (!relay_answer_binding(bytes_of(data, len), from, &answer))
        return;
    out_add(&s->out, answer.len);
    s->out.from = *local;
    s->out.to = *from;
    udp_send(u, &s->out);
    s->answered++;
}

static void on_drained(void *ctx, struct udp *u)
{
    (void)ctx; /* nothing waits here */
    (void)u;
}

struct listening {
    struct server *server;
    struct addr *addr;
    int error;
};

static void listen_here(void *ctx)
{
    struct listening *l = ctx;
    struct server *s = l->server;
    struct udp_handler h = { .datagram = on_datagram, .drained = on_drained, .ctx = s };

    if (s->socket_count == SERVER_SOCKETS_MAX) {
        l->error = EMFILE;
        return;
    }
    errno = 0;
    if (udp_open(&s->sockets[s->socket_count], s->loop, l->addr, &h)) {
        l->error = errno ? errno : EINVAL;
        return;
    }
    *l->addr = *udp_local(s->sockets[s->socket_count++]);
}

int server_listen(struct server *s, struct addr *addr)
{
    struct listening l = { .server = s, .addr = addr };

    io_loop_run(s->loop, listen_here, &l);
    return l.error;
}

struct ending {
    struct server *server;
    struct server_totals totals;
};

static void end_here(void *ctx)
{
    struct ending *e = ctx;
    struct server *s = e->server;

    for (size_t i = 0; i < s->socket_count; i++) {
        const struct udp_counters *c = udp_counters(s->sockets[i]);

        e->totals.received += c->received;
        e->totals.unsent += c->unsent + c->too_long;
        udp_close(s->sockets[i]);
    }
    e->totals.answered = s->answered;
    s->socket_count = 0;
}

struct server_totals server_end(struct server *s)
{
    struct ending e = { .server = s };

    io_loop_run(s->loop, end_here, &e);
    return e.totals;
}
