/* info.c: what a session can tell about itself. The core's figures are the loop's to read. */
#include <stdio.h>
#include <string.h>

#include "sdk/internal.h"
#include "sdk/link.h"

struct question {
    struct link *link;
    struct session_info info;
    usec connect_us, now;
    struct ice_pair_info *pairs; /* room for ICE_PAIRS_MAX; NULL: not asked for */
    size_t pair_count;
};

static void ask_on_loop(void *ctx)
{
    struct question *q = ctx;

    if (q->link->session) {
        session_get_info(q->link->session, &q->info);
        if (q->pairs)
            q->pair_count = session_get_pairs(q->link->session, q->pairs, ICE_PAIRS_MAX);
    }
    q->connect_us = q->link->connect_us;
    q->now = io_now();
}

_Static_assert((int)HAWSER_END_HOST == ICE_HOST && (int)HAWSER_END_RELAYED == ICE_RELAYED,
               "the core's names are the public ones");
_Static_assert((int)HAWSER_PAIR_WAITING == ICE_FATE_WAITING &&
                   (int)HAWSER_PAIR_FAILED == ICE_FATE_FAILED,
               "so are its fates");

/* The same network, as far as addresses can tell. */
static enum hawser_path_kind kind_of(const struct ice_path *p)
{
    enum addr_scope scope = addr_scope_of(&p->remote);

    if (p->local_type == ICE_RELAYED || p->remote_type == ICE_RELAYED)
        return HAWSER_PATH_RELAYED;
    return scope == ADDR_SCOPE_GLOBAL ? HAWSER_PATH_DIRECT : HAWSER_PATH_LAN;
}

static bool is_relayed_pair(const struct ice_pair_info *p)
{
    return p->local_type == ICE_RELAYED || p->remote_type == ICE_RELAYED;
}

/* What the fates of the direct pairs say of why none of them carries the data. */
static void explain_relay(const struct question *q, char why[HAWSER_WHY_MAX])
{
    unsigned fates[ICE_FATE_FAILED + 1] = { 0 }, direct = 0, public = 0;

    for (size_t i = 0; i < q->pair_count; i++) {
        if (is_relayed_pair(&q->pairs[i]))
            continue;
        direct++;
        fates[q->pairs[i].fate]++;
        public += addr_scope_of(&q->pairs[i].remote) == ADDR_SCOPE_GLOBAL;
    }
    if (direct == 0)
        (void)snprintf(why, HAWSER_WHY_MAX, "the two have no addresses of one family to try");
    else if (fates[ICE_FATE_WORKS])
        (void)snprintf(why, HAWSER_WHY_MAX,
                       "a direct path answers, or did a moment ago: it is taken once it has proved "
                       "itself");
    else if (fates[ICE_FATE_WAITING] + fates[ICE_FATE_TRYING])
        (void)snprintf(why, HAWSER_WHY_MAX, "%u of %u direct pairs are still being tried",
                       fates[ICE_FATE_WAITING] + fates[ICE_FATE_TRYING], direct);
    else if (public == 0)
        (void)snprintf(why, HAWSER_WHY_MAX,
                       "none of %u direct pairs answered, and the peer told of no public address: "
                       "its network lets no UDP out to STUN, or has none to tell",
                       direct);
    else
        (void)snprintf(why, HAWSER_WHY_MAX,
                       "none of %u direct pairs answered: NATs or a firewall let no UDP through "
                       "between these two",
                       direct);
}

static uint32_t loss_of(const struct sctp_info *s)
{
    return s->data_chunks_sent ? (uint32_t)(s->retransmitted_chunks * 1000000 / s->data_chunks_sent)
                               : 0;
}

static void fill_path(const struct question *q, struct hawser_session_info *info)
{
    const struct session_info *s = &q->info;

    info->direct_retry_us = -1;
    info->path_mtu = (uint32_t)s->path_mtu;
    info->path_changes = s->path_count ? s->path_count - 1 : 0;
    info->restarts = s->restarts;
    if (!s->has_path)
        return;
    info->path = kind_of(&s->path);
    info->local_kind = (enum hawser_end_kind)s->path.local_type;
    info->remote_kind = (enum hawser_end_kind)s->path.remote_type;
    (void)addr_format(&s->path.local, info->local_address);
    (void)addr_format(&s->path.remote, info->remote_address);
    if (info->path != HAWSER_PATH_RELAYED)
        return;
    explain_relay(q, info->why_relayed);
    if (s->retry_at != USEC_NEVER)
        info->direct_retry_us = usec_max(s->retry_at - q->now, 0);
}

static void fill_channels(const struct question *q, struct hawser_session_info *to)
{
    const struct session_info *from = &q->info;

    for (unsigned i = 0; i < HAWSER_CHANNELS; i++) {
        struct ring_fill fill;

        rings_get_fill(&q->link->rings, i, &fill);
        to->channel[i] = (struct hawser_channel_info){
            .sent = fill.sent,
            .received = fill.received,
            .unsent = (uint32_t)(fill.unsent + from->unsent[i]),
            .unread = (uint32_t)(fill.unread + from->unread[i]),
            .credit = from->credit[i] < UINT32_MAX ? (uint32_t)from->credit[i] : UINT32_MAX,
            .priority_class = from->priority_class[i],
            .weight = from->weight[i],
            .is_lossy = from->lossy >> i & 1,
            .peer_is_lossy = from->peer_lossy >> i & 1,
            .send_rate = meter_rate(&from->channel[i].sending, q->now),
            .given_up = from->given_up[i],
            .dropped = fill.dropped,
            .receive_rate = meter_rate(&from->channel[i].receiving, q->now),
        };
        to->send_rate += to->channel[i].send_rate;
        to->receive_rate += to->channel[i].receive_rate;
    }
}

static const struct {
    const char *name; /* as the core has it */
    enum hawser_congestion state;
} congestion_states[] = {
    { "startup", HAWSER_CONGESTION_STARTUP }, { "drain", HAWSER_CONGESTION_DRAIN },
    { "down", HAWSER_CONGESTION_DOWN },       { "cruise", HAWSER_CONGESTION_CRUISE },
    { "up", HAWSER_CONGESTION_UP },           { "probe_rtt", HAWSER_CONGESTION_PROBE_RTT },
};

static void fill_congestion(const struct session_info *s, struct hawser_session_info *info)
{
    const char *name = s->sctp.congestion_state ? s->sctp.congestion_state : "";

    (void)snprintf(info->congestion_name, sizeof info->congestion_name, "%s", name);
    for (size_t i = 0; i < COUNT(congestion_states); i++)
        if (strcmp(name, congestion_states[i].name) == 0)
            info->congestion = congestion_states[i].state;
    info->delivery_rate = s->sctp.delivery_rate;
    info->pacing_rate = s->sctp.pacing_rate;
    info->chunks_lost = s->sctp.lost_chunks;
    info->chunks_spurious = s->sctp.spurious_chunks;
    info->congestion_window = s->sctp.cwnd_bytes;
    info->in_flight = s->sctp.flight_bytes;
    info->rtt_min_us = s->sctp.min_rtt_us;
}

/* What SCTP has not sent yet waits for the path; what it was not given waits for the peer. */
static enum hawser_limit limit_of(const struct session_info *s, bool is_ring_filled)
{
    if (!s->has_path)
        return HAWSER_LIMIT_PATH;
    if (!s->never_sent && s->waiting)
        return HAWSER_LIMIT_CREDIT;
    if (!s->never_sent && !is_ring_filled)
        return HAWSER_LIMIT_APPLICATION;
    if (s->sctp.peer_room_bytes < s->path_mtu)
        return HAWSER_LIMIT_CREDIT;
    return s->sctp.flight_bytes + s->path_mtu > s->sctp.cwnd_bytes ? HAWSER_LIMIT_CONGESTION
                                                                   : HAWSER_LIMIT_PACING;
}

static void fill_info(struct question *q, struct hawser_session_info *info)
{
    const struct session_info *s = &q->info;

    memset(info, 0, sizeof *info);
    memcpy(info->peer_id, q->link->peer.id, ID_BYTES);
    fill_path(q, info);
    info->loss_ppm = loss_of(&s->sctp);
    info->rtt_us = s->sctp.srtt_us ? s->sctp.srtt_us : s->path.rtt_us;
    info->connect_us = q->connect_us;
    info->established_us = s->established_us;
    info->packets_sent = s->sctp.sent_packets;
    info->packets_received = s->sctp.received_packets;
    info->packets_dropped = s->dropped;
    info->chunks_sent = s->sctp.data_chunks_sent;
    info->chunks_resent = s->sctp.retransmitted_chunks;
    fill_channels(q, info);
    fill_congestion(s, info);
    info->limit = limit_of(s, rings_tx_filled(&q->link->rings) != 0);
}

/* The question is asked on the loop's thread, and answered when this returns. */
static void ask(struct question *q)
{
    io_loop_run(lib.loop, ask_on_loop, q);
}

int hawser_session_info(int handle, struct hawser_session_info *info)
{
    struct ice_pair_info pairs[ICE_PAIRS_MAX];
    struct question q = { .pairs = pairs };
    int code = call_enter_link(handle, &q.link);

    if (code)
        return code;
    if (info) {
        ask(&q);
        fill_info(&q, info);
    } else {
        code = HAWSER_ERR_INVALID;
    }
    call_leave_link(q.link);
    return code;
}

static void fill_pair(const struct ice_pair_info *from, struct hawser_pair *to)
{
    *to = (struct hawser_pair){
        .local_kind = (enum hawser_end_kind)from->local_type,
        .remote_kind = (enum hawser_end_kind)from->remote_type,
        .fate = (enum hawser_pair_fate)from->fate,
        .rtt_us = from->rtt_us,
        .checks = from->checks,
    };
    (void)addr_format(&from->local, to->local_address);
    (void)addr_format(&from->remote, to->remote_address);
}

int hawser_session_pairs(int handle, struct hawser_pair *pairs, int max)
{
    struct ice_pair_info found[ICE_PAIRS_MAX];
    struct question q = { .pairs = found };
    int code = call_enter_link(handle, &q.link);

    if (code)
        return code;
    if (pairs && max >= 0) {
        ask(&q);
        code = q.pair_count < (size_t)max ? (int)q.pair_count : max;
        for (int i = 0; i < code; i++)
            fill_pair(&found[i], &pairs[i]);
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
        ask(&q);
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
