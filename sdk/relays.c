#include "sdk/relays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/interfaces.h"
#include "io/resolve.h"
#include "io/stream.h"
#include "sdk/log.h"

#define STALLED_US   (250 * MILLISECOND) /* a stream that moves nothing for so long is no brake */
#define AGAIN_US     (500 * MILLISECOND) /* after a live relay failed; doubled each time */
#define FAILURES_MAX 6
#define PORT         3478 /* RFC 8656 §3 */
#define PORT_TLS     5349

enum phase { FREE, CONNECTING, ASKING, LIVE };

struct server;

/* One allocation, or the attempt at one. */
struct relay {
    struct relays *owner;
    struct server *server;
    enum phase phase;
    enum relay_way way;
    struct addr base, address; /* ours and the server's */
    struct stream *stream;     /* NULL: UDP */
    uint8_t number;            /* of the stream */
    unsigned relay;            /* the session's number, from ASKING on */
    usec looked_at;            /* while the stream has unsent bytes; else USEC_NEVER */
    size_t unsent;             /* then */
    bool is_stalled;
};

struct server {
    struct relays *owner;
    const struct relay_server *cfg;
    struct resolve *lookup;
    usec lookup_until;    /* USEC_NEVER: nothing is looked up */
    struct addr addrs[2]; /* one of each family at most */
    size_t addr_count;
    usec stream_at, again_at; /* USEC_NEVER: not planned */
    unsigned failures;        /* in a row, since one lived */
    bool has_lived, is_redirected;
};

struct relays {
    struct relays_config cfg;
    struct io_timer timer;
    struct server servers[RELAY_SERVERS_MAX];
    struct relay relays[SESSION_RELAYS_MAX];
    uint8_t last_number;
};

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

static const char *way_string(enum relay_way way)
{
    static const char *const names[] = { "UDP", "TCP", "TLS" };

    return names[way];
}

static void say(const struct relay *r, enum hawser_log_level level, const char *what)
{
    char address[ADDR_TEXT_MAX];

    log_line(level, r->owner->cfg.trace, "relay %s by %s: %s", addr_format(&r->address, address),
             way_string(r->way), what);
}

static struct relay *find_free(struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase == FREE)
            return &r->relays[i];
    return NULL;
}

static bool is_number_used(const struct relays *r, uint8_t number)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase != FREE && r->relays[i].number == number)
            return true;
    return false;
}

/* Numbers are not used again soon, so that what is late of an old stream concerns nobody. */
static uint8_t next_number(struct relays *r)
{
    do
        r->last_number = r->last_number == UINT8_MAX ? 1 : (uint8_t)(r->last_number + 1);
    while (is_number_used(r, r->last_number));
    return r->last_number;
}

static void drop(struct relay *r)
{
    stream_close(r->stream);
    *r = (struct relay){ .phase = FREE };
}

/* Whether this server is used, or may come to be, by this way and address. */
static bool is_asked(const struct server *s, enum relay_way way, const struct addr *address,
                     const struct addr *base)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        const struct relay *r = &s->owner->relays[i];

        if (r->phase != FREE && r->server == s && r->way == way &&
            addr_equal(&r->address, address) && (!base || addr_equal(&r->base, base)))
            return true;
    }
    return false;
}

static bool has_relay(const struct server *s)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (s->owner->relays[i].phase != FREE && s->owner->relays[i].server == s)
            return true;
    return false;
}

/* A relay that is live over UDP, from where UDP would leave now: no stream can be better. */
static bool has_live_udp(const struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        const struct relay *u = &r->relays[i];
        struct addr base;

        if (u->phase == LIVE && u->way == RELAY_UDP &&
            r->cfg.find_base(r->cfg.ctx, &u->address, &base) && addr_equal(&base, &u->base))
            return true;
    }
    return false;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

static void set_timer(struct relays *r)
{
    usec at = USEC_NEVER;

    for (size_t i = 0; i < r->cfg.server_count; i++) {
        const struct server *s = &r->servers[i];

        at = usec_min(at, usec_min(s->lookup_until, usec_min(s->stream_at, s->again_at)));
    }
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].stream && r->relays[i].looked_at != USEC_NEVER)
            at = usec_min(at, r->relays[i].looked_at + STALLED_US);
    io_timer_set(&r->timer, at);
}

/* One that lived is asked for again, with patience; one that never did waits for an occasion. */
static void plan_again(struct server *s)
{
    if (!s->has_lived || s->failures == FAILURES_MAX || has_relay(s))
        return;
    s->again_at = io_now() + ((usec)AGAIN_US << s->failures);
    s->failures++;
}

static void on_failed(struct relay *r, const char *why)
{
    struct server *s = r->server;

    say(r, HAWSER_LOG_INFO, why);
    drop(r);
    plan_again(s);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* UDP before TCP before TLS; then as they are listed. */
static uint16_t preference_of(const struct relay *r)
{
    size_t index = (size_t)(r->server - r->owner->servers);

    return (uint16_t)(1000 * (3 - (unsigned)r->way) - index);
}

static void ask(struct relay *r)
{
    const struct relays_config *cfg = &r->owner->cfg;
    const struct session_relay relay = { .base = r->base,
                                         .server = r->address,
                                         .stream = r->number,
                                         .preference = preference_of(r),
                                         .username = cfg->username,
                                         .password = cfg->password };
    int err = session_add_relay(cfg->session, io_now(), &relay, &r->relay);

    if (err)
        on_failed(r, err_string(err));
    else
        r->phase = ASKING;
}

static void ask_by_udp(struct server *s, const struct addr *address)
{
    struct relays *owner = s->owner;
    struct addr base;
    struct relay *r;

    if (!owner->cfg.find_base(owner->cfg.ctx, address, &base) ||
        is_asked(s, RELAY_UDP, address, &base) || !(r = find_free(owner)))
        return;
    *r = (struct relay){
        .owner = owner, .server = s, .way = RELAY_UDP, .base = base, .address = *address
    };
    r->looked_at = USEC_NEVER;
    ask(r);
}

static void on_connected(void *ctx, struct stream *stream)
{
    struct relay *r = ctx;
    struct relays *owner = r->owner;

    r->base = *stream_local(stream);
    ask(r);
    owner->cfg.moved(owner->cfg.ctx);
}

static void on_data(void *ctx, struct stream *stream, const uint8_t *data, size_t len)
{
    struct relay *r = ctx;
    struct relays *owner = r->owner;

    (void)stream;
    if (r->phase < ASKING)
        return; /* nobody was asked yet, so nobody answers */
    (void)session_input_stream(owner->cfg.session, io_now(), r->number, bytes_of(data, len));
    owner->cfg.moved(owner->cfg.ctx);
}

static void on_drained(void *ctx, struct stream *stream)
{
    struct relay *r = ctx;
    struct relays *owner = r->owner;

    (void)stream;
    r->looked_at = USEC_NEVER;
    r->is_stalled = false;
    owner->cfg.moved(owner->cfg.ctx);
}

static void on_closed(void *ctx, struct stream *stream, const char *why)
{
    struct relay *r = ctx;
    struct relays *owner = r->owner;
    uint8_t number = r->number;
    bool was_asked = r->phase >= ASKING;

    (void)stream;
    on_failed(r, why);
    if (was_asked)
        session_end_stream(owner->cfg.session, io_now(), number);
    set_timer(owner);
    owner->cfg.moved(owner->cfg.ctx);
}

static struct addr bind_of(const struct relays *r, const struct addr *server)
{
    for (size_t i = 0; i < r->cfg.bind_count; i++)
        if (r->cfg.bind[i].family == server->family)
            return r->cfg.bind[i];
    return (struct addr){ .family = ADDR_NONE };
}

static void ask_by_stream(struct server *s, const struct addr *address, enum relay_way way)
{
    struct relays *owner = s->owner;
    const struct stream_handler handler = {
        .connected = on_connected, .data = on_data, .drained = on_drained, .closed = on_closed
    };
    struct stream_config cfg = { .local = bind_of(owner, address), .server = *address };
    struct stream_handler h = handler;
    struct relay *r;
    int err;

    if (is_asked(s, way, address, NULL) || !(r = find_free(owner)))
        return;
    if (way == RELAY_TLS) {
        cfg.tls_name = s->cfg->endpoint.host;
        cfg.ca_file = owner->cfg.ca_file && *owner->cfg.ca_file ? owner->cfg.ca_file : NULL;
    }
    *r = (struct relay){
        .owner = owner, .server = s, .phase = CONNECTING, .way = way, .address = *address
    };
    r->number = next_number(owner);
    r->looked_at = USEC_NEVER;
    h.ctx = r;
    err = stream_open(&r->stream, owner->cfg.loop, &cfg, &h);
    if (err)
        on_failed(r, err_string(err));
}

static void ask_by_streams(struct server *s)
{
    for (size_t i = 0; i < s->addr_count; i++)
        for (enum relay_way way = RELAY_TCP; way <= RELAY_TLS; way++)
            if (s->cfg->ways >> way & 1)
                ask_by_stream(s, &s->addrs[i], way);
}

static bool any_udp(const struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase != FREE && r->relays[i].way == RELAY_UDP)
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
            ask_by_udp(s, &s->addrs[i]);
    if (s->cfg->ways & ~(1u << RELAY_UDP))
        s->stream_at = io_now() + (any_udp(s->owner) ? RELAY_STREAM_AFTER_US : 0);
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
    set_timer(owner);
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

/* A stream that moved since it was looked at is a brake for the session still. */
static void look_at_stream(struct relay *r, usec now)
{
    size_t unsent;

    if (!r->stream || r->looked_at == USEC_NEVER || now < r->looked_at + STALLED_US)
        return;
    unsent = stream_queued(r->stream);
    r->is_stalled = unsent >= r->unsent;
    r->unsent = unsent;
    r->looked_at = r->is_stalled ? USEC_NEVER : now; /* until it drains, if ever */
}

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
        look_at_stream(&r->relays[i], now);
    set_timer(r);
    r->cfg.moved(r->cfg.ctx);
}

/* Nothing may be had of these any more but a second relay that nobody needs. */
static void drop_connecting(struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase == CONNECTING)
            drop(&r->relays[i]);
}

static void on_live(struct relay *r)
{
    r->phase = LIVE;
    r->server->has_lived = true;
    r->server->failures = 0;
    say(r, HAWSER_LOG_INFO, "live");
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
        on_failed(r, "redirected once too often, or to nowhere");
        return;
    }
    say(r, HAWSER_LOG_INFO, "redirected");
    s->is_redirected = true;
    drop(r);
    if (way == RELAY_UDP)
        ask_by_udp(s, to);
    else
        ask_by_stream(s, to, way);
}

void relays_on_event(struct relays *r, const struct session_event *ev)
{
    struct relay *found = NULL;

    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase >= ASKING && r->relays[i].relay == ev->relay)
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
        on_failed(found, "failed");
        break;
    }
    set_timer(r);
}

void relays_renew(struct relays *r)
{
    for (size_t i = 0; i < r->cfg.server_count; i++) {
        r->servers[i].failures = 0;
        if (!has_relay(&r->servers[i]))
            start(&r->servers[i]);
    }
    set_timer(r);
}

static bool is_gone(const struct relay *r)
{
    struct addr base = r->base;

    if (r->phase == FREE)
        return false;
    if (r->stream)
        return !interfaces_has(r->phase == CONNECTING ? stream_local(r->stream) : &base);
    return !r->owner->cfg.find_base(r->owner->cfg.ctx, &r->address, &base) ||
           !interfaces_has(&r->base);
}

size_t relays_on_network_change(struct relays *r)
{
    size_t lost = 0;

    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        struct relay *gone = &r->relays[i];
        uint8_t number = gone->number;
        bool was_asked = gone->phase >= ASKING;

        if (!is_gone(gone))
            continue;
        lost += was_asked;
        drop(gone);
        if (was_asked && number)
            session_end_stream(r->cfg.session, io_now(), number);
    }
    for (size_t i = 0; i < r->cfg.server_count; i++) {
        r->servers[i].failures = 0;
        start(&r->servers[i]);
    }
    set_timer(r);
    return lost;
}

bool relays_is_settled(const struct relays *r)
{
    for (size_t i = 0; i < r->cfg.server_count; i++)
        if (r->servers[i].lookup || r->servers[i].stream_at != USEC_NEVER)
            return false;
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase == CONNECTING || r->relays[i].phase == ASKING)
            return false;
    return true;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

void relays_send(struct relays *r, const struct out *run)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        struct relay *to = &r->relays[i];

        if (!to->stream || to->number != run->stream)
            continue;
        (void)stream_send(to->stream, bytes_of(run->buf, run->len)); /* what is too much is lost */
        if (stream_can_send(to->stream) || to->is_stalled || to->looked_at != USEC_NEVER)
            continue;
        to->looked_at = io_now();
        to->unsent = stream_queued(to->stream);
        set_timer(r);
    }
}

bool relays_can_send(const struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].stream && r->relays[i].looked_at != USEC_NEVER)
            return false;
    return true;
}

/* ---- Life ------------------------------------------------------------------------------------ */

int relays_new(struct relays **out, const struct relays_config *cfg)
{
    struct relays *r = *out = calloc(1, sizeof *r);

    if (!r)
        return ERR_NOMEM;
    r->cfg = *cfg;
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
    set_timer(r);
    return ERR_OK;
}

void relays_free(struct relays *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->cfg.server_count; i++)
        resolve_cancel(r->servers[i].lookup);
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        drop(&r->relays[i]);
    io_timer_deinit(&r->timer);
    free(r);
}
