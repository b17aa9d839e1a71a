#include "apps/hawser/move.h"

#include "apps/common/channels.h"
#include "apps/common/client.h"
#include "apps/common/progress.h"
#include "apps/common/say.h"

static void on_moved(void *ctx, uint64_t at, uint64_t size)
{
    struct progress *p = ctx;

    if (!p->what) /* the first call: now the size is known, and where it starts */
        progress_init(p, "file", size, at);
    progress_show(p, at);
}

static void say_result(const struct fetch *f)
{
    double seconds = (double)f->spent_us / 1000000;
    char size[32], rate[32], resumed[32];

    progress_format_bytes((double)f->size, size, sizeof size);
    progress_format_bytes((double)f->resumed, resumed, sizeof resumed);
    progress_format_bytes((double)(f->size - f->resumed) / seconds, rate, sizeof rate);
    say("%s in %.2f s (%s/s)%s%s%s\nSHA-256 %s", size, seconds, rate,
        f->resumed ? ", of which there were " : "", f->resumed ? resumed : "",
        f->resumed ? " already" : "", f->hash);
    say_json(json_pack("{so}", "file", fetch_json(f)));
}

struct move {
    struct fetch fetch;
    int (*run)(struct fetch *f);
};

static int move(void *ctx, int handle)
{
    struct move *m = ctx;
    struct progress progress = { 0 };
    struct ask ask;
    struct flow files;
    int code;

    m->fetch.ask = &ask;
    m->fetch.files = &files;
    m->fetch.moved = on_moved;
    m->fetch.ctx = &progress;
    ask_init(&ask, handle);
    flow_init(&files, handle, CHANNEL_FILES);
    code = m->run(&m->fetch);
    progress_end(&progress);
    if (!code)
        say_result(&m->fetch);
    flow_deinit(&files);
    ask_deinit(&ask);
    return code;
}

int move_file(const struct options *o, const char *id, const char *remote, const char *local,
              int (*run)(struct fetch *f))
{
    struct move m = { .fetch = { .remote = remote, .local = local }, .run = run };

    return client_run(o, id, move, &m);
}
