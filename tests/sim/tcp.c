#include "tests/sim/tcp.h"

#include <stdio.h>
#include <stdlib.h>

void tcp_init(struct tcp *t, struct net *net)
{
    *t = (struct tcp){ .net = net };
}

void tcp_deinit(struct tcp *t)
{
    while (t->piece_count)
        free(t->pieces[--t->piece_count].data);
    free(t->taken);
    *t = (struct tcp){ .net = NULL };
}

static void put(struct tcp *t, const struct tcp_piece *piece, struct bytes data)
{
    struct tcp_piece *p = &t->pieces[t->piece_count];
    uint8_t *copy = malloc(data.len + 1);

    if (!copy || t->piece_count == TCP_PIECES_MAX) {
        fputs("simulated TCP: too much under way\n", stderr);
        exit(2);
    }
    if (data.len)
        memcpy(copy, data.data, data.len);
    *p = *piece;
    p->data = copy;
    p->len = data.len;
    t->piece_count++;
}

bool tcp_connect(struct tcp *t, usec now, unsigned host, uint8_t stream, const struct addr *local,
                 const struct addr *server)
{
    struct tcp_connection *c = &t->connections[t->connection_count];
    struct net_probe syn = { NAT_TCP, host, *local, *server, 0 }, answer;

    if (t->connection_count == TCP_CONNECTIONS_MAX || !net_probe(t->net, now, &syn))
        return false;
    answer = (struct net_probe){ NAT_TCP, syn.host, syn.to, syn.from, 0 };
    if (!net_probe(t->net, now, &answer) || answer.host != host)
        return false;
    *c = (struct tcp_connection){ host, stream, *local, syn.from, *server, syn.host, syn.delay_us };
    put(t,
        &(struct tcp_piece){ .due_at = now + 2 * c->one_way_us,
                             .connection = (unsigned)t->connection_count++,
                             .is_new = true },
        bytes_of(NULL, 0));
    return true;
}

bool tcp_cut(struct tcp *t, unsigned host, uint8_t stream, struct tcp_connection *cut)
{
    for (unsigned i = 0; i < t->connection_count; i++) {
        struct tcp_connection *c = &t->connections[i];

        if (c->host != host || c->stream != stream)
            continue;
        *cut = *c;
        *c = (struct tcp_connection){ .stream = 0 };
        return true;
    }
    return false;
}

void tcp_send_client(struct tcp *t, usec now, unsigned host, uint8_t stream, struct bytes data)
{
    for (unsigned i = 0; i < t->connection_count; i++) {
        const struct tcp_connection *c = &t->connections[i];
        struct net_probe p = { NAT_TCP, host, c->local, c->server, 0 };

        if (c->host == host && c->stream == stream && net_probe(t->net, now, &p) &&
            addr_equal(&p.from, &c->seen))
            put(t,
                &(struct tcp_piece){
                    .due_at = now + c->one_way_us, .connection = i, .is_for_server = true },
                data);
    }
}

void tcp_send_server(struct tcp *t, usec now, const struct addr *server, const struct addr *seen,
                     struct bytes data)
{
    for (unsigned i = 0; i < t->connection_count; i++) {
        const struct tcp_connection *c = &t->connections[i];
        struct net_probe p = { NAT_TCP, c->server_host, c->server, c->seen, 0 };

        if (addr_equal(&c->server, server) && addr_equal(&c->seen, seen) &&
            net_probe(t->net, now, &p) && p.host == c->host)
            put(t, &(struct tcp_piece){ .due_at = now + c->one_way_us, .connection = i }, data);
    }
}

bool tcp_poll_event(struct tcp *t, usec now, struct tcp_event *ev)
{
    struct tcp_piece p;
    size_t i = 0;

    while (i < t->piece_count && t->pieces[i].due_at > now)
        i++;
    if (i == t->piece_count)
        return false;
    p = t->pieces[i];
    t->piece_count--;
    memmove(&t->pieces[i], &t->pieces[i + 1], (t->piece_count - i) * sizeof p);
    free(t->taken);
    t->taken = p.data;
    if (t->connections[p.connection].stream == 0)
        return tcp_poll_event(t, now, ev); /* it was cut meanwhile */
    *ev = (struct tcp_event){ &t->connections[p.connection], p.is_new, p.is_for_server,
                              bytes_of(p.data, p.len) };
    return true;
}

usec tcp_next_timeout(const struct tcp *t)
{
    usec at = USEC_NEVER;

    for (size_t i = 0; i < t->piece_count; i++)
        at = usec_min(at, t->pieces[i].due_at);
    return at;
}
