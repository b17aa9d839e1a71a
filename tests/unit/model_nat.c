/* The NAT model, probed from outside as RFC 5780 does: the same inside socket speaks to two
 * addresses with two ports each, and what comes back, and to where, names the kind of NAT. */
#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/net/model/nat.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

#define INSIDE  addr_ipv4(0x0a000002, 5000)
#define PUBLIC  addr_ipv4(0xcb007101, 0)
#define A1P1    addr_ipv4(0xc6336401, 3478)
#define A1P2    addr_ipv4(0xc6336401, 3479)
#define A2P1    addr_ipv4(0xc6336402, 3478)
#define A2P2    addr_ipv4(0xc6336402, 3479)
#define TIMEOUT (30 * SECOND)

static uint64_t seed;
static struct rng rng;

static struct nat *nat_of(struct nat_config cfg)
{
    struct nat *n;

    seed = 1;
    rng = test_rng(&seed);
    cfg.outside = PUBLIC;
    if (cfg.timeout_us == 0)
        cfg.timeout_us = TIMEOUT;
    CHECK("made", nat_new(&n, &cfg, &rng) == ERR_OK);
    return n;
}

/* Sends inside -> remote and returns what the remote sees as the source; ADDR_NONE if dropped. */
static struct addr out(struct nat *n, usec now, struct addr inside, struct addr remote)
{
    enum nat_side side = NAT_INSIDE;
    struct addr to = remote;

    if (nat_input(n, now, &side, &inside, &to) != VERDICT_TAKEN || side != NAT_OUTSIDE)
        return (struct addr){ .family = ADDR_NONE };
    CHECK("the remote is not rewritten", addr_equal(&to, &remote));
    return inside;
}

/* Sends remote -> mapped; true if it reaches the inside socket. */
static bool in(struct nat *n, usec now, struct addr remote, struct addr mapped, struct addr inside)
{
    enum nat_side side = NAT_OUTSIDE;
    struct addr from = remote;

    return nat_input(n, now, &side, &from, &mapped) == VERDICT_TAKEN && side == NAT_INSIDE &&
           addr_equal(&mapped, &inside) && addr_equal(&from, &remote);
}

static bool same(struct addr x, struct addr y)
{
    return x.family != ADDR_NONE && addr_equal(&x, &y);
}

/* RFC 5780 §4.3 and §4.4, in that order. */
static enum nat_rule probe_mapping(struct nat *n)
{
    struct addr one = out(n, 0, INSIDE, A1P1), two = out(n, 0, INSIDE, A2P1);

    if (same(one, two))
        return NAT_ENDPOINT_INDEPENDENT;
    return same(two, out(n, 0, INSIDE, A2P2)) ? NAT_ADDRESS_DEPENDENT
                                              : NAT_ADDRESS_AND_PORT_DEPENDENT;
}

static enum nat_rule probe_filtering(struct nat *n)
{
    struct addr mapped = out(n, 0, INSIDE, A1P1);

    CHECK("who was asked may answer", in(n, 0, A1P1, mapped, INSIDE));
    if (in(n, 0, A2P2, mapped, INSIDE))
        return NAT_ENDPOINT_INDEPENDENT;
    return in(n, 0, A1P2, mapped, INSIDE) ? NAT_ADDRESS_DEPENDENT : NAT_ADDRESS_AND_PORT_DEPENDENT;
}

TEST(every_kind_is_found_by_probing)
{
    for (unsigned i = 0; i < NAT_RULES * NAT_RULES * NAT_PORT_KINDS; i++) {
        struct nat_config cfg = { .mapping = i % NAT_RULES,
                                  .filtering = i / NAT_RULES % NAT_RULES,
                                  .ports = i / NAT_RULES / NAT_RULES };
        struct nat *n = nat_of(cfg);

        CHECK("filtering", probe_filtering(n) == cfg.filtering);
        CHECK("mapping", probe_mapping(n) == cfg.mapping);
        nat_free(n);
    }
}

TEST(ports_are_preserved)
{
    struct nat *n = nat_of((struct nat_config){ .ports = NAT_PORTS_PRESERVED });
    struct addr other = addr_ipv4(0x0a000003, 5000);

    CHECK("the first keeps its port", out(n, 0, INSIDE, A1P1).port == 5000);
    CHECK("the second cannot", out(n, 0, other, A1P1).port == 5001);
    nat_free(n);
}

TEST(ports_are_sequential)
{
    struct nat *n = nat_of((struct nat_config){ .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                                .ports = NAT_PORTS_SEQUENTIAL });
    uint16_t first = out(n, 0, INSIDE, A1P1).port;

    CHECK("one more", out(n, 0, INSIDE, A1P2).port == first + 1);
    CHECK("and one more", out(n, 0, INSIDE, A2P1).port == first + 2);
    CHECK("the same for the same", out(n, 0, INSIDE, A1P1).port == first);
    nat_free(n);
}

TEST(ports_are_random)
{
    struct nat *n = nat_of((struct nat_config){ .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                                .ports = NAT_PORTS_RANDOM });
    unsigned low = 0, neighbours = 0;
    uint16_t last = 0;

    for (unsigned i = 0; i < 200; i++) {
        uint16_t port = out(n, 0, INSIDE, addr_ipv4(0xc6336401, (uint16_t)(i + 1))).port;

        CHECK("never below 1024", port >= 1024);
        low += port < 33280;
        neighbours += port == last + 1;
        last = port;
    }
    CHECK("evenly", low > 70 && low < 130);
    CHECK("not in a row", neighbours <= 1);
    nat_free(n);
}

TEST(nothing_comes_in_unasked)
{
    struct nat *n = nat_of((struct nat_config){ 0 });
    struct addr mapped = out(n, 0, INSIDE, A1P1), wrong = mapped;

    wrong.port++;
    CHECK("no mapping", !in(n, 0, A1P1, wrong, INSIDE) && nat_counts(n)->unmapped == 1);
    CHECK("another host's address", !in(n, 0, A1P1, addr_ipv4(0xcb007102, mapped.port), INSIDE));
    nat_free(n);
}

TEST(outbound_refreshes)
{
    struct nat *n = nat_of((struct nat_config){ .ports = NAT_PORTS_RANDOM });
    struct addr mapped = out(n, 0, INSIDE, A1P1);

    CHECK("still there", in(n, TIMEOUT - 1, A1P1, mapped, INSIDE));
    CHECK("kept by sending", same(out(n, TIMEOUT - 1, INSIDE, A1P1), mapped));
    CHECK("for as long again", in(n, 2 * TIMEOUT - 2, A1P1, mapped, INSIDE));
    CHECK("not by receiving", !in(n, 2 * TIMEOUT - 1, A1P1, mapped, INSIDE));
    CHECK("gone", nat_mapping_count(n, 2 * TIMEOUT - 1) == 0);
    CHECK("then another port", !same(out(n, 2 * TIMEOUT, INSIDE, A1P1), mapped));
    nat_free(n);
}

TEST(inbound_refreshes_if_so_configured)
{
    struct nat *n = nat_of((struct nat_config){ .is_inbound_refreshing = true });
    struct addr mapped = out(n, 0, INSIDE, A1P1);

    CHECK("kept", in(n, TIMEOUT - 1, A1P1, mapped, INSIDE));
    CHECK("for as long again", in(n, 2 * TIMEOUT - 2, A1P1, mapped, INSIDE));
    CHECK("then gone", !in(n, 3 * TIMEOUT - 2, A1P1, mapped, INSIDE));
    nat_free(n);
}

/* Each remote's permission runs by itself: a mapping kept alive by one does not let another in. */
TEST(permissions_expire_one_by_one)
{
    struct nat *n = nat_of((struct nat_config){ .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT });
    struct addr mapped = out(n, 0, INSIDE, A1P1);

    out(n, TIMEOUT / 2, INSIDE, A2P1);
    CHECK("the newer holds", in(n, TIMEOUT, A2P1, mapped, INSIDE));
    CHECK("the older is over", !in(n, TIMEOUT, A1P1, mapped, INSIDE));
    CHECK("as filtered, not unmapped", nat_counts(n)->filtered == 1);
    nat_free(n);
}

TEST(hairpinning)
{
    struct addr other = addr_ipv4(0x0a000003, 6000);

    for (int is_on = 0; is_on < 2; is_on++) {
        struct nat *n = nat_of((struct nat_config){ .hairpinning = is_on });
        struct addr mapped = out(n, 0, INSIDE, A1P1), from = other, to = mapped;
        struct addr other_mapped = out(n, 0, other, A1P1);
        enum nat_side side = NAT_INSIDE;
        bool arrives = nat_input(n, 0, &side, &from, &to) == VERDICT_TAKEN;

        CHECK("only if configured", arrives == is_on);
        CHECK("it stays inside", !arrives || (side == NAT_INSIDE && same(to, INSIDE)));
        CHECK("its source is the outside address", !arrives || same(from, other_mapped));
        nat_free(n);
    }
}

static bool passes_out(struct nat *n, enum nat_protocol protocol, struct addr from, struct addr to)
{
    enum nat_side side = NAT_INSIDE;

    return nat_input_protocol(n, 0, protocol, &side, &from, &to) == VERDICT_TAKEN;
}

TEST(protocols_do_not_share_mappings)
{
    struct nat *n = nat_of((struct nat_config){ .tcp_timeout_us = 60 * MINUTE });
    struct addr from = INSIDE, to = A1P1, mapped;
    enum nat_side side = NAT_INSIDE;

    CHECK("TCP goes out", nat_input_protocol(n, 0, NAT_TCP, &side, &from, &to) == VERDICT_TAKEN);
    mapped = from;
    CHECK("the same port serves both", same(out(n, 0, INSIDE, A1P1), mapped));
    CHECK("two mappings", nat_mapping_count(n, 0) == 2);
    CHECK("TCP's lives longer", nat_mapping_count(n, TIMEOUT) == 1);
    CHECK("UDP does not come in by it", !in(n, TIMEOUT, A1P1, mapped, INSIDE));
    side = NAT_OUTSIDE;
    to = mapped;
    from = A1P1;
    CHECK("TCP does", nat_input_protocol(n, TIMEOUT, NAT_TCP, &side, &from, &to) == VERDICT_TAKEN &&
                          same(to, INSIDE));
    nat_free(n);
}

TEST(policies)
{
    static const struct {
        const char *claim;
        enum nat_policy policy;
        enum nat_protocol protocol;
        uint16_t port;
        bool passes;
    } rows[] = {
        { "all: UDP", NAT_LETS_OUT_ALL, NAT_UDP, 3478, true },
        { "all: TCP", NAT_LETS_OUT_ALL, NAT_TCP, 3478, true },
        { "UDP blocked: UDP", NAT_BLOCKS_UDP, NAT_UDP, 443, false },
        { "UDP blocked: TCP", NAT_BLOCKS_UDP, NAT_TCP, 3478, true },
        { "443 only: TCP elsewhere", NAT_LETS_OUT_TCP_443, NAT_TCP, 3478, false },
        { "443 only: UDP", NAT_LETS_OUT_TCP_443, NAT_UDP, 443, false },
        { "443 only: TCP 443", NAT_LETS_OUT_TCP_443, NAT_TCP, 443, true },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct nat *n = nat_of((struct nat_config){ .policy = rows[i].policy });
        struct addr to = addr_ipv4(0xc6336401, rows[i].port);

        CHECK(rows[i].claim, passes_out(n, rows[i].protocol, INSIDE, to) == rows[i].passes);
        CHECK("what is blocked is counted", nat_counts(n)->blocked == !rows[i].passes);
        CHECK("and takes no mapping", nat_mapping_count(n, 0) == rows[i].passes);
        nat_free(n);
    }
}

static struct addr ipv6_of(const char *text, uint16_t port)
{
    struct addr a = { .family = ADDR_NONE };

    CHECK("an address", addr_parse_ip(&a, text, port));
    return a;
}

TEST(a_firewall_translates_nothing)
{
    struct nat *n = nat_of(
        (struct nat_config){ .is_transparent = true, .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT });
    struct addr host = ipv6_of("2001:db8::2", 5000), remote = ipv6_of("2001:db8:1::1", 3478);
    struct addr stranger = ipv6_of("2001:db8:1::1", 3479);

    CHECK("nothing comes in unasked", !in(n, 0, remote, host, host));
    CHECK("what goes out keeps its address", same(out(n, 0, host, remote), host));
    CHECK("the answer comes in", in(n, 0, remote, host, host));
    CHECK("nobody else does", !in(n, 0, stranger, host, host));
    nat_free(n);
}

TEST(a_firewall_may_map_by_remote)
{
    struct nat *n = nat_of((struct nat_config){ .is_transparent = true,
                                                .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
                                                .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT });
    struct addr host = ipv6_of("2001:db8::2", 5000);

    CHECK("to one", same(out(n, 0, host, ipv6_of("2001:db8:1::1", 1)), host));
    CHECK("to another", same(out(n, 0, host, ipv6_of("2001:db8:1::2", 1)), host));
    CHECK("the one answers", in(n, 0, ipv6_of("2001:db8:1::1", 1), host, host));
    CHECK("the other too", in(n, 0, ipv6_of("2001:db8:1::2", 1), host, host));
    nat_free(n);
}

TEST(families_are_not_translated)
{
    struct nat *n = nat_of((struct nat_config){ 0 });

    CHECK("IPv6 does not leave by an IPv4 address",
          !passes_out(n, NAT_UDP, ipv6_of("2001:db8::2", 1), ipv6_of("2001:db8::3", 1)));
    CHECK("counted", nat_counts(n)->unmapped == 1 && nat_mapping_count(n, 0) == 0);
    nat_free(n);
}

TEST(another_outside_address)
{
    struct nat *n = nat_of((struct nat_config){ 0 });
    struct addr mapped = out(n, 0, INSIDE, A1P1), other = addr_ipv4(0xcb007199, 0);

    nat_set_outside(n, &other);
    CHECK("the old one is nobody's", !in(n, 0, A1P1, mapped, INSIDE));
    mapped = out(n, 0, INSIDE, A1P1);
    CHECK("the new one is seen", addr_equal_ip(&mapped, &other));
    CHECK("and answered", in(n, 0, A1P1, mapped, INSIDE));
    nat_free(n);
}

/* Two homes behind one carrier: what one sends to the other's outermost address turns round in the
 * carrier's NAT and comes in through the other home's. */
TEST(stacked_nats)
{
    struct nat *home[2], *carrier = nat_of((struct nat_config){ .hairpinning = true });
    struct addr of_home[2] = { addr_ipv4(0x64400001, 0), addr_ipv4(0x64400002, 0) };
    struct addr from = INSIDE, to, seen[2];
    enum nat_side side = NAT_INSIDE;

    for (int i = 0; i < 2; i++) {
        home[i] = nat_of((struct nat_config){ 0 });
        nat_set_outside(home[i], &of_home[i]);
        seen[i] = out(carrier, 0, out(home[i], 0, INSIDE, A1P1), A1P1);
    }
    to = seen[1];
    CHECK("out of the first home",
          nat_input(home[0], 0, &side, &from, &to) == VERDICT_TAKEN && side == NAT_OUTSIDE);
    side = NAT_INSIDE;
    CHECK("round in the carrier's", nat_input(carrier, 0, &side, &from, &to) == VERDICT_TAKEN &&
                                        side == NAT_INSIDE && same(from, seen[0]));
    side = NAT_OUTSIDE;
    CHECK("into the second home",
          nat_input(home[1], 0, &side, &from, &to) == VERDICT_TAKEN && same(to, INSIDE));
    nat_free(home[0]);
    nat_free(home[1]);
    nat_free(carrier);
}

TEST(nothing_is_written_unless_taken)
{
    struct nat *n = nat_of((struct nat_config){ .hairpinning = true });
    struct addr from = INSIDE, to = PUBLIC;
    enum nat_side side = NAT_INSIDE;

    to.port = 4444;
    CHECK("no such mapping", nat_input(n, 0, &side, &from, &to) == VERDICT_UNEXPECTED);
    CHECK("the source is as it was", same(from, INSIDE) && side == NAT_INSIDE);
    nat_free(n);
}

TEST(table_is_bounded)
{
    struct nat *n = nat_of((struct nat_config){ .mappings_max = 2 });

    CHECK("first", out(n, 0, addr_ipv4(0x0a000002, 1), A1P1).port);
    CHECK("second", out(n, 1, addr_ipv4(0x0a000002, 2), A1P1).port);
    CHECK("no third", !out(n, 1, addr_ipv4(0x0a000002, 3), A1P1).port);
    CHECK("counted", nat_counts(n)->over_table == 1 && nat_mapping_count(n, 1) == 2);
    CHECK("room when one expires", out(n, TIMEOUT, addr_ipv4(0x0a000002, 3), A1P1).port);
    nat_reset(n);
    CHECK("a reboot forgets", nat_mapping_count(n, TIMEOUT) == 0);
    nat_free(n);
}

TEST(every_allocation_may_fail)
{
    ALLOC_FAIL_EACH {
        struct nat *n;
        struct nat_config cfg = { .outside = PUBLIC };
        int err;

        rng = test_rng(&seed);
        err = nat_new(&n, &cfg, &rng);
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("all or nothing", (n != NULL) == (err == ERR_OK));
        nat_free(n);
    }
}

TESTS(TEST_ROW(every_kind_is_found_by_probing), TEST_ROW(ports_are_preserved),
      TEST_ROW(ports_are_sequential), TEST_ROW(ports_are_random),
      TEST_ROW(nothing_comes_in_unasked), TEST_ROW(outbound_refreshes),
      TEST_ROW(inbound_refreshes_if_so_configured), TEST_ROW(permissions_expire_one_by_one),
      TEST_ROW(hairpinning), TEST_ROW(protocols_do_not_share_mappings), TEST_ROW(policies),
      TEST_ROW(a_firewall_translates_nothing), TEST_ROW(a_firewall_may_map_by_remote),
      TEST_ROW(families_are_not_translated), TEST_ROW(another_outside_address),
      TEST_ROW(stacked_nats), TEST_ROW(nothing_is_written_unless_taken), TEST_ROW(table_is_bounded),
      TEST_ROW(every_allocation_may_fail))
