#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "core/turn/client.h"

static bool is_text_too_long(const char *text)
{
    return text && strlen(text) > TURN_CREDENTIAL_MAX;
}

static void set_config(struct turn *t, const struct turn_config *cfg)
{
    t->cfg = *cfg;
    if (cfg->username && cfg->password) {
        memcpy(t->username, cfg->username, strlen(cfg->username));
        memcpy(t->password, cfg->password, strlen(cfg->password));
    }
    t->cfg.username = t->cfg.password = NULL;
    if (!t->cfg.family)
        t->cfg.family = ADDR_IPV4;
    if (!t->cfg.rto_us)
        t->cfg.rto_us = TURN_RTO_US;
    if (!t->cfg.give_up_us)
        t->cfg.give_up_us = TURN_GIVE_UP_US;
}

static void clear(struct turn *t)
{
    t->expires_at = t->refresh_at = t->keepalive_at = USEC_NEVER;
    t->is_keepalive_due = false;
    turn_ask_end(&t->ask);
    turn_grants_clear(t);
}

int turn_new(struct turn **out, const struct turn_config *cfg, const struct rng *rng)
{
    struct turn *t;

    *out = NULL;
    if (is_text_too_long(cfg->username) || is_text_too_long(cfg->password) ||
        cfg->server.port == 0 || addr_scope_of(&cfg->server) == ADDR_SCOPE_UNUSABLE)
        return ERR_INVALID;
    t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NOMEM;
    t->in.cap = cfg->stream ? TURN_STREAM_MAX + TURN_FRAME_MAX : TURN_FRAME_MAX;
    t->in.buf = malloc(t->in.cap);
    if (!t->in.buf) {
        turn_free(t);
        return ERR_NOMEM;
    }
    set_config(t, cfg);
    t->rng = rng;
    t->next_channel = TURN_CHANNEL_FIRST;
    clear(t);
    *out = t;
    return ERR_OK;
}

void turn_free(struct turn *t)
{
    if (!t)
        return;
    free(t->in.buf);
    OPENSSL_cleanse(t, sizeof *t);
    free(t);
}

/* Row: from; bits: to. LIVE to LIVE is a refresh that succeeded. */
static const uint8_t may_become[TURN_STATES] = {
    [TURN_IDLE] = 1 << TURN_ASKING | 1 << TURN_STOPPED,
    [TURN_ASKING] = 1 << TURN_LIVE | 1 << TURN_STOPPED | 1 << TURN_FAILED,
    [TURN_LIVE] = 1 << TURN_LIVE | 1 << TURN_STOPPED | 1 << TURN_FAILED,
};

static void enter(struct turn *t, enum turn_state to, usec now)
{
    bool is_new = t->state != to;

    assert(may_become[t->state] & 1 << to);
    t->state = to;
    if (is_new)
        clear(t);
    if (to != TURN_LIVE)
        return;
    t->refresh_at = now + t->lifetime_us / 2;
    t->expires_at = now + t->lifetime_us;
    if (is_new && !t->cfg.stream)
        t->keepalive_at = now + TURN_KEEPALIVE_US;
}

static void push_event(struct turn *t, const struct turn_event *ev)
{
    assert(t->event_count <
           COUNT(t->events)); /* ALLOCATED at most once, then one that is terminal */
    t->events[t->event_count++] = *ev;
}

void turn_become_live(struct turn *t, usec now, uint32_t lifetime_s)
{
    bool is_new = t->state != TURN_LIVE;

    if (lifetime_s > TURN_LIFETIME_MAX_S)
        lifetime_s = TURN_LIFETIME_MAX_S;
    t->lifetime_us = lifetime_s * SECOND;
    enter(t, TURN_LIVE, now);
    if (is_new)
        push_event(t, &(struct turn_event){
                          .type = TURN_EVENT_ALLOCATED,
                          .relayed = t->relayed,
                          .mapped = t->mapped,
                      });
}

void turn_fail(struct turn *t, usec now, uint16_t code)
{
    enter(t, TURN_FAILED, now);
    push_event(t, &(struct turn_event){ .type = TURN_EVENT_FAILED, .code = code });
}

void turn_redirect(struct turn *t, usec now, const struct addr *server)
{
    enter(t, TURN_FAILED, now);
    push_event(t, &(struct turn_event){ .type = TURN_EVENT_REDIRECTED,
                                        .server = *server,
                                        .code = TURN_CODE_TRY_ALTERNATE });
}

void turn_start(struct turn *t, usec now)
{
    if (t->state != TURN_IDLE)
        return;
    enter(t, TURN_ASKING, now);
    turn_ask_start(t, &t->ask, now);
}

/* An Allocate that is signed may be granted at this moment; its answer we would not hear. */
void turn_stop(struct turn *t, usec now)
{
    bool may_be_held = t->state == TURN_LIVE || (t->state == TURN_ASKING && t->has_key);

    if (t->state == TURN_STOPPED || t->state == TURN_FAILED)
        return;
    enter(t, TURN_STOPPED, now);
    if (!may_be_held)
        return;
    stun_id_init(&t->ask.txn.id, t->rng);
    t->ask.is_due = true;
}

void turn_check(struct turn *t, usec now)
{
    if (t->state == TURN_LIVE && !turn_ask_is_live(&t->ask))
        t->refresh_at = now;
}

static void tick_asking(struct turn *t, usec now)
{
    if (turn_ask_tick(&t->ask, now))
        turn_fail(t, now, t->ask.doubtful);
}

/* A server that does not answer is asked again until its last word has run out. A connection that
 * brings nothing is dead, perhaps because a NAT forgot it: another one may still get through. */
static void tick_refresh(struct turn *t, usec now)
{
    bool is_silent = turn_ask_tick(&t->ask, now);

    if (is_silent)
        t->refresh_at = now + TURN_LATER_US;
    if (now >= t->expires_at || (is_silent && t->cfg.stream)) {
        turn_fail(t, now, t->ask.doubtful);
    } else if (now >= t->refresh_at) {
        t->refresh_at = USEC_NEVER;
        turn_ask_start(t, &t->ask, now);
        if (t->cfg.stream)
            t->ask.give_up_at = usec_min(t->ask.give_up_at, now + TURN_DEAD_US);
    }
}

static void tick_keepalive(struct turn *t, usec now)
{
    if (now < t->keepalive_at)
        return;
    t->is_keepalive_due = !t->has_wrapped;
    t->has_wrapped = false;
    t->keepalive_at = now + TURN_KEEPALIVE_US;
}

void turn_tick(struct turn *t, usec now)
{
    if (t->state == TURN_ASKING)
        tick_asking(t, now);
    if (t->state == TURN_LIVE)
        tick_refresh(t, now);
    if (t->state != TURN_LIVE)
        return;
    turn_grants_tick(t, now);
    tick_keepalive(t, now);
}

usec turn_next_timeout(const struct turn *t)
{
    usec at = turn_ask_next_timeout(&t->ask);

    at = usec_min(at, usec_min(t->refresh_at, t->expires_at));
    at = usec_min(at, t->keepalive_at);
    return usec_min(at, turn_grants_next_timeout(t));
}

bool turn_poll_event(struct turn *t, struct turn_event *ev)
{
    if (t->event_next == t->event_count)
        return false;
    *ev = t->events[t->event_next++];
    return true;
}

bool turn_is_live(const struct turn *t)
{
    return t->state == TURN_LIVE;
}

const struct addr *turn_relayed(const struct turn *t)
{
    return &t->relayed;
}

const struct verdicts *turn_verdicts(const struct turn *t)
{
    return &t->verdicts;
}
