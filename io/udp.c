#include "io/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "io/sockaddr.h"

#define BATCH_DATAGRAMS   32
#define BATCHES_PER_ROUND 4 /* then other sockets and timers have their turn */
#define SOCKET_BUFFER     (4 << 20)

/* Room for one in_pktinfo or in6_pktinfo. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* What the sockets of a loop share to receive into. Only touched pages count: a slot's tail is
 * memory only once datagrams that long came. */
struct batch {
    struct mmsghdr messages[BATCH_DATAGRAMS];
    struct iovec iov[BATCH_DATAGRAMS];
    struct sockaddr_storage from[BATCH_DATAGRAMS];
    union control control[BATCH_DATAGRAMS];
    uint8_t data[BATCH_DATAGRAMS][UDP_DATAGRAM_MAX];
};

struct udp {
    uv_poll_t poll;
    struct io_loop *loop;
    struct udp_handler handler;
    struct addr local;
    struct udp_counters counters;
    int fd;      /* -1 once closed: memory lives until libuv lets go of poll */
    bool is_any; /* bound to any address: datagrams tell and choose their own */

    struct out kept; /* the rest of a run that the socket did not take; kept.buf is ours */
    size_t kept_from;
};

static bool is_unspecified(const struct addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, sizeof zero) == 0;
}

/* ---- receiving ---- */

static void prepare_batch(const struct udp *u, struct batch *b)
{
    for (size_t i = 0; i < BATCH_DATAGRAMS; i++) {
        b->iov[i] = (struct iovec){ .iov_base = b->data[i], .iov_len = UDP_DATAGRAM_MAX };
        b->messages[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i],
                                                  .msg_namelen = sizeof b->from[i],
                                                  .msg_iov = &b->iov[i],
                                                  .msg_iovlen = 1 };
        if (u->is_any) {
            b->messages[i].msg_hdr.msg_control = &b->control[i];
            b->messages[i].msg_hdr.msg_controllen = sizeof b->control[i];
        }
    }
}

/* Where the datagram arrived: the socket's address, made precise by the kernel's word. */
static struct addr arrival(const struct udp *u, struct msghdr *message)
{
    struct addr local = u->local;

    if (!u->is_any)
        return local;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(local.ip, &info.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(local.ip, &info.ipi6_addr, 16);
            if (addr_scope_of(&local) == ADDR_SCOPE_LINK)
                local.scope = info.ipi6_ifindex;
        }
    }
    return local;
}

static void deliver(struct udp *u, struct mmsghdr *message)
{
    struct addr from, local = arrival(u, &message->msg_hdr);

    u->counters.received++;
    u->counters.received_bytes += message->msg_len;
    if (message->msg_hdr.msg_flags & MSG_TRUNC)
        u->counters.truncated++;
    else if (sockaddr_decode(&from, message->msg_hdr.msg_name))
        u->handler.datagram(u->handler.ctx, u, &local, &from, message->msg_hdr.msg_iov->iov_base,
                            message->msg_len);
}

/* True if there may be more. */
static bool receive_batch(struct udp *u, struct batch *b)
{
    int count;

    prepare_batch(u, b);
    count = recvmmsg(u->fd, b->messages, BATCH_DATAGRAMS, 0, NULL);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return false;
        u->counters.icmp++; /* the error is taken from the socket; data may be behind it */
        return true;
    }
    for (int i = 0; i < count && u->fd >= 0; i++)
        deliver(u, &b->messages[i]);
    if (u->fd >= 0)
        u->handler.drained(u->handler.ctx, u);
    return count == BATCH_DATAGRAMS;
}

static void flush_kept(struct udp *u);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp *u = poll->data;
    struct batch *b = io_loop_scratch(u->loop, sizeof *b);
    int rounds = BATCHES_PER_ROUND;

    (void)status; /* an error shows again in recvmmsg(), which clears it */
    if (events & UV_WRITABLE)
        flush_kept(u);
    while (u->fd >= 0 && rounds-- && receive_batch(u, b))
        ;
}

/* ---- sending ---- */

/* Names the source address where the socket leaves it open. */
static void set_source(struct msghdr *message, const struct udp *u, const struct addr *from,
                       union control *control)
{
    struct cmsghdr *c = &control->align;

    if (!u->is_any || from->family != u->local.family || is_unspecified(from))
        return;
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    if (from->family == ADDR_IPV4) {
        struct in_pktinfo info = { 0 };

        memcpy(&info.ipi_spec_dst, from->ip, 4);
        *c = (struct cmsghdr){ .cmsg_level = IPPROTO_IP,
                               .cmsg_type = IP_PKTINFO,
                               .cmsg_len = CMSG_LEN(sizeof info) };
        memcpy(CMSG_DATA(c), &info, sizeof info);
        message->msg_controllen = CMSG_SPACE(sizeof info);
    } else {
        struct in6_pktinfo info = { .ipi6_ifindex = from->scope };

        memcpy(&info.ipi6_addr, from->ip, 16);
        *c = (struct cmsghdr){ .cmsg_level = IPPROTO_IPV6,
                               .cmsg_type = IPV6_PKTINFO,
                               .cmsg_len = CMSG_LEN(sizeof info) };
        memcpy(CMSG_DATA(c), &info, sizeof info);
        message->msg_controllen = CMSG_SPACE(sizeof info);
    }
}

/* What an error of the first datagram of a call means for the run. */
enum send_outcome { SEND_RETRY, SEND_SKIP_ONE, SEND_WAIT, SEND_GIVE_UP };

static enum send_outcome judge(struct udp *u, int error)
{
    switch (error) {
    case EINTR:
        return SEND_RETRY;
    case EAGAIN:
    case ENOBUFS:
        return SEND_WAIT;
    case EMSGSIZE:
        u->counters.too_long++;
        return SEND_SKIP_ONE;
    case ECONNREFUSED: /* told of an earlier datagram; this one was not sent */
        u->counters.icmp++;
        return SEND_RETRY;
    default:
        return SEND_GIVE_UP; /* no route, no such source, forbidden: the same for all of the run */
    }
}

/* Sends datagrams from number `at` on; returns how many of the run are done with, sent or lost.
 * Fewer than all means that the socket is full. */
static size_t send_from(struct udp *u, const struct out *run, size_t at)
{
    struct mmsghdr messages[OUT_DATAGRAMS_MAX];
    struct iovec iov[OUT_DATAGRAMS_MAX];
    struct sockaddr_storage to;
    union control control;
    socklen_t to_len = sockaddr_encode(&to, &run->to);
    struct msghdr proto = { .msg_name = &to, .msg_namelen = to_len, .msg_iovlen = 1 };
    int retries = 4;

    set_source(&proto, u, &run->from, &control);
    for (size_t i = at; i < run->count; i++) {
        struct bytes d = out_datagram(run, i);

        iov[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)d.data, .iov_len = d.len };
        messages[i].msg_hdr = proto;
        messages[i].msg_hdr.msg_iov = &iov[i];
    }
    while (at < run->count) {
        int sent = sendmmsg(u->fd, messages + at, (unsigned)(run->count - at), MSG_NOSIGNAL);
        enum send_outcome outcome = sent < 0 ? judge(u, errno) : SEND_RETRY;

        for (int i = 0; i < sent; i++)
            u->counters.sent_bytes += iov[at + (size_t)i].iov_len;
        if (sent > 0) {
            u->counters.sent += (uint64_t)sent;
            at += (size_t)sent;
        } else if (outcome == SEND_WAIT) {
            break;
        } else if (outcome == SEND_SKIP_ONE) {
            at++;
        } else if (outcome == SEND_GIVE_UP || retries-- == 0) {
            u->counters.unsent += run->count - at;
            return run->count;
        }
    }
    return at;
}

static void watch(struct udp *u, int events)
{
    uv_poll_start(&u->poll, events, on_poll); /* fails only for a bad descriptor */
}

static void keep(struct udp *u, const struct out *run, size_t from)
{
    uint8_t *buf = u->kept.buf;

    if (!buf)
        buf = malloc(OUT_BYTES_MAX); /* only where a socket was ever full */
    if (!buf) {
        u->counters.unsent += run->count - from;
        return;
    }
    memcpy(buf, run->buf, run->len);
    u->kept = *run;
    u->kept.buf = buf;
    u->kept_from = from;
    watch(u, UV_READABLE | UV_WRITABLE);
}

static void flush_kept(struct udp *u)
{
    u->kept_from = send_from(u, &u->kept, u->kept_from);
    if (u->kept_from < u->kept.count)
        return;
    u->kept.count = u->kept_from = 0;
    watch(u, UV_READABLE);
    u->handler.drained(u->handler.ctx, u);
}

bool udp_can_send(const struct udp *u)
{
    return u->kept.count == 0;
}

void udp_send(struct udp *u, const struct out *run)
{
    size_t done = 0;

    if (u->fd < 0 || run->count == 0)
        return;
    if (udp_can_send(u) && run->to.family == u->local.family)
        done = send_from(u, run, 0);
    else {
        u->counters.unsent += run->count;
        return;
    }
    if (done < run->count)
        keep(u, run, done);
}

/* ---- life ---- */

static int err_of_errno(int error)
{
    switch (error) {
    case EADDRINUSE:
        return ERR_WRONG_STATE;
    case EACCES:
    case EPERM:
        return ERR_AUTH;
    case EMFILE:
    case ENFILE:
        return ERR_LIMIT;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NOMEM;
    default:
        return ERR_INVALID;
    }
}

static void set_option(int fd, int level, int name, int value)
{
    /* Each is an improvement, none a condition: an old kernel without it still works. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
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
    if (!u || !io_loop_scratch(loop, sizeof(struct batch))) {
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
    watch(u, UV_READABLE);
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
