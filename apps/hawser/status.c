#include <string.h>

#include "apps/common/ask.h"
#include "apps/common/client.h"
#include "apps/common/describe.h"
#include "apps/common/progress.h"
#include "apps/common/say.h"
#include "apps/hawser/commands.h"
#include "apps/hawser/local.h"

static void say_media(const char *name, const json_t *media)
{
    if (!json_is_object(media))
        return;
    if (json_object_get(media, "width"))
        say("%-9s%s, %lldx%lld", name, control_text(media, "codec", "?"),
            (long long)control_number(media, "width", 0),
            (long long)control_number(media, "height", 0));
    else
        say("%-9s%s, %lld Hz, %lld channels", name, control_text(media, "codec", "?"),
            (long long)control_number(media, "sample_rate", 0),
            (long long)control_number(media, "channels", 0));
}

static void say_device(const json_t *info)
{
    say("program  %s %s", control_text(info, "program", "?"), control_text(info, "version", "?"));
    if (json_object_get(info, "sessions"))
        say("sessions %lld", (long long)control_number(info, "sessions", 0));
    say_media("video", json_object_get(info, "video"));
    say_media("audio", json_object_get(info, "audio"));
    if (json_object_get(info, "files"))
        say("files    %s", json_is_true(json_object_get(info, "files")) ? "served" : "not served");
}

static const char *rate_of(uint64_t bytes, char text[32])
{
    progress_format_bytes((double)bytes, text, 32);
    return text;
}

static void say_transport(const struct hawser_session_info *s)
{
    char a[32], b[32];

    say("loss     %.2f %%: %llu of %llu chunks sent again, %llu of them for nothing",
        (double)s->loss_ppm / 10000, (unsigned long long)s->chunks_resent,
        (unsigned long long)s->chunks_sent, (unsigned long long)s->chunks_spurious);
    say("rates    %s/s out, %s/s in", rate_of(s->send_rate, a), rate_of(s->receive_rate, b));
    say("delivers %s/s, paced to %s/s", s->delivery_rate ? rate_of(s->delivery_rate, a) : "?",
        rate_of(s->pacing_rate, b));
    say("window   %s, %s on their way; %s, least round trip %.1f ms; held by the %s",
        rate_of(s->congestion_window, a), rate_of(s->in_flight, b), s->congestion_name,
        (double)s->rtt_min_us / 1000, describe_limit(s->limit));
}

/* Of the channels, those that carried something or were set. */
static void say_channels(const struct hawser_session_info *s)
{
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        const struct hawser_channel_info *c = &s->channel[i];
        char sent[32], received[32], credit[32];

        if (!c->sent && !c->received && !c->is_lossy && !c->peer_is_lossy)
            continue;
        say("channel  %d: %s out, %s in; %s of credit, class %u, weight %u%s", i,
            rate_of(c->sent, sent), rate_of(c->received, received),
            c->credit < UINT32_MAX ? rate_of(c->credit, credit) : "no end", c->priority_class,
            c->weight, c->is_lossy || c->peer_is_lossy ? ", lossy" : "");
    }
}

static void say_session(const struct hawser_session_info *s)
{
    char text[200];

    describe_session(s, text, sizeof text);
    say("path     %s", text);
    if (s->path != HAWSER_PATH_NONE)
        say("ends     %s here, %s there; datagrams of %u bytes pass", describe_end(s->local_kind),
            describe_end(s->remote_kind), s->path_mtu);
    if (*s->why_relayed)
        say("relayed  %s", s->why_relayed);
    if (s->direct_retry_us >= 0)
        say("retry    direct is tried next in %lld s", (long long)(s->direct_retry_us / 1000000));
    say("connect  %.1f ms, %.1f of them after the answer", (double)s->connect_us / 1000,
        (double)s->established_us / 1000);
    say_transport(s);
    say_channels(s);
}

static void say_pairs(int handle)
{
    struct hawser_pair pairs[HAWSER_PAIRS_MAX];
    int count = hawser_session_pairs(handle, pairs, HAWSER_PAIRS_MAX);

    for (int i = 0; i < count; i++) {
        const struct hawser_pair *p = &pairs[i];

        say("pair     %-8s %s (%s) - %s (%s), %u checks%s", describe_fate(p->fate),
            p->local_address, describe_end(p->local_kind), p->remote_address,
            describe_end(p->remote_kind), p->checks, p->rtt_us ? "" : ", no answer");
    }
}

/* What the device's program says of itself, owned; NULL when it says nothing, and *error why. */
static json_t *ask_device(const struct options *o, int handle, int *error)
{
    struct control_reply reply = { 0 };
    struct ask ask;
    json_t *info = NULL;

    ask_init(&ask, handle);
    ask.silence_ms = o->timeout_ms ? o->timeout_ms : ASK_SOON_MS;
    *error = ask_for(&ask, "info", NULL, &reply);
    if (*error && *error != HAWSER_ERR_INVALID)
        ask_say(&ask, "status", *error);
    if (reply.ok)
        info = json_incref(reply.members);
    control_deinit_reply(&reply);
    ask_deinit(&ask);
    return info;
}

/* A program that does not know the request, as "hawser echo", is no failure: the session is there.
 * Silence is one. */
static int status_of(void *ctx, int handle)
{
    struct hawser_session_info session;
    int error;
    json_t *info = ask_device(ctx, handle, &error), *described;

    if (info)
        say_device(info);
    else if (!error || error == HAWSER_ERR_INVALID)
        say("program  does not answer \"info\"");
    if (error != HAWSER_ERR_CLOSED_LOCALLY && !hawser_session_info(handle, &session)) {
        say_session(&session);
        say_pairs(handle);
    }
    json_object_del(info, "id"); /* these two are the reply's, not the device's */
    json_object_del(info, "ok");
    described = describe_session_json(handle);
    if (described)
        (void)json_object_set_new(described, "pairs", describe_pairs_json(handle));
    say_json(json_pack("{so*so*}", "device", info, "session", described));
    return error && error != HAWSER_ERR_INVALID ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

int command_status(int argc, char **argv)
{
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "status [OPTIONS] ID|local",
        .about = "Connects and shows what a device says of itself and how it is reached;\n"
                 "\"local\": which key, home directory and servers are used here.",
        .operands_least = 1,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    if (first < 0)
        return options_exit(first);
    if (strcmp(argv[first], "local") == 0)
        return local_status(&o);
    return client_run(&o, argv[first], status_of, &o);
}
