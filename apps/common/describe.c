#include "apps/common/describe.h"

#include <stdio.h>

const char *describe_path(enum hawser_path_kind path)
{
    static const char *const names[] = { "none", "lan", "direct", "relayed" };

    return path <= HAWSER_PATH_RELAYED ? names[path] : "unknown";
}

const char *describe_end(enum hawser_end_kind kind)
{
    static const char *const names[] = { "host", "server-reflexive", "peer-reflexive", "relayed" };

    return kind <= HAWSER_END_RELAYED ? names[kind] : "unknown";
}

const char *describe_fate(enum hawser_pair_fate fate)
{
    static const char *const names[] = { "waiting", "trying", "works", "selected", "failed" };

    return fate <= HAWSER_PAIR_FAILED ? names[fate] : "unknown";
}

json_t *describe_pairs_json(int handle)
{
    struct hawser_pair pairs[HAWSER_PAIRS_MAX];
    int count = hawser_session_pairs(handle, pairs, HAWSER_PAIRS_MAX);
    json_t *list = json_array();

    for (int i = 0; i < count; i++) {
        const struct hawser_pair *p = &pairs[i];

        json_array_append_new(
            list, json_pack("{ss ss ss ss ss sI sI}", "fate", describe_fate(p->fate), "local",
                            p->local_address, "local_kind", describe_end(p->local_kind), "remote",
                            p->remote_address, "remote_kind", describe_end(p->remote_kind),
                            "rtt_us", (json_int_t)p->rtt_us, "checks", (json_int_t)p->checks));
    }
    return list;
}

static json_t *path_json(const struct hawser_session_info *i)
{
    return json_pack("{ss ss sI sI sI sI sI sI}", "local_kind", describe_end(i->local_kind),
                     "remote_kind", describe_end(i->remote_kind), "path_mtu",
                     (json_int_t)i->path_mtu, "path_changes", (json_int_t)i->path_changes,
                     "restarts", (json_int_t)i->restarts, "loss_ppm", (json_int_t)i->loss_ppm,
                     "direct_retry_us", (json_int_t)i->direct_retry_us, "rtt_us",
                     (json_int_t)i->rtt_us);
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
    json_t *session, *path;

    if (hawser_session_info(handle, &i))
        return NULL;
    session = json_pack(
        "{ss ss ss ss sI sI sI sI sI sI sI so}", "peer", i.peer_id, "path", describe_path(i.path),
        "local_address", i.local_address, "remote_address", i.remote_address, "connect_us",
        (json_int_t)i.connect_us, "established_us", (json_int_t)i.established_us, "packets_sent",
        (json_int_t)i.packets_sent, "packets_received", (json_int_t)i.packets_received,
        "packets_dropped", (json_int_t)i.packets_dropped, "chunks_sent", (json_int_t)i.chunks_sent,
        "chunks_resent", (json_int_t)i.chunks_resent, "channels", channels_json(&i));
    path = path_json(&i);
    (void)json_object_update(session, path);
    json_decref(path);
    if (*i.why_relayed)
        (void)json_object_set_new(session, "why_relayed", json_string(i.why_relayed));
    return session;
}

void describe_route(const struct hawser_session_info *info, char *text, size_t cap)
{
    if (info->path == HAWSER_PATH_NONE)
        (void)snprintf(text, cap, "none, looking for one");
    else
        (void)snprintf(text, cap, "%s %s - %s", describe_path(info->path), info->local_address,
                       info->remote_address);
}

void describe_session(const struct hawser_session_info *info, char *text, size_t cap)
{
    char route[200];

    describe_route(info, route, sizeof route);
    if (info->path == HAWSER_PATH_NONE)
        (void)snprintf(text, cap, "%s", route);
    else
        (void)snprintf(text, cap, "%s, round trip %.1f ms", route, (double)info->rtt_us / 1000);
}
