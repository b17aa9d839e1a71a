#include "io/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "io/sockaddr.h"

#define CANDIDATES_MAX 64 /* looked at before the best are taken */

/* The kernel's flags of an IPv6 address (linux/if_addr.h). */
enum { V6_TEMPORARY = 0x01, V6_FAILED = 0x08, V6_DEPRECATED = 0x20, V6_TENTATIVE = 0x40 };

struct v6_flags {
    uint8_t ip[16];
    unsigned flags;
};

struct found {
    struct interface_addr face;
    bool is_temporary;
    uint32_t rank; /* larger is better */
};

/* getifaddrs() knows no flags of addresses; /proc does. Without it all count as ordinary. */
static size_t read_v6_flags(struct v6_flags *out, size_t max)
{
    FILE *f = fopen("/proc/net/if_inet6", "re");
    char line[160], hex[33];
    size_t count = 0;
    unsigned flags;

    if (!f)
        return 0;
    while (count < max && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%32s %*x %*x %*x %x", hex, &flags) != 2 || strlen(hex) != 32)
            continue;
        for (size_t i = 0; i < 16; i++) {
            char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

            out[count].ip[i] = (uint8_t)strtoul(pair, NULL, 16);
        }
        out[count++].flags = flags;
    }
    fclose(f);
    return count;
}

static unsigned flags_of(const struct v6_flags *table, size_t count, const struct addr *a)
{
    for (size_t i = 0; a->family == ADDR_IPV6 && i < count; i++)
        if (memcmp(table[i].ip, a->ip, 16) == 0)
            return table[i].flags;
    return 0;
}

/* RFC 8445 §5.1.1.1: IPv4-compatible, IPv4-mapped and site-local IPv6 addresses are no candidates.
 */
static bool is_forbidden(const struct addr *a)
{
    static const uint8_t zero[10];

    if (a->family != ADDR_IPV6)
        return false;
    if (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0xc0)
        return true;
    return memcmp(a->ip, zero, 10) == 0 && addr_scope_of(a) != ADDR_SCOPE_LOOPBACK;
}

static bool is_wanted(const struct ifaddrs *i, const struct addr *a, unsigned flags)
{
    if (!(i->ifa_flags & IFF_UP) || !(i->ifa_flags & IFF_RUNNING) || is_forbidden(a))
        return false;
    if (addr_scope_of(a) == ADDR_SCOPE_UNUSABLE)
        return false;
    if (flags & INTERFACES_IPV4_ONLY && a->family != ADDR_IPV4)
        return false;
    return !(flags & INTERFACES_IPV6_ONLY) || a->family == ADDR_IPV6;
}

/* Scope first; within a scope IPv6 before IPv4; a temporary address before a stable one. */
static uint32_t rank_of(const struct addr *a, bool is_temporary)
{
    static const uint32_t by_scope[] = {
        [ADDR_SCOPE_UNUSABLE] = 0, [ADDR_SCOPE_LOOPBACK] = 1, [ADDR_SCOPE_LINK] = 2,
        [ADDR_SCOPE_PRIVATE] = 3,  [ADDR_SCOPE_GLOBAL] = 4,
    };

    return by_scope[addr_scope_of(a)] * 4 + (a->family == ADDR_IPV6 ? 2u : 0u) +
           (is_temporary ? 1u : 0u);
}

static size_t collect(struct found *out, size_t max, unsigned flags)
{
    struct v6_flags v6[CANDIDATES_MAX];
    size_t v6_count = read_v6_flags(v6, COUNT(v6)), count = 0;
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all))
        return 0;
    for (struct ifaddrs *i = all; i && count < max; i = i->ifa_next) {
        struct found *f = &out[count];
        unsigned v6_state;

        if (!i->ifa_addr || !sockaddr_decode(&f->face.addr, i->ifa_addr))
            continue;
        v6_state = flags_of(v6, v6_count, &f->face.addr);
        if (!is_wanted(i, &f->face.addr, flags) ||
            v6_state & (V6_FAILED | V6_DEPRECATED | V6_TENTATIVE))
            continue;
        f->is_temporary = v6_state & V6_TEMPORARY;
        f->rank = rank_of(&f->face.addr, f->is_temporary);
        snprintf(f->face.name, sizeof f->face.name, "%s", i->ifa_name);
        count++;
    }
    freeifaddrs(all);
    return count;
}

/* RFC 8445 §5.1.1.1: no address that follows a device around, where one that does not exists on
 * the same interface for the same prefix. */
static bool has_temporary_twin(const struct found *all, size_t count, const struct found *f)
{
    if (f->face.addr.family != ADDR_IPV6 || f->is_temporary)
        return false;
    for (size_t i = 0; i < count; i++)
        if (all[i].is_temporary && memcmp(all[i].face.addr.ip, f->face.addr.ip, 8) == 0 &&
            strcmp(all[i].face.name, f->face.name) == 0)
            return true;
    return false;
}

static bool is_last_resort(const struct found *f, unsigned flags)
{
    enum addr_scope scope = addr_scope_of(&f->face.addr);

    if (scope == ADDR_SCOPE_LOOPBACK)
        return !(flags & INTERFACES_LOOPBACK);
    return scope == ADDR_SCOPE_LINK;
}

static int by_rank(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return (x->rank < y->rank) - (x->rank > y->rank);
}

size_t interfaces_list(struct interface_addr out[INTERFACES_MAX], unsigned flags)
{
    struct found all[CANDIDATES_MAX];
    size_t found = collect(all, COUNT(all), flags), count = 0;
    bool has_better = false;

    for (size_t i = 0; i < found; i++)
        has_better |= !is_last_resort(&all[i], flags);
    qsort(all, found, sizeof all[0], by_rank);
    for (size_t i = 0; i < found && count < INTERFACES_MAX; i++) {
        if (has_temporary_twin(all, found, &all[i]) ||
            (has_better && is_last_resort(&all[i], flags)))
            continue;
        out[count] = all[i].face;
        out[count].preference = (uint16_t)(UINT16_MAX - count);
        count++;
    }
    return count;
}

bool interfaces_has(const struct addr *ip)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    struct addr a;

    if (getifaddrs(&all))
        return true; /* nothing is known of its end */
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
        found = i->ifa_addr && i->ifa_flags & IFF_UP && sockaddr_decode(&a, i->ifa_addr) &&
                addr_equal_ip(&a, ip);
    freeifaddrs(all);
    return found;
}

static size_t mtu_of(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { 0 };
    bool is_known;

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    is_known = fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0;
    if (fd >= 0)
        close(fd);
    return is_known ? (size_t)request.ifr_mtu : 0;
}

size_t interfaces_mtu(const struct addr *ip)
{
    struct ifaddrs *all = NULL;
    size_t mtu = 0;
    struct addr a;

    if (getifaddrs(&all))
        return 0;
    for (struct ifaddrs *i = all; i && !mtu; i = i->ifa_next)
        if (i->ifa_addr && sockaddr_decode(&a, i->ifa_addr) && addr_equal_ip(&a, ip))
            mtu = mtu_of(i->ifa_name);
    freeifaddrs(all);
    return mtu;
}

bool interfaces_source(struct addr *out, const struct addr *to)
{
    struct sockaddr_storage ss;
    socklen_t len = sockaddr_encode(&ss, to);
    int fd = len ? socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    bool is_known;

    if (fd < 0)
        return false;
    is_known = connect(fd, (struct sockaddr *)&ss, len) == 0;
    len = sizeof ss;
    is_known = is_known && getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
               sockaddr_decode(out, (struct sockaddr *)&ss);
    close(fd);
    out->port = 0;
    return is_known;
}
