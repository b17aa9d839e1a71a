#include "apps/common/transfer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "apps/common/stop.h"
#include "hawser/hawser.h"

int transfer_init(struct transfer *t, struct flow *in, uint32_t number, int fd, uint64_t size)
{
    *t = (struct transfer){ .in = in, .number = number, .fd = fd, .size = size };
    t->hash = EVP_MD_CTX_new();
    return t->hash && EVP_DigestInit_ex(t->hash, EVP_sha256(), NULL) ? 0 : HAWSER_ERR_NO_MEMORY;
}

void transfer_deinit(struct transfer *t)
{
    EVP_MD_CTX_free(t->hash);
    t->hash = NULL;
}

static int fail(struct transfer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct transfer *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(t->why, sizeof t->why, format, args);
    va_end(args);
    return TRANSFER_FAILED;
}

static void advance(struct transfer *t, struct bytes data)
{
    EVP_DigestUpdate(t->hash, data.data, data.len);
    t->at += data.len;
    if (t->moved)
        t->moved(t->ctx, t->at);
}

/* The next bytes of the file, at most cap and at most up to `end`; none at its early end. */
static ssize_t read_next(struct transfer *t, uint8_t *buf, size_t cap, uint64_t end)
{
    size_t len = end - t->at < cap ? (size_t)(end - t->at) : cap;
    ssize_t got;

    do {
        got = pread(t->fd, buf, len, (off_t)t->at);
    } while (got < 0 && errno == EINTR);
    return got;
}

int transfer_skip(struct transfer *t, uint64_t len, char hex[2 * FILES_HASH_BYTES + 1])
{
    uint8_t *buf = malloc(FILES_DATA_MAX);
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    uint8_t digest[FILES_HASH_BYTES];
    bool good = buf && copy;

    while (good && t->at < len) {
        ssize_t got = read_next(t, buf, FILES_DATA_MAX, len);

        good = got > 0;
        if (good)
            advance(t, bytes_of(buf, (size_t)got));
    }
    good = good && EVP_MD_CTX_copy_ex(copy, t->hash) && EVP_DigestFinal_ex(copy, digest, NULL);
    if (good)
        files_hash_to_hex(digest, hex);
    EVP_MD_CTX_free(copy);
    free(buf);
    return good ? 0 : -1;
}

int transfer_rewind(struct transfer *t)
{
    t->at = 0;
    return EVP_DigestInit_ex(t->hash, EVP_sha256(), NULL) ? 0 : HAWSER_ERR_NO_MEMORY;
}

static int send_frame(struct transfer *t, const struct files_frame *f)
{
    uint8_t buf[FILES_HEAD_BYTES + FILES_TEXT_MAX];
    struct wr w = wr_of(buf, sizeof buf);

    files_encode(&w, f);
    return flow_send(t->in->handle, t->in->channel, wr_written(&w), TRANSFER_SILENCE_MS);
}

static int send_abort(struct transfer *t, const char *why)
{
    struct bytes text = bytes_of_string(why);

    if (text.len > FILES_TEXT_MAX)
        text.len = FILES_TEXT_MAX;
    return send_frame(
        t, &(struct files_frame){ .kind = FILES_ABORT, .transfer = t->number, .data = text });
}

/* The next frame of this transfer; those of an earlier, broken one are passed over. */
static int next_frame(struct transfer *t, int timeout_ms, struct files_frame *f)
{
    for (;;) {
        struct bytes body;
        int error = flow_next_frame(t->in, FILES_FRAME_MAX, timeout_ms, &body);
        const char *wrong = error ? NULL : files_decode(f, body);

        if (error == HAWSER_ERR_INVALID)
            wrong = "a file frame of impossible length";
        else if (error)
            return error;
        if (wrong)
            return fail(t, "the peer sent %s", wrong);
        if (f->transfer == t->number)
            return 0;
    }
}

static int peer_stopped(struct transfer *t, const struct files_frame *f)
{
    return fail(t, "the peer stopped it: %.*s", (int)f->data.len, (const char *)f->data.data);
}

/* Has the receiver had enough meanwhile? */
static int heed_abort(struct transfer *t)
{
    struct files_frame f;
    int error = next_frame(t, 0, &f);

    if (error == HAWSER_ERR_TIMEOUT)
        return 0;
    if (error)
        return error;
    if (f.kind != FILES_ABORT)
        return fail(t, "the peer sent a frame too early");
    error = send_abort(t, "as asked"); /* the receiver passes over all that comes before this */
    return error ? error : peer_stopped(t, &f);
}

static int send_data(struct transfer *t, uint8_t *buf)
{
    ssize_t got = read_next(t, buf + FILES_HEAD_BYTES, FILES_DATA_MAX, t->size);
    struct bytes data = bytes_of(buf + FILES_HEAD_BYTES, got > 0 ? (size_t)got : 0);
    struct wr w = wr_of(buf, FILES_HEAD_BYTES);
    int error;

    if (got <= 0) {
        send_abort(t, "the file changed or cannot be read");
        return fail(t, "the file changed or cannot be read");
    }
    files_encode(&w, &(struct files_frame){
                         .kind = FILES_DATA, .transfer = t->number, .at = t->at, .data = data });
    error = flow_send(t->in->handle, t->in->channel, bytes_of(buf, FILES_HEAD_BYTES + data.len),
                      TRANSFER_SILENCE_MS);
    if (!error)
        advance(t, data);
    return error ? error : heed_abort(t);
}

static int await_receipt(struct transfer *t)
{
    struct files_frame f;
    int error = next_frame(t, TRANSFER_SILENCE_MS, &f);

    if (error)
        return error;
    if (f.kind == FILES_ABORT)
        return peer_stopped(t, &f);
    return f.kind == FILES_DONE ? 0 : fail(t, "the peer sent something else than a receipt");
}

int transfer_send(struct transfer *t)
{
    uint8_t *buf = malloc(FILES_HEAD_BYTES + FILES_DATA_MAX);
    int error = buf ? 0 : HAWSER_ERR_NO_MEMORY;

    while (!error && t->at < t->size)
        error = stop_asked() ? HAWSER_ERR_CLOSED_LOCALLY : send_data(t, buf);
    free(buf);
    if (error)
        return error;
    EVP_DigestFinal_ex(t->hash, t->digest, NULL);
    error = send_frame(t, &(struct files_frame){ .kind = FILES_END,
                                                 .transfer = t->number,
                                                 .at = t->size,
                                                 .data = bytes_of(t->digest, sizeof t->digest) });
    return error ? error : await_receipt(t);
}

static int store(struct transfer *t, struct bytes data)
{
    while (data.len) {
        ssize_t done = pwrite(t->fd, data.data, data.len, (off_t)t->at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail(t, "cannot write: %s", strerror(errno));
        advance(t, bytes_of(data.data, (size_t)done));
        data = bytes_of(data.data + done, data.len - (size_t)done);
    }
    return 0;
}

static int take_data(struct transfer *t, const struct files_frame *f)
{
    if (t->at && f->at == 0) { /* the sender's file begins otherwise: all of it comes */
        int error = ftruncate(t->fd, 0) ? fail(t, "cannot truncate: %s", strerror(errno))
                                        : transfer_rewind(t);

        if (error)
            return error;
    }
    if (f->at != t->at)
        return fail(t, "the peer left a gap in the file");
    if (f->data.len > t->size - t->at)
        return fail(t, "the peer sends more than it announced");
    return store(t, f->data);
}

static int check_end(struct transfer *t, const struct files_frame *f)
{
    if (f->at != t->size || t->at != t->size)
        return fail(t, "the file ended early");
    EVP_DigestFinal_ex(t->hash, t->digest, NULL);
    t->damaged = memcmp(t->digest, f->data.data, sizeof t->digest) != 0;
    return t->damaged ? fail(t, "the SHA-256 of the file does not match: try again") : 0;
}

int transfer_receive(struct transfer *t)
{
    for (;;) {
        struct files_frame f;
        int error =
            stop_asked() ? HAWSER_ERR_CLOSED_LOCALLY : next_frame(t, TRANSFER_SILENCE_MS, &f);

        if (!error && f.kind == FILES_END)
            return check_end(t, &f);
        if (!error && f.kind == FILES_ABORT)
            return peer_stopped(t, &f);
        if (!error)
            error = f.kind == FILES_DATA ? take_data(t, &f)
                                         : fail(t, "the peer sent a frame that makes no sense");
        if (error) {
            t->unended = error == TRANSFER_FAILED;
            return error;
        }
    }
}

static int pass_over_rest(struct transfer *t)
{
    struct files_frame f = { .kind = FILES_DATA };
    int error = 0;

    while (!error && f.kind != FILES_END && f.kind != FILES_ABORT)
        error = next_frame(t, TRANSFER_SILENCE_MS, &f);
    return error;
}

int transfer_answer(struct transfer *t, const char *why)
{
    if (why) {
        int error = send_abort(t, why);

        return error || !t->unended ? error : pass_over_rest(t);
    }
    return send_frame(t, &(struct files_frame){ .kind = FILES_DONE, .transfer = t->number });
}
