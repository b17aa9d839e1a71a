#include "apps/common/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "apps/common/channels.h"
#include "apps/common/control.h"
#include "hawser/hawser.h"

enum { LIST_MAX = 200, GRACE_S = 2 };

void exchange_init(struct exchange *x, int handle, int dir, uint64_t size_max)
{
    *x = (struct exchange){ .dir = dir, .size_max = size_max };
    flow_init(&x->files, handle, CHANNEL_FILES);
}

static void join(struct exchange *x)
{
    if (x->has_thread)
        pthread_join(x->thread, NULL);
    x->has_thread = false;
}

void exchange_deinit(struct exchange *x)
{
    join(x);
    flow_deinit(&x->files);
}

/* Why a file cannot be had, without telling what lies outside of the served directory. */
static const char *why_of_errno(int error)
{
    static const struct {
        int error;
        const char *why;
    } rows[] = {
        { ENOENT, "no such file" },
        { ENOTDIR, "no such file" },
        { ELOOP, "no such file" },
        { EINVAL, "not the path of a served file" },
        { ENAMETOOLONG, "not the path of a served file" },
        { EACCES, "permission denied" },
        { EROFS, "read-only" },
        { ENOSPC, "the disk is full" },
        { EWOULDBLOCK, "the file is just being written by another session" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].error == error)
            return rows[i].why;
    return "the file cannot be opened";
}

json_t *exchange_list(struct exchange *x, const json_t *request, const char **why)
{
    json_t *entries;
    bool more;

    if (x->dir < 0) {
        *why = "no files are served";
        return NULL;
    }
    entries = served_list(x->dir, control_text(request, "path", ""), LIST_MAX, &more);
    if (entries)
        return json_pack("{sosb}", "entries", entries, "more", more);
    *why = why_of_errno(errno);
    return NULL;
}

/* Whether a transfer can start now. The last one may be over for the app and not yet for its
 * thread here, whose last frame is still on its way or just read: that much is waited for. */
static bool is_ready(struct exchange *x, const char **why)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until); /* what pthread_timedjoin_np() goes by */
    until.tv_sec += GRACE_S;
    if (x->has_thread && pthread_timedjoin_np(x->thread, NULL, &until) == 0)
        x->has_thread = false;
    if (x->dir < 0)
        *why = "no files are served";
    else if (x->has_thread)
        *why = "another transfer of this session is under way";
    return x->dir >= 0 && !x->has_thread;
}

bool exchange_is_busy(const struct exchange *x)
{
    return x->has_thread && !atomic_load(&x->is_over);
}

static void *run_get(void *arg)
{
    struct exchange *x = arg;

    transfer_send(&x->t);
    transfer_deinit(&x->t);
    close(x->t.fd);
    atomic_store(&x->is_over, true);
    return NULL;
}

static void *run_put(void *arg)
{
    struct exchange *x = arg;
    int error = transfer_receive(&x->t);

    if (x->t.damaged)
        served_put_discard(&x->put);
    if (!error && served_put_finish(&x->put)) {
        error = TRANSFER_FAILED;
        snprintf(x->t.why, sizeof x->t.why, "cannot be stored: %s", strerror(errno));
    }
    if (error >= 0)
        transfer_answer(&x->t, error ? x->t.why : NULL);
    transfer_deinit(&x->t);
    served_put_close(&x->put);
    atomic_store(&x->is_over, true);
    return NULL;
}

static bool launch(struct exchange *x, void *(*run)(void *))
{
    atomic_store(&x->is_over, false);
    x->has_thread = pthread_create(&x->thread, NULL, run, x) == 0;
    return x->has_thread;
}

/* If the app has the first `offset` bytes already and they are the same, the rest is enough. */
static int skip_what_is_there(struct transfer *t, const json_t *request)
{
    int64_t offset = control_number(request, "offset", 0);
    char prefix[2 * FILES_HASH_BYTES + 1];

    if (offset <= 0 || (uint64_t)offset > t->size)
        return 0;
    if (transfer_skip(t, (uint64_t)offset, prefix))
        return -1;
    return strcmp(prefix, control_text(request, "prefix", "")) ? transfer_rewind(t) : 0;
}

json_t *exchange_get(struct exchange *x, const json_t *request, const char **why)
{
    struct transfer *t = &x->t;
    uint64_t size = 0;
    json_t *result;
    int fd;

    if (!is_ready(x, why))
        return NULL;
    fd = served_open(x->dir, control_text(request, "path", ""), &size);
    if (fd < 0) {
        *why = why_of_errno(errno);
        return NULL;
    }
    *why = "the file cannot be read";
    if (!transfer_init(t, &x->files, ++x->number, fd, size) && !skip_what_is_there(t, request)) {
        result = json_pack("{sIsIsI}", "transfer", (json_int_t)x->number, "size", (json_int_t)size,
                           "offset", (json_int_t)t->at);
        if (launch(x, run_get))
            return result;
        json_decref(result);
    }
    transfer_deinit(t);
    close(fd);
    return NULL;
}

static bool start_put(struct exchange *x, uint64_t size, char prefix[2 * FILES_HASH_BYTES + 1])
{
    struct served_put *p = &x->put;
    struct transfer *t = &x->t;

    if (transfer_init(t, &x->files, ++x->number, p->fd, size))
        return false;
    if (p->held > size) { /* of another file of that name */
        if (ftruncate(p->fd, 0))
            return false;
        p->held = 0;
    }
    return !transfer_skip(t, p->held, prefix);
}

json_t *exchange_put(struct exchange *x, const json_t *request, const char **why)
{
    int64_t size = control_number(request, "size", -1);
    char prefix[2 * FILES_HASH_BYTES + 1];
    json_t *result;

    if (!is_ready(x, why))
        return NULL;
    if (size < 0 || (uint64_t)size > x->size_max) {
        *why = size < 0 ? "\"size\" is missing" : "the file is larger than this device takes";
        return NULL;
    }
    if (served_put_open(&x->put, x->dir, control_text(request, "path", ""))) {
        *why = why_of_errno(errno);
        return NULL;
    }
    *why = "the file cannot be written";
    if (start_put(x, (uint64_t)size, prefix)) {
        result = json_pack("{sIsIss}", "transfer", (json_int_t)x->number, "offset",
                           (json_int_t)x->t.at, "prefix", prefix);
        if (launch(x, run_put))
            return result;
        json_decref(result);
    }
    transfer_deinit(&x->t);
    served_put_close(&x->put);
    return NULL;
}
