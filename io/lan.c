#include "io/lan.h"

#include <assert.h>
#include <stdlib.h>

#include "io/lan_hub.h"

#define REFRESH_US (10 * SECOND)
#define AGE_MAX_US SECOND

static const struct addr nobody = { .family = ADDR_NONE };
static const struct addr any[LAN_FAMILIES] = { { .family = ADDR_IPV4 }, { .family = ADDR_IPV6 } };

void lan_refresh(struct lan *lan, usec max_age_us)
{
    usec now = io_now();

    if (lan->nets_at && now - lan->nets_at < max_age_us)
        return;
    lan->nets_at = now;
    lan_nets_read(&lan->nets, &lan->cfg);
}

bool lan_is_near(struct lan *lan, const struct addr *a, unsigned index)
{
    bool is_near = lan_nets_has(&lan->nets, a, index);

    if (!is_near) { /* an address may be new */
        lan_refresh(lan, AGE_MAX_US);
        is_near = lan_nets_has(&lan->nets, a, index);
    }
    lan->counts.strangers += !is_near;
    return is_near;
}

bool lan_is_usable(struct lan *lan)
{
    lan_refresh(lan, AGE_MAX_US);
    return lan->nets.face_count > 0;
}

/* ---- Probes that come ------------------------------------------------------------------------ */

/* Only what came by multicast is looked at: that cannot have come from far. */
static void on_probe(void *ctx, struct lan_socket *s, const struct lan_datagram *d)
{
    struct lan *lan = ctx;
    size_t f = (size_t)d->to.family - 1;
    uint8_t reply[LAN_MESSAGE_BYTES];

    if (!addr_equal_ip(&d->to, &lan->group_addr[f]) || !lan->listener[f] ||
        !lan_is_near(lan, &d->from, d->index))
        return;
    if (lan_responder_input(lan->responder, io_now(), &d->from, d->data, lan->listener[f]->port,
                            reply) == VERDICT_TAKEN)
        (void)lan_socket_send(s, &nobody, &d->from, d->index, bytes_of(reply, sizeof reply));
}

static void join_groups(struct lan *lan)
{
    for (size_t i = 0; i < lan->nets.face_count; i++)
        for (size_t f = 0; f < LAN_FAMILIES; f++)
            if (lan->group[f] && lan->nets.face[i].families >> lan->group_addr[f].family & 1)
                (void)lan_socket_join(lan->group[f], &lan->group_addr[f], lan->nets.face[i].index);
}

static void on_refresh(void *ctx)
{
    struct lan *lan = ctx;

    lan_refresh(lan, 0);
    join_groups(lan);
    lan_server_retry(lan);
    io_timer_set(&lan->refresh, io_now() + REFRESH_US);
}

void lan_nudge(struct lan *lan)
{
    lan_refresh(lan, 0);
    join_groups(lan);
}

/* A family that this host lacks is left out. */
static int open_groups(struct lan *lan)
{
    for (size_t f = 0; f < LAN_FAMILIES; f++) {
        struct addr want = any[f];

        want.port = LAN_PORT;
        if (!lan->group[f] && lan_socket_open(&lan->group[f], lan->loop, &want, on_probe, lan))
            lan->group[f] = NULL;
    }
    return lan->group[0] || lan->group[1] ? ERR_OK : ERR_LIMIT;
}

/* ---- Serving --------------------------------------------------------------------------------- */

static void stop_serving(struct lan *lan)
{
    io_timer_deinit(&lan->refresh);
    lan_server_close(lan);
    for (size_t f = 0; f < LAN_FAMILIES; f++) {
        lan_socket_close(lan->group[f]);
        lan->group[f] = NULL;
    }
    lan_responder_free(lan->responder);
    lan->responder = NULL;
}

static int start_serving(struct lan *lan)
{
    int err = lan_responder_new(&lan->responder, &lan->rng);

    if (!err)
        err = io_timer_init(&lan->refresh, lan->loop, on_refresh, lan);
    if (!err)
        err = lan_server_open(lan);
    if (!err)
        err = open_groups(lan);
    if (err) {
        stop_serving(lan);
        return err;
    }
    on_refresh(lan);
    return ERR_OK;
}

int lan_serve(struct lan_service **out, struct lan *lan, const uint8_t secret[LAN_SECRET_BYTES],
              const struct lan_service_handler *h)
{
    struct lan_service *s = *out = calloc(1, sizeof *s);
    int err = s ? ERR_OK : ERR_NOMEM;

    assert(io_loop_is_current(lan->loop));
    if (!err && !lan->services)
        err = start_serving(lan);
    if (!err)
        err = lan_responder_add(lan->responder, secret, s);
    if (err) {
        free(s);
        *out = NULL;
        if (!lan->services && lan->responder)
            stop_serving(lan);
        return err;
    }
    *s = (struct lan_service){ .lan = lan, .next = lan->services, .handler = *h };
    lan->services = s;
    return ERR_OK;
}

void lan_unserve(struct lan_service *s)
{
    struct lan *lan = s ? s->lan : NULL;

    if (!s)
        return;
    for (struct lan_service **at = &lan->services; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    lan_responder_remove(lan->responder, s);
    lan_server_end_service(lan, s);
    free(s);
    if (!lan->services)
        stop_serving(lan);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void on_reply(void *ctx, struct lan_socket *s, const struct lan_datagram *d)
{
    struct lan *lan = ctx;

    (void)s;
    if (lan_is_near(lan, &d->from, d->index))
        lan_peers_input(lan, d);
}

bool lan_open_probes(struct lan *lan)
{
    for (size_t f = 0; f < LAN_FAMILIES; f++)
        if (!lan->probe[f] && lan_socket_open(&lan->probe[f], lan->loop, &any[f], on_reply, lan))
            lan->probe[f] = NULL;
    return lan->probe[0] || lan->probe[1];
}

int lan_new(struct lan **out, struct io_loop *loop, const struct lan_config *cfg)
{
    struct lan *lan = *out = calloc(1, sizeof *lan);

    if (!lan)
        return ERR_NOMEM;
    lan->loop = loop;
    lan->rng = io_rng();
    lan->cfg = *cfg;
    (void)addr_parse_ip(&lan->group_addr[0], LAN_GROUP_IPV4, LAN_PORT);
    (void)addr_parse_ip(&lan->group_addr[1], LAN_GROUP_IPV6, LAN_PORT);
    return ERR_OK;
}

void lan_free(struct lan *lan)
{
    if (!lan)
        return;
    assert(!lan->services && !lan->peers);
    for (size_t f = 0; f < LAN_FAMILIES; f++)
        lan_socket_close(lan->probe[f]);
    free(lan);
}

struct lan_counts lan_counts(const struct lan *lan)
{
    struct lan_counts counts = lan->counts;

    counts.macs = lan->responder ? lan_responder_cost(lan->responder) : 0;
    return counts;
}

uint16_t lan_listener_port(const struct lan *lan, enum addr_family family)
{
    const struct lan_listener *l = lan->listener[family - 1];

    return l ? l->port : 0;
}
