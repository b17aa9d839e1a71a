#include "apps/camera/figures.h"

#include <stdio.h>
#include <unistd.h>

#include "apps/common/describe.h"
#include "apps/common/clock.h"
#include "apps/common/progress.h"
#include "apps/common/say.h"

enum { LIVE_US = 200000, PLAIN_US = 500000, PART_MAX = 80 };

void figures_init(struct figures *f, int handle)
{
    usec now = clock_now();

    *f = (struct figures){ .handle = handle,
                           .began_at = now,
                           .drawn_at = now,
                           .is_live = !say_is_json() && isatty(STDERR_FILENO) };
    f->draw_at = now + (f->is_live ? LIVE_US : PLAIN_US);
}

void figures_ping(struct figures *f, usec round_trip)
{
    struct pings *p = &f->pings;

    p->least = p->count ? usec_min(p->least, round_trip) : round_trip;
    p->most = usec_max(p->most, round_trip);
    p->last = round_trip;
    p->sum += round_trip;
    p->count++;
}

static double ms(int64_t us)
{
    return (double)us / 1000;
}

static void format_stream(char *text, const char *name, const struct receiver *r,
                          unsigned long long *then, usec span)
{
    unsigned long long bytes = atomic_load(&r->bytes);
    double mbit = (double)(bytes - *then) * 8 / (double)span;

    *then = bytes;
    snprintf(text, PART_MAX, "%s %llu %s, %.2f Mbit/s", name, atomic_load(&r->units),
             r->media == RECORD_AUDIO ? "packets" : "frames", mbit);
}

static void format_file(struct figures *f, char *text, usec span)
{
    unsigned long long at = atomic_load(&f->fetched), size = atomic_load(&f->fetch_size);
    double rate = (double)(at - f->fetched_then) * (double)SECOND / (double)span;
    char speed[32];

    progress_format_bytes(rate > 0 ? rate : 0, speed, sizeof speed);
    f->fetched_then = at;
    if (size && at == size)
        snprintf(text, PART_MAX, " | file done");
    else
        snprintf(text, PART_MAX, " | file %.0f %%, %s/s",
                 size ? 100 * (double)at / (double)size : 0, speed);
}

static void show_json(const struct figures *f, usec now)
{
    struct hawser_session_info info = { .path = HAWSER_PATH_NONE };

    hawser_session_info(f->handle, &info);
    say_json(json_pack("{s{sI ss sI sI sI sI sI sI sI sI}}", "live", "elapsed_us",
                       (json_int_t)(now - f->began_at), "path", describe_path(info.path), "rtt_us",
                       (json_int_t)info.rtt_us, "receive_rate", (json_int_t)info.receive_rate,
                       "video_units", (json_int_t)atomic_load(&f->video->units), "video_bytes",
                       (json_int_t)atomic_load(&f->video->bytes), "audio_units",
                       (json_int_t)atomic_load(&f->audio->units), "audio_bytes",
                       (json_int_t)atomic_load(&f->audio->bytes), "file_bytes",
                       (json_int_t)atomic_load(&f->fetched), "ping_us", (json_int_t)f->pings.last));
}

void figures_show(struct figures *f, usec now)
{
    usec span = now - f->drawn_at;
    struct hawser_session_info info = { .path = HAWSER_PATH_NONE };
    char video[PART_MAX], audio[PART_MAX], file[PART_MAX] = "";
    char line[4 * PART_MAX];

    if (now < f->draw_at)
        return;
    f->drawn_at = now;
    f->draw_at += f->is_live ? LIVE_US : PLAIN_US;
    if (say_is_json()) {
        show_json(f, now);
        return;
    }
    hawser_session_info(f->handle, &info);
    format_stream(video, "video", f->video, &f->video_then, span);
    format_stream(audio, "audio", f->audio, &f->audio_then, span);
    if (f->fetch)
        format_file(f, file, span);
    snprintf(line, sizeof line, "%5.1f s  %s | %s | %s%s | ping %.2f ms",
             (double)(now - f->began_at) / (double)SECOND, describe_path(info.path), video, audio,
             file, ms(f->pings.last));
    if (f->is_live)
        progress_draw(line);
    else
        say_aside("%s", line);
}

static json_t *stream_json(const struct receiver *r)
{
    return json_pack("{sIsIsbss}", "units", (json_int_t)atomic_load(&r->units), "bytes",
                     (json_int_t)atomic_load(&r->bytes), "complete", r->complete, "why", r->why);
}

static void summary_json(const struct figures *f, const json_t *device)
{
    const struct pings *p = &f->pings;
    json_t *pings = json_pack(
        "{sIsIsIsI}", "count", (json_int_t)p->count, "least_us", (json_int_t)p->least, "mean_us",
        (json_int_t)(p->count ? p->sum / (usec)p->count : 0), "most_us", (json_int_t)p->most);

    say_json(json_pack("{s{so*sO*sososo*so}}", "summary", "session",
                       describe_session_json(f->handle), "device_session", device, "video",
                       stream_json(f->video), "audio", stream_json(f->audio), "file",
                       f->fetch ? fetch_json(f->fetch) : NULL, "pings", pings));
}

static void say_stream(const char *name, const struct receiver *r)
{
    unsigned long long units = atomic_load(&r->units);
    char bytes[32];

    progress_format_bytes((double)atomic_load(&r->bytes), bytes, sizeof bytes);
    if (units || r->complete)
        say("%-11s %llu units, %s, %s", name, units, bytes, r->complete ? "complete" : r->why);
}

static void say_file(const struct fetch *f)
{
    char bytes[32], rate[32];
    double seconds = (double)f->spent_us / (double)SECOND;

    progress_format_bytes((double)f->size, bytes, sizeof bytes);
    progress_format_bytes(seconds > 0 ? (double)(f->size - f->resumed) / seconds : 0, rate,
                          sizeof rate);
    say("file        %s in %.2f s, %s/s, SHA-256 %s", bytes, seconds, rate, f->hash);
}

/* Each side knows what it had to send again; together that is the loss of both directions. */
static void say_loss(const struct hawser_session_info *mine, const json_t *device)
{
    double sent = (double)mine->chunks_sent + (double)control_number(device, "chunks_sent", 0);
    double again = (double)mine->chunks_resent + (double)control_number(device, "chunks_resent", 0);

    say("loss        %.0f of %.0f chunks sent again (%.3f %%), %llu packets dropped", again, sent,
        sent > 0 ? 100 * again / sent : 0, (unsigned long long)mine->packets_dropped);
}

static void say_channels(const struct hawser_session_info *info)
{
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (info->channel[i].sent || info->channel[i].received)
            say("channel %d   %llu bytes received, %llu sent", i,
                (unsigned long long)info->channel[i].received,
                (unsigned long long)info->channel[i].sent);
}

void figures_summary(struct figures *f, const json_t *device)
{
    struct hawser_session_info info;
    const struct pings *p = &f->pings;
    char text[200];

    if (f->is_live)
        progress_clear();
    if (say_is_json()) {
        summary_json(f, device);
        return;
    }
    say_stream("video", f->video);
    say_stream("audio", f->audio);
    if (f->fetch && f->fetch->hash[0])
        say_file(f->fetch);
    if (p->count)
        say("pings       %llu: least %.2f, mean %.2f, most %.2f ms", (unsigned long long)p->count,
            ms(p->least), ms(p->sum / (usec)p->count), ms(p->most));
    if (hawser_session_info(f->handle, &info))
        return;
    describe_session(&info, text, sizeof text);
    say("path        %s", text);
    say("connected   in %.1f ms", ms(info.connect_us));
    say_loss(&info, device);
    say_channels(&info);
}
