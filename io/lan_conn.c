#include "io/lan_conn.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "io/sockaddr.h"

#define KEEPALIVE_S 30
#define HEAD_BYTES  2 /* a message's length, big-endian */
#define LINGER_US   SECOND
#define IN_BYTES    (HEAD_BYTES + SIGNALING_MESSAGE_MAX)

struct lan_conn {
    uv_tcp_t tcp;
    struct io_loop *loop;
    uv_connect_t connect;
    struct lan_conn_handler handler;
    struct io_timer linger;
    bool is_open, is_closed, wants_hello;
    bool is_lingering; /* and holds the loop, whose timers end with it */
    size_t unsent, have;
    uint8_t *in; /* IN_BYTES while something is there: a quiet connection keeps none */
};

/* A message on its way; the bytes follow. */
struct write {
    uv_write_t request;
    struct lan_conn *conn;
    size_t len;
    uint8_t data[];
};

static void on_gone(uv_handle_t *handle)
{
    struct lan_conn *c = handle->data;

    io_loop_count_connections(c->loop, -1);
    free(c->in);
    free(c);
}

static void destroy(void *ctx)
{
    struct lan_conn *c = ctx;

    io_timer_deinit(&c->linger);
    if (c->is_lingering)
        io_loop_release(c->loop);
    c->is_lingering = false;
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_gone);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct lan_conn *c = handle->data;

    (void)suggested;
    if (!c->in)
        c->in = malloc(IN_BYTES);
    if (c->in)
        *buf = uv_buf_init((char *)c->in + c->have, (unsigned)(IN_BYTES - c->have));
    else
        *buf = uv_buf_init(NULL, 0); /* on_read() hears UV_ENOBUFS */
}

static void fail(struct lan_conn *c)
{
    if (c->is_closed)
        return;
    c->is_open = false;
    uv_read_stop((uv_stream_t *)&c->tcp);
    c->handler.closed(c->handler.ctx);
}

/* The first whole piece of what has come. Its length with its head; 0: not all of it is there. */
static size_t next_piece(const struct lan_conn *c, struct bytes *piece)
{
    struct rd r = rd_of(bytes_of(c->in, c->have));
    size_t len = c->wants_hello ? LAN_MESSAGE_BYTES : rd_u16(&r);

    *piece = rd_bytes(&r, len);
    return r.ok ? len + (c->wants_hello ? 0 : HEAD_BYTES) : 0;
}

static bool is_nonsense(const struct lan_conn *c)
{
    struct rd r = rd_of(bytes_of(c->in, c->have));
    uint16_t len = rd_u16(&r);

    return !c->wants_hello && r.ok && (len == 0 || len > SIGNALING_MESSAGE_MAX);
}

/* A handler may close: c then lives until libuv lets go of it. */
static void take_pieces(struct lan_conn *c)
{
    struct bytes piece;
    size_t taken;

    while (c->is_open && !is_nonsense(c) && (taken = next_piece(c, &piece)) > 0) {
        if (c->wants_hello) {
            c->wants_hello = false;
            c->handler.hello(c->handler.ctx, piece);
        } else {
            c->handler.message(c->handler.ctx, piece);
        }
        c->have -= taken;
        memmove(c->in, c->in + taken, c->have);
    }
    if (c->is_open && is_nonsense(c))
        fail(c);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct lan_conn *c = stream->data;

    (void)buf;
    if (len < 0) {
        fail(c);
        return;
    }
    c->have += (size_t)len;
    take_pieces(c);
    if (c->have > 0)
        return;
    free(c->in);
    c->in = NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void on_written(uv_write_t *request, int status)
{
    struct write *w = request->data;
    struct lan_conn *c = w->conn;

    (void)status; /* an end shows where we read */
    c->unsent -= w->len;
    free(w);
    if (c->is_closed && c->unsent == 0)
        destroy(c);
}

static int send_piece(struct lan_conn *c, struct bytes head, struct bytes body)
{
    size_t len = head.len + body.len;
    struct write *w;
    uv_buf_t buf;

    if (!c->is_open)
        return ERR_WRONG_STATE;
    if (c->unsent + len > LAN_UNSENT_MAX)
        return ERR_LIMIT;
    w = malloc(sizeof *w + len);
    if (!w)
        return ERR_NOMEM;
    w->conn = c;
    w->len = len;
    w->request.data = w;
    if (head.len)
        memcpy(w->data, head.data, head.len);
    memcpy(w->data + head.len, body.data, body.len);
    buf = uv_buf_init((char *)w->data, (unsigned)len);
    if (uv_write(&w->request, (uv_stream_t *)&c->tcp, &buf, 1, on_written)) {
        free(w);
        return ERR_WRONG_STATE;
    }
    c->unsent += len;
    return ERR_OK;
}

int lan_conn_send_hello(struct lan_conn *c, const uint8_t hello[LAN_MESSAGE_BYTES])
{
    return send_piece(c, bytes_of(NULL, 0), bytes_of(hello, LAN_MESSAGE_BYTES));
}

int lan_conn_send(struct lan_conn *c, struct bytes message)
{
    uint8_t head[HEAD_BYTES];
    struct wr w = wr_of(head, sizeof head);

    if (message.len == 0 || message.len > SIGNALING_MESSAGE_MAX)
        return ERR_INVALID;
    wr_u16(&w, (uint16_t)message.len);
    return send_piece(c, wr_written(&w), message);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int begin(struct lan_conn *c)
{
    (void)uv_tcp_nodelay(&c->tcp, 1);
    (void)uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
    c->is_open = true;
    return uv_read_start((uv_stream_t *)&c->tcp, give_room, on_read) ? ERR_WRONG_STATE : ERR_OK;
}

static int new_conn(struct lan_conn **out, struct io_loop *loop, const struct lan_conn_handler *h)
{
    struct lan_conn *c = *out = calloc(1, sizeof *c);

    if (!c)
        return ERR_NOMEM;
    c->handler = *h;
    c->loop = loop;
    if (io_timer_init(&c->linger, loop, destroy, c) || uv_tcp_init(io_loop_uv(loop), &c->tcp)) {
        io_timer_deinit(&c->linger);
        free(c);
        *out = NULL;
        return ERR_NOMEM;
    }
    c->tcp.data = c;
    io_loop_count_connections(loop, 1);
    return ERR_OK;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct lan_conn *c = request->data;

    if (c->is_closed)
        return;
    if (status || begin(c))
        fail(c);
    else
        c->handler.opened(c->handler.ctx);
}

int lan_conn_dial(struct lan_conn **out, struct io_loop *loop, const struct addr *to,
                  const struct lan_conn_handler *h)
{
    struct sockaddr_storage ss;
    int err = sockaddr_encode(&ss, to) ? new_conn(out, loop, h) : ERR_INVALID;

    if (err)
        return err;
    (*out)->connect.data = *out;
    if (uv_tcp_connect(&(*out)->connect, &(*out)->tcp, (struct sockaddr *)&ss, on_connected) == 0)
        return ERR_OK;
    lan_conn_close(*out);
    *out = NULL;
    return ERR_INVALID;
}

int lan_conn_accept(struct lan_conn **out, struct io_loop *loop, uv_stream_t *listener,
                    const struct lan_conn_handler *h)
{
    int err = new_conn(out, loop, h);

    if (err)
        return err;
    (*out)->wants_hello = true;
    if (uv_accept(listener, (uv_stream_t *)&(*out)->tcp) == 0 && begin(*out) == ERR_OK)
        return ERR_OK;
    lan_conn_close(*out);
    *out = NULL;
    return ERR_LIMIT;
}

bool lan_conn_remote(const struct lan_conn *c, struct addr *out)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;

    return uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) == 0 &&
           sockaddr_decode(out, (struct sockaddr *)&ss);
}

void lan_conn_close(struct lan_conn *c)
{
    if (!c || c->is_closed)
        return;
    c->is_closed = true;
    c->is_open = false;
    if (c->unsent == 0) {
        destroy(c);
        return;
    }
    c->is_lingering = true;
    io_loop_hold(c->loop);
    io_timer_set(&c->linger, io_now() + LINGER_US);
}
