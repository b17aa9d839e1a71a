#include "apps/hawser/bench_run.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "apps/common/bench.h"
#include "apps/common/channels.h"
#include "apps/common/clock.h"
#include "apps/common/progress.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"

enum {
    READ_BYTES = 262144,
    SILENCE_MS = 20000,
    GAP_MS = 40, /* between two pings of a channel */
    IDLE_S = 3,
    PROGRESS_MS = 250,
    SAMPLES_FIRST = 256
};

/* A channel in a phase, and its thread. */
struct lane {
    struct phase *phase;
    struct bench_writer out;
    struct bench_reader in;
    pthread_t thread;
    bool has_thread;
    int error; /* 0, or a code of the library */
    bool peer_has_ended;
    atomic_ullong moved; /* bytes of load, either way */
    uint64_t in_time;
    uint8_t *data;     /* READ_BYTES of room … */
    struct bytes rest; /* … of which this is not looked at yet */
};

struct phase {
    struct bench_run *run;
    struct ask *ask;
    enum bench_phase which;
    usec began_at, until;
    struct lane lanes[HAWSER_CHANNELS];
};

const char *bench_phase_name(enum bench_phase phase)
{
    static const char *const names[] = { "idle", "down", "up" };

    return names[phase];
}

/* ---- Samples --------------------------------------------------------------------------------- */

static void add_sample(struct bench_samples *s, usec us)
{
    size_t cap = s->cap ? 2 * s->cap : SAMPLES_FIRST;
    usec *grown;

    if (s->count == s->cap) {
        grown = realloc(s->us, cap * sizeof *grown);
        if (!grown)
            return; /* one less to tell of */
        s->us = grown;
        s->cap = cap;
    }
    s->us[s->count++] = us;
}

static int compare(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return (x > y) - (x < y);
}

usec bench_percentile(const struct bench_samples *s, unsigned percent)
{
    size_t rank = (s->count * percent + 99) / 100; /* nearest rank */

    return s->count ? s->us[rank ? rank - 1 : 0] : 0;
}

/* ---- A channel ------------------------------------------------------------------------------- */

static void note_moved(struct lane *lane, uint64_t moved)
{
    atomic_store(&lane->moved, moved);
    if (clock_now() <= lane->phase->until)
        lane->in_time = moved;
}

/* One read of at most a poll's length. Keeps count of silence. */
static int receive(struct lane *lane, usec *heard_at)
{
    int got =
        hawser_recv_data(lane->out.handle, lane->out.channel, lane->data, READ_BYTES, STOP_POLL_MS);

    if (got > 0) {
        lane->rest = bytes_of(lane->data, (size_t)got);
        *heard_at = clock_now();
        return 0;
    }
    if (stop_asked())
        return HAWSER_ERR_CLOSED_LOCALLY;
    if (got == HAWSER_ERR_TIMEOUT && clock_now() < *heard_at + SILENCE_MS * MILLISECOND)
        return 0;
    return got;
}

/* The next frame that is no load. Load is counted as it comes; once the phase is over the device is
 * told to stop. 0, or a code; then there is no frame. */
static int next_frame(struct lane *lane, struct bench_frame *frame)
{
    usec heard_at = clock_now();
    int error = 0;

    while (!error) {
        if (!bench_read(&lane->in, &lane->rest, frame))
            return HAWSER_ERR_INVALID;
        if (lane->in.filled != atomic_load(&lane->moved) && lane->phase->which == BENCH_DOWN)
            note_moved(lane, lane->in.filled);
        if (frame->kind != BENCH_NONE)
            return 0;
        if (clock_now() >= lane->phase->until)
            error = bench_write_end(&lane->out, SILENCE_MS);
        if (!error)
            error = receive(lane, &heard_at);
    }
    return error;
}

/* Until the device has said its last word. */
static int read_to_end(struct lane *lane)
{
    struct bench_frame frame = { .kind = BENCH_NONE };
    int error = 0;

    while (!error && frame.kind != BENCH_END)
        error = next_frame(lane, &frame);
    return error;
}

static int send_load(struct lane *lane)
{
    int error = 0;

    while (!error && clock_now() < lane->phase->until && !stop_asked()) {
        error = bench_write_fill(&lane->out, SILENCE_MS);
        atomic_store(&lane->moved, lane->out.filled);
    }
    return error ? error : bench_write_end(&lane->out, SILENCE_MS);
}

static int ping_frame(struct lane *lane, uint64_t number)
{
    uint8_t body[BENCH_COMMAND_BYTES - BENCH_HEAD_BYTES] = { 0 };
    struct bench_frame frame = { .kind = BENCH_NONE };
    struct wr w = wr_of(body, sizeof body);
    int error;

    wr_u64(&w, number);
    error = bench_write(&lane->out, BENCH_PING, bytes_of(body, sizeof body), SILENCE_MS);
    if (!error)
        error = next_frame(lane, &frame);
    if (!error && (frame.kind != BENCH_PONG || memcmp(frame.body.data, body, 8) != 0))
        error = HAWSER_ERR_INVALID;
    return error;
}

/* The control channel has no frames; there a ping is a request like any other. */
static int ping_control(struct lane *lane)
{
    char pad[BENCH_COMMAND_BYTES - 40] = ""; /* the rest of the line is as long, more or less */
    struct control_reply reply = { 0 };
    int error;

    memset(pad, 'x', sizeof pad - 1);
    error = ask_for(lane->phase->ask, "ping", json_pack("{ss}", "pad", pad), &reply);
    control_deinit_reply(&reply);
    return error;
}

static int send_pings(struct lane *lane)
{
    struct bench_samples *samples =
        &lane->phase->run->figures[lane->phase->which].samples[lane->out.channel];
    bool is_control = lane->out.channel == CHANNEL_CONTROL;
    const usec gap = GAP_MS * MILLISECOND;
    usec at = clock_now() + lane->out.channel * gap / HAWSER_CHANNELS; /* not all at once */
    int error = 0;

    for (uint64_t number = 1; !error && at < lane->phase->until && !stop_asked(); number++) {
        struct timespec due = clock_timespec(at);
        usec sent_at;

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        sent_at = clock_now();
        error = is_control ? ping_control(lane) : ping_frame(lane, number);
        at = clock_now();
        if (!error)
            add_sample(samples, at - sent_at);
        at = usec_max(at, sent_at + gap);
    }
    return error;
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    const struct bench_run *run = lane->phase->run;
    bool is_loaded = run->load >> lane->out.channel & 1 && lane->phase->which != BENCH_IDLE;

    if (!is_loaded)
        lane->error = send_pings(lane);
    else if (lane->phase->which == BENCH_UP)
        lane->error = send_load(lane);
    if (lane->out.channel == CHANNEL_CONTROL)
        return NULL;
    if (!lane->error && !(is_loaded && lane->phase->which == BENCH_DOWN))
        lane->error = bench_write_end(&lane->out, SILENCE_MS);
    if (!lane->error)
        lane->error = read_to_end(lane);
    if (!lane->error) /* the device's clock may have been ahead: it waits for ours all the same */
        lane->error = bench_write_end(&lane->out, SILENCE_MS);
    return NULL;
}

static int open_lane(struct phase *p, int channel)
{
    struct lane *lane = &p->lanes[channel];

    lane->phase = p;
    bench_writer_init(&lane->out, p->run->handle, channel);
    lane->data = malloc(READ_BYTES);
    lane->has_thread = lane->data && !pthread_create(&lane->thread, NULL, run_lane, lane);
    return lane->has_thread ? 0 : HAWSER_ERR_NO_MEMORY;
}

/* ---- A phase --------------------------------------------------------------------------------- */

static uint64_t moved_so_far(struct phase *p)
{
    uint64_t sum = 0;

    for (int i = 0; i < HAWSER_CHANNELS; i++)
        sum += atomic_load(&p->lanes[i].moved);
    return sum;
}

static void show_progress(struct phase *p, usec now)
{
    double spent = (double)usec_max(now - p->began_at, 1) / (double)SECOND;
    char line[80];

    if (p->which == BENCH_IDLE)
        (void)snprintf(line, sizeof line, "idle: round trips, %.0f of %.0f s", spent,
                       (double)(p->until - p->began_at) / (double)SECOND);
    else
        (void)snprintf(line, sizeof line, "%s: %.0f of %lld s, %.1f Mbit/s",
                       bench_phase_name(p->which), spent, (long long)p->run->seconds,
                       (double)moved_so_far(p) * 8 / 1e6 / spent);
    progress_draw(line);
}

static void watch(struct phase *p)
{
    const struct timespec pause = clock_timespec(PROGRESS_MS * MILLISECOND);
    bool is_shown = !say_is_json() && isatty(STDERR_FILENO);

    for (usec now = clock_now(); is_shown && now < p->until && !stop_asked(); now = clock_now()) {
        show_progress(p, now);
        nanosleep(&pause, NULL);
    }
    if (is_shown)
        progress_clear();
}

/* A device that answers otherwise, or knows no such request, is no failure of the session. */
static int say_unserved(const struct control_reply *reply)
{
    if (reply && strcmp(reply->error, "no such operation") != 0)
        return say_error("bench: the device refused: %s", reply->error);
    return say_error("bench: the device's program does not serve it: run \"hawser bench --serve\" "
                     "or hawser-camera there");
}

static int ask_to_serve(struct phase *p, int64_t seconds)
{
    struct bench_run *r = p->run;
    struct control_reply reply = { 0 };
    int error, code = EXIT_CODE_OK;

    error = ask_for(p->ask, "bench",
                    json_pack("{sI so so}", "seconds", (json_int_t)seconds, "channels",
                              bench_channels_json(0xfe), "fill",
                              bench_channels_json(p->which == BENCH_DOWN ? r->load : 0)),
                    &reply);
    if (error == HAWSER_ERR_INVALID)
        return say_unserved(NULL);
    if (error) {
        ask_say(p->ask, "bench", error);
        return EXIT_CODE_FAILED;
    }
    r->served = bench_channels_of(json_object_get(reply.members, "channels"));
    if (!reply.ok)
        code = say_unserved(&reply);
    control_deinit_reply(&reply);
    return code;
}

static int run_lanes(struct phase *p)
{
    int error = 0;

    for (int i = 0; !error && i < HAWSER_CHANNELS; i++)
        if (i == CHANNEL_CONTROL || p->run->served >> i & 1)
            error = open_lane(p, i);
    if (error)
        stop_ask();
    watch(p);
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        struct lane *lane = &p->lanes[i];

        if (lane->has_thread)
            pthread_join(lane->thread, NULL);
        if (lane->phase)
            bench_writer_deinit(&lane->out);
        if (lane->error && !error && lane->error != HAWSER_ERR_CLOSED_LOCALLY)
            error =
                say_failure(lane->error, "bench: channel %d, %s", i, bench_phase_name(p->which));
        free(lane->data);
    }
    if (error == HAWSER_ERR_NO_MEMORY)
        return say_failure(error, "bench");
    if (stop_asked())
        return say_error("bench: interrupted");
    return error ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

/* What arrived at the device, of which only it knows. */
static void read_uploads(struct bench_figures *f, const json_t *reply)
{
    const json_t *list = json_object_get(reply, "channels");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *lane = json_array_get(list, i);

        f->in_time += (uint64_t)control_number(lane, "in_time", 0);
        f->in_all += (uint64_t)control_number(lane, "received", 0);
    }
}

static int read_result(struct phase *p, const struct hawser_session_info *before)
{
    struct bench_figures *f = &p->run->figures[p->which];
    struct hawser_session_info now = *before;
    json_t *reply = ask_or_say(p->ask, "bench", "bench_result", NULL);

    if (!reply)
        return EXIT_CODE_FAILED;
    (void)hawser_session_info(p->run->handle, &now);
    f->cpu_us[1] = control_number(reply, "cpu_us", 0);
    f->chunks_sent = now.chunks_sent - before->chunks_sent;
    f->chunks_resent = now.chunks_resent - before->chunks_resent;
    if (p->which == BENCH_UP) {
        read_uploads(f, reply);
    } else {
        f->chunks_sent = (uint64_t)control_number(reply, "chunks_sent", 0);
        f->chunks_resent = (uint64_t)control_number(reply, "chunks_resent", 0);
        f->in_all = moved_so_far(p);
        for (int i = 0; i < HAWSER_CHANNELS; i++)
            f->in_time += p->lanes[i].in_time;
    }
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (f->samples[i].count)
            qsort(f->samples[i].us, f->samples[i].count, sizeof *f->samples[i].us, compare);
    json_decref(reply);
    return EXIT_CODE_OK;
}

static int run_phase(struct bench_run *r, struct ask *ask, enum bench_phase which)
{
    int64_t seconds = which == BENCH_IDLE && r->seconds > IDLE_S ? IDLE_S : r->seconds;
    struct phase *p = calloc(1, sizeof *p);
    struct hawser_session_info before;
    int64_t cpu_us = bench_cpu_us();
    int code;

    if (!p)
        return say_failure(HAWSER_ERR_NO_MEMORY, "bench");
    *p = (struct phase){ .run = r, .ask = ask, .which = which };
    if (hawser_session_info(r->handle, &before))
        memset(&before, 0, sizeof before);
    code = ask_to_serve(p, seconds);
    p->began_at = clock_now();
    p->until = p->began_at + seconds * SECOND;
    r->figures[which].span = seconds * SECOND;
    if (!code && which != BENCH_IDLE && !(r->load & r->served))
        code = say_error("bench: the device serves none of the channels to be loaded; "
                         "--channels takes others");
    if (!code)
        code = run_lanes(p);
    r->figures[which].cpu_us[0] = bench_cpu_us() - cpu_us;
    if (!code)
        code = read_result(p, &before);
    free(p);
    return code;
}

int bench_run(struct bench_run *r)
{
    int code = EXIT_CODE_OK;
    struct ask ask;

    ask_init(&ask, r->handle);
    for (int which = BENCH_IDLE; !code && which < BENCH_PHASES; which++)
        code = run_phase(r, &ask, (enum bench_phase)which);
    ask_deinit(&ask);
    return code;
}

void bench_run_deinit(struct bench_run *r)
{
    for (int which = 0; which < BENCH_PHASES; which++)
        for (int i = 0; i < HAWSER_CHANNELS; i++)
            free(r->figures[which].samples[i].us);
}
