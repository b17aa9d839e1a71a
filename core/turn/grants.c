#include "core/turn/client.h"

bool turn_grant_is_channel(const struct turn_grant *g)
{
    return g->channel != 0;
}

void turn_grants_clear(struct turn *t)
{
    for (size_t i = 0; i < TURN_GRANTS_MAX; i++) {
        t->grants[i] = (struct turn_grant){ .renew_at = USEC_NEVER };
        turn_ask_end(&t->grants[i].ask);
    }
}

static void ask_for(struct turn *t, struct turn_grant *g, usec now)
{
    g->renew_at = USEC_NEVER;
    turn_ask_start(t, &g->ask, now);
}

void turn_grants_tick(struct turn *t, usec now)
{
    for (size_t i = 0; i < TURN_GRANTS_MAX; i++) {
        struct turn_grant *g = &t->grants[i];

        if (turn_ask_tick(&g->ask, now))
            g->renew_at = now + TURN_LATER_US;
        if (now >= g->renew_at)
            ask_for(t, g, now);
    }
}

usec turn_grants_next_timeout(const struct turn *t)
{
    usec at = USEC_NEVER;

    for (size_t i = 0; i < TURN_GRANTS_MAX; i++) {
        at = usec_min(at, t->grants[i].renew_at);
        at = usec_min(at, turn_ask_next_timeout(&t->grants[i].ask));
    }
    return at;
}

void turn_grant_on_ok(struct turn_grant *g, usec now)
{
    g->state = TURN_GRANT_HELD;
    g->renew_at = now + (turn_grant_is_channel(g) ? TURN_CHANNEL_US : TURN_PERMISSION_US);
}

/* A server in trouble (5xx) is asked again, what it forbids is not. */
void turn_grant_on_error(struct turn_grant *g, usec now, uint16_t code)
{
    if (code >= 500 && code < 600)
        g->renew_at = now + TURN_LATER_US;
    else
        g->state = TURN_GRANT_REFUSED;
}

static struct turn_grant *find_permission(struct turn *t, const struct addr *peer)
{
    for (size_t i = 0; i < TURN_PERMISSIONS_MAX; i++)
        if (t->grants[i].state != TURN_GRANT_FREE && addr_equal_ip(&t->grants[i].peer, peer))
            return &t->grants[i];
    return NULL;
}

static struct turn_grant *find_channel(struct turn *t, const struct addr *peer)
{
    for (size_t i = TURN_PERMISSIONS_MAX; i < TURN_GRANTS_MAX; i++)
        if (t->grants[i].state != TURN_GRANT_FREE && addr_equal(&t->grants[i].peer, peer))
            return &t->grants[i];
    return NULL;
}

/* A free place of grants[from … to-1], or one that a refusal has left useless. */
static struct turn_grant *find_room(struct turn *t, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (t->grants[i].state == TURN_GRANT_FREE)
            return &t->grants[i];
    for (size_t i = from; i < to; i++)
        if (t->grants[i].state == TURN_GRANT_REFUSED)
            return &t->grants[i];
    return NULL;
}

/* A peer that moves about has a new address each time, and old ones are nobody's business. Those
 * that a channel speaks to are in use; the server forgets the others when they are not renewed. */
static struct turn_grant *find_unwanted(struct turn *t, usec now)
{
    struct turn_grant *oldest = NULL;

    for (size_t i = 0; i < TURN_PERMISSIONS_MAX; i++) {
        struct turn_grant *g = &t->grants[i];
        bool is_used = false;

        for (size_t k = TURN_PERMISSIONS_MAX; k < TURN_GRANTS_MAX; k++)
            is_used |= t->grants[k].state != TURN_GRANT_FREE &&
                       addr_equal_ip(&t->grants[k].peer, &g->peer);
        if (!is_used && now >= g->wanted_at + TURN_UNWANTED_US &&
            (!oldest || g->wanted_at < oldest->wanted_at))
            oldest = g;
    }
    return oldest;
}

/* Not even asked for: what is nobody's address, and the server's own services. */
static bool is_possible(const struct turn *t, const struct addr *peer)
{
    enum addr_scope scope = addr_scope_of(peer);

    return peer->family == t->relayed.family && scope != ADDR_SCOPE_UNUSABLE &&
           (scope != ADDR_SCOPE_LOOPBACK || addr_scope_of(&t->relayed) == scope);
}

int turn_permit(struct turn *t, usec now, const struct addr *peer)
{
    struct turn_grant *g;

    if (t->state != TURN_LIVE)
        return ERR_WRONG_STATE;
    if (!is_possible(t, peer))
        return ERR_INVALID;
    g = find_permission(t, peer);
    if (g) {
        g->wanted_at = now;
        return ERR_OK;
    }
    g = find_room(t, 0, TURN_PERMISSIONS_MAX);
    if (!g)
        g = find_unwanted(t, now);
    if (!g)
        return ERR_LIMIT;
    *g = (struct turn_grant){ .peer = *peer, .state = TURN_GRANT_ASKED, .wanted_at = now };
    g->peer.port = 0;
    ask_for(t, g, now);
    return ERR_OK;
}

/* RFC 8656 §12: a number is never given to a second peer, so that nothing late is mixed up. */
int turn_bind(struct turn *t, usec now, const struct addr *peer)
{
    int err = turn_permit(t, now, peer);
    struct turn_grant *g;

    if (err || find_channel(t, peer))
        return err;
    g = find_room(t, TURN_PERMISSIONS_MAX, TURN_GRANTS_MAX);
    if (!g || t->next_channel > TURN_CHANNEL_LAST)
        return ERR_LIMIT;
    *g = (struct turn_grant){ .peer = *peer, .state = TURN_GRANT_ASKED };
    g->channel = t->next_channel++;
    ask_for(t, g, now);
    return ERR_OK;
}

bool turn_is_permitted(const struct turn *t, const struct addr *peer)
{
    for (size_t i = 0; i < TURN_PERMISSIONS_MAX; i++) {
        const struct turn_grant *g = &t->grants[i];

        if (g->state != TURN_GRANT_FREE && addr_equal_ip(&g->peer, peer))
            return g->state != TURN_GRANT_REFUSED;
    }
    return false;
}

const struct turn_grant *turn_channel_of(const struct turn *t, const struct addr *peer)
{
    for (size_t i = TURN_PERMISSIONS_MAX; i < TURN_GRANTS_MAX; i++) {
        const struct turn_grant *g = &t->grants[i];

        if (g->state == TURN_GRANT_HELD && addr_equal(&g->peer, peer))
            return g;
    }
    return NULL;
}

/* The server may use a channel before its answer to us arrives. */
const struct turn_grant *turn_channel_by_number(const struct turn *t, uint16_t number)
{
    for (size_t i = TURN_PERMISSIONS_MAX; i < TURN_GRANTS_MAX; i++) {
        const struct turn_grant *g = &t->grants[i];

        if ((g->state == TURN_GRANT_HELD || g->state == TURN_GRANT_ASKED) && g->channel == number)
            return g;
    }
    return NULL;
}
