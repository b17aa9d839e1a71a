/* A camera's session, as an app meets it that says all kinds of things. */
#include "apps/camera/camera.h"

#include <pthread.h>
#include <stdlib.h>

#include "apps/common/ask.h"
#include "apps/common/host.h"
#include "tests/apps/support/folder.h"
#include "tests/apps/support/loop.h"
#include "tests/check.h"

static struct folder folder;
static struct camera camera;
static struct host host;
static pthread_t session;

static void *serve(void *arg)
{
    (void)arg;
    camera_serve(&host, LOOP_DEVICE);
    return NULL;
}

static void set_up(void)
{
    folder_init(&folder);
    folder_write(&folder, "a", bytes_of("abc", 3));
    camera = (struct camera){ .source = "/nonexistent", .files = folder.fd, .file_max = 1000 };
    host = (struct host){ .serve = camera_serve, .ctx = &camera, .id = "hw1test" };
    loop_open(200000);
    pthread_create(&session, NULL, serve, NULL);
}

static void tear_down(void)
{
    hawser_close(LOOP_APP, 0);
    pthread_join(session, NULL);
    loop_end();
    folder_deinit(&folder);
}

TEST(every_line_is_answered)
{
    static const struct {
        const char *claim, *line, *reply; /* part of it */
    } rows[] = {
        { "ping", "{\"id\":1,\"op\":\"ping\"}", "{\"id\":1,\"ok\":true}" },
        { "info", "{\"id\":2,\"op\":\"info\"}", "\"id\":2" },
        { "not JSON", "ping", "\"id\":0" },
        { "not JSON: why", "ping", "\"error\":\"not a JSON object on one line\"" },
        { "an empty line", "", "\"ok\":false" },
        { "binary", "\x01\x80\xff", "\"ok\":false" },
        { "no such operation", "{\"id\":3,\"op\":\"fly\"}", "\"error\":\"no such operation\"" },
        { "a source that is gone", "{\"id\":4,\"op\":\"start_stream\"}",
          "/nonexistent: No such file or directory" },
        { "nothing to stop", "{\"id\":5,\"op\":\"stop_stream\"}", "{\"id\":5,\"ok\":true}" },
        { "list", "{\"id\":6,\"op\":\"list\"}", "{\"name\":\"a\",\"size\":3,\"kind\":\"file\"}" },
        { "list out", "{\"id\":7,\"op\":\"list\",\"path\":\"..\"}", "not the path of a served" },
        { "get nothing", "{\"id\":8,\"op\":\"get\"}", "not the path of a served file" },
        { "path is a number", "{\"id\":9,\"op\":\"get\",\"path\":1}", "not the path of a served" },
        { "put without size", "{\"id\":10,\"op\":\"put\",\"path\":\"b\"}",
          "\\\"size\\\" is missing" },
        { "a negative size", "{\"id\":11,\"op\":\"put\",\"path\":\"b\",\"size\":-1}",
          "is missing" },
        { "too large", "{\"id\":12,\"op\":\"put\",\"path\":\"b\",\"size\":1001}", "larger than" },
        { "get", "{\"id\":13,\"op\":\"get\",\"path\":\"a\",\"offset\":-7}", "\"offset\":0" },
        { "another while one is open", "{\"id\":14,\"op\":\"get\",\"path\":\"a\"}", "under way" },
    };
    struct flow f;

    set_up();
    flow_init(&f, LOOP_APP, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes reply = bytes_of("", 0);

        flow_send(LOOP_APP, 0, bytes_of_string(rows[i].line), 1000);
        flow_send(LOOP_APP, 0, bytes_of("\n", 1), 1000);
        CHECK("a reply", flow_next_line(&f, CONTROL_LINE_MAX, 10000, &reply) == 0);
        CHECK(rows[i].claim, memmem(reply.data, reply.len, rows[i].reply, strlen(rows[i].reply)));
    }
    flow_deinit(&f);
    tear_down();
}

TEST(a_line_without_end_ends_the_session)
{
    char *line = malloc(CONTROL_LINE_MAX + 1);
    char end;

    set_up();
    memset(line, 'x', CONTROL_LINE_MAX + 1);
    flow_send(LOOP_APP, 0, bytes_of(line, CONTROL_LINE_MAX + 1), 1000);
    CHECK("closed by the application", hawser_recv_data(LOOP_APP, 0, &end, 1, 10000) == -109);
    free(line);
    tear_down();
}

TEST(what_passes_through_comes_back)
{
    struct flow f;
    struct bytes line = bytes_of("", 0);

    set_up();
    flow_init(&f, LOOP_APP, 4);
    flow_send(LOOP_APP, 4, bytes_of("hello\n", 6), 1000);
    CHECK("a line", flow_next_line(&f, 100, 10000, &line) == 0);
    CHECK("the same", bytes_equal(line, bytes_of("hello", 5)));
    flow_deinit(&f);
    tear_down();
}

TEST(an_app_that_leaves_in_the_middle_leaves_nothing_behind)
{
    struct ask ask;
    struct control_reply reply;

    set_up();
    ask_init(&ask, LOOP_APP);
    CHECK("put begins",
          !ask_for(&ask, "put", json_pack("{sssi}", "path", "b", "size", 100), &reply));
    CHECK("agreed", reply.ok);
    control_deinit_reply(&reply);
    ask_deinit(&ask);
    tear_down(); /* joins the session's thread, and with it every other */
}

TESTS(TEST_ROW(every_line_is_answered), TEST_ROW(a_line_without_end_ends_the_session),
      TEST_ROW(what_passes_through_comes_back),
      TEST_ROW(an_app_that_leaves_in_the_middle_leaves_nothing_behind))
