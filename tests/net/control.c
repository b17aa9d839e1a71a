#include "tests/net/control.h"

#include <string.h>
#include <unistd.h>

#include "tests/net/now.h"
#include "tests/net/wiring.h"

static bool fail(const char *why)
{
    (void)printf("error %s\n", why);
    return false;
}

static int named_nat(const struct lab *l, char **rest)
{
    const char *name = strsep(rest, " ");

    return name ? topology_find_nat(&l->plan, name) : -1;
}

static int named_port(const struct lab *l, char **rest)
{
    const char *host = strsep(rest, " "), *device = strsep(rest, " ");

    return host && device ? topology_find_port(&l->plan, host, device) : -1;
}

static bool reboot(struct lab *l, char *rest)
{
    int nat = named_nat(l, &rest);

    return nat >= 0 && lab_set_nat(l, nat) ? true : fail("no such NAT");
}

static bool readdress(struct lab *l, char *rest)
{
    int nat = named_nat(l, &rest);

    if (nat < 0 || !rest || !addr_parse_ip(&l->plan.nat[nat].cfg.outside, rest, 0))
        return fail("no such NAT, or no address");
    return lab_set_nat(l, nat) ? true : fail("no memory");
}

/* Runs `ip` in a process beside this one, which goes on passing packets; that one answers. */
static bool rewire(struct lab *l, int port, bool (*change)(struct lab *l, int port))
{
    pid_t pid = fork();

    if (pid < 0)
        return fail("no process");
    if (pid == 0) {
        (void)printf("%s\n", change(l, port) ? "ok" : "error ip failed");
        (void)fflush(stdout);
        _exit(0);
    }
    return false; /* answered there */
}

static bool move(struct lab *l, char *rest)
{
    int port = named_port(l, &rest);
    struct topology_port *p;

    if (port < 0 || !rest)
        return fail("no such interface");
    p = &l->plan.port[port];
    p->address_count = 0;
    for (char *one; (one = strsep(&rest, ","));)
        if (p->address_count == TOPOLOGY_ADDRESSES_MAX ||
            !addr_parse_ip(&p->addresses[p->address_count++], one, 0))
            return fail("no address");
    return rewire(l, port, wiring_set_addresses);
}

static bool set_cut(struct lab *l, char *rest, bool is_cut)
{
    int port = named_port(l, &rest);

    if (port < 0)
        return fail("no such interface");
    l->port[port].is_cut = is_cut;
    return true;
}

static bool cut(struct lab *l, char *rest)
{
    return set_cut(l, rest, true);
}

static bool mend(struct lab *l, char *rest)
{
    return set_cut(l, rest, false);
}

static bool down(struct lab *l, char *rest)
{
    int port = named_port(l, &rest);

    return port >= 0 ? rewire(l, port, wiring_set_down) : fail("no such interface");
}

static bool up(struct lab *l, char *rest)
{
    int port = named_port(l, &rest);

    return port >= 0 ? rewire(l, port, wiring_set_addresses) : fail("no such interface");
}

static bool set_links(struct lab *l, char *rest)
{
    char error[TOPOLOGY_ERROR_MAX];
    int port = named_port(l, &rest);

    if (port < 0 || !rest)
        return fail("no such interface");
    if (!topology_read_links(l->plan.port[port].way, rest, error))
        return fail(error);
    lab_set_links(l, port);
    return true;
}

static bool state(struct lab *l, char *rest)
{
    int port = named_port(l, &rest);
    usec now = net_now();

    if (port < 0)
        return fail("no such interface");
    (void)printf("ok %lld", (long long)now);
    for (int way = 0; way < WAYS; way++) {
        const struct link *link = l->port[port].link[way];
        const struct link_counts *c = link_counts(link);

        (void)printf(" %lld %llu %llu %llu %llu %llu", (long long)link_backlog(link, now),
                     (unsigned long long)c->offered, (unsigned long long)c->lost,
                     (unsigned long long)c->duplicated, (unsigned long long)c->reordered,
                     (unsigned long long)(c->over_queue + c->over_table));
    }
    (void)printf("\n");
    return false; /* has answered */
}

static bool counts(struct lab *l, char *rest)
{
    struct lab_counts c = l->counts;

    (void)rest;
    l->counts = (struct lab_counts){ 0 };
    (void)printf("ok %llu %llu %lld %lld\n", (unsigned long long)c.packets,
                 (unsigned long long)c.dropped,
                 (long long)(c.packets ? c.late_us_sum / (usec)(2 * c.packets) : 0),
                 (long long)c.late_us_max);
    return false; /* has answered */
}

static const struct {
    const char *name;
    bool (*run)(struct lab *l, char *rest); /* false: it has printed the answer itself */
} commands[] = {
    { "reboot", reboot }, { "readdress", readdress }, { "move", move }, { "cut", cut },
    { "mend", mend },     { "down", down },           { "up", up },     { "link", set_links },
    { "state", state },   { "counts", counts },
};

void control_obey(struct lab *l, char *line)
{
    const char *word;
    bool is_known = false;

    line[strcspn(line, "\n")] = '\0';
    word = strsep(&line, " ");
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i].name, word) == 0) {
            is_known = true;
            if (commands[i].run(l, line))
                (void)printf("ok\n");
        }
    if (!is_known)
        (void)fail("no such command");
}
