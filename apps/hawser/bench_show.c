#include "apps/hawser/bench_show.h"

#include <stdio.h>

#include "apps/common/channels.h"
#include "apps/common/describe.h"
#include "apps/common/say.h"

static const char *channel_name(int channel)
{
    static const char *const names[HAWSER_CHANNELS] = { "control", "video", "audio", "playback",
                                                        "pass",    "files", "free",  "free" };

    return names[channel];
}

static double bits_per_second(const struct bench_figures *f)
{
    return f->span ? (double)f->in_time * 8 / ((double)f->span / (double)SECOND) : 0;
}

/* CPU seconds for a gigabyte of load. */
static double cpu_per_gb(const struct bench_figures *f, int side)
{
    return f->in_all ? (double)f->cpu_us[side] / 1e6 / ((double)f->in_all / 1e9) : 0;
}

static double resent_percent(const struct bench_figures *f)
{
    return f->chunks_sent ? 100 * (double)f->chunks_resent / (double)f->chunks_sent : 0;
}

static void format_rate(double bits, char *text, size_t cap)
{
    if (bits >= 1e9)
        (void)snprintf(text, cap, "%.2f Gbit/s", bits / 1e9);
    else if (bits >= 1e6)
        (void)snprintf(text, cap, "%.1f Mbit/s", bits / 1e6);
    else
        (void)snprintf(text, cap, "%.0f kbit/s", bits / 1e3);
}

static void say_load(const struct bench_run *r, enum bench_phase which)
{
    const struct bench_figures *f = &r->figures[which];
    char rate[32];

    format_rate(bits_per_second(f), rate, sizeof rate);
    say("%-8s %12s %12.2f %% %12.2f %12.2f", bench_phase_name(which), rate, resent_percent(f),
        cpu_per_gb(f, 0), cpu_per_gb(f, 1));
}

/* "  0.12   0.20   0.31", or that the channel carried the load or is not served. */
static void format_latency(const struct bench_run *r, int channel, enum bench_phase which,
                           char *text, size_t cap)
{
    const struct bench_samples *s = &r->figures[which].samples[channel];

    if (s->count)
        (void)snprintf(text, cap, "%7.2f %7.2f %7.2f", (double)bench_percentile(s, 50) / 1000,
                       (double)bench_percentile(s, 95) / 1000,
                       (double)bench_percentile(s, 99) / 1000);
    else
        (void)snprintf(text, cap, "%7s %7s %7s", "", r->load >> channel & 1 ? "load" : "-", "");
}

static void say_latencies(const struct bench_run *r)
{
    say("\nround trip of a 1 KiB command, ms: half, 95 and 99 of a hundred are as quick\n"
        "channel      %-24s %-24s %s",
        "idle", "under load down", "under load up");
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        char text[BENCH_PHASES][40];

        if (i != CHANNEL_CONTROL && !(r->served >> i & 1))
            continue;
        for (int which = 0; which < BENCH_PHASES; which++)
            format_latency(r, i, (enum bench_phase)which, text[which], sizeof text[which]);
        say("%d %-9s %s  %s  %s", i, channel_name(i), text[BENCH_IDLE], text[BENCH_DOWN],
            text[BENCH_UP]);
    }
}

static void say_table(const struct bench_run *r)
{
    struct hawser_session_info info;
    char text[200];

    if (!hawser_session_info(r->handle, &info)) {
        describe_session(&info, text, sizeof text);
        say("path     %s, datagrams of %u bytes", text, info.path_mtu);
    }
    say("\n%-8s %12s %14s %12s %12s", "load", "throughput", "sent again", "CPU s/GB", "at device");
    say_load(r, BENCH_DOWN);
    say_load(r, BENCH_UP);
    say_latencies(r);
}

static json_t *latencies_json(const struct bench_figures *f)
{
    json_t *list = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        const struct bench_samples *s = &f->samples[i];

        if (s->count)
            (void)json_array_append_new(list,
                                        json_pack("{si ss sI sI sI sI}", "channel", i, "name",
                                                  channel_name(i), "count", (json_int_t)s->count,
                                                  "p50_us", (json_int_t)bench_percentile(s, 50),
                                                  "p95_us", (json_int_t)bench_percentile(s, 95),
                                                  "p99_us", (json_int_t)bench_percentile(s, 99)));
    }
    return list;
}

static json_t *load_json(const struct bench_figures *f)
{
    return json_pack("{sI sI sI sI sI sI sI so}", "bits_per_second", (json_int_t)bits_per_second(f),
                     "bytes", (json_int_t)f->in_all, "span_us", (json_int_t)f->span, "cpu_us",
                     (json_int_t)f->cpu_us[0], "device_cpu_us", (json_int_t)f->cpu_us[1],
                     "chunks_sent", (json_int_t)f->chunks_sent, "chunks_resent",
                     (json_int_t)f->chunks_resent, "command", latencies_json(f));
}

static json_t *loaded_json(const struct bench_run *r)
{
    json_t *list = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (r->load >> i & 1)
            (void)json_array_append_new(list, json_integer(i));
    return list;
}

void bench_show(const struct bench_run *r)
{
    say_table(r);
    say_json(json_pack("{s{so so so so so*}}", "bench", "loaded", loaded_json(r), "idle",
                       latencies_json(&r->figures[BENCH_IDLE]), "down",
                       load_json(&r->figures[BENCH_DOWN]), "up", load_json(&r->figures[BENCH_UP]),
                       "session", describe_session_json(r->handle)));
}
