/* udp_rx.c: batches of datagrams, and runs that the kernel has put together, one by one to the
 * handler. */
#include "io/udp_internal.h"

#include <errno.h>
#include <netinet/udp.h>

#include "io/sockaddr.h"

#define BATCH_MESSAGES    8
#define BATCHES_PER_ROUND 8            /* then other sockets and timers have their turn … */
#define ROUND_BYTES       (256 * 1024) /* … as after so much: a cache has it when it is read */
#define RUN_BYTES_MAX     65536        /* of datagrams that arrive as one */

/* Room for one in_pktinfo or in6_pktinfo, and the segment length. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

/* What the sockets of a loop share to receive into. Only touched pages count: a slot's tail is
 * memory only once runs that long came. */
struct batch {
    struct mmsghdr messages[BATCH_MESSAGES];
    struct iovec iov[BATCH_MESSAGES];
    struct sockaddr_storage from[BATCH_MESSAGES];
    union control control[BATCH_MESSAGES];
    uint8_t data[BATCH_MESSAGES][RUN_BYTES_MAX];
};

size_t udp_scratch_bytes(void)
{
    return sizeof(struct batch);
}

static void prepare_batch(struct batch *b)
{
    for (size_t i = 0; i < BATCH_MESSAGES; i++) {
        b->iov[i] = (struct iovec){ .iov_base = b->data[i], .iov_len = RUN_BYTES_MAX };
        b->messages[i].msg_hdr = (struct msghdr){ .msg_name = &b->from[i],
                                                  .msg_namelen = sizeof b->from[i],
                                                  .msg_iov = &b->iov[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = &b->control[i],
                                                  .msg_controllen = sizeof b->control[i] };
    }
}

/* What the kernel says beside the bytes. */
struct arrival {
    struct addr local; /* the socket's address, made precise where it is bound to any */
    size_t segment;    /* of every datagram but the last; 0: it is one datagram */
};

static void read_control(struct arrival *a, const struct cmsghdr *c)
{
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        memcpy(a->local.ip, &info.ipi_addr, 4);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        memcpy(a->local.ip, &info.ipi6_addr, 16);
        if (addr_scope_of(&a->local) == ADDR_SCOPE_LINK)
            a->local.scope = info.ipi6_ifindex;
    } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
        int segment;

        memcpy(&segment, CMSG_DATA(c), sizeof segment);
        a->segment = segment > 0 ? (size_t)segment : 0;
    }
}

static struct arrival arrival_of(const struct udp *u, struct msghdr *message)
{
    struct arrival a = { .local = u->local };

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        read_control(&a, c);
    return a;
}

static void deliver_one(struct udp *u, const struct arrival *a, const struct addr *from,
                        uint8_t *data, size_t len)
{
    u->counters.received++;
    u->counters.received_bytes += len;
    if (len > UDP_DATAGRAM_MAX)
        u->counters.truncated++;
    else
        u->handler.datagram(u->handler.ctx, u, &a->local, from, data, len);
}

static void deliver(struct udp *u, struct mmsghdr *message)
{
    struct arrival a = arrival_of(u, &message->msg_hdr);
    uint8_t *data = message->msg_hdr.msg_iov->iov_base;
    size_t left = message->msg_len;
    struct addr from;

    if (!sockaddr_decode(&from, message->msg_hdr.msg_name))
        return;
    do {
        size_t len = a.segment && a.segment < left ? a.segment : left;

        deliver_one(u, &a, &from, data, len);
        data += len;
        left -= len;
    } while (left > 0 && u->fd >= 0);
}

/* True if there may be more. */
static bool receive_batch(struct udp *u, struct batch *b)
{
    int count;

    prepare_batch(b);
    count = recvmmsg(u->fd, b->messages, BATCH_MESSAGES, 0, NULL);
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
    return count == BATCH_MESSAGES;
}

void udp_on_poll(uv_poll_t *poll, int status, int events)
{
    struct udp *u = poll->data;
    struct batch *b = io_loop_scratch(u->loop, sizeof *b);
    uint64_t until = u->counters.received_bytes + ROUND_BYTES;
    int left = BATCHES_PER_ROUND;

    (void)status; /* an error shows again in recvmmsg(), which clears it */
    if (events & UV_WRITABLE)
        udp_flush_kept(u);
    while (u->fd >= 0 && left-- && receive_batch(u, b) && u->counters.received_bytes < until)
        ;
}
