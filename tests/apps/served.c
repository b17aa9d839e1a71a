#include "apps/common/served.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/apps/support/folder.h"
#include "tests/check.h"

/* inside/ is served; outside.txt lies beside it, and links in inside/ point to it. */
static struct folder around;
static int inside;

static void set_up(void)
{
    folder_init(&around);
    folder_write(&around, "outside.txt", bytes_of("secret", 6));
    folder_make(&around, "inside");
    folder_make(&around, "inside/below");
    folder_write(&around, "inside/a.txt", bytes_of("abc", 3));
    folder_write(&around, "inside/below/b.txt", bytes_of("b", 1));
    CHECK("links", !symlinkat("../outside.txt", around.fd, "inside/link.txt") &&
                       !symlinkat("..", around.fd, "inside/up"));
    CHECK("pipe", !mkfifoat(around.fd, "inside/pipe", 0600));
    inside = openat(around.fd, "inside", O_RDONLY);
}

static void tear_down(void)
{
    close(inside);
    folder_deinit(&around);
}

TEST(only_files_inside_are_opened)
{
    static const struct {
        const char *claim, *path;
        bool ok;
    } rows[] = {
        { "a file", "a.txt", true },
        { "one below", "below/b.txt", true },
        { "none there", "c.txt", false },
        { "a directory", "below", false },
        { "a link that leads out", "link.txt", false },
        { "through a link to a directory", "up/outside.txt", false },
        { "up", "../outside.txt", false },
        { "a pipe, without waiting", "pipe", false },
        { "through a file", "a.txt/b", false },
    };

    set_up();
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t size = 0;
        int fd = served_open(inside, rows[i].path, &size);

        CHECK(rows[i].claim, (fd >= 0) == rows[i].ok);
        CHECK("its size", fd < 0 || size == (i == 0 ? 3 : 1));
        if (fd >= 0)
            close(fd);
    }
    tear_down();
}

TEST(an_upload_appears_when_it_is_whole)
{
    struct served_put put, other;

    set_up();
    CHECK("opened", !served_put_open(&put, inside, "below/new.txt") && put.held == 0);
    CHECK("only once at a time",
          served_put_open(&other, inside, "below/new.txt") && errno == EWOULDBLOCK);
    CHECK("written", write(put.fd, "new", 3) == 3);
    served_put_close(&put);
    CHECK("not there yet", !folder_holds(&around, "inside/below/new.txt", bytes_of("new", 3)));
    CHECK("again", !served_put_open(&put, inside, "below/new.txt"));
    CHECK("what was sent before counts", put.held == 3);
    CHECK("finished", !served_put_finish(&put));
    served_put_close(&put);
    CHECK("there", folder_holds(&around, "inside/below/new.txt", bytes_of("new", 3)));
    tear_down();
}

static struct served_put *ends_first;

/* In place of libc's: an upload that ends between another's open and lock. */
int flock(int fd, int operation)
{
    struct served_put *put = ends_first;

    ends_first = NULL;
    if (put) {
        CHECK("the first is finished", !served_put_finish(put));
        served_put_close(put);
    }
    return (int)syscall(SYS_flock, fd, operation);
}

TEST(an_upload_does_not_write_into_what_another_has_finished)
{
    struct served_put first, second;

    set_up();
    CHECK("the first", !served_put_open(&first, inside, "new.txt"));
    CHECK("is written", write(first.fd, "whole", 5) == 5);
    ends_first = &first;
    CHECK("the second is told to wait",
          served_put_open(&second, inside, "new.txt") && errno == EWOULDBLOCK);
    CHECK("the first's is there", folder_holds(&around, "inside/new.txt", bytes_of("whole", 5)));
    CHECK("and now it is the second's turn",
          !served_put_open(&second, inside, "new.txt") && second.held == 0);
    served_put_close(&second);
    tear_down();
}

TEST(a_discarded_upload_leaves_nothing)
{
    struct served_put put;

    set_up();
    CHECK("opened", !served_put_open(&put, inside, "x"));
    served_put_discard(&put);
    served_put_close(&put);
    CHECK("gone", faccessat(inside, "x" SERVED_PARTIAL, F_OK, 0));
    CHECK("anew", !served_put_open(&put, inside, "x") && put.held == 0);
    served_put_close(&put);
    tear_down();
}

TEST(an_upload_cannot_leave)
{
    static const struct {
        const char *claim, *path;
    } rows[] = {
        { "up", "../x" },
        { "absolute", "/tmp/x" },
        { "through a link", "up/x" },
        { "into a directory that is not there", "none/x" },
        { "under the name of a partial", "x" SERVED_PARTIAL },
    };
    struct served_put put;

    set_up();
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, served_put_open(&put, inside, rows[i].path));
    CHECK("a link in the partial's place",
          !symlinkat("../outside.txt", inside, "y" SERVED_PARTIAL) &&
              served_put_open(&put, inside, "y"));
    CHECK("untouched", folder_holds(&around, "outside.txt", bytes_of("secret", 6)));
    tear_down();
}

TEST(lists_tell_files_and_directories)
{
    bool more;
    json_t *list;
    size_t files = 0, directories = 0;

    set_up();
    list = served_list(inside, "", 10, &more);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *kind = json_string_value(json_object_get(json_array_get(list, i), "kind"));

        files += strcmp(kind, "file") == 0;
        directories += strcmp(kind, "directory") == 0;
    }
    CHECK("one of each, no link, no pipe", files == 1 && directories == 1 && !more);
    json_decref(list);
    list = served_list(inside, ".", 1, &more);
    CHECK("the rest is mentioned", json_array_size(list) == 1 && more);
    json_decref(list);
    list = served_list(inside, "below", 10, &more);
    CHECK("below", json_array_size(list) == 1);
    json_decref(list);
    CHECK("through a link", !served_list(inside, "up", 10, &more));
    CHECK("up", !served_list(inside, "..", 10, &more));
    tear_down();
}

TESTS(TEST_ROW(only_files_inside_are_opened), TEST_ROW(an_upload_appears_when_it_is_whole),
      TEST_ROW(an_upload_does_not_write_into_what_another_has_finished),
      TEST_ROW(a_discarded_upload_leaves_nothing), TEST_ROW(an_upload_cannot_leave),
      TEST_ROW(lists_tell_files_and_directories))
