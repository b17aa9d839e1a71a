#include "sdk/relay.h"

#include <stdlib.h>
#include <string.h>

#include "io/resolve.h"

#define AGAIN_US     (100 * MILLISECOND) /* after a live relay failed; doubled each time */
#define FAILURES_MAX 9
#define PORT         3478 /* RFC 8656 §3 */
#define PORT_TLS     5349

int relay_server_parse(struct relay_server *out, const char *uri)
{
    struct relay_server s;

    if (endpoint_parse(&s.endpoint, uri))
        return ERR_INVALID;
    if (strcmp(s.endpoint.scheme, "turns") == 0)
        s.ways = s.endpoint.transport == ENDPOINT_UDP ? 0 : 1u << RELAY_TLS;
    else if (strcmp(s.endpoint.scheme, "turn") != 0)
        s.ways = 0;
    else if (s.endpoint.transport == ENDPOINT_ANY)
        s.ways = 1u << RELAY_UDP | 1u << RELAY_TCP;
    else
        s.ways = s.endpoint.transport == ENDPOINT_UDP ? 1u << RELAY_UDP : 1u << RELAY_TCP;
    if (!s.ways)
        return ERR_INVALID;
    if (s.endpoint.port == 0)
        s.endpoint.port = s.ways >> RELAY_TLS & 1 ? PORT_TLS : PORT;
    *out = s;
    return ERR_OK;
}

/* ---- The table ------------------------------------------------------------------------------- */

static bool has_relay(const struct server *s)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (s->owner->relays[i].phase != RELAY_FREE && s->owner->relays[i].server == s)
            return true;
    return false;
}

/* A relay that is live over UDP, from where UDP would leave now: no stream can be better. */
static bool has_live_udp(const struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        const struct relay *u = &r->relays[i];
        struct addr base;

        if (u->phase == RELAY_LIVE && u->way == RELAY_UDP &&
            r->cfg.find_base(r->cfg.ctx, &u->address, &base) && addr_equal(&base, &u->base))
            return true;
    }
    return false;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

void relays_set_timer(struct relays *r)
{
    usec at = USEC_NEVER;

    for (size_t i = 0; i < r->cfg.server_count; i++) {
        const struct server *s = &r->servers[i];

        at = usec_min(at, usec_min(s->lookup_until, usec_min(s->stream_at, s->again_at)));
    }
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        at = usec_min(at, relay_look_at(&r->relays[i]));
    io_timer_set(&r->timer, at);
}

/* One that lived is asked for again, with patience; one that never did waits for an occasion. A
 * server that restarts must not see all its clients at once: 0.5…1.5 of the wait, by chance. */
static void plan_again(struct server *s)
{
    usec wait = (usec)AGAIN_US << s->failures;

    if (!s->has_lived || s->failures == FAILURES_MAX || has_relay(s))
        return;
    s->again_at = io_now() + wait / 2 + wait * rng_below(&s->owner->rng, 1000) / 1000;
    s->failures++;
}

void relays_on_failed(struct relay *r, const char *why)
{
    struct server *s = r->server;

    relay_say(r, HAWSER_LOG_INFO, why);
    relay_drop(r);
    plan_again(s);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void ask_by_streams(struct server *s)
{
    for (size_t i = 0; i < s->addr_count; i++)
        for (enum relay_way way = RELAY_TCP; way <= RELAY_TLS; way++)
            if (s->cfg->ways >> way & 1)
                relay_ask_by_stream(s, &s->addrs[i], way);
}

static bool uses_udp(const struct relays *r)
{
    for (size_t i = 0; i < r->cfg.server_count; i++)
        if (r->cfg.servers[i].ways >> RELAY_UDP & 1)
            return true;
    return false;
}

/* By every way, with streams behind. Ways that are being tried or live are left as they are. */
static void begin(struct server *s)
{
    s->again_at = USEC_NEVER;
    s->is_redirected = false;
    for (size_t i = 0; i < s->addr_count; i++)
        if (s->cfg->ways >> RELAY_UDP & 1)
            relay_ask_by_udp(s, &s->addrs[i]);
    if (s->cfg->ways & ~(1u << RELAY_UDP))
        s->stream_at = io_now() + (uses_udp(s->owner) ? RELAY_STREAM_AFTER_US : 0);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void take_addresses(struct server *s, const struct addr *addrs, size_t count)
{
    s->addr_count = 0;
    for (size_t i = 0; i < count && s->addr_count < COUNT(s->addrs); i++)
        if (s->addr_count == 0 || s->addrs[0].family != addrs[i].family)
            s->addrs[s->addr_count++] = addrs[i];
    begin(s);
}

static void on_resolved(void *ctx, int err, const struct addr *addrs, size_t count, const char *why)
{
    struct server *s = ctx;
    struct relays *owner = s->owner;

    s->lookup = NULL;
    s->lookup_until = USEC_NEVER;
    if (err)
        log_line(HAWSER_LOG_WARNING, owner->cfg.trace, "TURN server %s: %s", s->cfg->endpoint.host,
                 why);
    else
        take_addresses(s, addrs, count);
    relays_set_timer(owner);
    owner->cfg.moved(owner->cfg.ctx);
}

static void look_up(struct server *s)
{
    struct addr numeric;

    if (s->lookup)
        return;
    if (addr_parse_ip(&numeric, s->cfg->endpoint.host, s->cfg->endpoint.port)) {
        take_addresses(s, &numeric, 1);
        return;
    }
    if (resolve_start(&s->lookup, s->owner->cfg.loop, &s->cfg->endpoint, 0, on_resolved, s))
        s->lookup = NULL;
    else
        s->lookup_until = io_now() + RELAY_LOOKUP_US;
}

static void start(struct server *s)
{
    if (s->addr_count)
        begin(s);
    else
        look_up(s);
}

/* ---- What happens ---------------------------------------------------------------------------- */

static void on_due(struct server *s, usec now)
{
    if (s->lookup_until <= now) {
        log_line(HAWSER_LOG_WARNING, s->owner->cfg.trace, "TURN server %s: no address in time",
                 s->cfg->endpoint.host);
        resolve_cancel(s->lookup);
        s->lookup = NULL;
        s->lookup_until = USEC_NEVER;
    }
    if (s->again_at <= now)
        begin(s);
    if (s->stream_at <= now) {
        s->stream_at = USEC_NEVER;
        if (!has_live_udp(s->owner))
            ask_by_streams(s);
    }
}

static void on_timer(void *ctx)
{
    struct relays *r = ctx;
    usec now = io_now();

    for (size_t i = 0; i < r->cfg.server_count; i++)
        on_due(&r->servers[i], now);
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        relay_look(&r->relays[i], now);
    relays_set_timer(r);
    r->cfg.moved(r->cfg.ctx);
}

/* Nothing may be had of these any more but a second relay that nobody needs. */
static void drop_connecting(struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase == RELAY_CONNECTING)
            relay_drop(&r->relays[i]);
}

static void on_live(struct relay *r)
{
    r->phase = RELAY_LIVE;
    r->server->has_lived = true;
    r->server->failures = 0;
    relay_say(r, HAWSER_LOG_INFO, "live");
    if (r->way == RELAY_UDP)
        drop_connecting(r->owner);
}

/* A server may send us elsewhere, but not to this host's own services. */
static bool is_fit(const struct addr *to, const struct addr *from)
{
    enum addr_scope scope = addr_scope_of(to);

    return to->port && scope != ADDR_SCOPE_UNUSABLE &&
           (scope != ADDR_SCOPE_LOOPBACK || addr_scope_of(from) == ADDR_SCOPE_LOOPBACK);
}

static void on_redirected(struct relay *r, const struct addr *to)
{
    struct server *s = r->server;
    enum relay_way way = r->way;

    if (s->is_redirected || !is_fit(to, &r->address)) {
        relays_on_failed(r, "redirected once too often, or to nowhere");
        return;
    }
    relay_say(r, HAWSER_LOG_INFO, "redirected");
    s->is_redirected = true;
    relay_drop(r);
    if (way == RELAY_UDP)
        relay_ask_by_udp(s, to);
    else
        relay_ask_by_stream(s, to, way);
}

void relays_on_event(struct relays *r, const struct session_event *ev)
{
    struct relay *found = NULL;

    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase >= RELAY_ASKING && r->relays[i].relay == ev->relay)
            found = &r->relays[i];
    if (!found)
        return;
    switch (ev->relay_state) {
    case SESSION_RELAY_ASKING:
        break;
    case SESSION_RELAY_LIVE:
        on_live(found);
        break;
    case SESSION_RELAY_REDIRECTED:
        on_redirected(found, &ev->server);
        break;
    case SESSION_RELAY_FAILED:
        relays_on_failed(found, "failed");
        break;
    }
    relays_set_timer(r);
}

void relays_renew(struct relays *r)
{
    for (size_t i = 0; i < r->cfg.server_count; i++) {
        r->servers[i].failures = 0;
        if (!has_relay(&r->servers[i]))
            start(&r->servers[i]);
    }
    relays_set_timer(r);
}

size_t relays_on_network_change(struct relays *r)
{
    size_t lost = 0;

    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        struct relay *gone = &r->relays[i];
        uint8_t number = gone->number;
        bool was_asked = gone->phase >= RELAY_ASKING;

        if (!relay_is_gone(gone))
            continue;
        lost += was_asked;
        relay_drop(gone);
        if (was_asked && number)
            session_end_stream(r->cfg.session, io_now(), number);
    }
    for (size_t i = 0; i < r->cfg.server_count; i++) {
        r->servers[i].failures = 0;
        start(&r->servers[i]);
    }
    relays_set_timer(r);
    return lost;
}

bool relays_is_settled(const struct relays *r)
{
    for (size_t i = 0; i < r->cfg.server_count; i++)
        if (r->servers[i].lookup || r->servers[i].stream_at != USEC_NEVER)
            return false;
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase == RELAY_CONNECTING || r->relays[i].phase == RELAY_ASKING)
            return false;
    return true;
}

bool relays_has_streams(const struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].stream)
            return true;
    return false;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int relays_new(struct relays **out, const struct relays_config *cfg)
{
    struct relays *r = *out = calloc(1, sizeof *r);

    if (!r)
        return ERR_NOMEM;
    r->cfg = *cfg;
    r->rng = io_rng();
    if (io_timer_init(&r->timer, cfg->loop, on_timer, r)) {
        free(r);
        *out = NULL;
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < cfg->server_count; i++) {
        r->servers[i] = (struct server){ .owner = r, .cfg = &cfg->servers[i] };
        r->servers[i].lookup_until = r->servers[i].stream_at = USEC_NEVER;
        r->servers[i].again_at = USEC_NEVER;
        start(&r->servers[i]);
    }
    relays_set_timer(r);
    return ERR_OK;
}

void relays_free(struct relays *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->cfg.server_count; i++)
        resolve_cancel(r->servers[i].lookup);
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        relay_drop(&r->relays[i]);
    io_timer_deinit(&r->timer);
    free(r);
}
