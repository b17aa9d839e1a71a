#include "core/lan/responder.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/token/replay.h"

struct service {
    uint8_t secret[LAN_SECRET_BYTES];
    void *tag; /* NULL: a free place */
};

/* A reply whose connection has not come. */
struct expected {
    uint8_t nonce[LAN_NONCE_BYTES];
    const struct service *service; /* NULL: none */
    usec until;
};

struct lan_responder {
    const struct rng *rng;
    struct replay *seen;
    struct lan_gate gate;
    struct service services[LAN_SERVICES_MAX];
    struct expected expected[LAN_REPLIES_MAX];
    size_t next_expected;
    uint64_t cost;
    struct verdicts verdicts;
};

int lan_responder_new(struct lan_responder **out, const struct rng *rng)
{
    struct lan_responder *r = *out = calloc(1, sizeof *r);

    if (r && replay_new(&r->seen, LAN_SEEN_MAX, LAN_SEEN_US) == ERR_OK) {
        r->rng = rng;
        return ERR_OK;
    }
    lan_responder_free(r);
    *out = NULL;
    return ERR_NOMEM;
}

void lan_responder_free(struct lan_responder *r)
{
    if (!r)
        return;
    replay_free(r->seen);
    OPENSSL_cleanse(r, sizeof *r);
    free(r);
}

int lan_responder_add(struct lan_responder *r, const uint8_t secret[LAN_SECRET_BYTES], void *tag)
{
    for (size_t i = 0; i < LAN_SERVICES_MAX; i++) {
        struct service *s = &r->services[i];

        if (s->tag)
            continue;
        memcpy(s->secret, secret, sizeof s->secret);
        s->tag = tag;
        return ERR_OK;
    }
    return ERR_LIMIT;
}

void lan_responder_remove(struct lan_responder *r, const void *tag)
{
    for (size_t i = 0; i < LAN_SERVICES_MAX; i++) {
        struct service *s = &r->services[i];

        if (s->tag != tag)
            continue;
        for (size_t j = 0; j < LAN_REPLIES_MAX; j++)
            if (r->expected[j].service == s)
                r->expected[j].service = NULL;
        OPENSSL_cleanse(s, sizeof *s);
    }
}

static bool is_genuine(struct lan_responder *r, struct bytes message, const struct service *s)
{
    r->cost++;
    return lan_message_is_genuine(message, s->secret);
}

static const struct service *find_service(struct lan_responder *r, struct bytes message)
{
    for (size_t i = 0; i < LAN_SERVICES_MAX; i++)
        if (r->services[i].tag && is_genuine(r, message, &r->services[i]))
            return &r->services[i];
    return NULL;
}

static void expect(struct lan_responder *r, usec now, const struct service *s,
                   const uint8_t nonce[LAN_NONCE_BYTES])
{
    struct expected *e = &r->expected[r->next_expected++ % LAN_REPLIES_MAX];

    memcpy(e->nonce, nonce, sizeof e->nonce);
    e->service = s;
    e->until = usec_after(now, LAN_REPLY_US);
}

static enum verdict judge(struct lan_responder *r, usec now, const struct addr *from,
                          struct bytes dgram, struct lan_message *m, const struct service **s)
{
    enum verdict v = lan_message_decode(m, dgram);

    if (v != VERDICT_TAKEN)
        return v;
    if (m->type != LAN_PROBE)
        return VERDICT_UNEXPECTED;
    if (!lan_gate_take(&r->gate, now, from))
        return VERDICT_LIMIT;
    if (replay_find(r->seen, now, m->nonce))
        return VERDICT_DUPLICATE;
    *s = find_service(r, dgram);
    if (!*s)
        return VERDICT_FORGED;
    (void)replay_add(r->seen, now, m->nonce);
    return VERDICT_TAKEN;
}

enum verdict lan_responder_input(struct lan_responder *r, usec now, const struct addr *from,
                                 struct bytes dgram, uint16_t port, uint8_t out[LAN_MESSAGE_BYTES])
{
    struct lan_message reply = { .type = LAN_REPLY, .port = port }, probe;
    const struct service *s = NULL;
    enum verdict v = judge(r, now, from, dgram, &probe, &s);

    if (v != VERDICT_TAKEN)
        return verdict_note(&r->verdicts, v);
    memcpy(reply.echo, probe.nonce, sizeof reply.echo);
    rng_fill(r->rng, reply.nonce, sizeof reply.nonce);
    r->cost++;
    if (lan_message_encode(out, &reply, s->secret) != ERR_OK)
        return verdict_note(&r->verdicts, VERDICT_LIMIT);
    expect(r, now, s, reply.nonce);
    return verdict_note(&r->verdicts, VERDICT_TAKEN);
}

void *lan_responder_hello(struct lan_responder *r, usec now, struct bytes hello)
{
    struct lan_message m;

    if (lan_message_decode(&m, hello) != VERDICT_TAKEN || m.type != LAN_HELLO)
        return NULL;
    for (size_t i = 0; i < LAN_REPLIES_MAX; i++) {
        struct expected *e = &r->expected[i];

        if (!e->service || now >= e->until || memcmp(e->nonce, m.echo, sizeof e->nonce) != 0)
            continue;
        if (!is_genuine(r, hello, e->service))
            return NULL;
        void *tag = e->service->tag;

        e->service = NULL;
        return tag;
    }
    return NULL;
}

uint64_t lan_responder_cost(const struct lan_responder *r)
{
    return r->cost;
}

const struct verdicts *lan_responder_verdicts(const struct lan_responder *r)
{
    return &r->verdicts;
}
