/* The frames of bench runs, and the device's end against apps that do not play by the rules. */
#include "apps/common/bench.h"

#include <stdlib.h>

#include "apps/common/bench_serve.h"
#include "apps/common/control.h"
#include "hawser/device.h"
#include "tests/apps/support/loop.h"
#include "tests/check.h"
#include "tests/support/hex.h"

enum { QUEUE = 300000, PATIENCE_MS = 20000 };

/* ---- Frames ---------------------------------------------------------------------------------- */

static const struct {
    const char *claim, *hex;
    enum bench_kind kind; /* of the first frame that is no load; BENCH_NONE: there is none */
    bool is_malformed;
    uint64_t filled;
} rows[] = {
    { "a ping", "00000003 02 abcd", BENCH_PING, false, 0 },
    { "a pong", "00000002 03 ab", BENCH_PONG, false, 0 },
    { "an end", "00000009 04 0000000000000007", BENCH_END, false, 0 },
    { "load", "00000004 01 000000", BENCH_NONE, false, 3 },
    { "load and then a ping", "00000004 01 000000 00000002 02 77", BENCH_PING, false, 3 },
    { "a part of a head", "000000", BENCH_NONE, false, 0 },
    { "a part of a ping", "00000003 02 ab", BENCH_NONE, false, 0 },
    { "a part of load counts", "00000004 01 0000", BENCH_NONE, false, 2 },
    { "no kind", "00000000 01", BENCH_NONE, true, 0 },
    { "kind 0", "00000002 00 00", BENCH_NONE, true, 0 },
    { "kind 5", "00000002 05 00", BENCH_NONE, true, 0 },
    { "kind 255", "00000002 ff 00", BENCH_NONE, true, 0 },
    { "an empty ping", "00000001 02", BENCH_NONE, true, 0 },
    { "empty load", "00000001 01", BENCH_NONE, true, 0 },
    { "an end of another length", "00000008 04 00000000000000", BENCH_NONE, true, 0 },
    { "the longest ping", "00001001 02", BENCH_NONE, false, 0 },
    { "a longer one", "00001002 02", BENCH_NONE, true, 0 },
    { "the longest load", "00100001 01", BENCH_NONE, false, 0 },
    { "longer load", "00100002 01", BENCH_NONE, true, 0 },
    { "a length of 32 bits", "ffffffff 01", BENCH_NONE, true, 0 },
};

/* The same however it is cut into pieces. */
TEST(frames)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t piece = 1; piece < 20; piece++) {
            uint8_t buf[64];
            struct bytes all = hex_decode(rows[i].hex, buf, sizeof buf);
            struct bench_reader r = { .have = 0 };
            struct bench_frame frame = { .kind = BENCH_NONE };
            bool is_sound = true;

            for (size_t at = 0; is_sound && at < all.len && frame.kind == BENCH_NONE; at += piece) {
                size_t n = all.len - at < piece ? all.len - at : piece;
                struct bytes some = bytes_of(all.data + at, n);

                is_sound = bench_read(&r, &some, &frame);
            }
            CHECK(rows[i].claim, is_sound == !rows[i].is_malformed);
            CHECK(rows[i].claim, frame.kind == rows[i].kind);
            CHECK(rows[i].claim, r.filled == rows[i].filled);
        }
}

/* ---- The device ------------------------------------------------------------------------------ */

static json_t *request(int seconds, const char *channels, const char *fill)
{
    json_t *members = json_pack("{si so so}", "seconds", seconds, "channels",
                                json_loads(channels, 0, NULL), "fill", json_loads(fill, 0, NULL));

    CHECK("made", members != NULL);
    return members;
}

/* What the device answers, as text; "-" and why when it refuses. */
static char *start(struct bench_serve *s, int seconds, const char *channels, const char *fill)
{
    json_t *members = request(seconds, channels, fill), *result;
    const char *why = NULL;
    char *text;

    result = bench_serve_start(s, members, &why);
    text = result ? json_dumps(result, JSON_COMPACT) : NULL;
    if (!result && asprintf(&text, "-%s", why) < 0)
        abort();
    json_decref(result);
    json_decref(members);
    return text;
}

static bool starts(struct bench_serve *s, int seconds, const char *channels, const char *fill,
                   const char *wanted)
{
    char *text = start(s, seconds, channels, fill);
    bool is_so = strcmp(text, wanted) == 0;

    if (!is_so)
        print_error("%s\n", text);
    free(text);
    return is_so;
}

/* The app's side of a channel. */
struct app {
    struct bench_writer out;
    struct bench_reader in;
    uint8_t data[4096];
    struct bytes rest;
};

static struct app *app_open(int channel)
{
    struct app *a = calloc(1, sizeof *a);

    bench_writer_init(&a->out, LOOP_APP, channel);
    return a;
}

static void app_close(struct app *a)
{
    bench_writer_deinit(&a->out);
    free(a);
}

static struct bench_frame app_reads(struct app *a)
{
    struct bench_frame frame = { .kind = BENCH_NONE };

    for (;;) {
        int got;

        CHECK("sound", bench_read(&a->in, &a->rest, &frame));
        if (frame.kind != BENCH_NONE)
            return frame;
        got = hawser_recv_data(LOOP_APP, a->out.channel, a->data, sizeof a->data, PATIENCE_MS);
        if (got <= 0)
            return frame;
        a->rest = bytes_of(a->data, (size_t)got);
    }
}

/* Some load of the device has come; there is no frame before that. */
static bool app_feels_load(struct app *a)
{
    struct bench_frame frame;
    int got = hawser_recv_data(LOOP_APP, a->out.channel, a->data, sizeof a->data, PATIENCE_MS);

    a->rest = bytes_of(a->data, got > 0 ? (size_t)got : 0);
    return bench_read(&a->in, &a->rest, &frame) && frame.kind == BENCH_NONE && a->in.filled > 0;
}

static int64_t result_of(struct bench_serve *s, size_t lane, const char *name)
{
    const char *why = NULL;
    json_t *result = bench_serve_result(s, NULL, &why);
    int64_t number =
        control_number(json_array_get(json_object_get(result, "channels"), lane), name, -1);

    json_decref(result);
    return number;
}

TEST(a_run_answers_pings_counts_load_and_sends_its_own)
{
    struct bench_serve s;
    struct app *ping = app_open(3), *load = app_open(5);
    struct bench_frame frame;
    uint64_t sent;

    loop_open(QUEUE);
    bench_serve_init(&s, LOOP_DEVICE, 0xfe);
    CHECK("no result before", result_of(&s, 0, "sent") == -1);
    CHECK("started", starts(&s, 1, "[3,5]", "[5]", "{\"channels\":[3,5]}"));
    CHECK("busy", bench_serve_is_busy(&s));
    CHECK("one at a time", starts(&s, 1, "[3]", "[]", "-a bench run of this session is under way"));
    CHECK("asked", bench_write(&ping->out, BENCH_PING, bytes_of("12345", 5), PATIENCE_MS) == 0);
    frame = app_reads(ping);
    CHECK("answered", frame.kind == BENCH_PONG && bytes_equal(frame.body, bytes_of("12345", 5)));
    CHECK("load comes", app_feels_load(load));
    CHECK("load goes", bench_write_fill(&load->out, PATIENCE_MS) == 0);
    CHECK("enough", bench_write_end(&ping->out, PATIENCE_MS) == 0);
    CHECK("enough", bench_write_end(&load->out, PATIENCE_MS) == 0);
    CHECK("it says so too", app_reads(ping).kind == BENCH_END);
    frame = app_reads(load);
    CHECK("and there", frame.kind == BENCH_END);
    sent = rd_uint(&(struct rd){ frame.body.data, frame.body.data + frame.body.len, true }, 8);
    CHECK("all that it sent has come", frame.kind == BENCH_END && load->in.filled == sent);
    CHECK("it counted ours", result_of(&s, 1, "received") == (int64_t)load->out.filled);
    CHECK("the channels are free", !bench_serve_is_busy(&s));
    hawser_close(LOOP_DEVICE, 0);
    bench_serve_deinit(&s);
    app_close(ping);
    app_close(load);
    loop_end();
}

static const struct {
    const char *claim;
    int seconds;
    const char *channels, *fill, *answer;
} requests[] = {
    { "no time", 0, "[1]", "[]", "-\"seconds\" must be a number from 1 to 60" },
    { "less", -1, "[1]", "[]", "-\"seconds\" must be a number from 1 to 60" },
    { "too much", 61, "[1]", "[]", "-\"seconds\" must be a number from 1 to 60" },
    { "channels that there are not", 1, "[8,-1,99,1e9,\"1\",null,[1],{}]", "[]",
      "{\"channels\":[]}" },
    { "the control channel is not to be had", 1, "[0,1]", "[0]", "{\"channels\":[1]}" },
    { "nor one that is in use", 1, "[4]", "[4]", "{\"channels\":[]}" },
    { "one twice is one", 1, "[2,2,2]", "[2]", "{\"channels\":[2]}" },
    { "no list", 1, "{}", "{\"1\":1}", "{\"channels\":[]}" },
};

TEST(requests_that_make_little_sense)
{
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct bench_serve s;

        loop_open(QUEUE);
        bench_serve_init(&s, LOOP_DEVICE, 0xef);
        CHECK(requests[i].claim, starts(&s, requests[i].seconds, requests[i].channels,
                                        requests[i].fill, requests[i].answer));
        hawser_close(LOOP_APP, 0);
        bench_serve_deinit(&s);
        loop_end();
    }
}

TEST(nonsense_on_a_channel_ends_its_part_of_the_run)
{
    struct bench_serve s;
    struct app *a = app_open(6);

    loop_open(QUEUE);
    bench_serve_init(&s, LOOP_DEVICE, 0xfe);
    CHECK("started", starts(&s, 60, "[6]", "[]", "{\"channels\":[6]}"));
    CHECK("nonsense", hawser_send_data(LOOP_APP, 6, "\0\0\0\2\7\7", 6, 0) == 6);
    CHECK("it says its last word", app_reads(a).kind == BENCH_END);
    CHECK("and is over", result_of(&s, 0, "received") == 0);
    hawser_close(LOOP_APP, 0);
    bench_serve_deinit(&s);
    app_close(a);
    loop_end();
}

/* Last, as it uses up what the process allows in a minute. */
TEST(runs_are_one_at_a_time_and_not_too_many)
{
    struct bench_serve s[2];
    unsigned started = 0;

    loop_open(QUEUE);
    for (int i = 0; i < 2; i++)
        bench_serve_init(&s[i], LOOP_DEVICE, 0xfe);
    for (unsigned i = 0; i < 100; i++) {
        char *text = start(&s[0], 60, "[1]", "[]");

        started += *text == '{';
        if (*text == '{')
            CHECK("no other session meanwhile",
                  starts(&s[1], 1, "[2]", "[]", "-another bench run is under way"));
        else
            CHECK("why not", strcmp(text, "-too many bench runs in a minute: wait a little") == 0);
        bench_serve_deinit(&s[0]);
        bench_serve_init(&s[0], LOOP_DEVICE, 0xfe);
        free(text);
    }
    CHECK("some were", started > 0);
    CHECK("a few", started <= 12);
    hawser_close(LOOP_APP, 0);
    bench_serve_deinit(&s[1]);
    loop_end();
}

TESTS(TEST_ROW(frames), TEST_ROW(a_run_answers_pings_counts_load_and_sends_its_own),
      TEST_ROW(requests_that_make_little_sense),
      TEST_ROW(nonsense_on_a_channel_ends_its_part_of_the_run),
      TEST_ROW(runs_are_one_at_a_time_and_not_too_many))
