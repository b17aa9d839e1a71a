#include "tests/net/model/relay.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/relay/relay.h"
#include "tests/net/model/relay_inside.h"

#define CHANNEL_HEAD 4

static bool make_key(const struct relay_config *cfg, uint8_t key[RELAY_KEY_BYTES])
{
    char text[512];
    int len = snprintf(text, sizeof text, "%s:%s:%s", cfg->username, cfg->realm, cfg->password);

    return EVP_Digest(text, (size_t)len, key, NULL, EVP_md5(), NULL) == 1;
}

int relay_new(struct relay **out, const struct relay_config *cfg, const struct rng *rng)
{
    struct relay *r = *out = calloc(1, sizeof *r);

    if (!r)
        return ERR_NOMEM;
    r->cfg = *cfg;
    r->rng = rng;
    r->queue = calloc(RELAY_QUEUE_MAX, sizeof *r->queue);
    if (!r->cfg.port_first)
        r->cfg.port_first = 49152;
    if (!r->cfg.port_last)
        r->cfg.port_last = 65535;
    if (!r->cfg.lifetime_s)
        r->cfg.lifetime_s = 600;
    r->next_port = r->cfg.port_first;
    relay_restart(r);
    if (r->queue && (!cfg->username || make_key(cfg, r->key)))
        return ERR_OK;
    relay_free(r);
    *out = NULL;
    return ERR_NOMEM;
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    free(r->queue);
    free(r);
}

void relay_mute(struct relay *r, bool is_mute)
{
    r->is_mute = is_mute;
}

void relay_restart(struct relay *r)
{
    memset(r->allocations, 0, sizeof r->allocations);
    memset(r->streams, 0, sizeof r->streams);
    r->count = 0;
    relay_stale(r);
}

void relay_stale(struct relay *r)
{
    r->nonce_until = 0;
    r->nonce[0] = '\0';
}

void relay_redirect(struct relay *r, const struct addr *alternate)
{
    r->alternate = alternate ? *alternate : (struct addr){ 0 };
}

void relay_forbid(struct relay *r, const struct addr *peer)
{
    r->forbidden = *peer;
}

size_t relay_allocation_count(const struct relay *r)
{
    size_t count = 0;

    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++)
        count += r->allocations[i].is_used;
    return count;
}

const struct relay_counts *relay_counts(const struct relay *r)
{
    return &r->counts;
}

void relay_tick(struct relay *r, usec now)
{
    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++)
        if (now >= r->allocations[i].until)
            r->allocations[i].is_used = false;
}

usec relay_next_timeout(const struct relay *r)
{
    usec at = USEC_NEVER;

    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++)
        if (r->allocations[i].is_used)
            at = usec_min(at, r->allocations[i].until);
    return at;
}

static bool is_same(const struct relay_client *a, const struct relay_client *b)
{
    return a->stream == b->stream && addr_equal(&a->from, &b->from) && addr_equal(&a->to, &b->to);
}

struct relay_allocation *relay_find(struct relay *r, usec now, const struct relay_client *c)
{
    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++) {
        struct relay_allocation *a = &r->allocations[i];

        if (a->is_used && now < a->until && is_same(&a->client, c))
            return a;
    }
    return NULL;
}

struct relay_allocation *relay_find_relayed(struct relay *r, usec now, const struct addr *relayed)
{
    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++) {
        struct relay_allocation *a = &r->allocations[i];

        if (a->is_used && now < a->until && addr_equal(&a->relayed, relayed))
            return a;
    }
    return NULL;
}

bool relay_is_permitted(const struct relay_allocation *a, usec now, const struct addr *peer)
{
    for (size_t i = 0; i < RELAY_PERMISSIONS_MAX; i++)
        if (now < a->permissions[i].until && addr_equal_ip(&a->permissions[i].peer, peer))
            return true;
    return false;
}

bool relay_is_at(const struct relay *r, const struct addr *to)
{
    if (addr_equal(to, &r->cfg.address) || addr_equal(to, &r->cfg.address6))
        return true;
    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++)
        if (r->allocations[i].is_used && addr_equal(&r->allocations[i].relayed, to))
            return true;
    return false;
}

static struct relay_queued *queue_one(struct relay *r, const struct addr *from,
                                      const struct addr *to, bool stream)
{
    struct relay_queued *q;

    if (r->count == RELAY_QUEUE_MAX) {
        r->counts.dropped++;
        return NULL;
    }
    q = &r->queue[(r->first + r->count++) % RELAY_QUEUE_MAX];
    q->from = *from;
    q->to = *to;
    q->stream = stream;
    q->len = 0;
    return q;
}

struct relay_queued *relay_queue(struct relay *r, const struct relay_client *c)
{
    return queue_one(r, &c->to, &c->from, c->stream);
}

bool relay_poll_output(struct relay *r, struct relay_packet *out)
{
    while (r->count > 0) {
        const struct relay_queued *q = &r->queue[r->first];

        r->first = (r->first + 1) % RELAY_QUEUE_MAX;
        r->count--;
        if (q->len == 0 || r->is_mute)
            continue;
        *out = (struct relay_packet){
            .from = q->from, .to = q->to, .stream = q->stream, .dgram = bytes_of(q->data, q->len)
        };
        return true;
    }
    return false;
}

static const struct relay_channel *channel_of(const struct relay_allocation *a, usec now,
                                              const struct addr *peer)
{
    for (size_t i = 0; i < RELAY_CHANNELS_MAX; i++)
        if (a->channels[i].number && now < a->channels[i].until &&
            addr_equal(&a->channels[i].peer, peer))
            return &a->channels[i];
    return NULL;
}

/* RFC 8656 §11.3, §12.7. */
static enum verdict to_client(struct relay *r, usec now, const struct relay_allocation *a,
                              const struct addr *peer, struct bytes data)
{
    const struct relay_channel *channel = channel_of(a, now, peer);
    struct relay_queued *q;
    struct stun_id id;
    struct wr w;

    if (data.len > RELAY_DATAGRAM_MAX || !relay_is_permitted(a, now, peer) ||
        !(q = relay_queue(r, &a->client))) {
        r->counts.dropped++;
        return VERDICT_UNEXPECTED;
    }
    w = wr_of(q->data, sizeof q->data);
    if (channel) {
        wr_u16(&w, channel->number);
        wr_u16(&w, (uint16_t)data.len);
        wr_bytes(&w, data);
        wr_zero(&w, a->client.stream ? (4 - data.len % 4) % 4 : 0);
    } else {
        stun_id_init(&id, r->rng);
        stun_encode_header(&w, STUN_INDICATION, STUN_DATA, &id);
        stun_add_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
        stun_add_bytes(&w, STUN_ATTR_DATA, data);
    }
    q->len = w.ok ? w.len : 0;
    r->counts.to_clients++;
    return VERDICT_TAKEN;
}

static enum verdict to_peer(struct relay *r, usec now, const struct relay_allocation *a,
                            const struct addr *peer, struct bytes data)
{
    const struct relay_allocation *other = relay_find_relayed(r, now, peer);
    struct relay_queued *q;

    if (data.len == 0 || data.len > RELAY_DATAGRAM_MAX || !relay_is_permitted(a, now, peer)) {
        r->counts.dropped++;
        return VERDICT_UNEXPECTED;
    }
    r->counts.to_peers++;
    if (other)
        return to_client(r, now, other, &a->relayed, data);
    q = queue_one(r, &a->relayed, peer, false);
    if (!q)
        return VERDICT_LIMIT;
    memcpy(q->data, data.data, data.len);
    q->len = data.len;
    return VERDICT_TAKEN;
}

static enum verdict on_channel_data(struct relay *r, usec now, const struct relay_client *c,
                                    struct bytes message)
{
    struct rd in = rd_of(message);
    uint16_t number = rd_u16(&in), len = rd_u16(&in);
    struct bytes data = rd_bytes(&in, len);
    struct relay_allocation *a = relay_find(r, now, c);

    if (!in.ok)
        return VERDICT_MALFORMED;
    for (size_t i = 0; a && i < RELAY_CHANNELS_MAX; i++)
        if (a->channels[i].number == number && now < a->channels[i].until)
            return to_peer(r, now, a, &a->channels[i].peer, data);
    r->counts.dropped++;
    return VERDICT_UNEXPECTED;
}

static enum verdict on_binding(struct relay *r, const struct relay_client *c,
                               const struct stun_msg *m)
{
    struct relay_queued *q = relay_queue(r, c);
    struct wr w;

    r->counts.binding++;
    if (!q)
        return VERDICT_LIMIT;
    w = wr_of(q->data, sizeof q->data);
    if (relay_answer_binding(m->whole, &c->from, &w))
        q->len = w.len;
    return VERDICT_TAKEN;
}

static enum verdict on_message(struct relay *r, usec now, const struct relay_client *c,
                               struct bytes message)
{
    struct relay_allocation *a;
    struct stun_msg m;
    enum verdict verdict;

    if (message.len && message.data[0] >> 4 == 4)
        return on_channel_data(r, now, c, message);
    verdict = stun_decode(&m, message);
    if (verdict != VERDICT_TAKEN)
        return verdict;
    if (m.class == STUN_REQUEST)
        return m.method == STUN_BINDING ? on_binding(r, c, &m) : relay_on_request(r, now, c, &m);
    a = relay_find(r, now, c);
    if (m.class != STUN_INDICATION || m.method != STUN_SEND || !a || !(m.has & STUN_HAS_PEER) ||
        !(m.has & STUN_HAS_DATA))
        return VERDICT_UNEXPECTED;
    return to_peer(r, now, a, &m.peer, m.data);
}

enum verdict relay_input(struct relay *r, usec now, const struct addr *from, const struct addr *to,
                         struct bytes dgram)
{
    struct relay_client c = { .from = *from, .to = *to };
    struct relay_allocation *a = relay_find_relayed(r, now, to);

    if (r->is_mute)
        return VERDICT_TAKEN;
    if (a)
        return to_client(r, now, a, from, dgram);
    if (!addr_equal(to, &r->cfg.address) && !addr_equal(to, &r->cfg.address6))
        return VERDICT_FOREIGN;
    return on_message(r, now, &c, dgram);
}

static struct relay_stream *find_stream(struct relay *r, const struct relay_client *c)
{
    for (size_t i = 0; i < RELAY_STREAMS_MAX; i++)
        if (r->streams[i].is_used && is_same(&r->streams[i].client, c))
            return &r->streams[i];
    return NULL;
}

static struct relay_stream *stream_for(struct relay *r, const struct relay_client *c)
{
    struct relay_stream *s = find_stream(r, c);

    if (s)
        return s;
    for (size_t i = 0; i < RELAY_STREAMS_MAX && !s; i++)
        s = r->streams[i].is_used ? NULL : &r->streams[i];
    if (s) {
        s->is_used = true;
        s->client = *c;
        s->len = 0;
    }
    return s;
}

void relay_end_stream(struct relay *r, const struct addr *from, const struct addr *to)
{
    struct relay_client c = { .from = *from, .to = *to, .stream = true };
    struct relay_stream *s = find_stream(r, &c);

    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++)
        if (is_same(&r->allocations[i].client, &c))
            r->allocations[i].is_used = false;
    if (s)
        s->is_used = false;
}

/* The message at the front with its padding: 0 if it is not all there, SIZE_MAX if it is none. */
static size_t frame_len(const struct relay_stream *s)
{
    struct rd in = rd_of(bytes_of(s->buf, s->len));
    uint16_t type = rd_u16(&in), len = rd_u16(&in);
    size_t whole = STUN_HEADER_BYTES + (size_t)len;

    if (type >> 14)
        whole = CHANNEL_HEAD + (len + (size_t)3) / 4 * 4;
    if (!in.ok)
        return 0;
    if (type >> 14 > 1 || whole > sizeof s->buf)
        return SIZE_MAX;
    return whole > s->len ? 0 : whole;
}

static enum verdict take_frames(struct relay *r, usec now, struct relay_stream *s)
{
    size_t len = frame_len(s);

    while (len > 0 && len != SIZE_MAX) {
        (void)on_message(r, now, &s->client, bytes_of(s->buf, len));
        s->len -= len;
        memmove(s->buf, s->buf + len, s->len);
        len = frame_len(s);
    }
    return len == 0 ? VERDICT_TAKEN : VERDICT_MALFORMED;
}

enum verdict relay_input_stream(struct relay *r, usec now, const struct addr *from,
                                const struct addr *to, struct bytes data)
{
    struct relay_client c = { .from = *from, .to = *to, .stream = true };
    struct relay_stream *s = r->is_mute ? NULL : stream_for(r, &c);
    enum verdict verdict = r->is_mute ? VERDICT_TAKEN : VERDICT_LIMIT;

    if (!s)
        return verdict;
    do {
        size_t room = sizeof s->buf - s->len, n = data.len < room ? data.len : room;

        if (n)
            memcpy(s->buf + s->len, data.data, n);
        s->len += n;
        data = bytes_of(n ? data.data + n : data.data, data.len - n);
        verdict = take_frames(r, now, s);
    } while (data.len && verdict == VERDICT_TAKEN);
    return verdict;
}
