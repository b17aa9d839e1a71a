/* relays.c: TURN servers, and the addresses they lend us. To ICE such an address is a base like a
 * socket; what leaves from it is wrapped here, and what arrives there is unwrapped. Whatever a
 * server does or says costs only its own candidate. */
#include "core/session/internal.h"

#include <stdlib.h>

#define CHECK_GAP_US SECOND /* between two questions to a server whether it still knows us */

static struct relayer *find_relayed(const struct session *s, const struct addr *relayed)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (s->relays[i].turn && s->relays[i].state == SESSION_RELAY_LIVE &&
            addr_equal(&s->relays[i].relayed, relayed))
            return &s->relays[i];
    return NULL;
}

const struct relayer *session_relay_of(const struct session *s, const struct addr *local)
{
    return find_relayed(s, local);
}

bool session_is_relayed(const struct session *s, const struct addr *local)
{
    return find_relayed(s, local) != NULL;
}

bool session_is_asking_relays(const struct session *s)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (s->relays[i].turn && s->relays[i].state == SESSION_RELAY_ASKING)
            return true;
    return false;
}

static int make_turn(struct session *s, struct relayer *r, const struct session_relay *relay)
{
    const struct turn_config cfg = {
        .local = relay->base,
        .server = relay->server,
        .stream = relay->stream,
        .username = relay->username,
        .password = relay->password,
    };

    *r = (struct relayer){
        .checked_at = INT64_MIN / 2,
        .is_told = true,
        .stream = relay->stream,
        .preference = relay->preference,
        .base = relay->base,
        .server = relay->server,
    };
    return turn_new(&r->turn, &cfg, s->rng);
}

/* Most sessions know of no relay: the table is made for the first. */
static bool has_table(struct session *s)
{
    if (!s->relays)
        s->relays = calloc(SESSION_RELAYS_MAX, sizeof *s->relays);
    if (!s->relays)
        return false;
    for (; s->relay_slots < SESSION_RELAYS_MAX; s->relay_slots++)
        s->relays[s->relay_slots].is_told = true;
    return true;
}

static struct relayer *free_slot(struct session *s)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (!s->relays[i].turn && s->relays[i].is_told)
            return &s->relays[i];
    return NULL;
}

/* A datagram must tell by its addresses which relay it belongs to, and a stream by its number. */
static bool is_taken(const struct session *s, const struct session_relay *relay)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        const struct relayer *r = &s->relays[i];

        if (r->turn && r->stream == relay->stream &&
            (r->stream ||
             (addr_equal(&r->base, &relay->base) && addr_equal(&r->server, &relay->server))))
            return true;
    }
    return false;
}

int session_add_relay(struct session *s, usec now, const struct session_relay *relay,
                      unsigned *number)
{
    struct relayer *r;
    int err;

    s->clock = now;
    if (!has_table(s))
        return ERR_NOMEM;
    r = free_slot(s);
    if (!r || s->state == SESSION_CLOSED)
        return ERR_LIMIT;
    if (!relay->username || !relay->password || relay->server.port == 0 ||
        addr_scope_of(&relay->server) == ADDR_SCOPE_UNUSABLE ||
        relay->base.family != relay->server.family || is_taken(s, relay))
        return ERR_INVALID;
    err = make_turn(s, r, relay);
    if (err)
        return err;
    turn_start(r->turn, now);
    *number = (unsigned)(r - s->relays);
    return ERR_OK;
}

static void forget_address(struct session *s, usec now, const struct addr *relayed)
{
    ice_remove_base(s->agent.ice, now, relayed);
    if (s->next.ice)
        ice_remove_base(s->next.ice, now, relayed);
}

/* Terminal for this relay; its slot is free again when the outside has been told. */
static void end_relay(struct session *s, usec now, struct relayer *r, enum session_relay_state why)
{
    bool was_live = r->state == SESSION_RELAY_LIVE;

    turn_free(r->turn);
    r->turn = NULL;
    r->state = why;
    r->is_told = false;
    if (was_live)
        forget_address(s, now, &r->relayed);
    session_end_gathering(s, now);
}

/* An address that is one of ours already, or is no address, is a lie: datagrams would go astray. */
static bool is_sound(struct session *s, const struct addr *relayed)
{
    if (relayed->port == 0 || addr_scope_of(relayed) == ADDR_SCOPE_UNUSABLE)
        return false;
    for (uint8_t i = 0; i < s->socket_count; i++)
        if (addr_equal(&s->sockets[i].base, relayed))
            return false;
    return !find_relayed(s, relayed);
}

static int add_base(usec now, struct agent *a, const struct relayer *r)
{
    return ice_add_relayed(a->ice, now, &r->relayed, &r->mapped, r->preference);
}

void session_add_relayed(struct session *s, usec now, struct agent *a)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (s->relays[i].turn && s->relays[i].state == SESSION_RELAY_LIVE)
            (void)add_base(now, a, &s->relays[i]); /* one that has no room is left out */
}

static void permit_all(const struct agent *a, usec now, struct turn *turn)
{
    struct addr peer;

    for (size_t i = 0; a->ice && ice_get_remote(a->ice, i, &peer); i++)
        (void)turn_permit(turn, now, &peer); /* another family, or one too many */
}

void session_permit(struct session *s, usec now, const struct addr *peer)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (s->relays[i].turn && s->relays[i].state == SESSION_RELAY_LIVE)
            (void)turn_permit(s->relays[i].turn, now, peer);
}

static void on_allocated(struct session *s, usec now, struct relayer *r,
                         const struct turn_event *ev)
{
    if (!is_sound(s, &ev->relayed)) {
        end_relay(s, now, r, SESSION_RELAY_FAILED);
        return;
    }
    r->relayed = ev->relayed;
    r->mapped = ev->mapped;
    r->state = SESSION_RELAY_LIVE;
    r->is_told = false;
    /* Permissions first: their requests go out before the checks that need them. */
    permit_all(&s->agent, now, r->turn);
    permit_all(&s->next, now, r->turn);
    if (add_base(now, session_newest(s), r)) {
        end_relay(s, now, r, SESSION_RELAY_FAILED);
        return;
    }
    if (s->next.ice)
        (void)add_base(now, &s->agent, r);
    session_end_gathering(s, now);
}

static void pump_relay(struct session *s, usec now, struct relayer *r)
{
    struct turn_event ev;
    struct addr from;
    struct bytes dgram;

    while (r->state == SESSION_RELAY_LIVE && turn_poll_data(r->turn, &from, &dgram))
        (void)session_take(s, now, &r->relayed, &from, dgram); /* counts its own verdict */
    while (r->turn && turn_poll_event(r->turn, &ev)) {
        if (ev.type == TURN_EVENT_ALLOCATED) {
            on_allocated(s, now, r, &ev);
        } else if (ev.type == TURN_EVENT_REDIRECTED) {
            r->other = ev.server;
            end_relay(s, now, r, SESSION_RELAY_REDIRECTED);
        } else {
            end_relay(s, now, r, SESSION_RELAY_FAILED);
        }
    }
}

/* What is none of TURN's may be the same server's answer to a question of ICE's. */
bool session_relay_input(struct session *s, usec now, const struct addr *local,
                         const struct addr *from, struct bytes dgram)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        struct relayer *r = &s->relays[i];

        if (!r->turn || r->stream || !addr_equal(&r->server, from) || !addr_equal(&r->base, local))
            continue;
        if (turn_input(r->turn, now, from, dgram) != VERDICT_TAKEN)
            return false;
        pump_relay(s, now, r);
        return true;
    }
    return false;
}

static struct relayer *find_stream(struct session *s, uint8_t stream)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (stream && s->relays[i].turn && s->relays[i].stream == stream)
            return &s->relays[i];
    return NULL;
}

enum verdict session_input_stream(struct session *s, usec now, uint8_t stream, struct bytes data)
{
    struct relayer *r = find_stream(s, stream);
    enum verdict verdict = VERDICT_UNEXPECTED;

    s->clock = now;
    while (data.len && r && r->turn && s->state != SESSION_CLOSED) {
        size_t n = data.len < TURN_STREAM_MAX ? data.len : TURN_STREAM_MAX;

        verdict = turn_input_stream(r->turn, now, bytes_of(data.data, n));
        pump_relay(s, now, r);
        data = bytes_of(data.data + n, data.len - n);
    }
    s->dropped += verdict != VERDICT_TAKEN;
    return verdict;
}

void session_end_stream(struct session *s, usec now, uint8_t stream)
{
    struct relayer *r = find_stream(s, stream);

    s->clock = now;
    if (r && s->state != SESSION_CLOSED)
        end_relay(s, now, r, SESSION_RELAY_FAILED);
}

void session_remove_relays(struct session *s, usec now, const struct addr *base)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        struct relayer *r = &s->relays[i];

        if (r->turn && !r->stream && addr_equal(&r->base, base))
            end_relay(s, now, r, SESSION_RELAY_FAILED);
    }
}

/* The path in use gets a channel, whose heads are shorter. */
void session_bind_path(struct session *s, usec now)
{
    struct relayer *r = find_relayed(s, &s->path.local);

    if (r)
        (void)turn_bind(r->turn, now, &s->path.remote); /* without one, indications go on */
}

void session_relays_tick(struct session *s, usec now)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        struct relayer *r = &s->relays[i];

        if (!r->turn)
            continue;
        turn_tick(r->turn, now);
        pump_relay(s, now, r);
    }
}

/* Nothing comes back: a server that was restarted has forgotten us, and says so only if asked. */
void session_check_relays(struct session *s, usec now)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        struct relayer *r = &s->relays[i];

        if (!r->turn || r->state != SESSION_RELAY_LIVE || now < r->checked_at + CHECK_GAP_US)
            continue;
        r->checked_at = now;
        turn_check(r->turn, now);
    }
}

usec session_relays_next_timeout(const struct session *s)
{
    usec at = USEC_NEVER;

    for (unsigned i = 0; i < s->relay_slots; i++)
        if (s->relays[i].turn)
            at = usec_min(at, turn_next_timeout(s->relays[i].turn));
    return at;
}

bool session_relays_poll(struct session *s, usec now, struct out *out)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        if (s->relays[i].turn && turn_poll_output(s->relays[i].turn, now, out))
            return true;
    return false;
}

/* Best effort: one request each, whose answer nobody waits for. */
void session_stop_relays(struct session *s, usec now)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        struct relayer *r = &s->relays[i];

        if (!r->turn || r->is_stopped)
            continue;
        r->is_stopped = true;
        turn_stop(r->turn, now);
    }
}

bool session_wrap(struct session *s, struct out *out)
{
    struct relayer *r = find_relayed(s, &out->from);

    if (!r)
        return true;
    out->head = out->tail = 0;
    return turn_wrap(r->turn, out) == ERR_OK;
}

bool session_poll_relay_event(struct session *s, struct session_event *ev)
{
    for (unsigned i = 0; i < s->relay_slots; i++) {
        struct relayer *r = &s->relays[i];

        if (r->is_told)
            continue;
        r->is_told = true;
        ev->type = SESSION_EVENT_RELAY;
        ev->relay = i;
        ev->relay_state = r->state;
        if (r->state == SESSION_RELAY_REDIRECTED)
            ev->server = r->other;
        return true;
    }
    return false;
}

void session_relays_deinit(struct session *s)
{
    for (unsigned i = 0; i < s->relay_slots; i++)
        turn_free(s->relays[i].turn);
    free(s->relays);
}
