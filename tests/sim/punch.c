#include "tests/sim/punch.h"

#include "core/base/bytes.h"

#define KNOWN_MAX  64 /* addresses a side learns of the other; no kind of NAT shows this many */
#define ROUNDS_MAX 8

struct side {
    const struct punch_side *plan;
    struct addr known[KNOWN_MAX]; /* of the other side */
    size_t known_count;
};

static void learn(struct side *s, const struct addr *of_other)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (addr_equal(&s->known[i], of_other))
            return;
    if (s->known_count < KNOWN_MAX)
        s->known[s->known_count++] = *of_other;
}

static bool has_socket(const struct punch_side *s, const struct addr *addr)
{
    for (size_t i = 0; i < s->socket_count; i++)
        if (addr_equal(&s->sockets[i], addr))
            return true;
    return false;
}

/* A request to `target`; if it arrives, its answer. */
static bool asks_and_hears(struct net *n, struct side *a, struct side *b, const struct addr *socket,
                           const struct addr *target)
{
    struct net_probe request = { NAT_UDP, a->plan->host, *socket, *target, 0 }, answer;

    if (!net_probe(n, 0, &request))
        return false;
    if (request.host != b->plan->host || !has_socket(b->plan, &request.to))
        return false;
    learn(b, &request.from);
    answer = (struct net_probe){ NAT_UDP, request.host, request.to, request.from, 0 };
    return net_probe(n, 0, &answer) && answer.host == a->plan->host &&
           addr_equal(&answer.to, socket) && addr_equal(&answer.from, target);
}

/* Each side is told the other's sockets, and where they are seen by every server. */
static void gather(struct net *n, struct side *s, struct side *other, const struct addr *servers,
                   size_t server_count)
{
    for (size_t i = 0; i < s->plan->socket_count; i++) {
        learn(other, &s->plan->sockets[i]);
        for (size_t k = 0; k < server_count; k++) {
            struct net_probe p = { NAT_UDP, s->plan->host, s->plan->sockets[i], servers[k], 0 };

            if (p.from.family == p.to.family && net_probe(n, 0, &p))
                learn(other, &p.from);
        }
    }
}

static bool asks_everywhere(struct net *n, struct side *a, struct side *b)
{
    for (size_t i = 0; i < a->plan->socket_count; i++)
        for (size_t k = 0; k < a->known_count; k++)
            if (a->known[k].family == a->plan->sockets[i].family &&
                asks_and_hears(n, a, b, &a->plan->sockets[i], &a->known[k]))
                return true;
    return false;
}

bool punch_is_possible(struct net *n, const struct punch_side plans[2], const struct addr *servers,
                       size_t server_count)
{
    struct side sides[2] = { { .plan = &plans[0] }, { .plan = &plans[1] } };

    gather(n, &sides[0], &sides[1], servers, server_count);
    gather(n, &sides[1], &sides[0], servers, server_count);
    for (int round = 0; round < ROUNDS_MAX; round++)
        if (asks_everywhere(n, &sides[0], &sides[1]) || asks_everywhere(n, &sides[1], &sides[0]))
            return true;
    return false;
}

bool punch_is_served(struct net *n, const struct punch_side *side, enum nat_protocol protocol,
                     const struct addr *server)
{
    for (size_t i = 0; i < side->socket_count; i++) {
        struct net_probe p = { protocol, side->host, side->sockets[i], *server, 0 }, back;

        if (p.from.family != p.to.family || !net_probe(n, 0, &p))
            continue;
        back = (struct net_probe){ protocol, p.host, p.to, p.from, 0 };
        if (net_probe(n, 0, &back) && back.host == side->host)
            return true;
    }
    return false;
}
