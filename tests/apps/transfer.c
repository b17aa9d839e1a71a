/* get and put, both ends: fetch.h on the app's side, exchange.h on the device's. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/common/exchange.h"
#include "apps/common/fetch.h"
#include "apps/common/say.h"
#include "apps/common/served.h"
#include "hawser/device.h"
#include "tests/apps/support/folder.h"
#include "tests/apps/support/loop.h"
#include "tests/check.h"

enum { SIZE = 500001, HALF = 200000, LIMIT = 1 << 20 };

static struct folder device, app;
static struct exchange exchange;
static struct ask ask_device;
static struct flow files;
static pthread_t control;
static uint8_t content[SIZE];

/* Channel 0 of the device, as far as files need it. */
static void *serve(void *arg)
{
    struct flow f;
    struct bytes line;

    (void)arg;
    flow_init(&f, LOOP_DEVICE, 0);
    while (!flow_next_line(&f, CONTROL_LINE_MAX, 10000, &line)) {
        struct control_request r;
        const char *why = control_decode_request(&r, line);
        json_t *result = NULL;
        char *reply;

        CHECK("a good request", !why);
        result = strcmp(r.op, "get") ? exchange_put(&exchange, r.members, &why)
                                     : exchange_get(&exchange, r.members, &why);
        reply = result ? control_encode_result(r.id, result) : control_encode_error(r.id, why);
        CHECK("answered", !flow_send(LOOP_DEVICE, 0, bytes_of_string(reply), 10000));
        free(reply);
        control_deinit_request(&r);
    }
    flow_deinit(&f);
    return NULL;
}

static void set_up(void)
{
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 2654435761u >> 13);
    folder_init(&device);
    folder_init(&app);
    loop_open(3000);
    exchange_init(&exchange, LOOP_DEVICE, device.fd, LIMIT);
    ask_init(&ask_device, LOOP_APP);
    flow_init(&files, LOOP_APP, 5);
    pthread_create(&control, NULL, serve, NULL);
}

static void tear_down(void)
{
    hawser_close(LOOP_DEVICE, 9);
    pthread_join(control, NULL);
    exchange_deinit(&exchange);
    flow_deinit(&files);
    ask_deinit(&ask_device);
    loop_end();
    folder_deinit(&app);
    folder_deinit(&device);
}

static struct fetch fetch_of(const char *remote, const char *local)
{
    return (struct fetch){
        .ask = &ask_device, .files = &files, .remote = remote, .local = folder_path(&app, local)
    };
}

TEST(get_brings_the_file)
{
    struct fetch f, empty;

    set_up();
    folder_write(&device, "a", bytes_of(content, SIZE));
    folder_write(&device, "empty", bytes_of(NULL, 0));
    f = fetch_of("a", "b");
    CHECK("done", fetch_get(&f) == EXIT_CODE_OK && f.size == SIZE && f.resumed == 0);
    CHECK("the same", folder_holds(&app, "b", bytes_of(content, SIZE)));
    CHECK("the partial is gone", faccessat(app.fd, "b" SERVED_PARTIAL, F_OK, 0));
    empty = fetch_of("empty", "c");
    CHECK("then an empty one", fetch_get(&empty) == EXIT_CODE_OK);
    CHECK("empty", folder_holds(&app, "c", bytes_of(NULL, 0)));
    CHECK("its hash", strncmp(empty.hash, "e3b0c44298fc1c14", 16) == 0);
    tear_down();
}

TEST(get_goes_on_where_it_was)
{
    struct fetch f;

    set_up();
    folder_write(&device, "a", bytes_of(content, SIZE));
    folder_write(&app, "b" SERVED_PARTIAL, bytes_of(content, HALF));
    f = fetch_of("a", "b");
    CHECK("done", fetch_get(&f) == EXIT_CODE_OK && f.resumed == HALF);
    CHECK("the same", folder_holds(&app, "b", bytes_of(content, SIZE)));

    folder_write(&app, "c" SERVED_PARTIAL, bytes_of(content + 1, HALF));
    f = fetch_of("a", "c");
    CHECK("of another file: anew", fetch_get(&f) == EXIT_CODE_OK && f.resumed == 0);
    CHECK("the same", folder_holds(&app, "c", bytes_of(content, SIZE)));

    folder_write(&device, "short", bytes_of(content, 10));
    folder_write(&app, "d" SERVED_PARTIAL, bytes_of(content, HALF));
    f = fetch_of("short", "d");
    CHECK("longer than the file: anew", fetch_get(&f) == EXIT_CODE_OK && f.resumed == 0);
    CHECK("the same", folder_holds(&app, "d", bytes_of(content, 10)));
    tear_down();
}

TEST(put_brings_the_file)
{
    struct fetch f;

    set_up();
    folder_write(&app, "b", bytes_of(content, SIZE));
    f = fetch_of("a", "b");
    CHECK("done", fetch_put(&f) == EXIT_CODE_OK && f.resumed == 0);
    CHECK("the same", folder_holds(&device, "a", bytes_of(content, SIZE)));
    tear_down();
}

TEST(put_goes_on_where_it_was)
{
    static const struct {
        const char *claim, *name;
        size_t from, len;
        uint64_t resumed;
    } rows[] = {
        { "the first part is there", "a", 0, HALF, HALF },
        { "all of it is there", "b", 0, SIZE, SIZE },
        { "a part of another file", "c", 1, HALF, 0 },
    };

    set_up();
    folder_write(&app, "local", bytes_of(content, SIZE));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fetch f = fetch_of(rows[i].name, "local");
        char partial[64];

        snprintf(partial, sizeof partial, "%s" SERVED_PARTIAL, rows[i].name);
        folder_write(&device, partial, bytes_of(content + rows[i].from, rows[i].len));
        CHECK(rows[i].claim, fetch_put(&f) == EXIT_CODE_OK && f.resumed == rows[i].resumed);
        CHECK("the same", folder_holds(&device, rows[i].name, bytes_of(content, SIZE)));
    }
    tear_down();
}

TEST(what_is_refused_leaves_nothing)
{
    struct fetch f;

    set_up();
    f = fetch_of("none", "b");
    CHECK("no such file", fetch_get(&f) == EXIT_CODE_FAILED);
    CHECK("nothing here", faccessat(app.fd, "b", F_OK, 0));
    CHECK("not even a partial", faccessat(app.fd, "b" SERVED_PARTIAL, F_OK, 0));
    f = fetch_of("../x", "b");
    CHECK("up", fetch_get(&f) == EXIT_CODE_FAILED);
    folder_write(&app, "big", bytes_of(content, SIZE));
    CHECK("as large as a device takes", ftruncate(openat(app.fd, "big", O_RDWR), LIMIT + 1) == 0);
    f = fetch_of("big", "big");
    CHECK("too large", fetch_put(&f) == EXIT_CODE_FAILED);
    f = fetch_of("x", "none");
    CHECK("no such file here", fetch_put(&f) == EXIT_CODE_FAILED);
    tear_down();
}

/* A sender that says one thing and does another; what the receiver makes of it. */
static int receive_from(const struct files_frame *frames, size_t count, uint64_t size,
                        struct transfer *t)
{
    struct flow in;
    uint8_t buf[4096];
    struct wr w = wr_of(buf, sizeof buf);
    int result, fd = openat(app.fd, "out", O_RDWR | O_CREAT | O_TRUNC, 0644);

    for (size_t i = 0; i < count; i++) {
        files_encode(&w, &frames[i]);
        if (frames[i].kind == FILES_DATA)
            wr_bytes(&w, frames[i].data);
    }
    loop_open(4096);
    flow_send(LOOP_DEVICE, 5, wr_written(&w), 1000);
    hawser_close(LOOP_DEVICE, 9);
    flow_init(&in, LOOP_APP, 5);
    transfer_init(t, &in, 1, fd, size);
    result = transfer_receive(t);
    transfer_deinit(t);
    flow_deinit(&in);
    close(fd);
    loop_end();
    return result;
}

TEST(a_false_sender_is_found_out)
{
    static const uint8_t zero[FILES_HASH_BYTES];
    const struct files_frame abc = { FILES_DATA, 1, 0, bytes_of("abc", 3) };
    const struct files_frame end = { FILES_END, 1, 3, bytes_of(zero, sizeof zero) };
    const struct files_frame gap = { FILES_DATA, 1, 4, bytes_of("d", 1) };
    const struct files_frame old = { FILES_DATA, 9, 50, bytes_of("old", 3) };
    const struct files_frame stop = { FILES_ABORT, 1, 0, bytes_of("enough", 6) };
    const struct files_frame done = { FILES_DONE, 1, 0, bytes_of(NULL, 0) };
    const struct {
        const char *claim;
        struct files_frame frames[3];
        size_t count;
        uint64_t size;
        int result;
        bool damaged;
    } rows[] = {
        { "a wrong hash", { abc, end }, 2, 3, TRANSFER_FAILED, true },
        { "an early end", { abc, end }, 2, 4, TRANSFER_FAILED, false },
        { "a gap", { abc, gap }, 2, 5, TRANSFER_FAILED, false },
        { "too much", { abc, end }, 2, 2, TRANSFER_FAILED, false },
        { "a stop", { abc, stop }, 2, 9, TRANSFER_FAILED, false },
        { "a receipt in place of data", { done }, 1, 9, TRANSFER_FAILED, false },
        { "an old transfer is passed over", { old, abc, end }, 3, 3, TRANSFER_FAILED, true },
        { "a session that ends", { abc }, 1, 9, -109, false },
    };

    folder_init(&app);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct transfer t;
        int result = receive_from(rows[i].frames, rows[i].count, rows[i].size, &t);

        CHECK(rows[i].claim, result == rows[i].result);
        CHECK("a reason is given", result < 0 || t.why[0]);
        CHECK("only a wrong hash spoils what is there", t.damaged == rows[i].damaged);
    }
    folder_deinit(&app);
}

TESTS(TEST_ROW(get_brings_the_file), TEST_ROW(get_goes_on_where_it_was),
      TEST_ROW(put_brings_the_file), TEST_ROW(put_goes_on_where_it_was),
      TEST_ROW(what_is_refused_leaves_nothing), TEST_ROW(a_false_sender_is_found_out))
