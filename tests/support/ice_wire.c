#include "tests/support/ice_wire.h"

#include <assert.h>
#include <stdlib.h>

#include "core/relay/relay.h"
#include "tests/support/rng.h"

#define NAT_PORT_SHIFT 1000

struct addr wire_addr(const char *text)
{
    struct addr a;
    bool ok = addr_parse(&a, text);

    assert(ok);
    (void)ok;
    return a;
}

void wire_init(struct wire *w, uint64_t seed, const struct ice_config *first,
               const struct ice_config *second)
{
    struct ice_config other = *first;

    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->rng = test_rng(&w->seed);
    w->delay_us = 10 * MILLISECOND;
    w->now = 1000 * SECOND;
    w->credentials_at = w->talk_at = USEC_NEVER;
    other.controlling = !first->controlling;
    if (ice_new(&w->node[0].ice, first, &w->rng) != ERR_OK ||
        ice_new(&w->node[1].ice, second ? second : &other, &w->rng) != ERR_OK)
        abort();
    for (int i = 0; i < 2; i++)
        w->node[i].selected_at = w->node[i].gathered_at = w->node[i].lost_at =
            w->node[i].failed_at = w->node[i].dark_at = w->node[i].data_at = USEC_NEVER;
}

void wire_init_able(struct wire *w, uint64_t seed, unsigned abilities)
{
    wire_init(w, seed, &(struct ice_config){ .controlling = true }, NULL);
    wire_set_abilities(w, abilities);
}

void wire_init_two_paths(struct wire *w, uint64_t seed, unsigned abilities)
{
    wire_init_able(w, seed, abilities);
    wire_add_host(w, 0, "192.168.1.10:4000", 2000);
    wire_add_host(w, 1, "192.168.1.20:5000", 2000);
    wire_add_host(w, 0, "[fd00::10]:4001", 1000);
    wire_add_host(w, 1, "[fd00::20]:5001", 1000);
}

void wire_deinit(struct wire *w)
{
    ice_free(w->node[0].ice);
    ice_free(w->node[1].ice);
}

static bool is_cut(const struct wire *w, const struct addr *from, const struct addr *to)
{
    return w->is_cut || addr_equal(&w->cut_host, from) || addr_equal(&w->cut_host, to) ||
           addr_equal(&w->cut_also, from) || addr_equal(&w->cut_also, to) ||
           addr_equal(&w->cut_from, from);
}

/* How many delays it is to the public network: a relayed address has the way to its server. */
static usec delay_of(const struct wire *w, const struct addr *end)
{
    for (int n = 0; n < 2; n++)
        for (size_t i = 0; i < w->node[n].host_count; i++)
            if (w->node[n].is_relayed[i] && addr_equal(&w->node[n].hosts[i], end))
                return w->delay_us;
    return 0;
}

static void put_packet(struct wire *w, int lan, const struct addr *from, const struct addr *to,
                       struct bytes data)
{
    struct wire_packet *p = &w->packets[w->packet_count];

    if (data.data[0] > 3 && (addr_equal(&w->cut_data, from) || addr_equal(&w->cut_data, to)))
        return;
    if (rng_below(&w->rng, 1000000) < w->loss_ppm || is_cut(w, from, to))
        return;
    assert(w->packet_count < WIRE_PACKETS_MAX && data.len <= sizeof p->data);
    *p = (struct wire_packet){ .at = w->now + w->delay_us + delay_of(w, from) + delay_of(w, to),
                               .from = *from,
                               .to = *to,
                               .lan = lan,
                               .len = data.len };
    memcpy(p->data, data.data, data.len);
    w->packet_count++;
}

void wire_send(struct wire *w, const struct addr *from, const struct addr *to, struct bytes data)
{
    put_packet(w, 0, from, to, data);
}

static bool has_host(const struct wire_node *n, const struct addr *a)
{
    for (size_t i = 0; i < n->host_count; i++)
        if (addr_equal(&n->hosts[i], a))
            return true;
    return false;
}

/* In its own LAN a packet goes as it is; elsewhere the NAT lends it an address, if there is one. */
static void send_from(struct wire *w, struct wire_node *n, struct addr from, struct addr to,
                      struct bytes data)
{
    bool is_local = has_host(&w->node[0], &to) && w->node[0].lan == n->lan;

    is_local |= has_host(&w->node[1], &to) && w->node[1].lan == n->lan;
    if (delay_of(w, &from)) {
        put_packet(w, 0, &from, &to, data);
        return;
    }
    if (is_local || n->lan == 0) {
        put_packet(w, n->lan, &from, &to, data);
        return;
    }
    if (n->nat_ip.family != from.family)
        return;
    if (n->opened_count < 64)
        n->opened[n->opened_count++] = to;
    memcpy(from.ip, n->nat_ip.ip, sizeof from.ip);
    from.port = (uint16_t)(from.port + NAT_PORT_SHIFT);
    put_packet(w, 0, &from, &to, data);
}

static void signal_candidate(struct wire_node *to, usec now, const char *line)
{
    struct ice_candidate c;
    int err = ice_candidate_decode(&c, line);

    assert(err == ERR_OK);
    (void)err;
    ice_add_remote(to->ice, now, &c);
}

static void on_event(struct wire *w, struct wire_node *n, const struct ice_event *ev)
{
    switch (ev->type) {
    case ICE_EVENT_LOCAL_CANDIDATE:
        n->last_candidate = ev->candidate;
        if (n->candidates < COUNT(n->lines))
            ice_candidate_encode(&ev->candidate, n->lines[n->candidates]);
        if (w->credentials_at <= w->now && !n->is_mute)
            signal_candidate(n == w->node ? n + 1 : w->node, w->now, n->lines[n->candidates]);
        n->candidates++;
        break;
    case ICE_EVENT_GATHERED:
        n->gathered_count++;
        n->gathered_at = w->now;
        break;
    case ICE_EVENT_SELECTED:
        n->selected_count++;
        n->path = ev->path;
        n->told_at = ev->at;
        if (n->selected_at == USEC_NEVER)
            n->selected_at = w->now;
        break;
    case ICE_EVENT_DARK:
        n->dark_count++;
        n->dark_at = w->now;
        break;
    case ICE_EVENT_LOST:
        n->lost_count++;
        n->lost_at = w->now;
        break;
    case ICE_EVENT_FAILED:
        n->failed_count++;
        n->failed_at = w->now;
        break;
    }
}

static void drain(struct wire *w)
{
    static uint8_t buf[1500];
    struct ice_event ev;
    struct out out;

    for (int i = 0; i < 2; i++) {
        struct wire_node *n = &w->node[i];

        out_init(&out, buf, sizeof buf);
        for (; n->ice && ice_poll_output(n->ice, &out); n->sent++)
            send_from(w, n, out.from, out.to, out_datagram(&out, 0));
        if (n->ice && ice_poll_event(n->ice, &ev)) {
            on_event(w, n, &ev);
            i = -1; /* it may have changed either side */
        }
    }
}

void wire_add_host(struct wire *w, int node, const char *addr, uint16_t preference)
{
    struct wire_node *n = &w->node[node];
    struct addr a = wire_addr(addr);

    n->hosts[n->host_count++] = a;
    ice_add_host(n->ice, w->now, &a, preference);
    drain(w);
}

void wire_add_relayed(struct wire *w, int node, const char *addr, uint16_t preference)
{
    struct wire_node *n = &w->node[node];
    struct addr a = wire_addr(addr), related = wire_addr("203.0.113.200:9");

    n->is_relayed[n->host_count] = true;
    n->hosts[n->host_count++] = a;
    ice_add_relayed(n->ice, w->now, &a, &related, preference);
    drain(w);
}

void wire_remove(struct wire *w, int node, const char *addr)
{
    struct wire_node *n = &w->node[node];
    struct addr a = wire_addr(addr);

    for (size_t i = 0; i < n->host_count; i++)
        if (addr_equal(&n->hosts[i], &a))
            n->hosts[i].port = 0; /* nobody's any more */
    ice_remove_base(n->ice, w->now, &a);
    drain(w);
}

void wire_talk(struct wire *w, usec talk_us, usec patience_us)
{
    w->talk_us = talk_us;
    w->patience_us = patience_us;
    w->talk_at = talk_us ? w->now : USEC_NEVER;
    for (int i = 0; i < 2; i++)
        w->node[i].data_at = w->now;
}

void wire_set_abilities(struct wire *w, unsigned abilities)
{
    ice_set_abilities(w->node[0].ice, abilities);
    ice_set_abilities(w->node[1].ice, abilities);
}

void wire_add_stun(struct wire *w, int node)
{
    struct addr server = wire_addr(WIRE_STUN);

    ice_add_stun_server(w->node[node].ice, w->now, &server);
    drain(w);
}

static void exchange(struct wire *w)
{
    w->credentials_at = w->now;
    for (int i = 0; i < 2; i++) {
        struct wire_node *from = &w->node[i], *to = &w->node[1 - i];

        ice_set_remote(to->ice, w->now, ice_ufrag(from->ice), ice_pwd(from->ice));
        for (size_t c = 0; !from->is_mute && c < from->candidates && c < COUNT(from->lines); c++)
            signal_candidate(to, w->now, from->lines[c]);
    }
}

void wire_signal(struct wire *w, usec delay)
{
    drain(w);
    wire_run(w, w->now + delay);
    exchange(w);
    drain(w);
}

static bool is_open(const struct wire_node *n, const struct addr *from)
{
    for (size_t i = 0; i < n->opened_count; i++)
        if (addr_equal(&n->opened[i], from))
            return true;
    return false;
}

static void give(struct wire *w, struct wire_node *n, const struct addr *local,
                 const struct wire_packet *p)
{
    if (!n->ice)
        return;
    if (p->data[0] <= 3) {
        ice_input(n->ice, w->now, local, &p->from, bytes_of(p->data, p->len));
        return;
    }
    n->data_heard++;
    n->data_at = w->now;
    ice_heard(n->ice, w->now, local, &p->from);
}

static void deliver_to(struct wire *w, struct wire_node *n, const struct wire_packet *p)
{
    for (size_t i = 0; i < n->host_count; i++) {
        struct addr mapped = n->hosts[i];
        bool direct = p->lan == (n->is_relayed[i] ? 0 : n->lan) && addr_equal(&mapped, &p->to);

        if (n->nat_ip.family == mapped.family && !n->is_relayed[i]) {
            memcpy(mapped.ip, n->nat_ip.ip, sizeof mapped.ip);
            mapped.port = (uint16_t)(mapped.port + NAT_PORT_SHIFT);
        }
        if (!direct &&
            !(n->nat_ip.family != ADDR_NONE && addr_equal(&mapped, &p->to) && is_open(n, &p->from)))
            continue;
        give(w, n, &n->hosts[i], p);
        return;
    }
}

static void deliver(struct wire *w, const struct wire_packet *p)
{
    struct addr server = wire_addr(WIRE_STUN);
    uint8_t answer[RELAY_ANSWER_MAX];
    struct wr wr = wr_of(answer, sizeof answer);

    if (addr_equal(&p->to, &server)) {
        if (relay_answer_binding(bytes_of(p->data, p->len), &p->from, &wr))
            put_packet(w, 0, &p->to, &p->from, wr_written(&wr));
        return;
    }
    deliver_to(w, &w->node[0], p);
    deliver_to(w, &w->node[1], p);
}

/* Takes the earliest packet that is due out of the table. */
static bool take_packet(struct wire *w, struct wire_packet *out)
{
    size_t first = 0;

    for (size_t i = 1; i < w->packet_count; i++)
        if (w->packets[i].at < w->packets[first].at)
            first = i;
    if (w->packet_count == 0 || w->packets[first].at > w->now)
        return false;
    *out = w->packets[first];
    w->packet_count--;
    memmove(&w->packets[first], &w->packets[first + 1],
            (w->packet_count - first) * sizeof w->packets[0]);
    return true;
}

static usec next_moment(const struct wire *w)
{
    usec at = w->talk_at;

    for (size_t i = 0; i < w->packet_count; i++)
        at = usec_min(at, w->packets[i].at);
    for (int i = 0; i < 2; i++)
        if (w->node[i].ice)
            at = usec_min(at, ice_next_timeout(w->node[i].ice));
    return at;
}

/* Both applications say something, and wonder whether the other still does. */
static void talk(struct wire *w)
{
    static const uint8_t datagram[] = { 23, 254, 253 };
    struct ice_path path;

    if (w->now < w->talk_at)
        return;
    w->talk_at = w->talk_us ? w->now + w->talk_us : USEC_NEVER;
    for (int i = 0; i < 2; i++) {
        struct wire_node *n = &w->node[i];

        if (!n->ice || !ice_selected(n->ice, &path))
            continue;
        n->data_sent++;
        send_from(w, n, path.local, path.remote, bytes_of(datagram, sizeof datagram));
        if (w->patience_us && w->now >= n->data_at + w->patience_us)
            ice_suspect(n->ice, w->now);
    }
    drain(w);
}

/* Steps to the next moment at which something happens; false if that is after `until`. */
static bool step(struct wire *w, usec until)
{
    usec next = next_moment(w);
    struct wire_packet p;

    if (next > until)
        return false;
    w->now = usec_max(w->now, next);
    while (take_packet(w, &p)) {
        deliver(w, &p);
        drain(w);
    }
    talk(w);
    for (int round = 0; round < 3 && next_moment(w) <= w->now; round++) {
        for (int i = 0; i < 2; i++)
            if (w->node[i].ice)
                ice_tick(w->node[i].ice, w->now);
        drain(w);
    }
    assert(next_moment(w) > w->now || w->delay_us == 0); /* a deadline must move on */
    return true;
}

void wire_run(struct wire *w, usec until)
{
    drain(w);
    while (step(w, until))
        continue;
    w->now = until;
}

bool wire_connect(struct wire *w, usec until)
{
    drain(w);
    while (w->node[0].selected_at == USEC_NEVER || w->node[1].selected_at == USEC_NEVER)
        if (!step(w, until))
            return false;
    return true;
}

bool wire_connect_talking(struct wire *w)
{
    bool is_connected;

    wire_signal(w, 0);
    is_connected = wire_connect(w, w->now + SECOND);
    wire_talk(w, 20 * MILLISECOND, 200 * MILLISECOND);
    return is_connected;
}

bool wire_has_flow(const struct wire *w)
{
    return w->node[0].data_at > w->now - 50 * MILLISECOND &&
           w->node[1].data_at > w->now - 50 * MILLISECOND;
}

bool wire_is_on(const struct wire *w, enum addr_family family)
{
    return w->node[0].path.remote.family == family && w->node[1].path.remote.family == family;
}
