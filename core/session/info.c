/* info.c: what is told about a session. */
#include <string.h>

#include "core/session/internal.h"

static void count_dropped(const struct session *s, struct session_info *info)
{
    const struct verdicts *layers[] = { &info->sctp.verdicts,
                                        s->dtls ? dtls_verdicts(s->dtls) : NULL };

    info->dropped = s->dropped;
    for (size_t i = 0; i < COUNT(layers); i++)
        for (int v = VERDICT_TAKEN + 1; layers[i] && v < VERDICT_COUNT; v++)
            info->dropped += layers[i]->count[v];
}

static void fill_channels(const struct session *s, struct session_info *info)
{
    const struct channel_set *c = &s->channels;

    for (uint16_t i = 0; i < CHANNEL_COUNT; i++) {
        info->channel[i] = c->count[i];
        info->unsent[i] = sctp_stream_unacked_bytes(s->sctp, i);
        info->unread[i] = sctp_stream_unread_bytes(s->sctp, i);
        info->never_sent += sctp_stream_unsent_bytes(s->sctp, i);
        info->credit[i] = channel_credit(c, i);
        info->priority_class[i] = c->priority_class[i];
        info->weight[i] = c->weight[i];
        info->given_up[i] = sctp_stream_given_up(s->sctp, i);
        info->waiting |= (uint16_t)(channel_waits_for_credit(c, i) << i);
    }
    info->lossy = c->lossy;
    info->peer_lossy = c->peer_lossy;
}

void session_get_info(const struct session *s, struct session_info *info)
{
    memset(info, 0, sizeof *info);
    info->is_open = s->state == SESSION_OPEN;
    info->has_path = s->has_path && ice_selected(s->agent.ice, &info->path);
    info->retry_at = ice_retry_at(s->agent.ice);
    info->is_restarting = s->next.ice != NULL;
    info->restarts = s->restarts.finished;
    info->path_count = s->path_count;
    info->had_sped = s->has_carried;
    info->had_snap = s->has_snap;
    info->established_us = s->open_at == USEC_NEVER ? 0 : s->open_at - s->started_at;
    sctp_get_info(s->sctp, &info->sctp);
    info->path_mtu = DTLS_HEAD + info->sctp.packet_bytes + DTLS_TAIL;
    count_dropped(s, info);
    fill_channels(s, info);
}

size_t session_get_pairs(const struct session *s, struct ice_pair_info *out, size_t max)
{
    size_t count = ice_get_pairs(s->agent.ice, out, max);

    if (s->next.ice)
        count += ice_get_pairs(s->next.ice, out + count, max - count);
    return count;
}
