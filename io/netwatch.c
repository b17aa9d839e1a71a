/* netwatch.c: rtnetlink on the loop. */
#include "io/netwatch.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "io/errno.h"

#define READS_MAX 64 /* a flood of changes has its turns, as everything has */

struct netwatch {
    uv_poll_t poll;
    struct io_timer timer;
    io_fn *fn;
    void *ctx;
    int fd;
    bool is_due; /* the timer is set */
};

/* Clones of routes (a path MTU that was learnt) change nothing that concerns anybody here. */
static bool is_route_of_note(const struct nlmsghdr *m)
{
    const struct rtmsg *route = NLMSG_DATA(m);

    return m->nlmsg_len >= NLMSG_LENGTH(sizeof *route) && !(route->rtm_flags & RTM_F_CLONED) &&
           route->rtm_type == RTN_UNICAST;
}

static bool is_of_note(const struct nlmsghdr *m)
{
    switch (m->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return is_route_of_note(m);
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return true;
    default:
        return false;
    }
}

static void note(struct netwatch *w)
{
    if (w->is_due)
        return; /* not put off by more: a flurry without end is told of too */
    w->is_due = true;
    io_timer_set(&w->timer, io_now() + NETWATCH_SETTLE_US);
}

static void read_messages(struct netwatch *w, void *data, size_t len)
{
    struct nlmsghdr *m = data;

    for (unsigned left = (unsigned)len; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
        if (is_of_note(m))
            note(w);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct netwatch *w = poll->data;
    _Alignas(struct nlmsghdr) uint8_t data[16384];

    (void)status;
    (void)events;
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t len = recv(w->fd, data, sizeof data, MSG_DONTWAIT);

        if (len > 0)
            read_messages(w, data, (size_t)len);
        else if (len < 0 && errno == ENOBUFS)
            note(w); /* so many changes that the kernel lost some */
        else if (len >= 0 || errno != EINTR)
            return;
    }
}

static void on_settled(void *ctx)
{
    struct netwatch *w = ctx;

    w->is_due = false;
    w->fn(w->ctx);
}

static int open_socket(struct netwatch *w)
{
    const struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
                                        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                                                     RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                                                     RTMGRP_IPV6_ROUTE };

    w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (w->fd < 0 || bind(w->fd, (const struct sockaddr *)&groups, sizeof groups))
        return errno_decode(errno, ERR_AUTH); /* forbidden, or unknown here */
    return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int netwatch_new(struct netwatch **out, struct io_loop *loop, io_fn *fn, void *ctx)
{
    struct netwatch *w = calloc(1, sizeof *w);
    int err;

    *out = NULL;
    assert(io_loop_is_current(loop));
    if (!w)
        return ERR_NOMEM;
    *w = (struct netwatch){ .fn = fn, .ctx = ctx, .fd = -1 };
    err = io_timer_init(&w->timer, loop, on_settled, w);
    if (!err)
        err = open_socket(w);
    if (!err && uv_poll_init(io_loop_uv(loop), &w->poll, w->fd))
        err = ERR_LIMIT;
    if (err) {
        if (w->fd >= 0)
            close(w->fd);
        io_timer_deinit(&w->timer);
        free(w);
        return err;
    }
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_readable); /* fails only for a bad descriptor */
    *out = w;
    return ERR_OK;
}

void netwatch_free(struct netwatch *w)
{
    if (!w)
        return;
    io_timer_deinit(&w->timer);
    uv_close((uv_handle_t *)&w->poll, on_closed);
    close(w->fd);
}
