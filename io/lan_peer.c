/* lan_peer.c: the app's end: signaling to the one device that knows a secret.
 *
 *     IDLE --send--> FINDING --reply--> DIALLING --connected, hello--> OPEN --lost--> IDLE
 *                       ^---------failed, no other reply------'
 *
 * Messages wait in a queue until there is a connection or their time is up. */
#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "io/lan_hub.h"

#define REPLIES_MAX     4 /* addresses to try, of one search */
#define DIAL_US         (1500 * MILLISECOND)
#define SEND_TIMEOUT_US (8 * SECOND)

enum peer_state { PEER_IDLE, PEER_FINDING, PEER_DIALLING, PEER_OPEN };

/* Text NULL: its fate is known and waits to be told. */
struct queued {
    uint64_t request;
    usec until;
    uint8_t *text;
    size_t len;
    enum signaling_result result;
};

/* Somebody who knows the secret. */
struct found {
    struct addr addr;
    struct lan_message reply;
};

struct lan_peer {
    struct signaling face; /* first */
    struct lan_peer *next;
    struct lan *lan;
    struct signaling_handler handler;
    uint8_t secret[LAN_SECRET_BYTES];
    usec send_timeout_us;
    enum peer_state state;
    struct lan_finder finder;
    struct found found[REPLIES_MAX];
    size_t found_count, found_next;
    unsigned dials;
    usec dial_until;
    struct lan_conn *conn;
    struct queued queue[LAN_SENDS_MAX];
    size_t queue_count;
    struct io_timer timer;
    struct io_task task; /* tells what became of messages, and of the connection */
    bool is_up_told, is_up;
};

static void search(struct lan_peer *p);

/* ---- Telling --------------------------------------------------------------------------------- */

static void settle(struct lan_peer *p, struct queued *q, enum signaling_result result)
{
    free(q->text);
    q->text = NULL;
    q->result = result;
    io_loop_wake(p->lan->loop, &p->task);
}

static bool take_settled(struct lan_peer *p, struct queued *out)
{
    for (size_t i = 0; i < p->queue_count; i++) {
        if (p->queue[i].text)
            continue;
        *out = p->queue[i];
        p->queue_count--;
        memmove(&p->queue[i], &p->queue[i + 1], (p->queue_count - i) * sizeof p->queue[0]);
        return true;
    }
    return false;
}

static bool is_open_peer(const struct lan *lan, const struct lan_peer *peer)
{
    const struct lan_peer *p = lan->peers;

    while (p && p != peer)
        p = p->next;
    return p != NULL;
}

/* A handler may close the signaling. */
static void tell(void *ctx)
{
    struct lan_peer *p = ctx;
    struct lan *lan = p->lan;
    struct signaling_handler h = p->handler;
    struct queued done;

    if (p->is_up != p->is_up_told) {
        p->is_up_told = p->is_up;
        h.on_state(h.ctx, p->is_up ? SIGNALING_ONLINE : SIGNALING_DOWN, "local network");
    }
    while (is_open_peer(lan, p) && take_settled(p, &done))
        h.on_sent(h.ctx, done.request, done.result);
}

static void note_up(struct lan_peer *p, bool is_up)
{
    p->is_up = is_up;
    if (p->is_up != p->is_up_told)
        io_loop_wake(p->lan->loop, &p->task);
}

/* ---- The connection -------------------------------------------------------------------------- */

static void drop_conn(struct lan_peer *p)
{
    lan_conn_close(p->conn);
    p->conn = NULL;
    p->dial_until = USEC_NEVER;
}

static bool has_waiting(const struct lan_peer *p)
{
    for (size_t i = 0; i < p->queue_count; i++)
        if (p->queue[i].text)
            return true;
    return false;
}

static void set_timer(struct lan_peer *p)
{
    usec at = p->dial_until;

    if (p->state == PEER_FINDING)
        at = usec_min(at, lan_finder_next_timeout(&p->finder));
    for (size_t i = 0; i < p->queue_count; i++)
        if (p->queue[i].text)
            at = usec_min(at, p->queue[i].until);
    io_timer_set(&p->timer, at);
}

/* In their order. What does not go now, with the connection open, does not go at all. */
static void send_waiting(struct lan_peer *p)
{
    for (size_t i = 0; i < p->queue_count; i++) {
        struct queued *q = &p->queue[i];

        if (q->text)
            settle(p, q,
                   lan_conn_send(p->conn, bytes_of(q->text, q->len)) ? SIGNALING_FAILED
                                                                     : SIGNALING_DELIVERED);
    }
}

static void on_opened(void *ctx)
{
    struct lan_peer *p = ctx;
    uint8_t hello[LAN_MESSAGE_BYTES];

    p->dial_until = USEC_NEVER;
    if (lan_finder_hello(&p->finder, &p->lan->rng, &p->found[p->found_next - 1].reply, hello) ||
        lan_conn_send_hello(p->conn, hello)) {
        drop_conn(p);
        search(p);
        return;
    }
    p->state = PEER_OPEN;
    p->found_count = p->found_next = 0;
    send_waiting(p);
    note_up(p, true);
    set_timer(p);
}

static void on_message(void *ctx, struct bytes message)
{
    const struct lan_peer *p = ctx;

    p->handler.on_message(p->handler.ctx, message);
}

static void on_closed(void *ctx)
{
    struct lan_peer *p = ctx;

    drop_conn(p);
    p->state = PEER_IDLE;
    note_up(p, false);
    search(p);
}

/* The next of those who replied; false: none is left. */
static bool dial(struct lan_peer *p)
{
    const struct lan_conn_handler handler = {
        .opened = on_opened, .message = on_message, .closed = on_closed, .ctx = p
    };

    while (p->found_next < p->found_count && p->dials < LAN_DIALS_MAX) {
        const struct found *f = &p->found[p->found_next++];

        p->dials++;
        if (lan_conn_dial(&p->conn, p->lan->loop, &f->addr, &handler))
            continue;
        p->state = PEER_DIALLING;
        p->dial_until = io_now() + DIAL_US;
        return true;
    }
    return false;
}

/* ---- Finding --------------------------------------------------------------------------------- */

static void send_probe(struct lan_peer *p, const struct lan_face *face, size_t f)
{
    struct lan *lan = p->lan;
    const struct addr *to = &lan->group_addr[f];
    struct addr from = { .family = ADDR_NONE };
    uint8_t probe[LAN_MESSAGE_BYTES];

    if (!lan->probe[f] || !(face->families >> to->family & 1) ||
        lan_finder_probe(&p->finder, probe))
        return;
    if (to->family == ADDR_IPV4)
        from = face->v4;
    lan->counts.probes_sent +=
        lan_socket_send(lan->probe[f], &from, to, face->index, bytes_of(probe, sizeof probe));
}

static void send_probes(struct lan_peer *p)
{
    lan_refresh(p->lan, SECOND);
    for (size_t i = 0; i < p->lan->nets.face_count; i++)
        for (size_t f = 0; f < LAN_FAMILIES; f++)
            send_probe(p, &p->lan->nets.face[i], f);
}

/* For as long as something waits to be sent. */
static void search(struct lan_peer *p)
{
    if (p->state == PEER_OPEN || (p->state == PEER_DIALLING && p->conn)) {
        set_timer(p);
        return;
    }
    p->state = PEER_IDLE;
    if (has_waiting(p) && !dial(p)) {
        p->found_count = p->found_next = 0;
        p->state = PEER_FINDING;
        lan_finder_start(&p->finder, io_now(), &p->lan->rng, p->secret);
    }
    set_timer(p);
}

static void expire(struct lan_peer *p, usec now)
{
    for (size_t i = 0; i < p->queue_count; i++)
        if (p->queue[i].text && now >= p->queue[i].until)
            settle(p, &p->queue[i], SIGNALING_FAILED);
    if (p->state == PEER_FINDING && !has_waiting(p))
        p->state = PEER_IDLE;
}

static void on_timer(void *ctx)
{
    struct lan_peer *p = ctx;
    usec now = io_now();

    expire(p, now);
    if (now >= p->dial_until) {
        drop_conn(p);
        search(p);
        return;
    }
    if (p->state == PEER_FINDING && lan_finder_poll(&p->finder, now))
        send_probes(p);
    set_timer(p);
}

static void take_reply(struct lan_peer *p, const struct addr *from, const struct lan_message *reply)
{
    struct found *f = &p->found[p->found_count];

    if (p->found_count == REPLIES_MAX)
        return;
    *f = (struct found){ .addr = *from, .reply = *reply };
    f->addr.port = reply->port;
    p->found_count++;
    if (p->state == PEER_FINDING) {
        lan_finder_stop(&p->finder);
        search(p);
    }
}

void lan_peers_input(struct lan *lan, const struct lan_datagram *d)
{
    struct lan_message reply;

    for (struct lan_peer *p = lan->peers; p; p = p->next) {
        if (p->state != PEER_FINDING && p->state != PEER_DIALLING)
            continue;
        if (lan_finder_input(&p->finder, d->data, &reply) != VERDICT_TAKEN)
            continue;
        take_reply(p, &d->from, &reply);
        return;
    }
}

/* ---- The face -------------------------------------------------------------------------------- */

static int send_message(struct signaling *self, const char *to_id, struct bytes message,
                        uint64_t request)
{
    struct lan_peer *p = (struct lan_peer *)self;
    struct queued *q = &p->queue[p->queue_count];

    (void)to_id;
    if (message.len == 0 || message.len > SIGNALING_MESSAGE_MAX)
        return ERR_INVALID;
    if (p->queue_count == LAN_SENDS_MAX)
        return ERR_LIMIT;
    *q = (struct queued){ .request = request,
                          .until = io_now() + p->send_timeout_us,
                          .text = malloc(message.len),
                          .len = message.len };
    if (!q->text)
        return ERR_NOMEM;
    memcpy(q->text, message.data, message.len);
    p->queue_count++;
    if (p->state == PEER_OPEN)
        send_waiting(p);
    if (p->state == PEER_IDLE)
        search(p);
    set_timer(p);
    return ERR_OK;
}

/* The connection may be to where the device was: the next message looks for it again. */
static void kick(struct signaling *self)
{
    struct lan_peer *p = (struct lan_peer *)self;

    if (p->state != PEER_OPEN)
        return;
    drop_conn(p);
    p->state = PEER_IDLE;
    note_up(p, false);
    set_timer(p);
}

static void close_peer(struct signaling *self)
{
    struct lan_peer *p = (struct lan_peer *)self;
    struct lan_peer **at = &p->lan->peers;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    drop_conn(p);
    io_loop_unwake(p->lan->loop, &p->task);
    io_timer_deinit(&p->timer);
    for (size_t i = 0; i < p->queue_count; i++)
        free(p->queue[i].text);
    lan_finder_deinit(&p->finder);
    OPENSSL_cleanse(p->secret, sizeof p->secret);
    free(p);
}

int lan_open(struct signaling **out, struct lan *lan, const uint8_t secret[LAN_SECRET_BYTES],
             usec send_timeout_us, const struct signaling_handler *h)
{
    struct lan_peer *p = calloc(1, sizeof *p);

    *out = NULL;
    assert(io_loop_is_current(lan->loop));
    if (!p)
        return ERR_NOMEM;
    if (io_timer_init(&p->timer, lan->loop, on_timer, p)) {
        free(p);
        return ERR_NOMEM;
    }
    if (!lan_open_probes(lan)) {
        io_timer_deinit(&p->timer);
        free(p);
        return ERR_LIMIT;
    }
    p->face = (struct signaling){ .send = send_message, .close = close_peer, .kick = kick };
    p->task = (struct io_task){ .fn = tell, .ctx = p };
    p->lan = lan;
    p->handler = *h;
    p->dial_until = USEC_NEVER;
    p->send_timeout_us = send_timeout_us ? send_timeout_us : SEND_TIMEOUT_US;
    memcpy(p->secret, secret, sizeof p->secret);
    p->next = lan->peers;
    lan->peers = p;
    *out = &p->face;
    return ERR_OK;
}
