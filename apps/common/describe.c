#include "apps/common/describe.h"

#include <stdio.h>

const char *describe_path(enum hawser_path_kind path)
{
    static const char *const names[] = { "none", "lan", "direct", "relayed" };

    return path <= HAWSER_PATH_RELAYED ? names[path] : "unknown";
}

static json_t *channels_json(const struct hawser_session_info *info)
{
    json_t *channels = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        const struct hawser_channel_info *c = &info->channel[i];

        json_array_append_new(channels, json_pack("{sIsIsisi}", "sent", (json_int_t)c->sent,
                                                  "received", (json_int_t)c->received, "unsent",
                                                  (int)c->unsent, "unread", (int)c->unread));
    }
    return channels;
}

json_t *describe_session_json(int handle)
{
    struct hawser_session_info i;

    if (hawser_session_info(handle, &i))
        return NULL;
    return json_pack("{ss ss ss ss sI sI sI sI sI sI sI sI so}", "peer", i.peer_id, "path",
                     describe_path(i.path), "local_address", i.local_address, "remote_address",
                     i.remote_address, "rtt_us", (json_int_t)i.rtt_us, "connect_us",
                     (json_int_t)i.connect_us, "established_us", (json_int_t)i.established_us,
                     "packets_sent", (json_int_t)i.packets_sent, "packets_received",
                     (json_int_t)i.packets_received, "packets_dropped",
                     (json_int_t)i.packets_dropped, "chunks_sent", (json_int_t)i.chunks_sent,
                     "chunks_resent", (json_int_t)i.chunks_resent, "channels", channels_json(&i));
}

void describe_session(const struct hawser_session_info *info, char *text, size_t cap)
{
    snprintf(text, cap, "%s %s - %s, round trip %.1f ms", describe_path(info->path),
             info->local_address, info->remote_address, (double)info->rtt_us / 1000);
}
