/* threads.c: many threads on one session, against an echo in another process. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/sdk/support/stage.h"

#define CHANNEL_BYTES (4 * 1024 * 1024)
#define PIECE_BYTES   50000

/* ---- What is sent --------------------------------------------------------------------------- */

/* A byte that depends on its channel and place: a lost, doubled or strayed piece shows. */
static uint8_t byte_at(int channel, size_t at)
{
    uint32_t x = (uint32_t)at * 2654435761u + (uint32_t)channel * 40503u;

    return (uint8_t)(x >> 24 ^ x >> 11);
}

struct flow {
    int handle, channel;
    size_t len;
    bool ok;
    int code; /* of the call that ended it */
};

static void *send_flow(void *ctx)
{
    struct flow *f = ctx;
    uint8_t *piece = malloc(PIECE_BYTES);
    size_t at = 0;

    while (at < f->len) {
        size_t n = f->len - at < PIECE_BYTES ? f->len - at : PIECE_BYTES;

        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(f->channel, at + i);
        f->code = hawser_send_data(f->handle, f->channel, piece, (int)n, 60000);
        if (f->code < 0)
            break;
        at += (size_t)f->code;
    }
    f->ok = at == f->len;
    free(piece);
    return NULL;
}

static void *receive_flow(void *ctx)
{
    struct flow *f = ctx;
    uint8_t *piece = malloc(PIECE_BYTES);
    size_t at = 0;
    bool ok = true;

    while (at < f->len && ok) {
        f->code = hawser_recv_data(f->handle, f->channel, piece, PIECE_BYTES, 60000);
        ok = f->code > 0;
        for (int i = 0; i < f->code && ok; i++)
            ok = piece[i] == byte_at(f->channel, at + (size_t)i);
        at += ok ? (size_t)f->code : 0;
    }
    f->ok = ok && at == f->len;
    free(piece);
    return NULL;
}

static struct pair_of_handles connect_to_echo(void)
{
    struct pair_of_handles h = stage_connect();

    CHECK("a session", h.app >= 0 && h.device >= 0);
    CHECK("an echo", peer_ask(&stage.device, "echo %d", h.device) == 0);
    return h;
}

TEST(eight_channels_at_once)
{
    struct pair_of_handles h = connect_to_echo();
    struct flow out[HAWSER_CHANNELS], in[HAWSER_CHANNELS];
    pthread_t thread[2][HAWSER_CHANNELS];
    struct hawser_session_info info;

    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        out[i] = in[i] = (struct flow){ .handle = h.app, .channel = i, .len = CHANNEL_BYTES };
        (void)pthread_create(&thread[0][i], NULL, send_flow, &out[i]);
        (void)pthread_create(&thread[1][i], NULL, receive_flow, &in[i]);
    }
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        (void)pthread_join(thread[0][i], NULL);
        (void)pthread_join(thread[1][i], NULL);
        CHECK("all bytes were sent", out[i].ok);
        CHECK("and came back as they were", in[i].ok);
    }
    CHECK("the session can tell", hawser_session_info(h.app, &info) == 0);
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        CHECK("how many",
              info.channel[i].sent == CHANNEL_BYTES && info.channel[i].received == CHANNEL_BYTES);
    CHECK("and whose", strcmp(info.peer_id, stage.device.id) == 0);
    CHECK("and which way", info.path == HAWSER_PATH_LAN && info.connect_us > 0);
    stage_disconnect(h);
}

/* ---- Two senders and two receivers on one channel ------------------------------------------- */

struct tally {
    int handle;
    uint8_t mark;
    size_t left;   /* of a sender */
    size_t *total; /* of the receivers, under the lock */
    size_t counts[2];
    pthread_mutex_t *lock;
};

static void *send_marks(void *ctx)
{
    struct tally *t = ctx;
    uint8_t piece[1000];
    int n = 0;

    memset(piece, t->mark, sizeof piece);
    while (t->left > 0 && n >= 0) {
        n = hawser_send_data(t->handle, 4, piece, sizeof piece, 30000);
        t->left -= n > 0 ? (size_t)n : 0;
    }
    return NULL;
}

static void *count_marks(void *ctx)
{
    struct tally *t = ctx;
    uint8_t piece[777];
    bool is_done = false;

    while (!is_done) {
        int n = hawser_recv_data(t->handle, 4, piece, sizeof piece, 50);

        for (int i = 0; i < n; i++)
            t->counts[piece[i] & 1]++;
        pthread_mutex_lock(t->lock);
        *t->total += n > 0 ? (size_t)n : 0;
        is_done = *t->total == 2 * 1000000 || (n < 0 && n != HAWSER_ERR_TIMEOUT);
        pthread_mutex_unlock(t->lock);
    }
    return NULL;
}

TEST(two_senders_and_two_receivers_on_one_channel)
{
    struct pair_of_handles h = connect_to_echo();
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct tally t[4];
    pthread_t thread[4];
    size_t total = 0;

    for (int i = 0; i < 4; i++) {
        t[i] = (struct tally){ .handle = h.app,
                               .mark = (uint8_t)(i & 1),
                               .left = 1000000,
                               .total = &total,
                               .lock = &lock };
        (void)pthread_create(&thread[i], NULL, i < 2 ? send_marks : count_marks, &t[i]);
    }
    for (int i = 0; i < 4; i++)
        (void)pthread_join(thread[i], NULL);
    CHECK("all of the one", t[2].counts[0] + t[3].counts[0] == 1000000);
    CHECK("and all of the other", t[2].counts[1] + t[3].counts[1] == 1000000);
    stage_disconnect(h);
}

/* ---- A channel nobody reads ----------------------------------------------------------------- */

TEST(an_unread_channel_does_not_stop_another)
{
    struct pair_of_handles h = stage_connect();
    static char data[65536];
    struct hawser_buffer buffer;
    int n = 0, got = 0;

    CHECK("3 MiB of video",
          peer_ask(&stage.device, "send %d 1 3145728 20000", h.device) == 3145728);
    CHECK("a command", peer_ask(&stage.device, "send %d 0 5 1000", h.device) == 5);
    CHECK("overtakes it", hawser_recv_data(h.app, 0, data, 5, 10000) == 5);
    CHECK("the buffer is asked", hawser_channel_buffer(h.app, 1, &buffer) == 0);
    CHECK("there is room to send", buffer.free > 0 && buffer.unsent == 0);
    while (got < 3145728 && (n = hawser_recv_data(h.app, 1, data, sizeof data, 10000)) > 0)
        got += n;
    CHECK("the video is all there", got == 3145728);
    stage_disconnect(h);
}

/* ---- Many at once --------------------------------------------------------------------------- */

enum { MANY = 64 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, handles[MANY];
} many = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void on_one(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    pthread_mutex_lock(&many.lock);
    many.handles[many.done++] = result;
    pthread_cond_signal(&many.changed);
    pthread_mutex_unlock(&many.lock);
}

TEST(sixty_four_connects_at_once)
{
    CHECK("room for them", peer_ask(&stage.device, "limit %d", MANY) == 0);
    for (int i = 0; i < MANY; i++)
        CHECK("begins", hawser_connect(stage.device.id, 0, 30000, on_one, NULL, NULL) == 0);
    pthread_mutex_lock(&many.lock);
    while (many.done < MANY)
        pthread_cond_wait(&many.changed, &many.lock);
    pthread_mutex_unlock(&many.lock);
    for (int i = 0; i < MANY; i++) {
        CHECK("each is connected", hawser_active_check(many.handles[i]) == 0);
        (void)hawser_disconnect(many.handles[i]);
    }
    CHECK("none is left over", peer_ask(&stage.device, "restart") == 0);
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static void *use_until_closed(void *ctx)
{
    struct flow *f = ctx;
    struct hawser_session_info info;
    char data[100] = "";

    do {
        f->code = hawser_send_data(f->handle, f->channel, data, sizeof data, 10);
        if (f->code >= 0 || f->code == HAWSER_ERR_TIMEOUT)
            f->code = hawser_recv_data(f->handle, f->channel, data, sizeof data, 10);
        if (f->code >= 0 || f->code == HAWSER_ERR_TIMEOUT)
            f->code = hawser_active_check(f->handle);
        if (f->code >= 0)
            (void)hawser_session_info(f->handle, &info);
    } while (f->code >= 0);
    return NULL;
}

static void *disconnect(void *ctx)
{
    struct flow *f = ctx;

    f->code = hawser_disconnect(f->handle);
    return NULL;
}

enum { ROUNDS = 10, USERS = 6, CLOSERS = 3 };

TEST(closing_while_many_threads_use_it)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct pair_of_handles h = connect_to_echo();
        struct flow f[USERS + CLOSERS];
        pthread_t thread[USERS + CLOSERS];
        int closed = 0;

        for (int i = 0; i < USERS + CLOSERS; i++) {
            f[i] = (struct flow){ .handle = h.app, .channel = i % HAWSER_CHANNELS };
            (void)pthread_create(&thread[i], NULL, i < USERS ? use_until_closed : disconnect,
                                 &f[i]);
        }
        for (int i = 0; i < USERS + CLOSERS; i++) {
            (void)pthread_join(thread[i], NULL);
            if (i < USERS)
                CHECK("told that it is closed", f[i].code == HAWSER_ERR_CLOSED_LOCALLY ||
                                                    f[i].code == HAWSER_ERR_INVALID_SESSION);
            else
                closed += f[i].code == HAWSER_ERR_OK;
        }
        CHECK("one has closed it", closed == 1);
        stage_disconnect(h);
    }
}

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls, handle, code;
} told = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void on_state(void *ctx, int handle, int code)
{
    (void)ctx;
    if (code == HAWSER_ERR_OK)
        return; /* another path */
    pthread_mutex_lock(&told.lock);
    told.calls++;
    told.handle = handle;
    told.code = code;
    pthread_cond_signal(&told.changed);
    pthread_mutex_unlock(&told.lock);
}

TEST(the_state_callback_tells_once)
{
    struct pair_of_handles h = stage_connect();
    struct pair_of_handles quiet = stage_connect();

    CHECK("set", hawser_set_state_callback(on_state, NULL) == 0);
    CHECK("our own closing is not told", hawser_disconnect(quiet.app) == 0);
    CHECK("the device closes", peer_ask(&stage.device, "close %d 9", h.device) == 0);
    pthread_mutex_lock(&told.lock);
    while (told.calls == 0)
        pthread_cond_wait(&told.changed, &told.lock);
    CHECK("which", told.handle == h.app && told.code == HAWSER_ERR_CLOSED_BY_APPLICATION);
    pthread_mutex_unlock(&told.lock);
    CHECK("the handle says the same",
          hawser_active_check(h.app) == HAWSER_ERR_CLOSED_BY_APPLICATION);
    stage_disconnect(h);
    CHECK("unset", hawser_set_state_callback(NULL, NULL) == 0);
    CHECK("once", told.calls == 1);
}

TESTS_BETWEEN(stage_open, stage_close, TEST_ROW(eight_channels_at_once),
              TEST_ROW(two_senders_and_two_receivers_on_one_channel),
              TEST_ROW(an_unread_channel_does_not_stop_another),
              TEST_ROW(sixty_four_connects_at_once), TEST_ROW(closing_while_many_threads_use_it),
              TEST_ROW(the_state_callback_tells_once))
