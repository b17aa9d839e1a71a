#include "tests/support/turn_net.h"

#include <assert.h>
#include <string.h>

#include "tests/support/rng.h"

#define CLIENT  "10.0.0.2:5000"
#define SERVER  "203.0.113.1:3478"
#define SERVER6 "[2001:db8::1]:3478"
#define PEER    "198.51.100.7:6000"

static void fill_in(struct turn_net *n, struct turn_config *turn, struct relay_config *relay)
{
    if (!relay->address.family)
        addr_parse(&relay->address, SERVER);
    if (!relay->address6.family)
        addr_parse(&relay->address6, SERVER6);
    if (!relay->realm)
        relay->realm = "example.org";
    if (!turn->local.family)
        addr_parse(&turn->local, CLIENT);
    if (!turn->server.family)
        turn->server = relay->address;
    addr_parse(&n->peer, PEER);
    n->local = turn->local;
    n->server = turn->server;
    n->stream = turn->stream != 0;
}

int turn_net_init(struct turn_net *n, const struct turn_net_config *cfg)
{
    struct turn_config turn = cfg->turn;
    struct relay_config relay = cfg->relay;
    int err;

    *n = (struct turn_net){ .seed = 1, .now = 1000 * SECOND, .cut = cfg->cut };
    n->rng = test_rng(&n->seed);
    fill_in(n, &turn, &relay);
    err = relay_new(&n->relay, &relay, &n->rng);
    return err ? err : turn_new(&n->turn, &turn, &n->rng);
}

void turn_net_deinit(struct turn_net *n)
{
    turn_free(n->turn);
    relay_free(n->relay);
    n->turn = NULL;
    n->relay = NULL;
}

static void keep(struct turn_net_dgram *kept, size_t *count, const struct addr *from,
                 const struct addr *to, struct bytes data)
{
    assert(data.len <= TURN_DATAGRAM_MAX);
    if (*count < TURN_NET_KEPT) {
        kept[*count] = (struct turn_net_dgram){ .from = *from, .to = *to, .len = data.len };
        memcpy(kept[*count].data, data.data, data.len);
    }
    ++*count;
}

static void note(struct turn_net *n, struct bytes message)
{
    struct stun_msg m;

    if (stun_decode(&m, message) != VERDICT_TAKEN)
        n->channel_data++;
    else if (m.class == STUN_REQUEST)
        n->requests[m.method & 15]++;
    else
        n->indications++;
}

static void pull_data(struct turn_net *n)
{
    struct bytes data;
    struct addr from;

    while (turn_poll_data(n->turn, &from, &data))
        keep(n->at_client, &n->at_client_count, &from, &n->local, data);
}

/* The client's run, datagram by datagram; over a stream its bytes as they are. */
static void to_server(struct turn_net *n, const struct out *out)
{
    assert(addr_equal(&out->from, &n->local) && addr_equal(&out->to, &n->server));
    assert((out->stream != 0) == n->stream);
    for (size_t i = 0; i < out->count; i++) {
        struct bytes d = out_datagram(out, i);

        note(n, d);
        if (n->loses_out)
            continue;
        if (n->stream)
            assert(relay_input_stream(n->relay, n->now, &out->from, &out->to, d) != VERDICT_LIMIT);
        else
            (void)relay_input(n->relay, n->now, &out->from, &out->to, d);
    }
}

static void give_stream(struct turn_net *n, struct bytes rest)
{
    size_t most = n->cut && n->cut < TURN_STREAM_MAX ? n->cut : TURN_STREAM_MAX;

    while (rest.len) {
        size_t len = most < rest.len ? most : rest.len;

        (void)turn_input_stream(n->turn, n->now, bytes_of(rest.data, len));
        pull_data(n);
        rest = bytes_of(rest.data + len, rest.len - len);
    }
}

/* What the server writes in one moment comes as one string of bytes, then cut. */
static bool drain_server(struct turn_net *n)
{
    static uint8_t raw[OUT_BYTES_MAX];
    struct wr w = wr_of(raw, sizeof raw);
    struct relay_packet p;
    bool any = false;

    while (wr_left(&w) >= RELAY_MESSAGE_MAX && relay_poll_output(n->relay, &p)) {
        any = true;
        if (!addr_equal(&p.to, &n->local)) {
            keep(n->at_peer, &n->at_peer_count, &p.from, &p.to, p.dgram);
        } else if (p.stream && !n->loses_in) {
            wr_bytes(&w, p.dgram);
        } else if (!n->loses_in) {
            (void)turn_input(n->turn, n->now, &p.from, p.dgram);
            pull_data(n);
        }
    }
    give_stream(n, wr_written(&w));
    return any;
}

void turn_net_drain(struct turn_net *n)
{
    uint8_t buf[4096];
    struct out out;
    struct turn_event ev;
    unsigned rounds = 0;

    out_init(&out, buf, sizeof buf);
    for (;;) {
        assert(++rounds < 10000);
        if (turn_poll_output(n->turn, n->now, &out))
            to_server(n, &out);
        else if (turn_poll_event(n->turn, &ev))
            n->events[n->event_count++] = ev;
        else if (!drain_server(n))
            break;
        assert(n->event_count < 4);
    }
}

void turn_net_run(struct turn_net *n, usec until)
{
    turn_net_drain(n);
    for (;;) {
        usec next = usec_min(turn_next_timeout(n->turn), relay_next_timeout(n->relay));

        n->now = usec_max(n->now, usec_min(next, until));
        if (next > until)
            return;
        relay_tick(n->relay, n->now);
        turn_tick(n->turn, n->now);
        turn_net_drain(n);
        assert(turn_next_timeout(n->turn) > n->now);
    }
}

void turn_net_from(struct turn_net *n, const struct addr *peer, struct bytes data)
{
    (void)relay_input(n->relay, n->now, peer, turn_relayed(n->turn), data);
    turn_net_drain(n);
}

static uint8_t byte_of(size_t i, size_t at)
{
    return (uint8_t)(7 * i + at + 1);
}

int turn_net_send(struct turn_net *n, const struct addr *peer, size_t count, size_t len,
                  size_t last)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct out run;
    int err;

    out_init(&run, buf, sizeof buf);
    for (size_t i = 0; i < count; i++) {
        size_t this = i + 1 == count ? last : len;

        for (size_t at = 0; at < this; at++)
            out_next(&run)[at] = byte_of(i, at);
        out_add(&run, this);
    }
    run.from = *turn_relayed(n->turn);
    run.to = *peer;
    err = turn_wrap(n->turn, &run);
    if (!err)
        to_server(n, &run);
    turn_net_drain(n);
    return err;
}

bool turn_net_is_sent(const struct turn_net_dgram *d, size_t i, size_t len)
{
    if (d->len != len)
        return false;
    for (size_t at = 0; at < len; at++)
        if (d->data[at] != byte_of(i, at))
            return false;
    return true;
}
