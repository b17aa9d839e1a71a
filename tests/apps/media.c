/* From a file through a camera's streams, a session, a watcher's receivers, into a file again. */
#include <stdlib.h>

#include <libavutil/log.h>

#include "apps/camera/receive.h"
#include "apps/camera/stream.h"
#include "apps/common/clock.h"
#include "hawser/device.h"
#include "tests/apps/support/folder.h"
#include "tests/apps/support/loop.h"
#include "tests/check.h"

enum { FRAMES = 20, SOUNDS = 30, UNIT_MAX = 9000 };

static struct folder folder;

static struct record parameters(enum record_media media)
{
    struct record r = { .kind = RECORD_PARAMETERS };
    bool is_video = media == RECORD_VIDEO;

    r.parameters = (struct record_parameters){ .media = media,
                                               .tick_num = 1,
                                               .tick_den = is_video ? 1000 : 8000,
                                               .width = is_video ? 64 : 0,
                                               .height = is_video ? 48 : 0,
                                               .sample_rate = is_video ? 0 : 8000,
                                               .channels = is_video ? 0 : 1,
                                               .profile = -99,
                                               .level = -99 };
    snprintf(r.parameters.codec, sizeof r.parameters.codec, is_video ? "mpeg4" : "pcm_s16le");
    return r;
}

/* Unit i of a stream: its bytes, different in each, and its time, 10 ms after the last. */
static struct record unit(enum record_media media, size_t i, uint8_t *buf)
{
    struct record r = { .kind = RECORD_UNIT, .flags = RECORD_KEY, .pts_us = (int64_t)i * 10000 };
    size_t len = media == RECORD_VIDEO ? UNIT_MAX - i * 7 : 160;

    for (size_t j = 0; j < len; j++)
        buf[j] = (uint8_t)(i * 17 + j * 5 + media);
    r.unit.dts_us = r.pts_us;
    r.unit.duration_us = 10000;
    r.unit.data = bytes_of(buf, len);
    return r;
}

static void make_clip(const char *path)
{
    char why[REMUX_WHY_MAX];
    struct remux *m = remux_new(path, true, true, why);
    struct record video = parameters(RECORD_VIDEO), audio = parameters(RECORD_AUDIO);
    bool good = remux_add(m, RECORD_VIDEO, &video) && remux_add(m, RECORD_AUDIO, &audio);

    for (size_t i = 0; i < SOUNDS; i++) {
        uint8_t buf[UNIT_MAX];
        struct record frame = unit(RECORD_VIDEO, i, buf);

        good = good && (i >= FRAMES || remux_add(m, RECORD_VIDEO, &frame));
        frame = unit(RECORD_AUDIO, i, buf);
        good = good && remux_add(m, RECORD_AUDIO, &frame);
    }
    CHECK("a clip", good && !remux_finish(m));
    remux_free(m);
}

/* How many units of a stream are in the file, all as made; -1 if one is not. */
static int count_units(const char *path, enum record_media media)
{
    char why[SOURCE_WHY_MAX];
    struct source *s;
    struct record got;
    bool changed, same = true;
    int count = 0;

    if (source_open(&s, path, media, why))
        return -1;
    for (; source_next(s, &got, &changed); count++) {
        uint8_t buf[UNIT_MAX];
        struct record made = unit(media, (size_t)count, buf);

        same = same && bytes_equal(got.unit.data, made.unit.data) && got.pts_us == made.pts_us;
    }
    source_close(s);
    return same ? count : -1;
}

TEST(every_unit_arrives_unchanged)
{
    const char *clip, *copy;
    struct stream video, audio;
    struct receiver frames, sounds;
    char why[REMUX_WHY_MAX];
    struct remux *m;
    usec began_at = clock_now();

    folder_init(&folder);
    clip = folder_path(&folder, "clip.nut");
    copy = folder_path(&folder, "copy.nut");
    make_clip(clip);
    loop_open(5000);
    stream_init(&video, LOOP_DEVICE, RECORD_VIDEO);
    stream_init(&audio, LOOP_DEVICE, RECORD_AUDIO);
    m = remux_new(copy, true, true, why);
    CHECK("video", stream_start(&video, clip, false, began_at, why) == 0);
    CHECK("audio", stream_start(&audio, clip, false, began_at, why) == 0);
    receiver_start(&frames, LOOP_APP, RECORD_VIDEO, m);
    receiver_start(&sounds, LOOP_APP, RECORD_AUDIO, m);
    receiver_join(&frames);
    receiver_join(&sounds);
    CHECK("all video", frames.complete && atomic_load(&frames.units) == FRAMES);
    CHECK("all audio", sounds.complete && atomic_load(&sounds.units) == SOUNDS);
    CHECK("in real time", clock_now() - began_at >= (SOUNDS - 1) * 10000);
    CHECK("stored", !remux_finish(m));
    remux_free(m);
    stream_deinit(&video);
    stream_deinit(&audio);
    CHECK("video as it was", count_units(copy, RECORD_VIDEO) == FRAMES);
    CHECK("audio as it was", count_units(copy, RECORD_AUDIO) == SOUNDS);
    loop_end();
    folder_deinit(&folder);
}

TEST(a_stopped_stream_says_where_it_stopped)
{
    struct stream audio;
    struct receiver sounds;
    char why[REMUX_WHY_MAX];
    const char *clip;
    struct remux *m;

    folder_init(&folder);
    clip = folder_path(&folder, "clip.nut");
    make_clip(clip);
    loop_open(5000);
    stream_init(&audio, LOOP_DEVICE, RECORD_AUDIO);
    m = remux_new(folder_path(&folder, "copy.nut"), false, true, why);
    CHECK("due in a year",
          stream_start(&audio, clip, true, clock_now() + 365 * 24 * 60 * MINUTE, why) == 0);
    stream_stop(&audio);
    receiver_start(&sounds, LOOP_APP, RECORD_AUDIO, m);
    receiver_join(&sounds);
    CHECK("complete as far as it went", sounds.complete && atomic_load(&sounds.units) == 0);
    stream_deinit(&audio);
    remux_free(m);
    loop_end();
    folder_deinit(&folder);
}

TEST(a_session_that_dies_is_no_complete_stream)
{
    struct receiver frames;
    char why[REMUX_WHY_MAX];
    struct remux *m;

    folder_init(&folder);
    loop_open(5000);
    m = remux_new(folder_path(&folder, "copy.nut"), true, true, why);
    receiver_start(&frames, LOOP_APP, RECORD_VIDEO, m);
    hawser_close(LOOP_DEVICE, 10);
    receiver_join(&frames);
    CHECK("its code", frames.code == -110 && !frames.complete && frames.why[0]);
    CHECK("and no file", remux_finish(m));
    remux_free(m);
    loop_end();
    folder_deinit(&folder);
}

TEST(what_cannot_be_opened_is_said)
{
    char why[SOURCE_WHY_MAX];
    struct source *s;
    const char *text;

    folder_init(&folder);
    text = folder_path(&folder, "text");
    folder_write(&folder, "text", bytes_of_string("no media at all"));
    CHECK("no such file", source_open(&s, "/nonexistent", RECORD_VIDEO, why) == SOURCE_FAILED);
    CHECK("which and why", strcmp(why, "/nonexistent: No such file or directory") == 0 && !s);
    CHECK("no media", source_open(&s, text, RECORD_VIDEO, why) == SOURCE_FAILED);
    CHECK("no such folder", !remux_new("/nonexistent/x.mp4", true, true, why));
    CHECK("which", strstr(why, "/nonexistent/x.mp4"));
    CHECK("no such container", !remux_new(text, true, true, why));
    folder_deinit(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST_ROW(every_unit_arrives_unchanged),
                                        TEST_ROW(a_stopped_stream_says_where_it_stopped),
                                        TEST_ROW(a_session_that_dies_is_no_complete_stream),
                                        TEST_ROW(what_cannot_be_opened_is_said) };

    av_log_set_level(AV_LOG_QUIET); /* the made-up units are no real video */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
