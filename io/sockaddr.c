#include "io/sockaddr.h"

#include <netinet/in.h>
#include <string.h>

socklen_t sockaddr_encode(struct sockaddr_storage *out, const struct addr *a)
{
    memset(out, 0, sizeof *out);
    if (a->family == ADDR_IPV4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)out;

        sin->sin_family = AF_INET;
        sin->sin_port = htons(a->port);
        memcpy(&sin->sin_addr, a->ip, 4);
        return sizeof *sin;
    }
    if (a->family == ADDR_IPV6) {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(a->port);
        sin6->sin6_scope_id = a->scope;
        memcpy(&sin6->sin6_addr, a->ip, 16);
        return sizeof *sin6;
    }
    return 0;
}

bool sockaddr_decode(struct addr *out, const struct sockaddr *sa)
{
    *out = (struct addr){ .family = ADDR_NONE };
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;

        memcpy(&sin, sa, sizeof sin);
        *out = (struct addr){ .family = ADDR_IPV4, .port = ntohs(sin.sin_port) };
        memcpy(out->ip, &sin.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;

        memcpy(&sin6, sa, sizeof sin6);
        *out = (struct addr){ .family = ADDR_IPV6, .port = ntohs(sin6.sin6_port) };
        memcpy(out->ip, &sin6.sin6_addr, 16);
        /* The kernel may name a scope for global addresses too; only link-local ones need it. */
        if (addr_scope_of(out) == ADDR_SCOPE_LINK)
            out->scope = sin6.sin6_scope_id;
    }
    return out->family != ADDR_NONE;
}
