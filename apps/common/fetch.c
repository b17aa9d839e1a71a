#include "apps/common/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/common/clock.h"
#include "apps/common/say.h"
#include "apps/common/served.h"
#include "apps/common/stop.h"
#include "hawser/hawser.h"

static void on_moved(void *ctx, uint64_t at)
{
    struct fetch *f = ctx;

    if (f->moved)
        f->moved(f->ctx, at, f->size);
}

/* A local regular file; -1 when it is something else, said. */
static int open_local(const char *path, int flags, uint64_t *size)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    struct stat st;

    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
        *size = (uint64_t)st.st_size;
        return fd;
    }
    say_error("%s: %s", path, fd < 0 ? strerror(errno) : "not a regular file");
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_offset_ok(int64_t offset, uint64_t held)
{
    return offset == 0 || (offset > 0 && (uint64_t)offset == held);
}

/* Tells the device what is here already; the device tells where it begins. */
static int agree_get(struct fetch *f, struct transfer *t, uint64_t held)
{
    char prefix[2 * FILES_HASH_BYTES + 1];
    int64_t offset, size;
    json_t *reply;

    if (transfer_skip(t, held, prefix))
        return say_error("%s" SERVED_PARTIAL ": cannot be read", f->local);
    reply = ask_or_say(
        f->ask, f->remote, "get",
        json_pack("{sssIss}", "path", f->remote, "offset", (json_int_t)held, "prefix", prefix));
    if (!reply)
        return EXIT_CODE_FAILED;
    offset = control_number(reply, "offset", -1);
    size = control_number(reply, "size", -1);
    t->number = (uint32_t)control_number(reply, "transfer", 0);
    json_decref(reply);
    if (size < 0 || offset > size || !is_offset_ok(offset, held))
        return say_error("%s: the device's answer makes no sense", f->remote);
    t->size = f->size = (uint64_t)size;
    f->resumed = (uint64_t)offset;
    if (held && !offset && (ftruncate(t->fd, 0) || transfer_rewind(t)))
        return say_error("%s" SERVED_PARTIAL ": cannot be emptied", f->local);
    return EXIT_CODE_OK;
}

static int say_transfer(const struct transfer *t, const char *name, int error)
{
    if (error == TRANSFER_FAILED)
        return say_error("%s: %s", name, t->why);
    if (error == HAWSER_ERR_CLOSED_LOCALLY && stop_asked())
        return say_error("%s: interrupted; the same command goes on where it was", name);
    return error ? say_failure(error, "%s", name) : EXIT_CODE_OK;
}

static int receive_into_place(struct fetch *f, struct transfer *t, const char *partial)
{
    int error = transfer_receive(t);

    if (!error && rename(partial, f->local)) {
        error = TRANSFER_FAILED;
        snprintf(t->why, sizeof t->why, "cannot be put in its place: %s", strerror(errno));
    }
    if (t->damaged)
        unlink(partial);
    if (!error)
        error = transfer_answer(t, NULL);
    else if (error == TRANSFER_FAILED)
        transfer_answer(t, t->why);
    return say_transfer(t, f->remote, error);
}

static void finish(struct fetch *f, struct transfer *t, usec began_at, int code)
{
    f->spent_us = clock_now() - began_at;
    if (!code) /* only a whole file has one */
        files_hash_to_hex(t->digest, f->hash);
    transfer_deinit(t);
    close(t->fd);
}

int fetch_get(struct fetch *f)
{
    char partial[PATH_MAX];
    struct transfer t;
    uint64_t held = 0;
    usec began_at = clock_now();
    struct stat st;
    int fd, code;

    if (!stat(f->local, &st) && !S_ISREG(st.st_mode))
        return say_error("%s: exists and is not a regular file; give a file's name", f->local);
    if (snprintf(partial, sizeof partial, "%s" SERVED_PARTIAL, f->local) >= (int)sizeof partial)
        return say_error("%s: too long a name", f->local);
    fd = open_local(partial, O_RDWR | O_CREAT | O_NOFOLLOW, &held);
    if (fd < 0)
        return EXIT_CODE_FAILED;
    if (transfer_init(&t, f->files, 0, fd, held)) {
        code = say_failure(HAWSER_ERR_NO_MEMORY, "%s", f->remote);
    } else {
        code = agree_get(f, &t, held);
        t.moved = on_moved;
        t.ctx = f;
        if (!code)
            code = receive_into_place(f, &t, partial);
        if (code && !t.at)
            unlink(partial);
    }
    finish(f, &t, began_at, code);
    return code;
}

/* The device tells what it has already; if the local file begins the same, only the rest goes. */
static int agree_put(struct fetch *f, struct transfer *t)
{
    json_t *reply = ask_or_say(f->ask, f->remote, "put",
                               json_pack("{sssI}", "path", f->remote, "size", (json_int_t)t->size));
    int64_t held = control_number(reply, "offset", -1);
    char prefix[2 * FILES_HASH_BYTES + 1] = "";
    int error = 0;

    if (!reply)
        return EXIT_CODE_FAILED;
    t->number = (uint32_t)control_number(reply, "transfer", 0);
    if (held > 0 && (uint64_t)held <= t->size) {
        error = transfer_skip(t, (uint64_t)held, prefix);
        if (!error && strcmp(prefix, control_text(reply, "prefix", "")))
            error = transfer_rewind(t);
    }
    json_decref(reply);
    f->resumed = t->at;
    return error ? say_error("%s: cannot be read", f->local) : EXIT_CODE_OK;
}

int fetch_put(struct fetch *f)
{
    usec began_at = clock_now();
    int fd = open_local(f->local, O_RDONLY, &f->size), code;
    struct transfer t;

    if (fd < 0)
        return EXIT_CODE_FAILED;
    if (transfer_init(&t, f->files, 0, fd, f->size)) {
        code = say_failure(HAWSER_ERR_NO_MEMORY, "%s", f->local);
    } else {
        code = agree_put(f, &t);
        t.moved = on_moved;
        t.ctx = f;
        if (!code)
            code = say_transfer(&t, f->remote, transfer_send(&t));
    }
    finish(f, &t, began_at, code);
    return code;
}

json_t *fetch_json(const struct fetch *f)
{
    return json_pack("{sssssIsIsIss}", "remote", f->remote, "local", f->local, "size",
                     (json_int_t)f->size, "resumed", (json_int_t)f->resumed, "spent_us",
                     (json_int_t)f->spent_us, "sha256", f->hash);
}
