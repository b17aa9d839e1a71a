/* lan_server.c: the devices' end of the LAN's connections: who may come in, and for how long. */
#include <stdlib.h>

#include "io/lan_hub.h"

#define BACKLOG 16

/* Whoever connected. Its deadline is USEC_NEVER while it is held. */
struct lan_guest {
    struct lan_guest *next;
    struct lan *lan;
    uint64_t number;
    struct lan_conn *conn;
    struct lan_service *service; /* NULL: has not said hello */
    struct addr from;
    unsigned holds, messages;
    struct io_timer timer;
};

static struct lan_guest *find_guest(const struct lan *lan, uint64_t number)
{
    struct lan_guest *g = lan->guests;

    while (g && g->number != number)
        g = g->next;
    return g;
}

static void free_guest(struct lan_guest *g)
{
    lan_conn_close(g->conn);
    io_timer_deinit(&g->timer);
    free(g);
}

static void end_guest(void *ctx)
{
    struct lan_guest *g = ctx;
    struct lan_guest **at = &g->lan->guests;

    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    free_guest(g);
}

/* ---- What comes ------------------------------------------------------------------------------ */

static void on_hello(void *ctx, struct bytes hello)
{
    struct lan_guest *g = ctx;

    g->service = lan_responder_hello(g->lan->responder, io_now(), hello);
    if (!g->service) {
        g->lan->counts.guests_refused++;
        end_guest(g);
        return;
    }
    io_timer_set(&g->timer, io_now() + LAN_GUEST_US);
}

static void on_message(void *ctx, struct bytes message)
{
    struct lan_guest *g = ctx;
    const struct lan_service *s = g->service;

    if (g->holds == 0 && ++g->messages > LAN_GUEST_MESSAGES_MAX) {
        g->lan->counts.guests_refused++;
        end_guest(g);
        return;
    }
    s->handler.on_message(s->handler.ctx, g->number, message);
}

/* ---- Letting in ------------------------------------------------------------------------------ */

/* Those that nobody holds have few places, and one source has fewer. */
static bool is_welcome(struct lan *lan, const struct addr *from)
{
    size_t all = 0, unheld = 0, of_one = 0;

    if (!lan_is_near(lan, from, 0))
        return false;
    for (const struct lan_guest *g = lan->guests; g; g = g->next) {
        all++;
        unheld += g->holds == 0;
        of_one += g->holds == 0 && addr_equal_ip(&g->from, from);
    }
    return all < LAN_GUESTS_MAX && unheld < LAN_GUESTS_UNHELD_MAX && of_one < LAN_GUESTS_OF_ONE_MAX;
}

static int take_guest(struct lan_listener *l, struct lan_guest *g)
{
    const struct lan_conn_handler handler = {
        .hello = on_hello, .message = on_message, .closed = end_guest, .ctx = g
    };
    int err = io_timer_init(&g->timer, l->lan->loop, end_guest, g);

    if (!err)
        err = lan_conn_accept(&g->conn, l->lan->loop, (uv_stream_t *)&l->tcp, &handler);
    l->has_pending = err == ERR_NOMEM;
    return err;
}

static void accept_guest(struct lan_listener *l)
{
    struct lan *lan = l->lan;
    struct lan_guest *g = calloc(1, sizeof *g);

    if (!g) {
        l->has_pending = true; /* libuv waits until it is taken */
        return;
    }
    if (take_guest(l, g)) {
        free_guest(g);
        return;
    }
    if (!lan_conn_remote(g->conn, &g->from) || !is_welcome(lan, &g->from)) {
        lan->counts.guests_refused++;
        free_guest(g);
        return;
    }
    g->lan = lan;
    g->number = ++lan->last_guest;
    g->next = lan->guests;
    lan->guests = g;
    io_timer_set(&g->timer, io_now() + LAN_GUEST_HELLO_US);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct lan_listener *l = stream->data;

    if (status == 0 && l->lan)
        accept_guest(l);
}

void lan_server_retry(struct lan *lan)
{
    for (size_t f = 0; f < LAN_FAMILIES; f++)
        if (lan->listener[f] && lan->listener[f]->has_pending)
            accept_guest(lan->listener[f]);
}

/* ---- The owner's calls ----------------------------------------------------------------------- */

int lan_reply(struct lan *lan, uint64_t guest, struct bytes message)
{
    const struct lan_guest *g = find_guest(lan, guest);

    return g ? lan_conn_send(g->conn, message) : ERR_WRONG_STATE;
}

void lan_hold(struct lan *lan, uint64_t guest)
{
    struct lan_guest *g = find_guest(lan, guest);

    if (g && g->holds++ == 0)
        io_timer_stop(&g->timer);
}

void lan_release(struct lan *lan, uint64_t guest)
{
    struct lan_guest *g = find_guest(lan, guest);

    if (!g || g->holds == 0 || --g->holds > 0)
        return;
    g->messages = LAN_GUEST_MESSAGES_MAX; /* it had its time */
    io_timer_set(&g->timer, io_now() + LAN_GUEST_HELLO_US);
}

void lan_server_end_service(struct lan *lan, const struct lan_service *s)
{
    struct lan_guest *next;

    for (struct lan_guest *g = lan->guests; g; g = next) {
        next = g->next;
        if (g->service == s)
            end_guest(g);
    }
}

/* ---- Listeners ------------------------------------------------------------------------------- */

static void on_listener_gone(uv_handle_t *handle)
{
    free(handle->data);
}

static bool listen_on(struct lan_listener *l, bool is_ipv6)
{
    struct sockaddr_storage ss = { .ss_family = is_ipv6 ? AF_INET6 : AF_INET }; /* any, port 0 */
    int len = sizeof ss;

    if (uv_tcp_bind(&l->tcp, (struct sockaddr *)&ss, is_ipv6 ? UV_TCP_IPV6ONLY : 0) ||
        uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection) ||
        uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&ss, &len))
        return false;
    l->port = ntohs(is_ipv6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                            : ((struct sockaddr_in *)&ss)->sin_port);
    return true;
}

static struct lan_listener *open_listener(struct lan *lan, bool is_ipv6)
{
    struct lan_listener *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    if (uv_tcp_init(io_loop_uv(lan->loop), &l->tcp)) {
        free(l);
        return NULL;
    }
    l->lan = lan;
    l->tcp.data = l;
    if (listen_on(l, is_ipv6))
        return l;
    uv_close((uv_handle_t *)&l->tcp, on_listener_gone);
    return NULL;
}

int lan_server_open(struct lan *lan)
{
    for (size_t f = 0; f < LAN_FAMILIES; f++)
        lan->listener[f] = open_listener(lan, f > 0);
    return lan->listener[0] || lan->listener[1] ? ERR_OK : ERR_LIMIT;
}

void lan_server_close(struct lan *lan)
{
    while (lan->guests)
        end_guest(lan->guests);
    for (size_t f = 0; f < LAN_FAMILIES; f++) {
        struct lan_listener *l = lan->listener[f];

        if (!l)
            continue;
        l->lan = NULL;
        uv_close((uv_handle_t *)&l->tcp, on_listener_gone);
        lan->listener[f] = NULL;
    }
}
