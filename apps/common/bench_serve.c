#include "apps/common/bench_serve.h"

#include <stdlib.h>
#include <time.h>

#include "apps/common/clock.h"
#include "apps/common/control.h"
#include "apps/common/stop.h"

enum { READ_BYTES = 262144, SILENCE_MS = 10000, GRACE_S = 60, LOOK_MS = 5, RESULT_MS = 2000 };

#define RUNS_A_MINUTE 12 /* of all sessions of this process */

/* One run at a time, and not too many: they take what the network gives, from everybody. */
static struct {
    pthread_mutex_t lock;
    bool is_taken;
    unsigned runs;
    usec minute_at;
} slot = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *take_slot(void)
{
    const char *why = NULL;
    usec now = clock_now();

    pthread_mutex_lock(&slot.lock);
    if (slot.runs == 0 || now - slot.minute_at > MINUTE) {
        slot.minute_at = now;
        slot.runs = 0;
    }
    if (slot.is_taken)
        why = "another bench run is under way";
    else if (slot.runs >= RUNS_A_MINUTE)
        why = "too many bench runs in a minute: wait a little";
    if (!why) {
        slot.is_taken = true;
        slot.runs++;
    }
    pthread_mutex_unlock(&slot.lock);
    return why;
}

static void give_slot_back(void)
{
    pthread_mutex_lock(&slot.lock);
    slot.is_taken = false;
    pthread_mutex_unlock(&slot.lock);
}

void bench_serve_init(struct bench_serve *s, int handle, uint8_t usable)
{
    *s = (struct bench_serve){ .handle = handle, .usable = usable };
}

/* ---- A channel ------------------------------------------------------------------------------- */

static void note_fill(struct bench_lane *lane, uint64_t filled)
{
    usec now = clock_now();

    if (filled == lane->received)
        return;
    if (!lane->first_at)
        lane->first_at = now;
    lane->received = filled;
    if (now <= lane->first_at + lane->serve->span)
        lane->in_time = filled;
}

/* False: the peer has said its last word, or nonsense. */
static bool take_input(struct bench_lane *lane, struct bench_reader *in, struct bytes data)
{
    struct bench_frame frame;

    for (;;) {
        bool is_sound = bench_read(in, &data, &frame);

        note_fill(lane, in->filled);
        if (!is_sound || frame.kind == BENCH_END)
            return false;
        if (frame.kind == BENCH_NONE)
            return true;
        if (frame.kind == BENCH_PING &&
            bench_write(&lane->out, BENCH_PONG, frame.body, SILENCE_MS) != 0)
            return false;
    }
}

static void *run_reader(void *arg)
{
    struct bench_lane *lane = arg;
    struct bench_serve *s = lane->serve;
    struct bench_reader in = { .have = 0 };
    uint8_t *data = malloc(READ_BYTES);
    usec heard_at = clock_now();

    while (data && !stop_asked() && !atomic_load(&s->is_cut) && clock_now() < s->last_at) {
        int got = hawser_recv_data(s->handle, lane->out.channel, data, READ_BYTES, STOP_POLL_MS);

        if (got > 0)
            heard_at = clock_now();
        if (got > 0 ? !take_input(lane, &in, bytes_of(data, (size_t)got))
                    : got != HAWSER_ERR_TIMEOUT)
            break;
        if (clock_now() > usec_max(heard_at, s->until) + SILENCE_MS * MILLISECOND)
            break;
    }
    free(data);
    atomic_store(&lane->peer_has_ended, true); /* so that the load ends too */
    if (lane->has_filler)
        pthread_join(lane->filler, NULL);
    (void)bench_write_end(&lane->out, SILENCE_MS);
    atomic_store(&lane->is_done, true);
    return NULL;
}

static void *run_filler(void *arg)
{
    struct bench_lane *lane = arg;

    while (!stop_asked() && clock_now() < lane->serve->until &&
           !atomic_load(&lane->peer_has_ended) && bench_write_fill(&lane->out, SILENCE_MS) == 0)
        continue;
    (void)bench_write_end(&lane->out, SILENCE_MS);
    return NULL;
}

static bool open_lane(struct bench_serve *s, int channel, bool fills)
{
    struct bench_lane *lane = &s->lanes[channel];

    *lane = (struct bench_lane){ .serve = s, .is_open = true };
    bench_writer_init(&lane->out, s->handle, channel);
    lane->has_filler = fills && pthread_create(&lane->filler, NULL, run_filler, lane) == 0;
    lane->has_reader = pthread_create(&lane->reader, NULL, run_reader, lane) == 0;
    if (lane->has_reader && lane->has_filler == fills)
        return true;
    atomic_store(&lane->peer_has_ended, true);
    if (!lane->has_reader) {
        if (lane->has_filler)
            pthread_join(lane->filler, NULL);
        atomic_store(&lane->is_done, true);
    }
    return false;
}

static void close_lane(struct bench_lane *lane)
{
    if (lane->has_reader)
        pthread_join(lane->reader, NULL);
    if (lane->is_open)
        bench_writer_deinit(&lane->out);
    lane->is_open = lane->has_reader = false;
}

/* ---- A run ----------------------------------------------------------------------------------- */

static void end_run(struct bench_serve *s)
{
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        close_lane(&s->lanes[i]);
    if (s->is_running)
        give_slot_back();
    s->is_running = false;
}

void bench_serve_deinit(struct bench_serve *s)
{
    atomic_store(&s->is_cut, true);
    end_run(s);
}

static bool is_done(const struct bench_serve *s)
{
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (s->lanes[i].is_open && !atomic_load(&s->lanes[i].is_done))
            return false;
    return true;
}

bool bench_serve_is_busy(struct bench_serve *s)
{
    if (s->is_running && is_done(s))
        end_run(s);
    return s->is_running;
}

/* A list of channels as bits; those that are none of ours to give are left out. */
static uint8_t read_channels(const struct bench_serve *s, const json_t *request, const char *name)
{
    uint8_t bits = bench_channels_of(json_object_get(request, name)) & s->usable;

    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (bits >> i & 1 && hawser_send_data(s->handle, i, "", 0, 0) != 0) /* not granted */
            bits &= (uint8_t) ~(1u << i);
    return bits;
}

static bool open_lanes(struct bench_serve *s, uint8_t channels, uint8_t fill)
{
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (channels >> i & 1 && !open_lane(s, i, fill >> i & 1))
            return false;
    return true;
}

json_t *bench_serve_start(struct bench_serve *s, const json_t *request, const char **why)
{
    int64_t seconds = control_number(request, "seconds", 0);
    uint8_t channels = read_channels(s, request, "channels");
    uint8_t fill = read_channels(s, request, "fill");

    if (seconds < 1 || seconds > BENCH_SECONDS_MAX) {
        *why = "\"seconds\" must be a number from 1 to 60";
        return NULL;
    }
    if ((*why = bench_serve_is_busy(s) ? "a bench run of this session is under way" : take_slot()))
        return NULL;
    s->is_running = true;
    atomic_store(&s->is_cut, false);
    s->span = seconds * SECOND;
    s->until = clock_now() + s->span;
    s->last_at = s->until + GRACE_S * SECOND;
    s->cpu_us = bench_cpu_us();
    (void)hawser_session_info(s->handle, &s->before);
    if (open_lanes(s, channels | fill, fill))
        return json_pack("{so}", "channels", bench_channels_json(channels | fill));
    atomic_store(&s->is_cut, true); /* the lanes that were opened end in a moment */
    end_run(s);
    *why = "out of memory or threads";
    return NULL;
}

static json_t *lanes_json(const struct bench_serve *s)
{
    json_t *list = json_array();

    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        const struct bench_lane *lane = &s->lanes[i];

        if (lane->is_open)
            (void)json_array_append_new(list, json_pack("{sisIsIsI}", "channel", i, "sent",
                                                        (json_int_t)lane->out.filled, "received",
                                                        (json_int_t)lane->received, "in_time",
                                                        (json_int_t)lane->in_time));
    }
    return list;
}

/* Both sides have said END when this is asked; the threads need a moment to be gone. */
json_t *bench_serve_result(struct bench_serve *s, const json_t *request, const char **why)
{
    const struct timespec pause = clock_timespec(LOOK_MS * MILLISECOND);
    usec until = clock_now() + RESULT_MS * MILLISECOND;
    struct hawser_session_info now = s->before;
    json_t *result;

    (void)request;
    while (!is_done(s) && clock_now() < until)
        nanosleep(&pause, NULL);
    if (!s->is_running || !is_done(s)) {
        *why = s->is_running ? "the bench run is still under way" : "there was no bench run";
        return NULL;
    }
    (void)hawser_session_info(s->handle, &now);
    result = json_pack("{sosIsIsI}", "channels", lanes_json(s), "cpu_us",
                       (json_int_t)(bench_cpu_us() - s->cpu_us), "chunks_sent",
                       (json_int_t)(now.chunks_sent - s->before.chunks_sent), "chunks_resent",
                       (json_int_t)(now.chunks_resent - s->before.chunks_resent));
    end_run(s);
    return result;
}
