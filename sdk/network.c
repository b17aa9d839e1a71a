#include "sdk/network.h"

#include <string.h>

#include "io/interfaces.h"
#include "io/netwatch.h"
#include "sdk/bucket.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/log.h"

/* A flapping interface must not become a storm at the broker. */
#define KICK_EACH_US SECOND
#define KICK_BURST   4

/* What matters of a network to sessions; no more than one process needs. */
struct picture {
    size_t count;
    struct interface_addr faces[INTERFACES_MAX];
    struct addr source[2]; /* where packets to the world leave from */
};

static struct {
    struct netwatch *watch;
    struct io_task task; /* of hawser_network_changed() */
    struct io_timer kick;
    struct bucket kicks;
    struct picture last;
} network; /* the loop's, but for the task */

static void look(struct picture *p)
{
    /* Of the blocks for documentation: only routes are asked, nobody is sent anything. */
    static const char *const world[] = { "198.51.100.1", "2001:db8::1" };

    memset(p, 0, sizeof *p);
    p->count = interfaces_list(p->faces, 0);
    for (size_t i = 0; i < COUNT(world); i++) {
        struct addr to;

        if (addr_parse_ip(&to, world[i], 9))
            (void)interfaces_source(&p->source[i], &to);
    }
}

static bool is_alike(const struct picture *a, const struct picture *b)
{
    bool alike = a->count == b->count;

    for (size_t i = 0; alike && i < a->count; i++)
        alike = addr_equal(&a->faces[i].addr, &b->faces[i].addr) &&
                strcmp(a->faces[i].name, b->faces[i].name) == 0;
    for (size_t i = 0; alike && i < COUNT(a->source); i++)
        alike = addr_equal(&a->source[i], &b->source[i]);
    return alike;
}

/* ---- On the loop's thread -------------------------------------------------------------------- */

static void kick_brokers(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&lib.lock); /* who closes an identity waits for this thread first */
    if (lib.app)
        signaling_kick(lib.app->signaling);
    for (uint32_t i = 0; i < lib.devices.slot_count; i++) {
        const struct device *d = lib.devices.slot[i].object;

        if (d)
            signaling_kick(d->identity->signaling);
    }
    pthread_mutex_unlock(&lib.lock);
}

static void tell_links(void)
{
    pthread_mutex_lock(&lib.lock);
    for (struct link *l = lib.links; l; l = l->next) {
        l->is_network_changed = true;
        io_loop_wake(lib.loop, &l->task);
    }
    pthread_mutex_unlock(&lib.lock);
}

static void on_change(void *ctx)
{
    (void)ctx;
    look(&network.last);
    log_line(HAWSER_LOG_INFO, NULL, "the network has changed: %zu addresses", network.last.count);
    ways_on_network_change();
    tell_links();
    if (bucket_take(&network.kicks, io_now()))
        kick_brokers(NULL);
    else
        io_timer_set(&network.kick, io_now() + KICK_EACH_US);
}

/* Routers announce what everybody knows already, again and again. */
static void on_news(void *ctx)
{
    struct picture now;

    look(&now);
    if (!is_alike(&now, &network.last))
        on_change(ctx);
}

static void start_on_loop(void *ctx)
{
    static bool was_said;
    int *err = ctx;

    network.task = (struct io_task){ .fn = on_change };
    network.kicks = (struct bucket){ .interval_us = KICK_EACH_US, .burst = KICK_BURST };
    look(&network.last);
    *err = io_timer_init(&network.kick, lib.loop, kick_brokers, NULL);
    if (*err)
        return;
    *err = netwatch_new(&network.watch, lib.loop, on_news, NULL);
    if (*err && *err != ERR_NOMEM) {
        if (!was_said)
            log_line(HAWSER_LOG_INFO, NULL,
                     "the network cannot be watched here: call hawser_network_changed()");
        was_said = true;
        *err = ERR_OK;
    }
}

static void stop_on_loop(void *ctx)
{
    (void)ctx;
    netwatch_free(network.watch);
    network.watch = NULL;
    io_timer_deinit(&network.kick);
    io_loop_unwake(lib.loop, &network.task);
}

/* ---- The others ------------------------------------------------------------------------------ */

int network_start(void)
{
    int err;

    io_loop_run(lib.loop, start_on_loop, &err);
    return err;
}

void network_stop(void)
{
    io_loop_run(lib.loop, stop_on_loop, NULL);
}

int hawser_network_changed(void)
{
    int code = call_enter();

    if (code)
        return code;
    io_loop_wake(lib.loop, &network.task);
    call_leave();
    return HAWSER_ERR_OK;
}
