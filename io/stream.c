/* stream.c: libuv's TCP, and TLS by OpenSSL over memory BIOs in between. */
#include "io/stream.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <uv.h>

#include "io/errno.h"
#include "io/sockaddr.h"

#define CONNECT_US  (10 * SECOND)
#define UNSENT_MAX  (64 * 1024)
#define CHUNK       16384                     /* received at once; a TLS record's most */
#define QUEUE_BYTES (STREAM_QUEUE_MAX + 8192) /* what TLS adds to one send fits beside */

enum stream_state { STREAM_CONNECTING, STREAM_SECURING, STREAM_OPEN, STREAM_GONE, STREAM_CLOSED };

struct stream {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct io_loop *loop;
    struct io_timer timer; /* of connecting; of telling later that it failed */
    struct stream_handler handler;
    enum stream_state state;
    struct addr local;
    const char *late_why; /* static: why it failed within a call */
    SSL_CTX *tls;
    SSL *ssl; /* NULL: no TLS; it owns both BIOs */
    BIO *from_net, *to_net;

    uint8_t *queue; /* a ring; NULL until something did not go at once */
    size_t first, queued;
    size_t writing; /* of the queued bytes: with libuv now */
    uint8_t chunk[CHUNK];
};

/* ---- The end --------------------------------------------------------------------------------- */

static void fail(struct stream *s, const char *why)
{
    if (s->state >= STREAM_GONE)
        return;
    s->state = STREAM_GONE;
    io_timer_stop(&s->timer);
    uv_read_stop((uv_stream_t *)&s->tcp);
    s->handler.closed(s->handler.ctx, s, why);
}

/* Where the caller does not expect to be called. */
static void fail_later(struct stream *s, const char *why)
{
    s->late_why = why;
    io_timer_set(&s->timer, io_now());
}

static void on_timer(void *ctx)
{
    struct stream *s = ctx;

    fail(s, s->late_why ? s->late_why : "no connection in time");
}

static void fail_tls(struct stream *s)
{
    unsigned long error = ERR_peek_error();
    long verified = SSL_get_verify_result(s->ssl);
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    char why[160];

    if (s->state == STREAM_SECURING && verified != X509_V_OK)
        text = X509_verify_cert_error_string(verified);
    (void)snprintf(why, sizeof why, "TLS: %s", text ? text : "broken");
    ERR_clear_error();
    fail(s, why);
}

/* ---- Out ------------------------------------------------------------------------------------- */

static void on_written(uv_write_t *write, int status);

/* All that is queued, as at most two pieces of the ring. */
static void write_queue(struct stream *s)
{
    size_t straight = QUEUE_BYTES - s->first;
    uv_buf_t pieces[2];
    unsigned count = 1;

    if (s->writing || !s->queued)
        return;
    s->writing = s->queued;
    pieces[0].base = (char *)s->queue + s->first;
    pieces[0].len = s->queued;
    if (s->queued > straight) {
        pieces[0].len = straight;
        pieces[1].base = (char *)s->queue;
        pieces[1].len = s->queued - straight;
        count = 2;
    }
    if (uv_write(&s->write, (uv_stream_t *)&s->tcp, pieces, count, on_written)) {
        s->writing = 0;
        fail_later(s, "it cannot be written to");
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct stream *s = write->data;

    s->first = (s->first + s->writing) % QUEUE_BYTES;
    s->queued -= s->writing;
    s->writing = 0;
    if (s->state >= STREAM_GONE)
        return;
    if (status) {
        fail(s, uv_strerror(status));
        return;
    }
    if (s->queued)
        write_queue(s);
    else if (s->state == STREAM_OPEN)
        s->handler.drained(s->handler.ctx, s);
}

/* False: no memory, or no room; then nothing was taken. */
static bool queue_bytes(struct stream *s, const uint8_t *data, size_t len)
{
    size_t at = (s->first + s->queued) % QUEUE_BYTES;
    size_t straight = QUEUE_BYTES - at < len ? QUEUE_BYTES - at : len;

    if (!s->queue)
        s->queue = malloc(QUEUE_BYTES); /* only where a stream was ever full */
    if (!s->queue || len > QUEUE_BYTES - s->queued)
        return false;
    memcpy(s->queue + at, data, straight);
    memcpy(s->queue, data + straight, len - straight);
    s->queued += len;
    return true;
}

static void put_out(struct stream *s, const uint8_t *data, size_t len)
{
    size_t done = 0;

    if (!s->queued) {
        uv_buf_t piece = { .base = (char *)(uintptr_t)data, .len = len };
        int sent = uv_try_write((uv_stream_t *)&s->tcp, &piece, 1);

        done = sent > 0 ? (size_t)sent : 0; /* an error shows again when it is queued */
    }
    if (done < len && !queue_bytes(s, data + done, len - done))
        fail_later(s, "no room for what is to be sent");
    write_queue(s);
}

static void put_out_sealed(struct stream *s)
{
    char *data;
    long len = BIO_get_mem_data(s->to_net, &data);

    if (len <= 0)
        return;
    put_out(s, (const uint8_t *)data, (size_t)len);
    (void)BIO_reset(s->to_net);
}

bool stream_can_send(const struct stream *s)
{
    return s->state == STREAM_OPEN && !s->queued;
}

size_t stream_queued(const struct stream *s)
{
    return s->queued - s->writing + uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp);
}

int stream_send(struct stream *s, struct bytes data)
{
    if (s->state != STREAM_OPEN)
        return ERR_WRONG_STATE;
    if (data.len > STREAM_QUEUE_MAX || s->queued > STREAM_QUEUE_MAX - data.len)
        return ERR_LIMIT;
    if (data.len == 0)
        return ERR_OK;
    if (!s->ssl) {
        put_out(s, data.data, data.len);
        return ERR_OK;
    }
    ERR_clear_error();
    if (SSL_write(s->ssl, data.data, (int)data.len) != (int)data.len)
        fail_later(s, "TLS: broken");
    put_out_sealed(s);
    return ERR_OK;
}

/* ---- In -------------------------------------------------------------------------------------- */

static void become_open(struct stream *s)
{
    s->state = STREAM_OPEN;
    io_timer_stop(&s->timer);
    s->handler.connected(s->handler.ctx, s);
}

/* What OpenSSL says of a call that did not succeed. */
static void judge_tls(struct stream *s, int result)
{
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return;
    case SSL_ERROR_ZERO_RETURN:
        fail(s, "the server closed the connection");
        return;
    default:
        fail_tls(s);
    }
}

static void shake_hands(struct stream *s)
{
    int result;

    ERR_clear_error();
    result = SSL_connect(s->ssl);
    put_out_sealed(s); /* an alert too */
    if (result == 1)
        become_open(s);
    else
        judge_tls(s, result);
}

static void read_clear(struct stream *s)
{
    uint8_t clear[CHUNK];
    int len = 1;

    while (s->state == STREAM_OPEN && len > 0) {
        ERR_clear_error();
        len = SSL_read(s->ssl, clear, sizeof clear);
        put_out_sealed(s); /* answers of the protocol itself */
        if (len > 0)
            s->handler.data(s->handler.ctx, s, clear, (size_t)len);
        else
            judge_tls(s, len);
    }
}

static void on_sealed(struct stream *s, size_t len)
{
    if (BIO_write(s->from_net, s->chunk, (int)len) != (int)len) {
        fail(s, "out of memory");
        return;
    }
    if (s->state == STREAM_SECURING)
        shake_hands(s);
    if (s->state == STREAM_OPEN)
        read_clear(s);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct stream *s = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)s->chunk, sizeof s->chunk);
}

static void on_read(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf)
{
    struct stream *s = tcp->data;

    (void)buf;
    if (s->state >= STREAM_GONE || len == 0)
        return;
    if (len == UV_EOF)
        fail(s, "the server closed the connection");
    else if (len < 0)
        fail(s, uv_strerror((int)len));
    else if (s->ssl)
        on_sealed(s, (size_t)len);
    else
        s->handler.data(s->handler.ctx, s, s->chunk, (size_t)len);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* What the network does not take yet waits with us and not in the kernel: the caller sees it,
 * and keeps back what can still be overtaken. */
static void set_options(struct stream *s)
{
    int most = UNSENT_MAX;
    uv_os_fd_t fd;

    (void)uv_tcp_nodelay(&s->tcp, 1);
    if (uv_fileno((uv_handle_t *)&s->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
}

static void note_local(struct stream *s)
{
    struct sockaddr_storage ss;
    int len = sizeof ss;

    if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&ss, &len) == 0)
        (void)sockaddr_decode(&s->local, (struct sockaddr *)&ss);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct stream *s = connect->data;

    if (s->state >= STREAM_GONE)
        return;
    if (status || (status = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read))) {
        fail(s, uv_strerror(status));
        return;
    }
    set_options(s);
    note_local(s);
    if (s->ssl) {
        s->state = STREAM_SECURING;
        shake_hands(s);
    } else {
        become_open(s);
    }
}

static bool is_address(const char *name)
{
    struct addr a;

    return addr_parse_ip(&a, name, 0);
}

/* The name is checked as RFC 6125 says, and numeric ones against the certificate's addresses. */
static bool set_tls_name(SSL *ssl, const char *name)
{
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

static bool set_tls_trust(SSL_CTX *tls, const char *ca_file)
{
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) &&
           (ca_file ? SSL_CTX_load_verify_file(tls, ca_file)
                    : SSL_CTX_set_default_verify_paths(tls));
}

static int init_tls(struct stream *s, const char *name, const char *ca_file)
{
    ERR_clear_error();
    s->tls = SSL_CTX_new(TLS_client_method());
    if (!s->tls || !set_tls_trust(s->tls, ca_file))
        return ERR_CRYPTO;
    s->ssl = SSL_new(s->tls);
    s->from_net = BIO_new(BIO_s_mem());
    s->to_net = BIO_new(BIO_s_mem());
    if (!s->ssl || !s->from_net || !s->to_net) {
        BIO_free(s->from_net);
        BIO_free(s->to_net);
        return ERR_NOMEM;
    }
    SSL_set_bio(s->ssl, s->from_net, s->to_net);
    SSL_set_connect_state(s->ssl);
    return set_tls_name(s->ssl, name) ? ERR_OK : ERR_CRYPTO;
}

static int start(struct stream *s, const struct stream_config *cfg)
{
    struct sockaddr_storage ss;
    int status = 0;

    if (cfg->local.family != ADDR_NONE && sockaddr_encode(&ss, &cfg->local))
        status = uv_tcp_bind(&s->tcp, (struct sockaddr *)&ss, 0);
    if (!status && !sockaddr_encode(&ss, &cfg->server))
        return ERR_INVALID;
    if (!status)
        status = uv_tcp_connect(&s->connect, &s->tcp, (struct sockaddr *)&ss, on_connected);
    if (status)
        return errno_decode(-status, ERR_INVALID);
    io_timer_set(&s->timer, io_now() + (cfg->connect_us ? cfg->connect_us : CONNECT_US));
    return ERR_OK;
}

static void free_stream(struct stream *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->tls);
    free(s->queue);
    free(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    io_loop_count_connections(s->loop, -1);
    free_stream(s);
}

int stream_open(struct stream **out, struct io_loop *loop, const struct stream_config *cfg,
                const struct stream_handler *h)
{
    struct stream *s = calloc(1, sizeof *s);
    int err;

    *out = NULL;
    assert(io_loop_is_current(loop));
    if (!s)
        return ERR_NOMEM;
    s->handler = *h;
    s->loop = loop;
    err = cfg->tls_name ? init_tls(s, cfg->tls_name, cfg->ca_file) : ERR_OK;
    if (!err)
        err = io_timer_init(&s->timer, loop, on_timer, s);
    if (!err && uv_tcp_init(io_loop_uv(loop), &s->tcp))
        err = ERR_LIMIT;
    if (err) {
        io_timer_deinit(&s->timer);
        free_stream(s);
        return err;
    }
    s->tcp.data = s->connect.data = s->write.data = s;
    io_loop_count_connections(loop, 1);
    err = start(s, cfg);
    if (err)
        stream_close(s);
    else
        *out = s;
    return err;
}

void stream_close(struct stream *s)
{
    if (!s || s->state == STREAM_CLOSED)
        return;
    if (s->state == STREAM_OPEN && s->ssl && !s->queued) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl); /* close_notify, if the kernel takes it at once */
        put_out_sealed(s);
    }
    s->state = STREAM_CLOSED;
    io_timer_deinit(&s->timer);
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}

const struct addr *stream_local(const struct stream *s)
{
    return &s->local;
}
