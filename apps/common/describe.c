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

const char *describe_limit(enum hawser_limit limit)
{
    static const char *const names[] = { "application", "credit", "congestion", "pacing", "path" };

    return limit <= HAWSER_LIMIT_PATH ? names[limit] : "unknown";
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

static json_t *transport_json(const struct hawser_session_info *i)
{
    return json_pack(
        "{sI sI sI sI sI sI sI sI sI ss ss}", "send_rate", (json_int_t)i->send_rate, "receive_rate",
        (json_int_t)i->receive_rate, "delivery_rate", (json_int_t)i->delivery_rate, "pacing_rate",
        (json_int_t)i->pacing_rate, "chunks_lost", (json_int_t)i->chunks_lost, "chunks_spurious",
        (json_int_t)i->chunks_spurious, "congestion_window", (json_int_t)i->congestion_window,
        "in_flight", (json_int_t)i->in_flight, "rtt_min_us", (json_int_t)i->rtt_min_us,
        "congestion", i->congestion_name, "limit", describe_limit(i->limit));
}

static json_t *channels_json(const struct hawser_session_info *info)
{
    json_t *channels = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        const struct hawser_channel_info *c = &info->channel[i];

        json_array_append_new(
            channels,
            json_pack("{sI sI sI sI sI sI sI sb sb sI sI sI sI}", "sent", (json_int_t)c->sent,
                      "received", (json_int_t)c->received, "unsent", (json_int_t)c->unsent,
                      "unread", (json_int_t)c->unread, "credit",
                      c->credit < UINT32_MAX ? (json_int_t)c->credit : -1, "class",
                      (json_int_t)c->priority_class, "weight", (json_int_t)c->weight, "lossy",
                      c->is_lossy, "peer_lossy", c->peer_is_lossy, "send_rate",
                      (json_int_t)c->send_rate, "receive_rate", (json_int_t)c->receive_rate,
                      "given_up", (json_int_t)c->given_up, "dropped", (json_int_t)c->dropped));
    }
    return channels;
}

json_t *describe_session_json(int handle)
{
    struct hawser_session_info i;
    json_t *session, *part;

    if (hawser_session_info(handle, &i))
        return NULL;
    session = json_pack(
        "{ss ss ss ss sI sI sI sI sI sI sI so}", "peer", i.peer_id, "path", describe_path(i.path),
        "local_address", i.local_address, "remote_address", i.remote_address, "connect_us",
        (json_int_t)i.connect_us, "established_us", (json_int_t)i.established_us, "packets_sent",
        (json_int_t)i.packets_sent, "packets_received", (json_int_t)i.packets_received,
        "packets_dropped", (json_int_t)i.packets_dropped, "chunks_sent", (json_int_t)i.chunks_sent,
        "chunks_resent", (json_int_t)i.chunks_resent, "channels", channels_json(&i));
    part = path_json(&i);
    (void)json_object_update(session, part);
    json_decref(part);
    part = transport_json(&i);
    (void)json_object_update(session, part);
    json_decref(part);
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
