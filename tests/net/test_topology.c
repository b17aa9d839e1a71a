/* A plan is read as its author meant it, or refused with the reason. */
#include "tests/check.h"
#include "tests/net/topology.h"

#include <stdlib.h>

static struct topology plan;
static char error[TOPOLOGY_ERROR_MAX];

static bool read_line(const char *text)
{
    char line[512];

    (void)snprintf(line, sizeof line, "%s", text);
    return topology_read_line(&plan, line, error);
}

static const struct {
    const char *claim, *line;
    bool is_read;
} rows[] = {
    { "nothing", "", true },
    { "a comment", "  # all of it", true },
    { "a NAT", "nat n outside=203.0.113.1 mapping=address-dependent filtering=apd", true },
    { "a NAT in a NAT", "nat m outside=100.64.0.2 behind=n block=all-but-443", true },
    { "a host", "host h addr=192.168.1.2,2001:db8::1 behind=m delay=10 up_loss=2.5 loss_run=4",
      true },
    { "its second interface", "host h if=lte0 addr=10.0.0.1 down_rate=3000 black_hole", true },
    { "a firewall", "host f addr=2001:db8::3 firewall=address-dependent", true },
    { "a wall of another kind", "host g addr=2001:db8::4 firewall=brick", false },
    { "a name twice", "nat n outside=203.0.113.2", false },
    { "behind nothing", "host i addr=192.168.1.2 behind=nowhere", false },
    { "behind itself", "nat o outside=203.0.113.3 behind=o", false },
    { "IPv6 outside", "nat p outside=2001:db8::2", false },
    { "an unknown rule", "nat q outside=203.0.113.4 mapping=none", false },
    { "a host's setting for a NAT", "nat r outside=203.0.113.5 addr=10.0.0.1", false },
    { "a NAT's setting for a host", "host s addr=10.0.0.1 hairpinning", false },
    { "a link's setting for a NAT", "nat t outside=203.0.113.5 delay=10", false },
    { "more than all", "host u addr=10.0.0.1 loss=101", false },
    { "runs of losses without an end", "host u addr=10.0.0.1 loss_run=1001", false },
    { "not a number", "host v addr=10.0.0.1 delay=fast", false },
    { "less than nothing", "host w addr=10.0.0.1 delay=-1", false },
    { "a value where there is none", "host x addr=10.0.0.1 black_hole=1", false },
    { "five addresses", "host y addr=10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5", false },
    { "a device's name too long", "host z if=abcdefghijklmnop addr=10.0.0.1", false },
    { "another kind of line", "router n outside=203.0.113.1", false },
    { "a word alone", "host", false },
};

TEST(lines_are_read_or_refused)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, read_line(rows[i].line) == rows[i].is_read);
}

TEST(settings_are_where_they_belong)
{
    const struct topology_nat *nat = &plan.nat[topology_find_nat(&plan, "n")];
    const struct topology_port *port;
    char links[] = "delay=1 down_loss=0.5";
    struct topology_link way[WAYS];

    CHECK("the rules", nat->cfg.mapping == NAT_ADDRESS_DEPENDENT &&
                           nat->cfg.filtering == NAT_ADDRESS_AND_PORT_DEPENDENT);
    CHECK("the policy", plan.nat[topology_find_nat(&plan, "m")].cfg.policy == NAT_LETS_OUT_TCP_443);
    port = &plan.port[topology_find_port(&plan, "h", "tun0")];
    CHECK("both directions", port->way[WAY_UP].cfg.delay_us == 10 * MILLISECOND &&
                                 port->way[WAY_DOWN].cfg.delay_us == 10 * MILLISECOND);
    CHECK("one direction",
          port->way[WAY_UP].cfg.loss_ppm == 25000 && port->way[WAY_DOWN].cfg.loss_ppm == 0);
    CHECK("losses in runs",
          port->way[WAY_UP].cfg.loss_run == 4 && port->way[WAY_DOWN].cfg.loss_run == 4);
    port = &plan.port[topology_find_port(&plan, "h", "lte0")];
    CHECK("the other interface",
          port->way[WAY_DOWN].cfg.rate_bps == 3000000 && port->way[WAY_UP].is_black_hole);
    memcpy(way, port->way, sizeof way);
    CHECK("later settings", topology_read_links(way, links, error));
    CHECK("leave the rest", way[WAY_UP].cfg.delay_us == MILLISECOND &&
                                way[WAY_DOWN].cfg.loss_ppm == 5000 &&
                                way[WAY_DOWN].cfg.rate_bps == 3000000);
}

TEST(no_host_too_many)
{
    char line[64];
    int added = 0;

    for (int i = 0; i < 2 * TOPOLOGY_PORTS_MAX; i++) {
        (void)snprintf(line, sizeof line, "host many%d addr=10.0.0.1", i);
        added += read_line(line);
    }
    CHECK("refused when full", added < TOPOLOGY_PORTS_MAX && plan.port_count == TOPOLOGY_PORTS_MAX);
}

TESTS(TEST_ROW(lines_are_read_or_refused), TEST_ROW(settings_are_where_they_belong),
      TEST_ROW(no_host_too_many))
