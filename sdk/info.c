/* info.c: what a session can tell about itself. The core's figures are the loop's to read. */
#include <string.h>

#include "sdk/internal.h"
#include "sdk/link.h"

struct question {
    struct link *link;
    struct session_info info;
    usec connect_us;
};

static void ask_on_loop(void *ctx)
{
    struct question *q = ctx;

    if (q->link->session)
        session_get_info(q->link->session, &q->info);
    q->connect_us = q->link->connect_us;
}

/* The same network, as far as addresses can tell. */
static enum hawser_path_kind kind_of(const struct ice_path *p)
{
    enum addr_scope scope = addr_scope_of(&p->remote);

    if (p->local_type == ICE_RELAYED || p->remote_type == ICE_RELAYED)
        return HAWSER_PATH_RELAYED;
    return scope == ADDR_SCOPE_GLOBAL ? HAWSER_PATH_DIRECT : HAWSER_PATH_LAN;
}

static void fill_channels(struct link *l, const struct session_info *from,
                          struct hawser_session_info *to)
{
    for (unsigned i = 0; i < HAWSER_CHANNELS; i++) {
        struct ring_fill fill;

        rings_get_fill(&l->rings, i, &fill);
        to->channel[i] = (struct hawser_channel_info){
            .sent = fill.sent,
            .received = fill.received,
            .unsent = (uint32_t)(fill.unsent + from->unsent[i]),
            .unread = (uint32_t)(fill.unread + from->unread[i]),
        };
    }
}

static void fill_info(struct question *q, struct hawser_session_info *info)
{
    const struct session_info *s = &q->info;

    memset(info, 0, sizeof *info);
    memcpy(info->peer_id, q->link->peer.id, ID_BYTES);
    if (s->has_path) {
        info->path = kind_of(&s->path);
        (void)addr_format(&s->path.local, info->local_address);
        (void)addr_format(&s->path.remote, info->remote_address);
    }
    info->rtt_us = s->sctp.srtt_us ? s->sctp.srtt_us : s->path.rtt_us;
    info->connect_us = q->connect_us;
    info->established_us = s->established_us;
    info->packets_sent = s->sctp.sent_packets;
    info->packets_received = s->sctp.received_packets;
    info->packets_dropped = s->dropped;
    info->chunks_sent = s->sctp.data_chunks_sent;
    info->chunks_resent = s->sctp.retransmitted_chunks;
    fill_channels(q->link, s, info);
}

int hawser_session_info(int handle, struct hawser_session_info *info)
{
    struct question q = { .link = NULL };
    int code = call_enter_link(handle, &q.link);

    if (code)
        return code;
    if (info) {
        io_loop_run(lib.loop, ask_on_loop, &q);
        fill_info(&q, info);
    } else {
        code = HAWSER_ERR_INVALID;
    }
    call_leave_link(q.link);
    return code;
}

int hawser_channel_buffer(int handle, int channel, struct hawser_buffer *buffer)
{
    struct question q = { .link = NULL };
    struct ring_fill fill;
    int code = call_enter_link(handle, &q.link);

    if (code)
        return code;
    if (buffer && channel >= 0 && channel < HAWSER_CHANNELS) {
        io_loop_run(lib.loop, ask_on_loop, &q);
        rings_get_fill(&q.link->rings, (unsigned)channel, &fill);
        *buffer = (struct hawser_buffer){
            .unsent = (uint32_t)(fill.unsent + q.info.unsent[channel]),
            .unread = (uint32_t)(fill.unread + q.info.unread[channel]),
            .free = (uint32_t)fill.free,
        };
    } else {
        code = HAWSER_ERR_INVALID;
    }
    call_leave_link(q.link);
    return code;
}
