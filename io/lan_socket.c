#include "io/lan_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "io/sockaddr.h"

#define DATAGRAMS_PER_ROUND 64 /* then other sockets and timers have their turn */

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct lan_socket {
    uv_poll_t poll;
    int fd; /* -1 once closed */
    uint8_t family;
    lan_socket_fn *fn;
    void *ctx;
};

static bool read_control(struct lan_datagram *d, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            d->to = (struct addr){ .family = ADDR_IPV4 };
            memcpy(d->to.ip, &info.ipi_addr, 4);
            d->index = (unsigned)info.ipi_ifindex;
            return true;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            d->to = (struct addr){ .family = ADDR_IPV6 };
            memcpy(d->to.ip, &info.ipi6_addr, 16);
            d->index = info.ipi6_ifindex;
            return true;
        }
    }
    return false;
}

/* False: there was none. */
static bool receive(struct lan_socket *s)
{
    uint8_t data[LAN_DATAGRAM_MAX];
    struct sockaddr_storage from;
    union control control;
    struct iovec iov = { .iov_base = data, .iov_len = sizeof data };
    struct msghdr m = { .msg_name = &from,
                        .msg_namelen = sizeof from,
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof control };
    ssize_t len = recvmsg(s->fd, &m, 0);
    struct lan_datagram d;

    if (len < 0)
        return errno != EAGAIN && errno != EBADF; /* errors of earlier datagrams are taken so */
    if (m.msg_flags & MSG_TRUNC || !sockaddr_decode(&d.from, (struct sockaddr *)&from) ||
        !read_control(&d, &m))
        return true;
    d.data = bytes_of(data, (size_t)len);
    s->fn(s->ctx, s, &d);
    return s->fd >= 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct lan_socket *s = poll->data;
    int left = DATAGRAMS_PER_ROUND;

    (void)status;
    (void)events;
    while (s->fd >= 0 && left-- > 0 && receive(s))
        ;
}

static bool set_option(const struct lan_socket *s, int level, int name, int value)
{
    return setsockopt(s->fd, level, name, &value, sizeof value) == 0;
}

/* Multicast leaves with a TTL of 1 and comes back to this host: the system's defaults, which are
 * set nevertheless. ALL 0: groups that others have joined are none of ours. */
static bool set_options(const struct lan_socket *s, bool is_shared)
{
    if (is_shared && !set_option(s, SOL_SOCKET, SO_REUSEADDR, 1))
        return false;
    if (s->family == ADDR_IPV4) {
        (void)set_option(s, IPPROTO_IP, IP_MULTICAST_ALL, 0);
        (void)set_option(s, IPPROTO_IP, IP_MULTICAST_TTL, 1);
        (void)set_option(s, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
        return set_option(s, IPPROTO_IP, IP_PKTINFO, 1);
    }
#ifdef IPV6_MULTICAST_ALL
    (void)set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
    (void)set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
    (void)set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    return set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
           set_option(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static int open_descriptor(struct lan_socket *s, const struct addr *want)
{
    struct sockaddr_storage ss;
    socklen_t len = sockaddr_encode(&ss, want);
    int domain = want->family == ADDR_IPV4 ? AF_INET : AF_INET6;

    s->family = want->family;
    s->fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return errno == ENOMEM || errno == ENOBUFS ? ERR_NOMEM : ERR_LIMIT;
    if (!set_options(s, want->port != 0) || bind(s->fd, (struct sockaddr *)&ss, len))
        return ERR_LIMIT;
    return ERR_OK;
}

int lan_socket_open(struct lan_socket **out, struct io_loop *loop, const struct addr *want,
                    lan_socket_fn *fn, void *ctx)
{
    struct lan_socket *s = calloc(1, sizeof *s);
    int err;

    *out = NULL;
    if (!s)
        return ERR_NOMEM;
    s->fn = fn;
    s->ctx = ctx;
    err = open_descriptor(s, want);
    if (!err && uv_poll_init(io_loop_uv(loop), &s->poll, s->fd))
        err = ERR_LIMIT;
    if (err) {
        if (s->fd >= 0)
            close(s->fd);
        free(s);
        return err;
    }
    s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_poll);
    *out = s;
    return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void lan_socket_close(struct lan_socket *s)
{
    if (!s || s->fd < 0)
        return;
    uv_close((uv_handle_t *)&s->poll, on_closed);
    close(s->fd);
    s->fd = -1;
}

bool lan_socket_join(struct lan_socket *s, const struct addr *group, unsigned index)
{
    if (s->family == ADDR_IPV4) {
        struct ip_mreqn want = { .imr_ifindex = (int)index };

        memcpy(&want.imr_multiaddr, group->ip, 4);
        return setsockopt(s->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &want, sizeof want) == 0 ||
               errno == EADDRINUSE;
    }
    struct ipv6_mreq want = { .ipv6mr_interface = index };

    memcpy(&want.ipv6mr_multiaddr, group->ip, 16);
    return setsockopt(s->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &want, sizeof want) == 0 ||
           errno == EADDRINUSE;
}

bool lan_socket_send(struct lan_socket *s, const struct addr *from, const struct addr *to,
                     unsigned index, struct bytes data)
{
    struct sockaddr_storage ss;
    union control control = { .bytes = { 0 } };
    struct cmsghdr *c = &control.align;
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data.data, .iov_len = data.len };
    struct msghdr m = { .msg_name = &ss,
                        .msg_namelen = sockaddr_encode(&ss, to),
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control };

    if (s->family == ADDR_IPV4) {
        struct in_pktinfo info = { .ipi_ifindex = (int)index };

        memcpy(&info.ipi_spec_dst, from->ip, 4);
        *c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP,
                               .cmsg_type = IP_PKTINFO,
                               .cmsg_len = CMSG_LEN(sizeof info) };
        memcpy(CMSG_DATA(c), &info, sizeof info);
        m.msg_controllen = CMSG_SPACE(sizeof info);
    } else {
        struct in6_pktinfo info = { .ipi6_ifindex = index };

        memcpy(&info.ipi6_addr, from->ip, 16);
        *c = (struct cmsghdr){ .cmsg_level = IPPROTO_IPV6,
                               .cmsg_type = IPV6_PKTINFO,
                               .cmsg_len = CMSG_LEN(sizeof info) };
        memcpy(CMSG_DATA(c), &info, sizeof info);
        m.msg_controllen = CMSG_SPACE(sizeof info);
    }
    return sendmsg(s->fd, &m, MSG_NOSIGNAL) == (ssize_t)data.len;
}
