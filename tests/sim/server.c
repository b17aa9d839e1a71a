#include "tests/sim/server.h"

#include "core/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>

void server_init(struct server *s, enum server_kind kind, const struct addr *ip4,
                 const struct addr *ip6, const struct rng *rng)
{
    struct relay_config cfg = { .address = *ip4,
                                .address6 = *ip6,
                                .username = SERVER_USERNAME,
                                .password = SERVER_PASSWORD,
                                .realm = "sim" };

    *s = (struct server){ .kind = kind, .rng = rng, .victim = addr_ipv4(0x5db8d822, 4444) };
    if (relay_new(&s->relay, &cfg, rng)) {
        fputs("simulated server: out of memory\n", stderr);
        exit(2);
    }
}

void server_deinit(struct server *s)
{
    relay_free(s->relay);
    s->relay = NULL;
}

void server_become(struct server *s, enum server_kind kind)
{
    s->kind = kind;
}

/* The answer to a Binding request, naming `seen` as the sender's address; NULL if none is due. */
static struct server_answer *answer(struct server *s, const struct link_packet *p,
                                    const struct addr *seen)
{
    struct server_answer *a = &s->answers[s->answer_count];
    struct wr w = wr_of(a->data, sizeof a->data);

    if (s->answer_count == SERVER_ANSWERS_MAX || !relay_answer_binding(p->dgram, seen, &w))
        return NULL;
    a->from = p->to;
    a->to = p->from;
    a->len = w.len;
    s->answer_count++;
    return a;
}

enum lie {
    LIE_VICTIM,
    LIE_LOOPBACK,
    LIE_ANOTHER_PORT,
    LIE_TRANSACTION,
    LIE_ERROR,
    LIE_CUT,
    LIE_SOURCE,
    LIE_NOISE,
    LIES
};

static struct addr named_by(struct server *s, enum lie lie, const struct addr *true_one)
{
    struct addr named = *true_one;

    if (lie == LIE_VICTIM)
        named = s->victim;
    if (lie == LIE_LOOPBACK)
        named = addr_ipv4(0x7f000001, 22);
    if (lie == LIE_ANOTHER_PORT)
        named.port = (uint16_t)(1 + rng_below(s->rng, 65535));
    return named;
}

static void lie_to(struct server *s, const struct link_packet *p)
{
    enum lie lie = (enum lie)rng_below(s->rng, LIES);
    struct addr named = named_by(s, lie, &p->from);
    struct server_answer *a = answer(s, p, &named);

    if (!a)
        return;
    if (lie == LIE_TRANSACTION)
        a->data[19] ^= 1;
    if (lie == LIE_ERROR)
        a->data[1] |= 0x10; /* 0x0101, a success, becomes 0x0111 */
    if (lie == LIE_CUT)
        a->len = rng_below(s->rng, (uint32_t)a->len);
    if (lie == LIE_SOURCE)
        a->from.port++;
    if (lie == LIE_NOISE)
        rng_fill(s->rng, a->data + 20, a->len - 20);
    named = s->victim;
    (void)answer(s, p, &named); /* and once more, differently */
}

void server_input(struct server *s, usec now, const struct link_packet *p)
{
    if (s->kind == SERVER_STUN)
        (void)answer(s, p, &p->from);
    if (s->kind == SERVER_STUN_LYING)
        lie_to(s, p);
    if (s->kind == SERVER_RELAY || s->kind == SERVER_RELAY_LYING)
        (void)relay_input(s->relay, now, &p->from, &p->to, p->dgram);
}

void server_input_stream(struct server *s, usec now, const struct addr *from, const struct addr *to,
                         struct bytes data)
{
    if (s->kind == SERVER_RELAY || s->kind == SERVER_RELAY_LYING)
        (void)relay_input_stream(s->relay, now, from, to, data);
}

void server_tick(struct server *s, usec now)
{
    relay_tick(s->relay, now);
}

/* A bit or a length, anywhere: of a client's messages only, since a relay's data is sealed. */
static void spoil(struct server *s, struct relay_packet *out)
{
    size_t len = out->dgram.len < sizeof s->spoilt ? out->dgram.len : sizeof s->spoilt;

    if (len == 0 || rng_below(s->rng, 2))
        return;
    memcpy(s->spoilt, out->dgram.data, len);
    s->spoilt[rng_below(s->rng, (uint32_t)len)] ^= (uint8_t)(1u << rng_below(s->rng, 8));
    if (!out->stream && rng_below(s->rng, 4) == 0)
        len = 1 + rng_below(s->rng, (uint32_t)len);
    out->dgram = bytes_of(s->spoilt, len);
}

bool server_poll_output(struct server *s, struct relay_packet *out)
{
    struct server_answer *a;

    if (s->answer_count == 0) {
        if (!relay_poll_output(s->relay, out))
            return false;
        if (s->kind == SERVER_RELAY_LYING)
            spoil(s, out);
        return true;
    }
    a = &s->answers[--s->answer_count];
    *out = (struct relay_packet){ a->from, a->to, false, bytes_of(a->data, a->len) };
    return true;
}

usec server_next_timeout(const struct server *s)
{
    return relay_next_timeout(s->relay);
}
