#include "io/resolve.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "io/sockaddr.h"
#include "io/thread.h"

/* Not uv_getaddrinfo(): on libuv's worker thread the resolver's patience is ours to set, which
 * bounds how long io_loop_free() can wait for a look-up that nobody needs any more. */
struct resolve {
    uv_work_t work;
    struct endpoint endpoint;
    resolve_fn *fn; /* NULL once cancelled */
    void *ctx;
    struct addr addrs[RESOLVE_ADDRS_MAX];
    size_t addr_count;
    int failure; /* EAI_… */
};

static void look_up(uv_work_t *work)
{
    struct resolve *r = work->data;
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM }, *found = NULL;

    thread_limit_resolver();
    r->failure = getaddrinfo(r->endpoint.host, NULL, &hints, &found);
    if (r->failure)
        return;
    for (struct addrinfo *a = found; a && r->addr_count < RESOLVE_ADDRS_MAX; a = a->ai_next) {
        struct addr *addr = &r->addrs[r->addr_count];

        if (!sockaddr_decode(addr, a->ai_addr))
            continue;
        addr->port = r->endpoint.port;
        r->addr_count++;
    }
    freeaddrinfo(found);
}

static void on_looked_up(uv_work_t *work, int status)
{
    struct resolve *r = work->data;

    (void)status; /* never cancelled through libuv */
    if (r->fn && r->addr_count)
        r->fn(r->ctx, ERR_OK, r->addrs, r->addr_count, "");
    else if (r->fn)
        r->fn(r->ctx, ERR_WRONG_STATE, NULL, 0,
              r->failure ? gai_strerror(r->failure) : "the name has no address");
    free(r);
}

int resolve_start(struct resolve **out, struct io_loop *loop, const struct endpoint *endpoint,
                  uint16_t port_default, resolve_fn *fn, void *ctx)
{
    struct resolve *r = *out = calloc(1, sizeof *r);

    if (!r)
        return ERR_NOMEM;
    r->endpoint = *endpoint;
    if (r->endpoint.port == 0)
        r->endpoint.port = port_default;
    r->fn = fn;
    r->ctx = ctx;
    r->work.data = r;
    uv_queue_work(io_loop_uv(loop), &r->work, look_up, on_looked_up); /* fails only without fn */
    return ERR_OK;
}

void resolve_cancel(struct resolve *r)
{
    if (r)
        r->fn = NULL; /* freed when the look-up ends */
}
