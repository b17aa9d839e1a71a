#include "sdk/outside.h"

#include <stdlib.h>
#include <string.h>

#include "io/resolve.h"
#include "io/udp.h"
#include "sdk/log.h"

#define STUN_PORT 3478 /* RFC 8489 §18.6 */

/* One name of a STUN server that is being looked up. */
struct lookup {
    struct outside *outside;
    struct resolve *resolve;
};

struct outside {
    struct outside_config cfg;
    struct relays *relays;
    struct udp *sockets[INTERFACES_MAX];
    uint16_t preferences[INTERFACES_MAX];
    size_t socket_count;
    struct lookup lookups[ICE_STUN_SERVERS_MAX];
    struct io_timer timer; /* of gathering; USEC_NEVER once it has ended */
    usec end_at;
};

static void moved(void *ctx)
{
    struct outside *o = ctx;

    o->cfg.moved(o->cfg.ctx);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void on_datagram(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                        uint8_t *data, size_t len)
{
    struct outside *o = ctx;

    (void)u;
    (void)session_input(o->cfg.session, io_now(), local, from, bytes_of(data, len));
}

static void on_drained(void *ctx, struct udp *u)
{
    (void)u;
    moved(ctx);
}

static void on_too_long(void *ctx, struct udp *u)
{
    struct outside *o = ctx;

    (void)u;
    session_too_long(o->cfg.session, io_now());
}

/* An address that cannot be used (gone since, not ours) is left out. */
static bool open_socket(struct outside *o, const struct addr *bind, uint16_t preference)
{
    const struct udp_handler handler = {
        .datagram = on_datagram, .drained = on_drained, .too_long = on_too_long, .ctx = o
    };
    char text[ADDR_TEXT_MAX];
    struct udp *u;
    int err;

    if (o->socket_count == INTERFACES_MAX)
        return false;
    err = udp_open(&u, o->cfg.loop, bind, &handler);
    if (err) {
        log_line(HAWSER_LOG_WARNING, o->cfg.trace, "no port on %s: %s", addr_format_ip(bind, text),
                 err_string(err));
        return false;
    }
    if (!o->cfg.has_offload)
        udp_set_offload(u, false);
    if (session_add_socket(o->cfg.session, io_now(), udp_local(u), preference)) {
        udp_close(u);
        return false;
    }
    session_set_interface_mtu(o->cfg.session, io_now(), udp_local(u), interfaces_mtu(udp_local(u)));
    o->preferences[o->socket_count] = preference;
    o->sockets[o->socket_count++] = u;
    return true;
}

static void close_socket(struct outside *o, size_t i)
{
    session_remove_socket(o->cfg.session, io_now(), udp_local(o->sockets[i]));
    udp_close(o->sockets[i]);
    o->socket_count--;
    o->sockets[i] = o->sockets[o->socket_count];
    o->preferences[i] = o->preferences[o->socket_count];
}

/* The addresses there should be sockets on. */
static size_t list_wanted(const struct outside *o, struct interface_addr out[INTERFACES_MAX])
{
    size_t count = 0;

    if (o->cfg.bind_count == 0)
        return interfaces_list(out, 0);
    for (size_t i = 0; i < o->cfg.bind_count && i < INTERFACES_MAX; i++)
        out[count++] = (struct interface_addr){ .addr = o->cfg.bind[i],
                                                .preference = (uint16_t)(UINT16_MAX - i) };
    return count;
}

static bool is_open(const struct outside *o, const struct addr *ip)
{
    for (size_t i = 0; i < o->socket_count; i++)
        if (addr_equal_ip(udp_local(o->sockets[i]), ip))
            return true;
    return false;
}

/* Returns the largest preference of those that came; 0: none did. */
static uint16_t open_missing(struct outside *o)
{
    struct interface_addr wanted[INTERFACES_MAX];
    size_t count = list_wanted(o, wanted);
    uint16_t best = 0;

    for (size_t i = 0; i < count; i++)
        if (!is_open(o, &wanted[i].addr) && open_socket(o, &wanted[i].addr, wanted[i].preference) &&
            wanted[i].preference > best)
            best = wanted[i].preference;
    return best;
}

/* One whose interface only has no carrier stays: it may have it again in a moment. */
static size_t close_gone(struct outside *o)
{
    size_t before = o->socket_count;

    for (size_t i = o->socket_count; i-- > 0;)
        if (!interfaces_has(udp_local(o->sockets[i])))
            close_socket(o, i);
    return before - o->socket_count;
}

/* Where routes would have it leave from, if that is one of ours; else any of its family. */
static bool find_base(void *ctx, const struct addr *server, struct addr *base)
{
    const struct outside *o = ctx;
    struct addr source = { .family = ADDR_NONE };
    bool is_found = false;

    (void)interfaces_source(&source, server);
    for (size_t i = 0; i < o->socket_count; i++) {
        const struct addr *local = udp_local(o->sockets[i]);

        if (addr_equal_ip(local, &source)) {
            *base = *local;
            return true;
        }
        if (local->family == server->family && !is_found) {
            *base = *local;
            is_found = true;
        }
    }
    return is_found;
}

/* ---- Gathering ------------------------------------------------------------------------------- */

static bool is_gathering(const struct outside *o)
{
    for (size_t i = 0; i < o->cfg.stun_count; i++)
        if (o->lookups[i].resolve)
            return true;
    return !relays_is_settled(o->relays);
}

/* Ends it when nothing more can come, or at the end of its time, whatever is not found by then. */
static void end_gathering(struct outside *o)
{
    if (o->end_at == USEC_NEVER || (is_gathering(o) && io_now() < o->end_at))
        return;
    o->end_at = USEC_NEVER;
    io_timer_stop(&o->timer);
    session_end_local(o->cfg.session, io_now());
}

static void on_timer(void *ctx)
{
    struct outside *o = ctx;

    end_gathering(o);
    moved(o);
}

static void relays_moved(void *ctx)
{
    end_gathering(ctx);
    moved(ctx);
}

static void add_servers(struct outside *o, const struct addr *addrs, size_t count)
{
    uint8_t families = 0;

    for (size_t i = 0; i < count; i++) {
        if (families >> addrs[i].family & 1)
            continue; /* one address of each family will do */
        families |= (uint8_t)(1u << addrs[i].family);
        (void)session_add_stun_server(o->cfg.session, io_now(), &addrs[i]);
    }
}

static void on_resolved(void *ctx, int err, const struct addr *addrs, size_t count, const char *why)
{
    struct lookup *lookup = ctx;
    struct outside *o = lookup->outside;

    lookup->resolve = NULL;
    if (err)
        log_line(HAWSER_LOG_WARNING, o->cfg.trace, "a STUN server was not found: %s", why);
    add_servers(o, addrs, count);
    end_gathering(o);
    moved(o);
}

static void look_up(struct outside *o, size_t i)
{
    const struct endpoint *e = &o->cfg.stun[i];
    struct addr numeric;

    o->lookups[i].outside = o;
    if (addr_parse_ip(&numeric, e->host, e->port ? e->port : STUN_PORT))
        add_servers(o, &numeric, 1);
    else if (resolve_start(&o->lookups[i].resolve, o->cfg.loop, e, STUN_PORT, on_resolved,
                           &o->lookups[i]))
        o->lookups[i].resolve = NULL;
}

static int gather(struct outside *o)
{
    const struct outside_config *cfg = &o->cfg;
    const struct relays_config relays = { .loop = cfg->loop,
                                          .session = cfg->session,
                                          .trace = cfg->trace,
                                          .servers = cfg->turn,
                                          .server_count = cfg->turn_count,
                                          .username = cfg->turn_username,
                                          .password = cfg->turn_password,
                                          .ca_file = cfg->turn_ca,
                                          .bind = cfg->bind,
                                          .bind_count = cfg->bind_count,
                                          .find_base = find_base,
                                          .moved = relays_moved,
                                          .ctx = o };

    o->end_at = io_now() + OUTSIDE_GATHERING_US;
    for (size_t i = 0; i < cfg->stun_count; i++)
        look_up(o, i);
    if (relays_new(&o->relays, &relays))
        return ERR_NOMEM;
    io_timer_set(&o->timer, o->end_at);
    end_gathering(o);
    return ERR_OK;
}

/* ---- Output ---------------------------------------------------------------------------------- */

bool outside_can_send(const struct outside *o)
{
    for (size_t i = 0; i < o->socket_count; i++)
        if (!udp_can_send(o->sockets[i]))
            return false;
    return relays_can_send(o->relays);
}

bool outside_has_streams(const struct outside *o)
{
    return relays_has_streams(o->relays);
}

void outside_send(struct outside *o, const struct out *run)
{
    if (run->stream) {
        relays_send(o->relays, run);
        return;
    }
    for (size_t i = 0; i < o->socket_count; i++)
        if (addr_equal(udp_local(o->sockets[i]), &run->from))
            udp_send(o->sockets[i], run);
}

/* ---- Change ---------------------------------------------------------------------------------- */

void outside_on_event(struct outside *o, const struct session_event *ev)
{
    if (ev->type == SESSION_EVENT_RELAY)
        relays_on_event(o->relays, ev);
    else if (ev->type == SESSION_EVENT_RESTART)
        relays_renew(o->relays); /* a path was lost, maybe with its relay */
    else
        return;
    end_gathering(o);
}

static uint16_t preference_of(const struct outside *o, const struct addr *local)
{
    for (size_t i = 0; i < o->socket_count; i++)
        if (addr_equal_ip(udp_local(o->sockets[i]), local))
            return o->preferences[i];
    return 0;
}

/* Checks alone find what the peer can reach of the candidates it knows; a restart gets it the new
 * ones, and gets new ones from it. */
static bool is_restart_due(const struct outside *o, const struct session_info *before,
                           uint16_t best, size_t lost)
{
    const struct ice_path *path = &before->path;

    if (!before->is_open || (!best && !lost))
        return false;
    if (!before->has_path || path->local_type == ICE_RELAYED || path->remote_type == ICE_RELAYED)
        return true;
    return !is_open(o, &path->local) || best > preference_of(o, &path->local);
}

void outside_on_network_change(struct outside *o)
{
    struct session_info before;
    uint16_t best;
    size_t lost;

    session_get_info(o->cfg.session, &before);
    for (size_t i = 0; i < o->socket_count; i++)
        session_set_interface_mtu(o->cfg.session, io_now(), udp_local(o->sockets[i]),
                                  interfaces_mtu(udp_local(o->sockets[i])));
    best = open_missing(o);
    lost = close_gone(o);
    lost += relays_on_network_change(o->relays);
    session_check_paths(o->cfg.session, io_now());
    if (is_restart_due(o, &before, best, lost)) {
        log_line(HAWSER_LOG_INFO, o->cfg.trace, "the network has changed: restarting");
        (void)session_restart(o->cfg.session, io_now()); /* without memory, checks must do */
    }
    end_gathering(o);
}

/* ---- Life ------------------------------------------------------------------------------------ */

int outside_new(struct outside **out, const struct outside_config *cfg)
{
    struct outside *o = *out = calloc(1, sizeof *o);
    int err;

    if (!o)
        return ERR_NOMEM;
    o->cfg = *cfg;
    err = io_timer_init(&o->timer, cfg->loop, on_timer, o);
    if (!err) {
        (void)open_missing(o);
        err = o->socket_count ? gather(o) : ERR_LIMIT;
    }
    if (!err)
        return ERR_OK;
    outside_free(o);
    *out = NULL;
    return err;
}

void outside_free(struct outside *o)
{
    if (!o)
        return;
    relays_free(o->relays);
    for (size_t i = 0; i < o->cfg.stun_count; i++)
        resolve_cancel(o->lookups[i].resolve);
    for (size_t i = 0; i < o->socket_count; i++)
        udp_close(o->sockets[i]);
    io_timer_deinit(&o->timer);
    free(o);
}
