#include "core/turn/client.h"

struct turn_ask *turn_ask_at(struct turn *t, size_t i)
{
    return i == 0 ? &t->ask : &t->grants[i - 1].ask;
}

void turn_ask_end(struct turn_ask *a)
{
    stun_txn_init(&a->txn);
    a->give_up_at = USEC_NEVER;
    a->is_due = false;
}

bool turn_ask_is_live(const struct turn_ask *a)
{
    return a->give_up_at != USEC_NEVER;
}

/* RFC 8489 §6.2.2: over a stream nothing is sent twice. */
void turn_ask_anew(struct turn *t, struct turn_ask *a, usec now)
{
    if (t->cfg.stream)
        stun_txn_start(&a->txn, now, t->rng, t->cfg.give_up_us, t->cfg.give_up_us, 1);
    else
        stun_txn_start(&a->txn, now, t->rng, t->cfg.rto_us,
                       usec_max(t->cfg.rto_us, TURN_RTO_MAX_US), TURN_SENDS_MAX);
    a->is_due = stun_txn_tick(&a->txn, now) == STUN_TXN_SEND;
}

void turn_ask_start(struct turn *t, struct turn_ask *a, usec now)
{
    *a = (struct turn_ask){ .give_up_at = now + t->cfg.give_up_us };
    turn_ask_anew(t, a, now);
}

bool turn_ask_tick(struct turn_ask *a, usec now)
{
    enum stun_txn_due due = STUN_TXN_GIVE_UP;

    if (!turn_ask_is_live(a))
        return false;
    if (now < a->give_up_at)
        due = stun_txn_tick(&a->txn, now);
    if (due == STUN_TXN_SEND)
        a->is_due = true;
    if (due == STUN_TXN_GIVE_UP)
        turn_ask_end(a);
    return due == STUN_TXN_GIVE_UP;
}

usec turn_ask_next_timeout(const struct turn_ask *a)
{
    return usec_min(a->give_up_at, stun_txn_next_timeout(&a->txn));
}

uint16_t turn_ask_method(const struct turn *t, size_t i)
{
    if (i > 0)
        return turn_grant_is_channel(&t->grants[i - 1]) ? STUN_CHANNEL_BIND
                                                        : STUN_CREATE_PERMISSION;
    return t->state == TURN_ASKING ? STUN_ALLOCATE : STUN_REFRESH;
}

/* RFC 8656 §7.1. IPv4 is not asked for by name: old servers do not know the attribute. */
static void add_allocate(const struct turn *t, struct wr *w)
{
    stun_add_u32(w, STUN_ATTR_REQUESTED_TRANSPORT, TURN_TRANSPORT_UDP << 24);
    if (t->cfg.family == ADDR_IPV6)
        stun_add_u32(w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_IPV6 << 24);
}

static void add_grant(const struct turn_grant *g, struct wr *w)
{
    if (g->channel)
        stun_add_u32(w, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)g->channel << 16);
    stun_add_xor_addr(w, STUN_ATTR_XOR_PEER_ADDRESS, &g->peer);
}

static void add_credentials(const struct turn *t, struct wr *w)
{
    stun_add_bytes(w, STUN_ATTR_USERNAME, bytes_of_string(t->username));
    stun_add_bytes(w, STUN_ATTR_REALM, bytes_of(t->realm, t->realm_len));
    stun_add_bytes(w, STUN_ATTR_NONCE, bytes_of(t->nonce, t->nonce_len));
    stun_add_integrity(w, bytes_of(t->key, sizeof t->key));
}

static void write_request(struct turn *t, size_t i, struct wr *w)
{
    struct turn_ask *a = turn_ask_at(t, i);

    stun_encode_header(w, STUN_REQUEST, turn_ask_method(t, i), &a->txn.id);
    if (i > 0)
        add_grant(&t->grants[i - 1], w);
    else if (t->state == TURN_ASKING)
        add_allocate(t, w);
    else if (t->state == TURN_STOPPED)
        stun_add_u32(w, STUN_ATTR_LIFETIME, 0); /* RFC 8656 §8.1: gives it back */
    if (t->has_key)
        add_credentials(t, w);
    stun_add_fingerprint(w);
    a->is_signed = t->has_key;
}

/* RFC 8489 §12 allows it for just this; the server sends nothing back. */
static void write_keepalive(const struct turn *t, struct wr *w)
{
    struct stun_id id;

    stun_id_init(&id, t->rng);
    stun_encode_header(w, STUN_INDICATION, STUN_BINDING, &id);
    stun_add_fingerprint(w);
}

/* The first thing that is due, and no longer is: 0 … TURN_ASKS-1 are requests. */
static bool next_due(struct turn *t, size_t *i)
{
    for (*i = 0; *i < TURN_ASKS; ++*i) {
        struct turn_ask *a = turn_ask_at(t, *i);

        if (a->is_due) {
            a->is_due = false;
            return true;
        }
    }
    if (!t->is_keepalive_due)
        return false;
    t->is_keepalive_due = false;
    return true;
}

bool turn_poll_output(struct turn *t, usec now, struct out *out)
{
    size_t i;

    (void)now; /* deadlines are set where requests are started; see turn_tick() */
    while (next_due(t, &i)) {
        struct wr w;

        out_reset(out);
        out->from = t->cfg.local;
        out->to = t->cfg.server;
        out->stream = t->cfg.stream;
        w = wr_of(out_next(out), out_room(out));
        if (i < TURN_ASKS)
            write_request(t, i, &w);
        else
            write_keepalive(t, &w);
        if (!w.ok)
            continue;
        out_add(out, w.len);
        return true;
    }
    return false;
}
