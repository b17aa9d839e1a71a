#include "tests/sim/peer.h"

#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGES_MAX 64 /* signaling messages waiting to be fetched */

struct peer {
    struct peer_plan plan;
    const struct rng *rng;
    struct pool *pool;
    struct dtls_identity *identity;
    struct session *session;
    struct app app;
    bool is_open, is_closed;
    struct peer_end end;
    struct peer_seen seen;
    const char *fault;
    struct addr socket;   /* the one that is there now, of several the first */
    unsigned asked_again; /* relays */
    bool is_stream[SESSION_RELAYS_MAX];
    size_t candidate_count;
    struct {
        struct addr addr;
        usec at;
    } candidates[ICE_CANDIDATES_MAX]; /* that came by messages of their own */
    char *messages[MESSAGES_MAX];
    size_t first_message, message_count;
    char fetched[PEER_TEXT_MAX];
};

static void must(int err)
{
    if (err) {
        fprintf(stderr, "simulated peer: %s\n", err_string((enum err)err));
        exit(2);
    }
}

struct peer *peer_new(const struct peer_plan *plan, const struct rng *rng, usec now)
{
    struct peer *p = calloc(1, sizeof *p);

    must(p ? ERR_OK : ERR_NOMEM);
    p->plan = *plan;
    p->rng = rng;
    p->socket = plan->sockets[0];
    p->seen.open_at = USEC_NEVER;
    app_init(&p->app, &plan->app, rng);
    must(pool_new(&p->pool, PEER_POOL_BLOCKS));
    must(dtls_identity_new(&p->identity, rng, WORLD_EPOCH_S + now / SECOND));
    return p;
}

size_t peer_free(struct peer *p)
{
    size_t lost;

    session_free(p->session);
    app_deinit(&p->app);
    dtls_identity_free(p->identity);
    lost = pool_used(p->pool);
    if (lost == 0)
        pool_free(p->pool);
    while (peer_poll_message(p))
        ;
    free(p);
    return lost;
}

static void say(struct peer *p, const char *kind, const char *body)
{
    size_t len = strlen(kind) + strlen(body) + 2;
    char *text = malloc(len);
    struct wr w = wr_of(text, len);

    must(p->message_count < MESSAGES_MAX && len <= PEER_TEXT_MAX ? ERR_OK : ERR_LIMIT);
    must(text ? ERR_OK : ERR_NOMEM);
    wr_bytes(&w, bytes_of_string(kind));
    wr_u8(&w, ' ');
    wr_bytes(&w, bytes_of_string(body));
    wr_u8(&w, 0);
    p->messages[(p->first_message + p->message_count++) % MESSAGES_MAX] = text;
}

const char *peer_poll_message(struct peer *p)
{
    char *text = p->messages[p->first_message];

    if (p->message_count == 0)
        return NULL;
    memcpy(p->fetched, text, strlen(text) + 1); /* say() saw that it fits */
    free(text);
    p->first_message = (p->first_message + 1) % MESSAGES_MAX;
    p->message_count--;
    return p->fetched;
}

static uint16_t preference_of(size_t socket)
{
    return (uint16_t)(65535 - socket);
}

/* Asks every relay of the socket's family from there. */
static void ask_relays(struct peer *p, usec now, const struct addr *socket)
{
    unsigned number;

    for (size_t i = 0; i < p->plan.relay_count; i++) {
        struct session_relay relay = p->plan.relays[i];

        relay.base = *socket;
        if (relay.server.family == socket->family)
            must(session_add_relay(p->session, now, &relay, &number));
    }
}

static void make_session(struct peer *p, usec now)
{
    struct session_config cfg = {
        .role = p->plan.role,
        .identity = p->identity,
        .pool = p->pool,
        .rx_bytes_max = p->plan.rx_bytes_max,
        .half_open_us = p->plan.half_open_us ? p->plan.half_open_us : 40 * SECOND,
        .flush_us = 40 * SECOND,
        .zombie_us = USEC_NEVER,
    };

    must(session_new(&p->session, &cfg, p->rng));
    for (size_t i = 0; i < p->plan.socket_count; i++)
        must(session_add_socket(p->session, now, &p->plan.sockets[i], preference_of(i)));
    for (size_t i = 0; i < p->plan.stun_count; i++)
        must(session_add_stun_server(p->session, now, &p->plan.stun_servers[i]));
    for (size_t i = 0; i < p->plan.socket_count; i++)
        ask_relays(p, now, &p->plan.sockets[i]);
    session_end_local(p->session, now);
}

static void say_description(struct peer *p, const char *kind)
{
    struct session_description d;
    char *json;

    session_get_local(p->session, &d);
    must(session_description_encode(&d, &json));
    say(p, kind, json);
    free(json);
}

void peer_start(struct peer *p, usec now)
{
    make_session(p, now);
    say_description(p, "offer");
}

static void on_description(struct peer *p, usec now, const char *json)
{
    struct session_description d;

    must(session_description_decode(&d, json, strlen(json)));
    must(session_set_remote(p->session, now, &d));
    p->seen.answer_at = now;
}

/* Glare, repetition and lateness are the sessions' to sort out: refusing is an answer too. */
static void on_restart(struct peer *p, usec now, const char *json)
{
    struct session_description d;

    must(session_description_decode(&d, json, strlen(json)));
    (void)session_set_restart(p->session, now, &d);
}

static void on_candidate(struct peer *p, usec now, const struct ice_candidate *c)
{
    if (p->candidate_count < COUNT(p->candidates)) {
        p->candidates[p->candidate_count].addr = c->addr;
        p->candidates[p->candidate_count++].at = now;
    }
    (void)session_add_remote(p->session, now, c); /* there may be more than it takes */
}

void peer_input_message(struct peer *p, usec now, const char *text)
{
    const char *body = strchr(text, ' ') + 1;
    struct ice_candidate c;

    if (strncmp(text, "offer ", 6) == 0) {
        make_session(p, now);
        on_description(p, now, body);
        say_description(p, "answer");
    } else if (strncmp(text, "answer ", 7) == 0) {
        on_description(p, now, body);
    } else if (strncmp(text, "restart ", 8) == 0) {
        on_restart(p, now, body);
    } else if (strncmp(text, "candidate ", 10) == 0) {
        must(ice_candidate_decode(&c, body));
        on_candidate(p, now, &c);
    } else {
        session_end_remote(p->session, now);
    }
}

static void on_closed(struct peer *p, usec now, const struct session_event *ev)
{
    if (p->is_closed)
        p->fault = "closed twice";
    app_close(&p->app, p->session, now);
    p->is_closed = true;
    p->end = (struct peer_end){ ev->end, ev->reason };
}

/* A server that forgot us, or that another one named, is asked anew. Which relay it was does not
 * matter here: plans have one server, and each socket asks it. */
static void on_relay(struct peer *p, usec now, const struct session_event *ev)
{
    struct session_relay relay = p->plan.relays[0];
    bool was_live = p->seen.relays_live > 0;
    unsigned number;

    p->seen.relays_live += ev->relay_state == SESSION_RELAY_LIVE;
    if (ev->relay_state == SESSION_RELAY_FAILED && p->is_stream[ev->relay]) {
        p->seen.streams_failed++; /* connecting is the stage's */
        return;
    }
    if (ev->relay_state == SESSION_RELAY_REDIRECTED)
        relay.server = ev->server;
    else if (ev->relay_state != SESSION_RELAY_FAILED || !was_live)
        return;
    relay.base = p->socket;
    if (p->asked_again < PEER_RELAYS_MAX && relay.server.family == relay.base.family) {
        p->asked_again++;
        if (session_add_relay(p->session, now, &relay, &number) == ERR_OK)
            p->is_stream[number] = false;
    }
}

static void say_candidate(struct peer *p, const struct ice_candidate *c)
{
    char line[ICE_CANDIDATE_TEXT_MAX];

    must(ice_candidate_encode(c, line));
    say(p, "candidate", line);
}

static void on_event(struct peer *p, usec now, const struct session_event *ev)
{
    switch (ev->type) {
    case SESSION_EVENT_CANDIDATE:
        say_candidate(p, &ev->candidate);
        break;
    case SESSION_EVENT_RESTART:
        p->seen.restarts++;
        say_description(p, "restart");
        break;
    case SESSION_EVENT_RELAY:
        on_relay(p, now, ev);
        break;
    case SESSION_EVENT_GATHERED:
        say(p, "gathered", "");
        break;
    case SESSION_EVENT_OPEN:
        p->is_open = true;
        p->seen.open_at = now;
        app_open(&p->app, p->session, now);
        break;
    case SESSION_EVENT_WRITABLE:
        app_write(&p->app, p->session, now, ev->channel);
        break;
    case SESSION_EVENT_READABLE:
        app_read(&p->app, p->session, now);
        break;
    case SESSION_EVENT_CLOSED:
        on_closed(p, now, ev);
        break;
    case SESSION_EVENT_PATH:
        p->seen.paths++;
        p->seen.path_at = now;
        break;
    }
}

void peer_input(struct peer *p, usec now, const struct addr *local, const struct addr *from,
                struct bytes dgram)
{
    if (p->session)
        (void)session_input(p->session, now, local, from, dgram);
}

void peer_tick(struct peer *p, usec now)
{
    if (!p->session)
        return;
    app_tick(&p->app, p->session, now);
    session_tick(p->session, now);
}

bool peer_poll_output(struct peer *p, usec now, struct out *out)
{
    struct session_event ev;

    while (p->session) {
        if (session_poll_output(p->session, now, out))
            return true;
        if (!session_poll_event(p->session, &ev))
            return false;
        on_event(p, now, &ev);
    }
    return false;
}

usec peer_next_timeout(const struct peer *p)
{
    usec own = app_next_timeout(&p->app);

    return p->session ? usec_min(own, session_next_timeout(p->session)) : own;
}

void peer_send_more(struct peer *p, usec now, unsigned channel, uint32_t tx_bytes,
                    uint32_t rx_bytes)
{
    app_extend(&p->app, channel, tx_bytes, rx_bytes);
    app_write(&p->app, p->session, now, channel);
}

void peer_close(struct peer *p, usec now, unsigned reason)
{
    session_close(p->session, now, reason);
}

void peer_add_socket(struct peer *p, usec now, const struct addr *socket)
{
    p->socket = *socket;
    must(session_add_socket(p->session, now, socket, preference_of(0)));
    ask_relays(p, now, socket);
}

void peer_remove_socket(struct peer *p, usec now, const struct addr *socket)
{
    session_remove_socket(p->session, now, socket);
}

void peer_check_paths(struct peer *p, usec now)
{
    session_check_paths(p->session, now);
}

void peer_restart(struct peer *p, usec now)
{
    (void)session_restart(p->session, now); /* too late where the peer has closed */
}

void peer_add_stream_relay(struct peer *p, usec now, uint8_t stream, const struct addr *local,
                           const struct addr *server)
{
    struct session_relay relay = p->plan.relays[0];
    unsigned number;

    relay.stream = stream;
    relay.base = *local;
    relay.server = *server;
    if (!p->session || p->is_closed)
        return;
    must(session_add_relay(p->session, now, &relay, &number));
    p->is_stream[number] = true;
}

void peer_input_stream(struct peer *p, usec now, uint8_t stream, struct bytes data)
{
    if (p->session)
        (void)session_input_stream(p->session, now, stream, data);
}

void peer_end_stream(struct peer *p, usec now, uint8_t stream)
{
    session_end_stream(p->session, now, stream);
}

bool peer_has_relays(const struct peer *p)
{
    return p->plan.relay_count > 0;
}

bool peer_is_open(const struct peer *p)
{
    return p->is_open;
}

bool peer_has_everything(const struct peer *p)
{
    return app_has_everything(&p->app);
}

bool peer_is_closed(const struct peer *p, struct peer_end *end)
{
    *end = p->end;
    return p->is_closed;
}

const struct peer_seen *peer_seen(const struct peer *p)
{
    return &p->seen;
}

struct app *peer_app(struct peer *p)
{
    return &p->app;
}

void peer_get_info(const struct peer *p, struct session_info *info)
{
    session_get_info(p->session, info);
}

usec peer_ready_at(const struct peer *p)
{
    struct session_info info;

    session_get_info(p->session, &info);
    for (size_t i = 0; i < p->candidate_count; i++)
        if (addr_equal(&p->candidates[i].addr, &info.path.remote))
            return usec_max(p->seen.answer_at, p->candidates[i].at);
    return p->seen.answer_at;
}

bool peer_is_relayed(const struct peer *p)
{
    struct session_info info;

    session_get_info(p->session, &info);
    return info.has_path &&
           (info.path.local_type == ICE_RELAYED || info.path.remote_type == ICE_RELAYED);
}

const char *peer_fault(const struct peer *p)
{
    struct session_info info;
    size_t unread = 0;

    if (p->fault || !p->session)
        return p->fault;
    session_get_info(p->session, &info);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        unread += info.unread[i];
    return unread > p->plan.rx_bytes_max ? "more is unread than the session may keep"
                                         : app_fault(&p->app, &info);
}
