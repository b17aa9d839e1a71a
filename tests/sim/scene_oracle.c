/* The oracle itself, where the answer is known from the definitions of RFC 4787: what the other
 * scenarios believe it. */
#include "tests/sim/scene.h"

#define OPEN              \
    {                     \
        .kind = HOME_OPEN \
    }
#define FULL_CONE        \
    {                    \
        .kind = HOME_NAT \
    }
#define RESTRICTED                                           \
    {                                                        \
        .kind = HOME_NAT, .filtering = NAT_ADDRESS_DEPENDENT \
    }
#define PORT_STRICT                                                   \
    {                                                                 \
        .kind = HOME_NAT, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT \
    }
#define SYMMETRIC_OF(of)                                                                    \
    {                                                                                       \
        .kind = (of), .ports = NAT_PORTS_RANDOM, .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT, \
        .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,                                        \
    }
#define SYMMETRIC SYMMETRIC_OF(HOME_NAT)
#define CARRIER                                                           \
    {                                                                     \
        .kind = HOME_STACKED, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT \
    }
#define HAIRPIN                                                                                \
    {                                                                                          \
        .kind = HOME_STACKED, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT, .hairpinning = true \
    }

static const struct row {
    const char *claim;
    struct town_plan plan;
    bool is_direct;
} rows[] = {
    { "(open and symmetric)", { .homes = { OPEN, SYMMETRIC } }, true },
    { "(full cone and symmetric)", { .homes = { FULL_CONE, SYMMETRIC } }, true },
    { "(restricted and symmetric)", { .homes = { RESTRICTED, SYMMETRIC } }, true },
    { "(port-restricted twice)", { .homes = { PORT_STRICT, PORT_STRICT } }, true },
    { "(port-restricted and symmetric)", { .homes = { PORT_STRICT, SYMMETRIC } }, false },
    { "(symmetric twice)", { .homes = { SYMMETRIC, SYMMETRIC } }, false },
    { "(double NATs)", { .homes = { CARRIER, CARRIER } }, true },
    { "(double NAT, symmetric outside)",
      { .homes = { SYMMETRIC_OF(HOME_STACKED), PORT_STRICT } },
      false },
    { "(one carrier without hairpinning)",
      { .homes = { CARRIER, CARRIER }, .sharing = TOWN_ONE_CARRIER },
      false },
    { "(one carrier with hairpinning)",
      { .homes = { HAIRPIN, HAIRPIN }, .sharing = TOWN_ONE_CARRIER },
      true },
    { "(one home, no hairpinning, symmetric)",
      { .homes = { SYMMETRIC, SYMMETRIC }, .sharing = TOWN_ONE_HOME },
      true },
    { "(UDP blocked)", { .homes = { { .kind = HOME_NO_UDP }, OPEN } }, false },
    { "(IPv6 twice)", { .homes = { { .kind = HOME_IPV6 }, { .kind = HOME_IPV6 } } }, true },
    { "(IPv6 and IPv4)", { .homes = { { .kind = HOME_IPV6 }, FULL_CONE } }, false },
    { "(symmetric with IPv6 twice)",
      { .homes = { SYMMETRIC_OF(HOME_DUAL), SYMMETRIC_OF(HOME_DUAL) } },
      true },
    { "(symmetric with broken IPv6)",
      { .homes = { SYMMETRIC_OF(HOME_DUAL), SYMMETRIC_OF(HOME_BROKEN_IPV6) } },
      false },
};

static void ask_of_relays(struct scene *c)
{
    static const struct {
        const char *claim;
        enum home_kind kind;
        bool by_udp, by_tcp;
    } homes[] = {
        { "(open)", HOME_OPEN, true, true },
        { "(NAT)", HOME_NAT, true, true },
        { "(stacked)", HOME_STACKED, true, true },
        { "(UDP blocked)", HOME_NO_UDP, false, true },
        { "(TCP 443 only)", HOME_ONLY_443, false, true },
        { "(IPv6)", HOME_IPV6, true, true },
        { "(broken IPv6)", HOME_BROKEN_IPV6, true, true },
    };

    for (size_t i = 0; i < COUNT(homes); i++) {
        struct town_plan plan = { .homes = { { .kind = homes[i].kind }, OPEN } };

        scene_claim(c, town_is_served(&plan, 0, NAT_UDP) == homes[i].by_udp,
                    "the relay is reached by UDP or not", homes[i].claim);
        scene_claim(c, town_is_served(&plan, 0, NAT_TCP) == homes[i].by_tcp,
                    "the relay is reached by TCP 443", homes[i].claim);
    }
}

void scene_oracle(struct scene *c)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        scene_claim(c, town_has_direct_path(&rows[i].plan) == rows[i].is_direct,
                    rows[i].is_direct ? "there is a direct path" : "there is no direct path",
                    rows[i].claim);
    ask_of_relays(c);
}
