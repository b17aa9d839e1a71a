#include "tests/sim/punch.h"

#include "core/base/bytes.h"
#include "tests/support/rng.h"

#include <stdlib.h>

#define KNOWN_MAX  32 /* addresses a side learns of the other; no kind of NAT shows this many */
#define ROUNDS_MAX 8

struct side {
    struct nat *nat;
    struct addr inside;
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

/* Sends to an address of the other side; true if it arrives, with the source seen there. */
static bool sends(struct side *from, struct side *to, struct addr target, struct addr *source)
{
    enum nat_side side = NAT_INSIDE;

    *source = from->inside;
    if (nat_input(from->nat, 0, &side, source, &target) != VERDICT_TAKEN || side != NAT_OUTSIDE)
        return false;
    return nat_input(to->nat, 0, &side, source, &target) == VERDICT_TAKEN;
}

static bool asks_and_hears(struct side *a, struct side *b, const struct addr *target)
{
    struct addr source, answer_source;

    if (!sends(a, b, *target, &source))
        return false;
    learn(b, &source);
    return sends(b, a, source, &answer_source) && addr_equal(&answer_source, target);
}

/* Both sides ask a server outside where they are seen, and tell the other. */
static void gather(struct side *sides)
{
    for (int i = 0; i < 2; i++) {
        struct addr seen = sides[i].inside, server = addr_ipv4(0x08080808, 3478);
        enum nat_side side = NAT_INSIDE;

        (void)nat_input(sides[i].nat, 0, &side, &seen, &server);
        learn(&sides[1 - i], &seen);
    }
}

static bool asks_everywhere(struct side *a, struct side *b)
{
    for (size_t k = 0; k < a->known_count; k++)
        if (asks_and_hears(a, b, &a->known[k]))
            return true;
    return false;
}

static bool search(struct side *sides)
{
    gather(sides);
    for (int round = 0; round < ROUNDS_MAX; round++)
        if (asks_everywhere(&sides[0], &sides[1]) || asks_everywhere(&sides[1], &sides[0]))
            return true;
    return false;
}

bool punch_is_possible(const struct punch_kind kinds[2])
{
    struct side sides[2] = { { 0 } };
    uint64_t chance = 1;
    struct rng rng = test_rng(&chance);
    bool is_possible = false;

    for (unsigned i = 0; i < 2; i++) {
        struct nat_config cfg = { .outside = addr_ipv4(0xcb007101 + i, 0),
                                  .mapping = kinds[i].mapping,
                                  .filtering = kinds[i].filtering,
                                  .ports = NAT_PORTS_RANDOM };

        sides[i].inside = addr_ipv4(0x0a000002 + i, 5000);
        if (nat_new(&sides[i].nat, &cfg, &rng))
            exit(2);
    }
    is_possible = search(sides);
    nat_free(sides[0].nat);
    nat_free(sides[1].nat);
    return is_possible;
}
