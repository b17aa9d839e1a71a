#include "apps/hawser/bench_device.h"

#include "apps/common/answer.h"
#include "apps/common/bench_serve.h"
#include "apps/common/channels.h"
#include "apps/common/host.h"

struct guest {
    struct flow control;
    struct bench_serve bench;
};

static json_t *on_ping(void *ctx, const json_t *request, const char **why)
{
    (void)ctx, (void)request, (void)why;
    return json_object();
}

static json_t *on_info(void *ctx, const json_t *request, const char **why)
{
    (void)ctx, (void)request, (void)why;
    return json_pack("{ssss}", "program", "hawser bench", "version", hawser_get_version());
}

static json_t *on_bench(void *ctx, const json_t *request, const char **why)
{
    struct guest *g = ctx;

    return bench_serve_start(&g->bench, request, why);
}

static json_t *on_bench_result(void *ctx, const json_t *request, const char **why)
{
    struct guest *g = ctx;

    return bench_serve_result(&g->bench, request, why);
}

void bench_device_serve(struct host *h, int handle)
{
    static const struct answer_op ops[] = {
        { "ping", on_ping },
        { "info", on_info },
        { "bench", on_bench },
        { "bench_result", on_bench_result },
    };
    const struct answer_ops table = { ops, COUNT(ops) };
    struct guest g;

    (void)h;
    flow_init(&g.control, handle, CHANNEL_CONTROL);
    bench_serve_init(&g.bench, handle, 0xff & ~(1 << CHANNEL_CONTROL));
    hawser_close(handle, answer_requests(&g.control, &table, &g));
    bench_serve_deinit(&g.bench);
    flow_deinit(&g.control);
}
