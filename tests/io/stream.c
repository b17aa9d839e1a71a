/* TCP and TLS connections against servers on loopback, well-behaved and not. */
#include "io/stream.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/broker/broker.h"
#include "tests/check.h"
#include "tests/io/gate.h"

static struct broker files; /* of which only the certificate for localhost is used */

/* ---- Servers --------------------------------------------------------------------------------- */

enum kind { REFUSING, ECHO, SILENT, EARLY, DEAF, NONSENSE, TLS_ECHO, TLS_OLD, TLS_EARLY, TLS_DEAF };

struct server {
    enum kind kind;
    int fd;
    uint16_t port;
    pthread_t thread;
    struct gate gate;
    bool may_read; /* DEAF ones begin to */
    size_t got, wrong;
};

static bool is_tls(enum kind kind)
{
    return kind >= TLS_ECHO;
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

static ssize_t take(int fd, SSL *ssl, uint8_t *data, size_t len)
{
    return ssl ? SSL_read(ssl, data, (int)len) : recv(fd, data, len, 0);
}

static void give(int fd, SSL *ssl, const uint8_t *data, size_t len)
{
    ssize_t sent = ssl ? SSL_write(ssl, data, (int)len) : send(fd, data, len, MSG_NOSIGNAL);

    (void)sent; /* what does not arrive is missed on the other side */
}

static void note_received(struct server *s, const uint8_t *data, size_t len)
{
    gate_lock(&s->gate);
    for (size_t i = 0; i < len; i++)
        s->wrong += data[i] != byte_at(s->got + i);
    s->got += len;
    gate_unlock(&s->gate);
}

static void converse(struct server *s, int fd, SSL *ssl)
{
    uint8_t data[65536];
    ssize_t len;

    if (s->kind == NONSENSE)
        give(fd, NULL, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    if (s->kind == DEAF || s->kind == TLS_DEAF)
        (void)GATE_WAIT(&s->gate, s->may_read);
    while ((len = take(fd, ssl, data, sizeof data)) > 0) {
        note_received(s, data, (size_t)len);
        if (s->kind == ECHO || s->kind == TLS_ECHO)
            give(fd, ssl, data, (size_t)len);
    }
}

static SSL *secure(struct server *s, int fd)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    char path[96];
    SSL *ssl;

    snprintf(path, sizeof path, "%s/cert.pem", files.dir);
    CHECK("a certificate", SSL_CTX_use_certificate_file(tls, path, SSL_FILETYPE_PEM) == 1);
    snprintf(path, sizeof path, "%s/key.pem", files.dir);
    CHECK("its key", SSL_CTX_use_PrivateKey_file(tls, path, SSL_FILETYPE_PEM) == 1);
    if (s->kind == TLS_OLD) {
        SSL_CTX_set_security_level(tls, 0);
        SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION);
    }
    ssl = SSL_new(tls);
    SSL_CTX_free(tls);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        return ssl;
    ERR_clear_error();
    SSL_free(ssl);
    return NULL;
}

static void serve(struct server *s, int fd)
{
    SSL *ssl = is_tls(s->kind) ? secure(s, fd) : NULL;

    if (s->kind == EARLY)
        shutdown(fd, SHUT_WR);
    if (s->kind == TLS_EARLY && ssl)
        SSL_shutdown(ssl);
    else if (ssl || !is_tls(s->kind))
        converse(s, fd, ssl);
    SSL_free(ssl);
}

static void *server_main(void *ctx)
{
    struct server *s = ctx;
    int fd = accept(s->fd, NULL, NULL);

    if (fd < 0)
        return NULL;
    serve(s, fd);
    close(fd);
    return NULL;
}

static void server_start(struct server *s, enum kind kind)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;
    int small = 4096;

    *s = (struct server){ .kind = kind, .gate = GATE_INIT };
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    CHECK("binds", bind(s->fd, (struct sockaddr *)&sin, len) == 0);
    getsockname(s->fd, (struct sockaddr *)&sin, &len);
    s->port = ntohs(sin.sin_port);
    if (kind == REFUSING)
        return; /* bound, so that nobody else listens there */
    CHECK("listens", listen(s->fd, 1) == 0);
    CHECK("serves", pthread_create(&s->thread, NULL, server_main, s) == 0);
}

static void server_stop(struct server *s)
{
    gate_lock(&s->gate);
    s->may_read = true;
    gate_unlock(&s->gate);
    if (s->kind != REFUSING) {
        shutdown(s->fd, SHUT_RDWR); /* ends accept() */
        pthread_join(s->thread, NULL);
    }
    close(s->fd);
}

/* ---- The client ------------------------------------------------------------------------------ */

struct client {
    struct gate gate;
    struct io_loop *loop;
    struct stream *stream;
    struct stream_config cfg;
    char ca_file[96];
    int err;
    bool is_within_open, closes_at_once;
    size_t called_within, connected, closed, drained;
    size_t got, wrong, sent, refused;
    bool can_send;
    struct addr local;
    char why[200];
};

static void close_at_once(struct client *c)
{
    if (!c->closes_at_once)
        return;
    stream_close(c->stream);
    c->stream = NULL;
}

static void on_connected(void *ctx, struct stream *s)
{
    struct client *c = ctx;

    gate_lock(&c->gate);
    c->called_within += c->is_within_open;
    c->connected++;
    c->local = *stream_local(s);
    c->can_send = stream_can_send(s);
    gate_unlock(&c->gate);
    close_at_once(c);
}

static void on_data(void *ctx, struct stream *s, const uint8_t *data, size_t len)
{
    struct client *c = ctx;

    (void)s;
    gate_lock(&c->gate);
    for (size_t i = 0; i < len; i++)
        c->wrong += data[i] != byte_at(c->got + i);
    c->got += len;
    gate_unlock(&c->gate);
}

static void on_drained(void *ctx, struct stream *s)
{
    struct client *c = ctx;

    gate_lock(&c->gate);
    c->drained++;
    c->can_send = stream_can_send(s);
    gate_unlock(&c->gate);
}

static void on_closed(void *ctx, struct stream *s, const char *why)
{
    struct client *c = ctx;

    gate_lock(&c->gate);
    c->called_within += c->is_within_open;
    c->closed++;
    snprintf(c->why, sizeof c->why, "%s", why);
    c->can_send = stream_can_send(s);
    gate_unlock(&c->gate);
    close_at_once(c);
}

static void open_stream(void *ctx)
{
    struct client *c = ctx;
    const struct stream_handler h = { .connected = on_connected,
                                      .data = on_data,
                                      .drained = on_drained,
                                      .closed = on_closed,
                                      .ctx = c };

    c->is_within_open = true;
    c->err = stream_open(&c->stream, c->loop, &c->cfg, &h);
    c->is_within_open = false;
    if (c->stream)
        CHECK("not before it is open", stream_send(c->stream, bytes_of("x", 1)) == ERR_WRONG_STATE);
}

static void close_stream(void *ctx)
{
    struct client *c = ctx;

    stream_close(c->stream);
    c->stream = NULL;
}

static void client_init(struct client *c, const struct server *s)
{
    *c = (struct client){ .gate = GATE_INIT };
    c->cfg.server = addr_ipv4(INADDR_LOOPBACK, s->port);
    snprintf(c->ca_file, sizeof c->ca_file, "%s/cert.pem", files.dir);
    CHECK("a loop", io_loop_new(&c->loop) == ERR_OK);
}

static void client_deinit(struct client *c)
{
    io_loop_run(c->loop, close_stream, c);
    io_loop_free(c->loop);
}

/* As many pieces of this length as are wanted, of which some may be refused. */
struct sending {
    struct client *client;
    size_t len, count;
};

static void send_pieces(void *ctx)
{
    struct sending *sending = ctx;
    struct client *c = sending->client;
    uint8_t data[65536];

    for (size_t i = 0; i < sending->count; i++) {
        int err;

        for (size_t k = 0; k < sending->len; k++)
            data[k] = byte_at(c->sent + k);
        err = stream_send(c->stream, bytes_of(data, sending->len));
        if (err == ERR_OK)
            c->sent += sending->len;
        c->refused += err == ERR_LIMIT;
        c->can_send = stream_can_send(c->stream);
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

enum trust { NO_TLS, OURS, SYSTEM };

static const struct {
    const char *claim;
    enum kind kind;
    enum trust trust;
    const char *name;
    bool connects;
    const char *why; /* some of it; "" if it stays */
} rows[] = {
    { "TCP", ECHO, NO_TLS, NULL, true, "" },
    { "a refusing server", REFUSING, NO_TLS, NULL, false, "refused" },
    { "one that closes at once", EARLY, NO_TLS, NULL, true, "closed" },
    { "TLS, the right name", TLS_ECHO, OURS, "localhost", true, "" },
    { "TLS, another name", TLS_ECHO, OURS, "example.org", false, "TLS: hostname mismatch" },
    { "TLS, a numeric name", TLS_ECHO, OURS, "127.0.0.1", false, "TLS: IP address mismatch" },
    { "TLS, signed by nobody known", TLS_ECHO, SYSTEM, "localhost", false, "TLS: self-signed" },
    { "TLS 1.1", TLS_OLD, OURS, "localhost", false, "TLS: " },
    { "TLS, ended at once", TLS_EARLY, OURS, "localhost", true, "closed" },
    { "TLS towards one that closes", EARLY, OURS, "localhost", false, "closed" },
    { "TLS towards one that speaks something else", NONSENSE, OURS, "localhost", false, "TLS: " },
    { "TLS towards one that says nothing", SILENT, OURS, "localhost", false, "in time" },
};

static void check_row(size_t i, const struct client *c)
{
    CHECK(rows[i].claim, (c->connected == 1) == rows[i].connects && c->connected <= 1);
    CHECK(rows[i].claim, c->closed == (*rows[i].why != '\0'));
    CHECK(rows[i].claim, strstr(c->why, rows[i].why) != NULL);
    if (!strstr(c->why, rows[i].why))
        print_error("    %s: %s\n", rows[i].claim, c->why);
    CHECK("never within the call", c->called_within == 0);
    CHECK("it says where it leaves from",
          !c->connected || (c->local.port && addr_scope_of(&c->local) == ADDR_SCOPE_LOOPBACK));
    CHECK("it takes bytes only while it is open", c->can_send == (c->connected && !c->closed));
}

TEST(connecting)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server s;
        struct client c;

        server_start(&s, rows[i].kind);
        client_init(&c, &s);
        c.cfg.tls_name = rows[i].name;
        c.cfg.ca_file = rows[i].trust == OURS ? c.ca_file : NULL;
        c.cfg.connect_us = rows[i].kind == SILENT ? 50 * MILLISECOND : 0;
        io_loop_run(c.loop, open_stream, &c);
        CHECK(rows[i].claim, c.err == ERR_OK);
        CHECK(rows[i].claim, GATE_WAIT(&c.gate, *rows[i].why ? c.closed : c.connected));
        client_deinit(&c);
        check_row(i, &c);
        server_stop(&s);
    }
}

/* A client that trusts this server and calls it by its name, not open yet. */
static void begin(struct server *s, struct client *c, enum kind kind)
{
    server_start(s, kind);
    client_init(c, s);
    c->cfg.tls_name = is_tls(kind) ? "localhost" : NULL;
    c->cfg.ca_file = c->ca_file;
}

static void connect_to(struct server *s, struct client *c, enum kind kind)
{
    begin(s, c, kind);
    io_loop_run(c->loop, open_stream, c);
    CHECK("connects", GATE_WAIT(&c->gate, c->connected));
}

static void exchange(enum kind kind)
{
    struct server s;
    struct client c;
    struct sending sending = { .client = &c, .len = 60000, .count = 30 };

    connect_to(&s, &c, kind);
    for (int i = 0; i < 5; i++) {
        io_loop_run(c.loop, send_pieces, &sending);
        CHECK("all comes back", GATE_WAIT(&c.gate, c.got == c.sent));
        CHECK("and then there is room", GATE_WAIT(&c.gate, c.can_send));
    }
    client_deinit(&c);
    server_stop(&s);
    CHECK("what was sent", c.sent >= 5 * 4 * sending.len && c.wrong == 0 && s.wrong == 0);
}

TEST(bytes_arrive_as_they_were)
{
    exchange(ECHO);
    exchange(TLS_ECHO);
}

/* A server that does not read: what is accepted is bounded, and all of it arrives in the end. */
static void fill_up(enum kind kind)
{
    struct server s;
    struct client c;
    struct sending sending = { .client = &c, .len = 10000, .count = 2000 };

    connect_to(&s, &c, kind);
    io_loop_run(c.loop, send_pieces, &sending);
    gate_lock(&c.gate);
    CHECK("full", c.refused > 0 && !c.can_send && c.drained == 0);
    gate_unlock(&c.gate);
    CHECK("not before its time", c.sent > STREAM_QUEUE_MAX - sending.len);
    gate_lock(&s.gate);
    s.may_read = true;
    gate_unlock(&s.gate);
    CHECK("all arrives", GATE_WAIT(&s.gate, s.got == c.sent));
    CHECK("and it is told once", GATE_WAIT(&c.gate, c.drained == 1));
    client_deinit(&c);
    server_stop(&s);
    CHECK("as it was", s.wrong == 0 && c.can_send);
}

TEST(a_full_queue)
{
    fill_up(DEAF);
    fill_up(TLS_DEAF);
}

/* While connecting, from a handler, and with a queue that is full. */
TEST(closing_whenever)
{
    static const enum kind kinds[] = { REFUSING, ECHO, EARLY, SILENT, TLS_ECHO, TLS_DEAF };

    for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
        struct server s;
        struct client c;
        struct sending sending = { .client = &c, .len = 10000, .count = 2000 };

        begin(&s, &c, kinds[i / 2]);
        c.closes_at_once = i % 2;
        io_loop_run(c.loop, open_stream, &c);
        if (c.closes_at_once || s.kind == TLS_DEAF)
            CHECK("told", GATE_WAIT(&c.gate, c.connected || c.closed));
        if (!c.closes_at_once && s.kind == TLS_DEAF)
            io_loop_run(c.loop, send_pieces, &sending);
        client_deinit(&c);
        CHECK("one ending at most", c.closed <= 1 && c.called_within == 0);
        server_stop(&s);
    }
}

static const struct {
    const char *claim, *local, *ca_file;
    uint8_t family;
    int err;
} bad[] = {
    { "an address that is not ours", "192.0.2.1", NULL, ADDR_IPV4, ERR_INVALID },
    { "another family", "::1", NULL, ADDR_IPV4, ERR_INVALID },
    { "no server", NULL, NULL, ADDR_NONE, ERR_INVALID },
    { "a CA file that is not there", NULL, "/nonexistent.pem", ADDR_IPV4, ERR_CRYPTO },
};

TEST(refused_at_once)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct server none = { .port = 9 };
        struct client c;

        client_init(&c, &none);
        c.cfg.server.family = bad[i].family;
        c.cfg.tls_name = bad[i].ca_file ? "localhost" : NULL;
        c.cfg.ca_file = bad[i].ca_file;
        if (bad[i].local)
            CHECK("row", addr_parse_ip(&c.cfg.local, bad[i].local, 0));
        io_loop_run(c.loop, open_stream, &c);
        CHECK(bad[i].claim, c.err == bad[i].err && !c.stream);
        client_deinit(&c);
        CHECK("nobody is called", !c.closed && !c.connected);
    }
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE,
                 SIG_IGN); /* OpenSSL's sockets on the servers' side; the library blocks it */
    return broker_init(&files, "", true) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    broker_deinit(&files);
    return 0;
}

TESTS_BETWEEN(set_up, tear_down, TEST_ROW(connecting), TEST_ROW(bytes_arrive_as_they_were),
              TEST_ROW(a_full_queue), TEST_ROW(closing_whenever), TEST_ROW(refused_at_once))
