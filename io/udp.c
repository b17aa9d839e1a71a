#include "io/udp_internal.h"

#include <assert.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/errno.h"
#include "io/sockaddr.h"

#define SOCKET_BUFFER (4 << 20)

static bool is_unspecified(const struct addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, sizeof zero) == 0;
}

static int err_of_errno(int error)
{
    switch (error) {
    case EADDRINUSE:
        return ERR_WRONG_STATE;
    case EACCES:
    case EPERM:
        return ERR_AUTH;
    default:
        return errno_decode(error, ERR_INVALID);
    }
}

/* Each is an improvement, none a condition: an old kernel without it still works. */
static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

void udp_set_offload(struct udp *u, bool is_on)
{
    /* A segment length of 0 changes nothing: only a kernel that knows of them takes it. */
    u->has_gso = is_on && set_option(u->fd, IPPROTO_UDP, UDP_SEGMENT, 0);
    (void)set_option(u->fd, IPPROTO_UDP, UDP_GRO, is_on);
}

static void set_options(struct udp *u)
{
    set_option(u->fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
    set_option(u->fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    if (u->local.family == ADDR_IPV4) {
        /* Do not fragment, and do not believe ICMP about the path either (RFC 8899). */
        set_option(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
        if (u->is_any)
            set_option(u->fd, IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        set_option(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        set_option(u->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
        if (u->is_any)
            set_option(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
}

static int bind_socket(struct udp *u, const struct addr *want)
{
    struct sockaddr_storage ss;
    socklen_t len = sockaddr_encode(&ss, want);
    int family = want->family == ADDR_IPV4 ? AF_INET : AF_INET6;

    if (len == 0) {
        errno = EAFNOSUPPORT;
        return ERR_INVALID;
    }
    u->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->fd < 0)
        return err_of_errno(errno);
    u->local = *want;
    u->is_any = is_unspecified(want);
    set_options(u);
    udp_set_offload(u, true);
    if (bind(u->fd, (struct sockaddr *)&ss, len))
        return err_of_errno(errno);
    len = sizeof ss;
    if (getsockname(u->fd, (struct sockaddr *)&ss, &len) ||
        !sockaddr_decode(&u->local, (struct sockaddr *)&ss))
        return err_of_errno(errno);
    return ERR_OK;
}

/* Undoes a half-made socket; errno stays what went wrong. */
static int fail_open(struct udp *u, int err)
{
    int error = errno;

    if (u->fd >= 0)
        close(u->fd);
    free(u);
    errno = error;
    return err;
}

int udp_open(struct udp **out, struct io_loop *loop, const struct addr *bind,
             const struct udp_handler *h)
{
    struct udp *u;
    int err;

    *out = NULL;
    assert(io_loop_is_current(loop));
    u = calloc(1, sizeof *u);
    if (!u || !io_loop_scratch(loop, udp_scratch_bytes())) {
        free(u);
        errno = ENOMEM;
        return ERR_NOMEM;
    }
    u->fd = -1;
    u->loop = loop;
    u->handler = *h;
    err = bind_socket(u, bind);
    if (err)
        return fail_open(u, err);
    err = uv_poll_init(io_loop_uv(loop), &u->poll, u->fd);
    if (err) {
        errno = -err; /* libuv's codes are negative errno */
        return fail_open(u, err_of_errno(-err));
    }
    u->poll.data = u;
    uv_poll_start(&u->poll, UV_READABLE, udp_on_poll); /* fails only for a bad descriptor */
    *out = u;
    return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *u = handle->data;

    free(u->kept.buf);
    free(u);
}

void udp_close(struct udp *u)
{
    if (!u || u->fd < 0)
        return;
    assert(io_loop_is_current(u->loop));
    uv_close((uv_handle_t *)&u->poll, on_closed);
    close(u->fd); /* at once: the port is free for the next; libuv has stopped watching it */
    u->fd = -1;
}

const struct addr *udp_local(const struct udp *u)
{
    return &u->local;
}

const struct udp_counters *udp_counters(const struct udp *u)
{
    return &u->counters;
}
