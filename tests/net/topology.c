#include "tests/net/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a value is read into; which of them counts depends on the kind of line. */
struct target {
    const struct topology *all;
    struct topology_nat *nat;
    struct topology_port *port;
    struct topology_link *way[WAYS]; /* NULL: not meant */
};

typedef bool read_fn(const struct target *t, const char *value);

static bool read_decimal(double *out, const char *text)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out < 1e12;
}

/* The number of a word in a list, or -1. */
static int find_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

static bool read_rule(enum nat_rule *out, const char *value)
{
    static const char *const words[] = {
        "endpoint-independent", "address-dependent", "address-and-port-dependent", "ei", "ad", "apd"
    };
    int found = find_word(words, COUNT(words), value);

    *out = (enum nat_rule)(found % NAT_RULES);
    return found >= 0;
}

static bool read_outside(const struct target *t, const char *value)
{
    return addr_parse_ip(&t->nat->cfg.outside, value, 0) && t->nat->cfg.outside.family == ADDR_IPV4;
}

static bool read_mapping(const struct target *t, const char *value)
{
    return read_rule(&t->nat->cfg.mapping, value);
}

static bool read_filtering(const struct target *t, const char *value)
{
    return read_rule(&t->nat->cfg.filtering, value);
}

static bool read_ports(const struct target *t, const char *value)
{
    static const char *const words[] = { "preserved", "sequential", "random" };
    int found = find_word(words, COUNT(words), value);

    t->nat->cfg.ports = (enum nat_ports)found;
    return found >= 0;
}

static bool read_hairpinning(const struct target *t, const char *value)
{
    t->nat->cfg.hairpinning = true;
    return *value == '\0';
}

static bool read_inbound_refreshing(const struct target *t, const char *value)
{
    t->nat->cfg.is_inbound_refreshing = true;
    return *value == '\0';
}

static bool read_ms(usec *out, const char *value)
{
    double ms;

    if (!read_decimal(&ms, value))
        return false;
    *out = (usec)(ms * 1000);
    return true;
}

static bool read_timeout(const struct target *t, const char *value)
{
    return read_ms(&t->nat->cfg.timeout_us, value);
}

static bool read_behind(const struct target *t, const char *value)
{
    int found = topology_find_nat(t->all, value);

    *(t->nat ? &t->nat->behind : &t->port->behind) = found;
    return found >= 0 && (!t->nat || t->nat != &t->all->nat[found]);
}

static bool read_block(const struct target *t, const char *value)
{
    bool is_udp = strcmp(value, "udp") == 0;

    t->nat->cfg.policy = is_udp ? NAT_BLOCKS_UDP : NAT_LETS_OUT_TCP_443;
    return is_udp || strcmp(value, "all-but-443") == 0;
}

static bool read_addresses(const struct target *t, const char *value)
{
    struct topology_port *p = t->port;
    char text[256], *rest = text;

    (void)snprintf(text, sizeof text, "%s", value);
    for (char *one; (one = strsep(&rest, ","));)
        if (p->address_count == TOPOLOGY_ADDRESSES_MAX ||
            !addr_parse_ip(&p->addresses[p->address_count++], one, 0))
            return false;
    return true;
}

static bool read_device(const struct target *t, const char *value)
{
    return snprintf(t->port->device, sizeof t->port->device, "%s", value) < TOPOLOGY_DEVICE_MAX;
}

static bool read_masquerade(const struct target *t, const char *value)
{
    return addr_parse_ip(&t->port->masquerade, value, 0) && t->port->masquerade.family == ADDR_IPV4;
}

static bool read_firewall(const struct target *t, const char *value)
{
    t->port->has_firewall = true;
    return read_rule(&t->port->firewall, value);
}

static bool read_bytes(size_t *out, const char *value)
{
    double bytes;

    if (!read_decimal(&bytes, value))
        return false;
    *out = (size_t)bytes;
    return true;
}

static bool read_device_mtu(const struct target *t, const char *value)
{
    return read_bytes(&t->port->device_mtu, value) && t->port->device_mtu <= 2000;
}

/* One setting of links: how it is read into one direction. */
struct link_key {
    const char *name;
    bool (*read)(struct topology_link *link, const char *value);
};

static bool read_delay(struct topology_link *link, const char *value)
{
    return read_ms(&link->cfg.delay_us, value);
}

static bool read_jitter(struct topology_link *link, const char *value)
{
    return read_ms(&link->cfg.jitter_us, value);
}

static bool read_percent(uint32_t *out, const char *value)
{
    double percent;

    if (!read_decimal(&percent, value) || percent > 100)
        return false;
    *out = (uint32_t)(percent * 10000);
    return true;
}

static bool read_loss(struct topology_link *link, const char *value)
{
    return read_percent(&link->cfg.loss_ppm, value);
}

static bool read_loss_run(struct topology_link *link, const char *value)
{
    double packets;

    if (!read_decimal(&packets, value) || packets > 1000)
        return false;
    link->cfg.loss_run = (uint32_t)packets;
    return true;
}

static bool read_duplicate(struct topology_link *link, const char *value)
{
    return read_percent(&link->cfg.duplicate_ppm, value);
}

static bool read_reorder(struct topology_link *link, const char *value)
{
    link->cfg.reorder_us = 5 * MILLISECOND;
    return read_percent(&link->cfg.reorder_ppm, value);
}

static bool read_rate(struct topology_link *link, const char *value)
{
    double kbits;

    if (!read_decimal(&kbits, value))
        return false;
    link->cfg.rate_bps = (uint64_t)(kbits * 1000);
    return true;
}

static bool read_queue(struct topology_link *link, const char *value)
{
    return read_bytes(&link->cfg.queue_bytes_max, value);
}

static bool read_mtu(struct topology_link *link, const char *value)
{
    return read_bytes(&link->cfg.mtu, value);
}

static bool read_black_hole(struct topology_link *link, const char *value)
{
    link->is_black_hole = true;
    return *value == '\0';
}

static const struct link_key link_keys[] = {
    { "delay", read_delay },       { "jitter", read_jitter },   { "loss", read_loss },
    { "queue", read_queue },       { "reorder", read_reorder }, { "duplicate", read_duplicate },
    { "rate", read_rate },         { "mtu", read_mtu },         { "black_hole", read_black_hole },
    { "loss_run", read_loss_run },
};

static bool read_link(struct topology_link *const way[WAYS], const char *name, const char *value)
{
    bool is_up = strncmp(name, "up_", 3) == 0, is_down = strncmp(name, "down_", 5) == 0;

    name += is_up ? 3 : is_down ? 5 : 0;
    for (size_t i = 0; i < COUNT(link_keys); i++)
        if (strcmp(link_keys[i].name, name) == 0)
            return way[WAY_UP] && (is_down || link_keys[i].read(way[WAY_UP], value)) &&
                   (is_up || link_keys[i].read(way[WAY_DOWN], value));
    return false;
}

static const struct {
    const char *name;
    read_fn *read;
    bool is_for_nat, is_for_host;
} keys[] = {
    { "outside", read_outside, true, false },
    { "mapping", read_mapping, true, false },
    { "filtering", read_filtering, true, false },
    { "ports", read_ports, true, false },
    { "hairpinning", read_hairpinning, true, false },
    { "inbound_refreshing", read_inbound_refreshing, true, false },
    { "timeout", read_timeout, true, false },
    { "behind", read_behind, true, true },
    { "block", read_block, true, false },
    { "addr", read_addresses, false, true },
    { "if", read_device, false, true },
    { "masquerade", read_masquerade, false, true },
    { "firewall", read_firewall, false, true },
    { "device_mtu", read_device_mtu, false, true },
};

static bool read_setting(const struct target *t, char *setting)
{
    char *value = strchr(setting, '=');

    if (value)
        *value++ = '\0';
    else
        value = setting + strlen(setting);
    for (size_t i = 0; i < COUNT(keys); i++)
        if (strcmp(keys[i].name, setting) == 0 &&
            ((t->nat && keys[i].is_for_nat) || (t->port && keys[i].is_for_host)))
            return keys[i].read(t, value);
    return read_link(t->way, setting, value);
}

static bool read_settings(const struct target *t, char *text, char error[TOPOLOGY_ERROR_MAX])
{
    for (char *setting; (setting = strsep(&text, " \t\n"));) {
        char copy[80];

        (void)snprintf(copy, sizeof copy, "%s", setting);
        if (*setting && !read_setting(t, setting)) {
            (void)snprintf(error, TOPOLOGY_ERROR_MAX, "what is '%s'?", copy);
            return false;
        }
    }
    return true;
}

static bool read_nat(struct topology *t, const char *name, char *rest,
                     char error[TOPOLOGY_ERROR_MAX])
{
    struct topology_nat *nat = &t->nat[t->nat_count];

    if (t->nat_count == TOPOLOGY_NATS_MAX || topology_find_nat(t, name) >= 0) {
        (void)snprintf(error, TOPOLOGY_ERROR_MAX, "NAT %s is one too many", name);
        return false;
    }
    *nat = (struct topology_nat){ .behind = TOPOLOGY_INTERNET };
    (void)snprintf(nat->name, sizeof nat->name, "%s", name);
    t->nat_count++;
    return read_settings(&(struct target){ .all = t, .nat = nat }, rest, error);
}

static bool read_host(struct topology *t, const char *name, char *rest,
                      char error[TOPOLOGY_ERROR_MAX])
{
    struct topology_port *port = &t->port[t->port_count];

    if (t->port_count == TOPOLOGY_PORTS_MAX) {
        (void)snprintf(error, TOPOLOGY_ERROR_MAX, "host %s is one too many", name);
        return false;
    }
    *port = (struct topology_port){
        .behind = TOPOLOGY_INTERNET,
        .device = "tun0",
        .device_mtu = 1500,
    };
    (void)snprintf(port->host, sizeof port->host, "%s", name);
    t->port_count++;
    return read_settings(
        &(struct target){ .all = t, .port = port, .way = { &port->way[0], &port->way[1] } }, rest,
        error);
}

bool topology_read_line(struct topology *t, char *line, char error[TOPOLOGY_ERROR_MAX])
{
    char *word, *name;

    line[strcspn(line, "#\n")] = '\0';
    line += strspn(line, " \t");
    if (*line == '\0')
        return true;
    word = strsep(&line, " \t");
    name = line ? strsep(&line, " \t") : NULL;
    if (name && line && strlen(name) < TOPOLOGY_NAME_MAX) {
        if (strcmp(word, "nat") == 0)
            return read_nat(t, name, line, error);
        if (strcmp(word, "host") == 0)
            return read_host(t, name, line, error);
    }
    (void)snprintf(error, TOPOLOGY_ERROR_MAX, "neither a nat nor a host: '%.40s'", word);
    return false;
}

bool topology_read_links(struct topology_link way[WAYS], char *text, char error[TOPOLOGY_ERROR_MAX])
{
    return read_settings(&(struct target){ .way = { &way[0], &way[1] } }, text, error);
}

bool topology_read_file(struct topology *t, const char *path, char error[TOPOLOGY_ERROR_MAX])
{
    FILE *f = fopen(path, "r");
    char line[1024], reason[TOPOLOGY_ERROR_MAX];
    bool is_good = f != NULL;

    (void)snprintf(error, TOPOLOGY_ERROR_MAX, "cannot be read");
    for (int number = 1; is_good && fgets(line, sizeof line, f); number++)
        if (!topology_read_line(t, line, reason)) {
            (void)snprintf(error, TOPOLOGY_ERROR_MAX, "line %d: %.100s", number, reason);
            is_good = false;
        }
    if (f)
        (void)fclose(f);
    return is_good;
}

int topology_find_nat(const struct topology *t, const char *name)
{
    for (int i = 0; i < t->nat_count; i++)
        if (strcmp(t->nat[i].name, name) == 0)
            return i;
    return -1;
}

int topology_find_port(const struct topology *t, const char *host, const char *device)
{
    for (int i = 0; i < t->port_count; i++)
        if (strcmp(t->port[i].host, host) == 0 && strcmp(t->port[i].device, device) == 0)
            return i;
    return -1;
}
