#include "io/lan_net.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "io/sockaddr.h"

static bool is_suitable(const struct ifaddrs *i, const struct lan_config *cfg)
{
    unsigned want = IFF_UP | IFF_RUNNING | IFF_MULTICAST;

    if (i->ifa_flags & IFF_LOOPBACK)
        return cfg->with_loopback && i->ifa_flags & IFF_UP;
    return (i->ifa_flags & want) == want && !(i->ifa_flags & IFF_POINTOPOINT);
}

static unsigned count_bits(const struct sockaddr *mask, const struct addr *of)
{
    uint8_t bytes[16] = { 0 };
    unsigned bits = 0;

    if (!mask)
        return (unsigned)addr_ip_len(of) * 8;
    if (of->family == ADDR_IPV4)
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)mask)->sin_addr, 4);
    else
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr, 16);
    while (bits < addr_ip_len(of) * 8 && bytes[bits / 8] >> (7 - bits % 8) & 1)
        bits++;
    return bits;
}

static void add_prefix(struct lan_nets *n, const struct ifaddrs *i, const struct addr *a)
{
    if (n->prefix_count < LAN_PREFIXES_MAX)
        n->prefix[n->prefix_count++] = (struct lan_prefix){ .index = if_nametoindex(i->ifa_name),
                                                            .bits = count_bits(i->ifa_netmask, a),
                                                            .addr = *a };
}

static void add_face(struct lan_nets *n, const struct lan_prefix *p)
{
    struct lan_face *f = n->face;

    while (f < n->face + n->face_count && f->index != p->index)
        f++;
    if (f == n->face + LAN_FACES_MAX)
        return;
    if (f == n->face + n->face_count)
        n->face[n->face_count++] = (struct lan_face){ .index = p->index };
    f->families |= (uint8_t)(1u << p->addr.family);
    if (p->addr.family == ADDR_IPV4 && f->v4.family == ADDR_NONE)
        f->v4 = p->addr;
}

static bool is_wanted(const struct lan_nets *n, unsigned index, const struct lan_config *cfg)
{
    for (size_t i = 0; i < n->prefix_count; i++)
        for (size_t j = 0; j < cfg->bind_count; j++)
            if (n->prefix[i].index == index && addr_equal_ip(&n->prefix[i].addr, &cfg->bind[j]))
                return true;
    return cfg->bind_count == 0;
}

void lan_nets_read(struct lan_nets *out, const struct lan_config *cfg)
{
    struct ifaddrs *all = NULL;
    struct addr a;

    *out = (struct lan_nets){ .face_count = 0 };
    if (getifaddrs(&all))
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next)
        if (i->ifa_addr && is_suitable(i, cfg) && sockaddr_decode(&a, i->ifa_addr))
            add_prefix(out, i, &a);
    freeifaddrs(all);
    for (size_t i = 0; i < out->prefix_count; i++)
        if (is_wanted(out, out->prefix[i].index, cfg))
            add_face(out, &out->prefix[i]);
}

static bool is_face(const struct lan_nets *n, unsigned index)
{
    for (size_t i = 0; i < n->face_count; i++)
        if (n->face[i].index == index)
            return true;
    return false;
}

static bool covers(const struct lan_prefix *p, const struct addr *a)
{
    unsigned whole = p->bits / 8, rest = p->bits % 8;

    if (p->addr.family != a->family || p->bits == 0 || memcmp(p->addr.ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || ((p->addr.ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0;
}

bool lan_nets_has(const struct lan_nets *n, const struct addr *a, unsigned index)
{
    if (addr_scope_of(a) == ADDR_SCOPE_UNUSABLE)
        return false;
    for (size_t i = 0; i < n->prefix_count; i++) {
        const struct lan_prefix *p = &n->prefix[i];

        if ((index && p->index != index) || (a->scope && a->scope != p->index))
            continue;
        if (is_face(n, p->index) && covers(p, a))
            return true;
    }
    return false;
}
