/* udp_tx.c: runs of datagrams to the socket: in one system call, and where the kernel can cut a run
 * by itself, also in one piece. */
#include "io/udp_internal.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "io/sockaddr.h"

/* Room for one in_pktinfo or in6_pktinfo, and the segment length. */
#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

/* The address and the control messages that all datagrams of a run share. */
struct envelope {
    struct sockaddr_storage to;
    socklen_t to_len;
    _Alignas(struct cmsghdr) char control[CONTROL_BYTES];
    size_t control_len;
};

static void add_control(struct envelope *e, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)(e->control + e->control_len);

    *c = (struct cmsghdr){ .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len) };
    memcpy(CMSG_DATA(c), data, len);
    e->control_len += CMSG_SPACE(len);
}

/* Names the source address where the socket leaves it open. */
static void add_source(struct envelope *e, const struct addr *from)
{
    if (from->family == ADDR_IPV4) {
        struct in_pktinfo info = { 0 };

        memcpy(&info.ipi_spec_dst, from->ip, 4);
        add_control(e, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = { .ipi6_ifindex = from->scope };

        memcpy(&info.ipi6_addr, from->ip, 16);
        add_control(e, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static void address(struct envelope *e, const struct udp *u, const struct out *run)
{
    static const uint8_t unspecified[16];

    memset(e, 0, sizeof *e);
    e->to_len = sockaddr_encode(&e->to, &run->to);
    if (u->is_any && run->from.family == u->local.family &&
        memcmp(run->from.ip, unspecified, sizeof unspecified) != 0)
        add_source(e, &run->from);
}

static struct msghdr header_of(struct envelope *e, struct iovec *iov)
{
    struct msghdr h = { .msg_name = &e->to,
                        .msg_namelen = e->to_len,
                        .msg_iov = iov,
                        .msg_iovlen = 1,
                        .msg_controllen = e->control_len };

    if (e->control_len)
        h.msg_control = e->control;
    return h;
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

/* The rest of a run as one message that the kernel, or the card, cuts. True: all of it is done
 * with, or the socket is full (*at tells). False: it has to go datagram by datagram. */
static bool send_whole(struct udp *u, const struct out *run, size_t *at)
{
    struct envelope e;
    struct iovec iov = { .iov_base = run->buf + *at * run->segment,
                         .iov_len = run->len - *at * run->segment };
    uint16_t segment = (uint16_t)run->segment;
    struct msghdr header;
    ssize_t sent;

    address(&e, u, run);
    add_control(&e, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    header = header_of(&e, &iov);
    do
        sent = sendmsg(u->fd, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        u->counters.sent += run->count - *at;
        u->counters.sent_bytes += iov.iov_len;
        *at = run->count;
        return true;
    }
    if (errno == EAGAIN || errno == ENOBUFS)
        return true;
    if (errno == EIO || errno == ENOPROTOOPT || errno == EOPNOTSUPP)
        u->has_gso = false; /* this way out cannot: no checksum offload, or a kernel without it */
    return false; /* EMSGSIZE and EINVAL are about this run: each datagram finds its own fate */
}

static size_t send_each(struct udp *u, const struct out *run, size_t at)
{
    struct mmsghdr messages[OUT_DATAGRAMS_MAX];
    struct iovec iov[OUT_DATAGRAMS_MAX];
    struct envelope e;
    int retries = 4;

    address(&e, u, run);
    for (size_t i = at; i < run->count; i++) {
        struct bytes d = out_datagram(run, i);

        iov[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)d.data, .iov_len = d.len };
        messages[i].msg_hdr = header_of(&e, &iov[i]);
    }
    while (at < run->count) {
        int sent = sendmmsg(u->fd, messages + at, (unsigned)(run->count - at), MSG_NOSIGNAL);
        enum send_outcome outcome = sent < 0 ? judge(u, errno) : SEND_RETRY;

        for (int i = 0; i < sent; i++)
            u->counters.sent_bytes += out_datagram(run, at + (size_t)i).len;
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

/* Sends datagrams from number `at` on; returns how many of the run are done with, sent or lost.
 * Fewer than all means that the socket is full. */
static size_t send_from(struct udp *u, const struct out *run, size_t at)
{
    if (u->has_gso && run->count - at > 1 && send_whole(u, run, &at))
        return at;
    return send_each(u, run, at);
}

static void watch(struct udp *u, int events)
{
    uv_poll_start(&u->poll, events, udp_on_poll); /* fails only for a bad descriptor */
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

/* Sends, and tells if a datagram was too long for the interface. */
static size_t send_and_tell(struct udp *u, const struct out *run, size_t at)
{
    uint64_t before = u->counters.too_long;
    size_t done = send_from(u, run, at);

    if (u->counters.too_long > before && u->handler.too_long)
        u->handler.too_long(u->handler.ctx, u);
    return done;
}

void udp_flush_kept(struct udp *u)
{
    u->kept_from = send_and_tell(u, &u->kept, u->kept_from);
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
        done = send_and_tell(u, run, 0);
    else {
        u->counters.unsent += run->count;
        return;
    }
    if (done < run->count)
        keep(u, run, done);
}
