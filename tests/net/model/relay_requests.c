/* RFC 8656 §7 to §9 and §12, and the long-term credentials of RFC 8489 §9.2, as the server. */
#include <stdio.h>

#include "tests/net/model/relay_inside.h"

#define PERMISSION_US (300 * SECOND)
#define CHANNEL_US    (600 * SECOND)
#define UDP           17

/* One answer being decided: no code means success. */
struct answer {
    const struct relay_client *client;
    const struct stun_msg *request;
    uint16_t code;
    bool is_allocated; /* relayed address, mapped address and lifetime are told */
    bool has_lifetime;
    uint32_t lifetime_s;
    struct addr relayed;
};

void relay_new_nonce(struct relay *r, usec now)
{
    uint8_t raw[RELAY_NONCE_BYTES];

    rng_fill(r->rng, raw, sizeof raw);
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(r->nonce + 2 * i, 3, "%02x", raw[i]);
    r->nonce_until = r->cfg.nonce_us ? now + r->cfg.nonce_us : USEC_NEVER;
}

static bool is_text(struct bytes b, const char *text)
{
    return bytes_equal(b, bytes_of_string(text));
}

/* 0, or why not. */
static uint16_t refusal(struct relay *r, usec now, const struct stun_msg *m)
{
    bool is_stale = now >= r->nonce_until;

    if (!r->cfg.username)
        return 0;
    if (is_stale)
        relay_new_nonce(r, now);
    if (!(m->has & STUN_HAS_INTEGRITY))
        return 401;
    if (!(m->has & STUN_HAS_USERNAME) || !(m->has & STUN_HAS_REALM) || !(m->has & STUN_HAS_NONCE))
        return 400;
    if (is_stale || !is_text(m->nonce, r->nonce))
        return 438;
    if (!is_text(m->username, r->cfg.username) || !is_text(m->realm, r->cfg.realm) ||
        !stun_has_integrity(m, bytes_of(r->key, sizeof r->key)))
        return 401;
    return 0;
}

static void write_body(const struct relay *r, const struct answer *a, struct wr *w)
{
    if (a->code)
        stun_add_error(w, a->code, "");
    if (a->code == 401 || a->code == 438) {
        stun_add_bytes(w, STUN_ATTR_REALM, bytes_of_string(r->cfg.realm));
        stun_add_bytes(w, STUN_ATTR_NONCE, bytes_of_string(r->nonce));
    }
    if (a->code == 300)
        stun_add_addr(w, STUN_ATTR_ALTERNATE_SERVER, &r->alternate);
    if (a->code == 420)
        stun_add_unknown(w, a->request);
    if (a->is_allocated) {
        stun_add_xor_addr(w, STUN_ATTR_XOR_RELAYED_ADDRESS, &a->relayed);
        stun_add_xor_mapped(w, &a->client->from);
    }
    if (a->has_lifetime)
        stun_add_u32(w, STUN_ATTR_LIFETIME, a->lifetime_s);
}

static enum verdict send_answer(struct relay *r, const struct answer *a)
{
    struct relay_queued *q = relay_queue(r, a->client);
    struct wr w;

    r->counts.refused += a->code != 0;
    r->counts.challenges += a->code == 401 || a->code == 438;
    if (!q)
        return VERDICT_LIMIT;
    w = wr_of(q->data, sizeof q->data);
    stun_encode_header(&w, a->code ? STUN_ERROR : STUN_SUCCESS, a->request->method,
                       &a->request->id);
    write_body(r, a, &w);
    if (r->cfg.username && a->code != 401 && a->code != 438)
        stun_add_integrity(&w, bytes_of(r->key, sizeof r->key));
    if (a->request->has & STUN_HAS_FINGERPRINT)
        stun_add_fingerprint(&w);
    q->len = w.ok ? w.len : 0;
    return VERDICT_TAKEN;
}

static uint32_t granted_lifetime(const struct relay *r, const struct stun_msg *m)
{
    uint32_t asked = m->has & STUN_HAS_LIFETIME ? m->lifetime_s : 600;

    return asked < r->cfg.lifetime_s ? asked : r->cfg.lifetime_s;
}

/* The next port of the range that no allocation has. False: all are taken. */
static bool take_port(struct relay *r, usec now, struct addr *relayed)
{
    unsigned ports = (unsigned)(r->cfg.port_last - r->cfg.port_first) + 1;

    for (unsigned i = 0; i < ports; i++) {
        relayed->port = r->next_port;
        r->next_port =
            r->next_port == r->cfg.port_last ? r->cfg.port_first : (uint16_t)(r->next_port + 1);
        if (!relay_find_relayed(r, now, relayed))
            return true;
    }
    return false;
}

static struct relay_allocation *free_allocation(struct relay *r, usec now)
{
    relay_tick(r, now);
    for (size_t i = 0; i < RELAY_ALLOCATIONS_MAX; i++)
        if (!r->allocations[i].is_used)
            return &r->allocations[i];
    return NULL;
}

static uint16_t check_allocate(const struct relay *r, const struct stun_msg *m, struct addr *ip)
{
    bool is_6 = m->has & STUN_HAS_FAMILY && m->family == STUN_FAMILY_IPV6;

    if (!(m->has & STUN_HAS_TRANSPORT))
        return 400;
    if (m->transport != UDP)
        return 442;
    if (r->alternate.family)
        return 300;
    *ip = is_6 ? r->cfg.address6 : r->cfg.address;
    return ip->family ? 0 : 440;
}

static void tell_allocation(struct answer *out, const struct relay_allocation *a, usec now)
{
    out->is_allocated = out->has_lifetime = true;
    out->relayed = a->relayed;
    out->lifetime_s = (uint32_t)((a->until - now) / SECOND);
}

static void on_allocate(struct relay *r, usec now, struct answer *out)
{
    struct relay_allocation *a = relay_find(r, now, out->client);
    struct addr relayed;

    if (a && stun_id_equal(&a->id, &out->request->id)) {
        tell_allocation(out, a, now);
        return;
    }
    out->code = a ? 437 : check_allocate(r, out->request, &relayed);
    a = out->code ? NULL : free_allocation(r, now);
    if (!out->code && (!a || !take_port(r, now, &relayed)))
        out->code = 508;
    if (out->code)
        return;
    *a = (struct relay_allocation){
        .is_used = true,
        .client = *out->client,
        .id = out->request->id,
        .relayed = relayed,
        .until = now + granted_lifetime(r, out->request) * SECOND,
    };
    tell_allocation(out, a, now);
}

static void on_refresh(struct relay *r, usec now, struct answer *out)
{
    struct relay_allocation *a = relay_find(r, now, out->client);

    out->lifetime_s = granted_lifetime(r, out->request);
    out->has_lifetime = a != NULL;
    if (!a) {
        out->code = 437;
    } else {
        a->until = now + out->lifetime_s * SECOND;
        a->is_used = out->lifetime_s > 0;
    }
}

static uint16_t permit(struct relay_allocation *a, usec now, const struct addr *peer)
{
    struct relay_permission *room = NULL;

    for (size_t i = 0; i < RELAY_PERMISSIONS_MAX; i++) {
        struct relay_permission *p = &a->permissions[i];

        if (p->until > now && addr_equal_ip(&p->peer, peer)) {
            room = p;
            break;
        }
        if (p->until <= now && !room)
            room = p;
    }
    if (!room)
        return 508;
    *room = (struct relay_permission){ .peer = *peer, .until = now + PERMISSION_US };
    return 0;
}

static uint16_t check_peer(const struct relay *r, const struct relay_allocation *a,
                           const struct stun_msg *m)
{
    if (!a)
        return 437;
    if (!(m->has & STUN_HAS_PEER))
        return 400;
    if (m->peer.family != a->relayed.family)
        return 443;
    return r->forbidden.family && addr_equal_ip(&r->forbidden, &m->peer) ? 403 : 0;
}

static void on_create_permission(struct relay *r, usec now, struct answer *out)
{
    struct relay_allocation *a = relay_find(r, now, out->client);

    out->code = check_peer(r, a, out->request);
    if (!out->code)
        out->code = permit(a, now, &out->request->peer);
}

/* RFC 8656 §12.2: neither the number nor the peer may be bound otherwise. */
static uint16_t bind_channel(struct relay_allocation *a, usec now, const struct stun_msg *m)
{
    struct relay_channel *room = NULL;

    if (!(m->has & STUN_HAS_CHANNEL) || m->channel < 0x4000 || m->channel > 0x4fff)
        return 400;
    for (size_t i = 0; i < RELAY_CHANNELS_MAX; i++) {
        struct relay_channel *c = &a->channels[i];
        bool is_live = c->number && now < c->until;
        bool is_peer = is_live && addr_equal(&c->peer, &m->peer);
        bool is_number = is_live && c->number == m->channel;

        if (is_peer != is_number)
            return 400;
        if (is_peer || (!is_live && !room))
            room = c;
    }
    if (!room)
        return 508;
    *room =
        (struct relay_channel){ .peer = m->peer, .number = m->channel, .until = now + CHANNEL_US };
    return 0;
}

static void on_channel_bind(struct relay *r, usec now, struct answer *out)
{
    struct relay_allocation *a = relay_find(r, now, out->client);

    out->code = check_peer(r, a, out->request);
    if (!out->code)
        out->code = bind_channel(a, now, out->request);
    if (!out->code)
        out->code = permit(a, now, &out->request->peer);
}

static const struct {
    enum stun_method method;
    void (*handle)(struct relay *r, usec now, struct answer *out);
} methods[] = {
    { STUN_ALLOCATE, on_allocate },
    { STUN_REFRESH, on_refresh },
    { STUN_CREATE_PERMISSION, on_create_permission },
    { STUN_CHANNEL_BIND, on_channel_bind },
};

enum verdict relay_on_request(struct relay *r, usec now, const struct relay_client *c,
                              const struct stun_msg *m)
{
    struct answer out = { .client = c, .request = m };

    for (size_t i = 0; i < COUNT(methods); i++) {
        if (methods[i].method != m->method)
            continue;
        r->counts.requests++;
        out.code = refusal(r, now, m);
        if (!out.code && m->unknown_count)
            out.code = 420;
        if (!out.code)
            methods[i].handle(r, now, &out);
        return send_answer(r, &out);
    }
    return VERDICT_UNEXPECTED;
}
