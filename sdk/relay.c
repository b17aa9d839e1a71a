#include "sdk/relay.h"

#include <string.h>

#include "io/interfaces.h"

#define STALLED_US (250 * MILLISECOND) /* a stream that moves nothing for so long is no brake */

/* ---- The table ------------------------------------------------------------------------------- */

static const char *way_string(enum relay_way way)
{
    static const char *const names[] = { "UDP", "TCP", "TLS" };

    return names[way];
}

void relay_say(const struct relay *r, enum hawser_log_level level, const char *what)
{
    char address[ADDR_TEXT_MAX];

    log_line(level, r->owner->cfg.trace, "relay %s by %s: %s", addr_format(&r->address, address),
             way_string(r->way), what);
}

static struct relay *find_free(struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase == RELAY_FREE)
            return &r->relays[i];
    return NULL;
}

static bool is_number_used(const struct relays *r, uint8_t number)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].phase != RELAY_FREE && r->relays[i].number == number)
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

void relay_drop(struct relay *r)
{
    stream_close(r->stream);
    *r = (struct relay){ .phase = RELAY_FREE };
}

/* Whether this server is used, or may come to be, by this way and address. */
static bool is_asked(const struct server *s, enum relay_way way, const struct addr *address,
                     const struct addr *base)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++) {
        const struct relay *r = &s->owner->relays[i];

        if (r->phase != RELAY_FREE && r->server == s && r->way == way &&
            addr_equal(&r->address, address) && (!base || addr_equal(&r->base, base)))
            return true;
    }
    return false;
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
        relays_on_failed(r, err_string(err));
    else
        r->phase = RELAY_ASKING;
}

void relay_ask_by_udp(struct server *s, const struct addr *address)
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
    if (r->phase < RELAY_ASKING)
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
    bool was_asked = r->phase >= RELAY_ASKING;

    (void)stream;
    relays_on_failed(r, why);
    if (was_asked)
        session_end_stream(owner->cfg.session, io_now(), number);
    relays_set_timer(owner);
    owner->cfg.moved(owner->cfg.ctx);
}

static struct addr bind_of(const struct relays *r, const struct addr *server)
{
    for (size_t i = 0; i < r->cfg.bind_count; i++)
        if (r->cfg.bind[i].family == server->family)
            return r->cfg.bind[i];
    return (struct addr){ .family = ADDR_NONE };
}

void relay_ask_by_stream(struct server *s, const struct addr *address, enum relay_way way)
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
        .owner = owner, .server = s, .phase = RELAY_CONNECTING, .way = way, .address = *address
    };
    r->number = next_number(owner);
    r->looked_at = USEC_NEVER;
    h.ctx = r;
    err = stream_open(&r->stream, owner->cfg.loop, &cfg, &h);
    if (err)
        relays_on_failed(r, err_string(err));
}

bool relay_is_gone(const struct relay *r)
{
    struct addr base = r->base;

    if (r->phase == RELAY_FREE)
        return false;
    if (r->stream)
        return !interfaces_has(r->phase == RELAY_CONNECTING ? stream_local(r->stream) : &base);
    return !r->owner->cfg.find_base(r->owner->cfg.ctx, &r->address, &base) ||
           !interfaces_has(&r->base);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* A stream that moved since it was looked at is a brake for the session still. */
void relay_look(struct relay *r, usec now)
{
    size_t unsent;

    if (!r->stream || r->looked_at == USEC_NEVER || now < r->looked_at + STALLED_US)
        return;
    unsent = stream_queued(r->stream);
    r->is_stalled = unsent >= r->unsent;
    r->unsent = unsent;
    r->looked_at = r->is_stalled ? USEC_NEVER : now; /* until it drains, if ever */
}

usec relay_look_at(const struct relay *r)
{
    return r->stream && r->looked_at != USEC_NEVER ? r->looked_at + STALLED_US : USEC_NEVER;
}

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
        relays_set_timer(r);
    }
}

bool relays_can_send(const struct relays *r)
{
    for (size_t i = 0; i < SESSION_RELAYS_MAX; i++)
        if (r->relays[i].stream && r->relays[i].looked_at != USEC_NEVER)
            return false;
    return true;
}
