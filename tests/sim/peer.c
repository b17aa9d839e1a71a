#include "tests/sim/peer.h"

#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGES_MAX 64 /* signaling messages waiting to be fetched */
#define PIECE_MAX    20000

struct peer {
    struct peer_plan plan;
    const struct rng *rng;
    struct pool *pool;
    struct dtls_identity *identity;
    struct session *session;
    bool is_open, is_closed, is_writable[CHANNEL_COUNT];
    struct peer_end end;
    uint32_t sent[CHANNEL_COUNT], received[CHANNEL_COUNT];
    usec read_at; /* the application looks into its channels then */
    const char *fault;
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

/* Byte `at` of a channel: no two places within reach of each other look alike. */
static uint8_t byte_of(uint64_t key, unsigned channel, uint32_t at)
{
    uint64_t z = (key + channel) * 0x9e3779b97f4a7c15 + at * 0xbf58476d1ce4e5b9;

    return (uint8_t)((z ^ z >> 31) * 0x94d049bb133111eb >> 56);
}

struct peer *peer_new(const struct peer_plan *plan, const struct rng *rng, usec now)
{
    struct peer *p = calloc(1, sizeof *p);

    must(p ? ERR_OK : ERR_NOMEM);
    p->plan = *plan;
    p->rng = rng;
    p->read_at = USEC_NEVER;
    must(pool_new(&p->pool, PEER_POOL_BLOCKS));
    must(dtls_identity_new(&p->identity, rng, WORLD_EPOCH_S + now / SECOND));
    return p;
}

size_t peer_free(struct peer *p)
{
    size_t lost;

    session_free(p->session);
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

static void make_session(struct peer *p, usec now)
{
    struct session_config cfg = {
        .role = p->plan.role,
        .identity = p->identity,
        .pool = p->pool,
        .rx_bytes_max = p->plan.rx_bytes_max,
        .half_open_us = 40 * SECOND, /* patient: what is simulated here is loss, not haste */
        .flush_us = 40 * SECOND,
    };

    must(session_new(&p->session, &cfg, p->rng));
    must(session_add_socket(p->session, now, &p->plan.socket, 65535));
    must(session_add_stun_server(p->session, now, &p->plan.stun_server));
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
    } else if (strncmp(text, "candidate ", 10) == 0) {
        must(ice_candidate_decode(&c, body));
        must(session_add_remote(p->session, now, &c));
    } else {
        session_end_remote(p->session, now);
    }
}

/* Offers the session one piece of a channel; false once it takes less, or all is sent. */
static bool send_piece(struct peer *p, usec now, unsigned channel)
{
    uint32_t left = p->plan.tx_bytes[channel] - p->sent[channel];
    uint8_t piece[PIECE_MAX];
    size_t len = 1 + rng_below(p->rng, PIECE_MAX), taken;

    if (!p->is_writable[channel] || left == 0)
        return false;
    len = len < left ? len : left;
    for (size_t i = 0; i < len; i++)
        piece[i] = byte_of(p->plan.tx_key, channel, p->sent[channel] + (uint32_t)i);
    taken = session_send(p->session, now, channel, bytes_of(piece, len));
    p->sent[channel] += (uint32_t)taken;
    p->is_writable[channel] = taken == len;
    return p->is_writable[channel];
}

/* A piece of this channel, a piece of that one, until none takes more. */
static void write_all(struct peer *p, usec now)
{
    bool is_any = true;

    while (is_any) {
        unsigned first = rng_below(p->rng, CHANNEL_COUNT);

        is_any = false;
        for (unsigned i = 0; i < CHANNEL_COUNT; i++)
            is_any |= send_piece(p, now, (first + i) % CHANNEL_COUNT);
    }
}

static void compare(struct peer *p, unsigned channel, struct bytes data)
{
    uint32_t at = p->received[channel];

    if (data.len > p->plan.rx_bytes[channel] - at) {
        p->fault = "more was received than sent";
        return;
    }
    for (size_t i = 0; i < data.len; i++)
        if (data.data[i] != byte_of(p->plan.rx_key, channel, at + (uint32_t)i))
            p->fault = "a received byte is not the sent one";
    p->received[channel] = at + (uint32_t)data.len;
}

static void read_all(struct peer *p, usec now)
{
    struct bytes data;

    p->read_at = USEC_NEVER;
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        while (!p->fault && (data = session_peek(p->session, now, i)).len) {
            compare(p, i, data);
            session_consume(p->session, now, i, data.len);
        }
}

static void on_readable(struct peer *p, usec now)
{
    if (p->plan.reads_every_us == 0)
        read_all(p, now);
    else if (p->read_at == USEC_NEVER)
        p->read_at = now + p->plan.reads_every_us;
}

static void on_event(struct peer *p, usec now, const struct session_event *ev)
{
    char line[ICE_CANDIDATE_TEXT_MAX];

    switch (ev->type) {
    case SESSION_EVENT_CANDIDATE:
        must(ice_candidate_encode(&ev->candidate, line));
        say(p, "candidate", line);
        break;
    case SESSION_EVENT_RESTART:
    case SESSION_EVENT_RELAY:
        break;
    case SESSION_EVENT_GATHERED:
        say(p, "gathered", "");
        break;
    case SESSION_EVENT_OPEN:
        p->is_open = true;
        memset(p->is_writable, true, sizeof p->is_writable);
        write_all(p, now);
        break;
    case SESSION_EVENT_WRITABLE:
        p->is_writable[ev->channel] = true;
        write_all(p, now);
        break;
    case SESSION_EVENT_READABLE:
        on_readable(p, now);
        break;
    case SESSION_EVENT_CLOSED:
        if (p->is_closed)
            p->fault = "closed twice";
        read_all(p, now);
        p->is_closed = true;
        p->end = (struct peer_end){ ev->end, ev->reason };
        break;
    case SESSION_EVENT_PATH:
        break;
    }
}

void peer_input(struct peer *p, usec now, const struct addr *from, struct bytes dgram)
{
    if (p->session)
        (void)session_input(p->session, now, &p->plan.socket, from, dgram);
}

void peer_tick(struct peer *p, usec now)
{
    if (now >= p->read_at)
        read_all(p, now);
    if (p->session)
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
    return usec_min(p->read_at, p->session ? session_next_timeout(p->session) : USEC_NEVER);
}

void peer_close(struct peer *p, usec now, unsigned reason)
{
    session_close(p->session, now, reason);
}

bool peer_is_open(const struct peer *p)
{
    return p->is_open;
}

bool peer_has_everything(const struct peer *p)
{
    return memcmp(p->received, p->plan.rx_bytes, sizeof p->received) == 0;
}

bool peer_is_closed(const struct peer *p, struct peer_end *end)
{
    *end = p->end;
    return p->is_closed;
}

const char *peer_fault(const struct peer *p)
{
    struct session_info info;
    size_t unread = 0;

    if (p->fault || !p->session)
        return p->fault;
    session_get_info(p->session, &info);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
        unread += info.unread[i];
        if (info.unsent[i] > p->sent[i])
            return "more is queued than was sent";
        if (info.channel[i].sent != p->sent[i] || info.channel[i].received != p->received[i])
            return "the session counts otherwise than the application";
    }
    if (unread > p->plan.rx_bytes_max)
        return "more is unread than the session may keep";
    return NULL;
}
