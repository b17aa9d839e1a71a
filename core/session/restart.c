/* restart.c: another ICE agent beside the first, with new credentials (RFC 8445 §9), until it has a
 * path of its own. Who begins sends its description; the other makes an agent too and answers. A
 * description tells which one of ours it answers, if any, so messages may be lost, repeated, late,
 * or cross: whoever has begun takes the other's beginning for its answer. */
#include <string.h>

#include "core/base/crc32c.h"
#include "core/session/internal.h"

#define GAP_MIN_US (2 * SECOND)
#define GAP_MAX_US (30 * SECOND)

#define FALL_US SECOND /* what made us fall may be over by then */

#define REPEATS_MAX 8 /* of a description, while the old path works */

/* Each description of the peer's makes us send checks to addresses it names: no more than these at
 * once, and one more per refill. */
#define PEER_BURST     4
#define PEER_REFILL_US (3 * SECOND)

/* Nor does it get more answers to what it repeats: each is a message of ours, and makes us look for
 * relays that are missing. */
#define TELL_BURST     4
#define TELL_REFILL_US SECOND

static bool may_restart(const struct session *s)
{
    return s->agent.has_remote && s->state < SESSION_CLOSING;
}

static uint32_t ufrag_crc(const char *ufrag)
{
    return crc32c(0, bytes_of_string(ufrag));
}

static void remember_ufrag(struct session *s, const struct agent *a)
{
    struct restarts *r = &s->restarts;

    if (a->has_remote)
        r->seen[r->seen_count++ % SESSION_UFRAGS_SEEN] = ufrag_crc(a->remote_ufrag);
}

static bool was_seen(const struct session *s, const char *ufrag)
{
    const struct restarts *r = &s->restarts;

    for (unsigned i = 0; i < SESSION_UFRAGS_SEEN && i < r->seen_count; i++)
        if (r->seen[i] == ufrag_crc(ufrag))
            return true;
    return strcmp(s->agent.remote_ufrag, ufrag) == 0;
}

/* Makes an agent that is not yet the session's. */
static int make_agent(struct session *s, usec now, struct agent *a)
{
    int err = session_agent_init(s, now, a, ice_is_controlling(s->agent.ice));

    if (!err)
        ice_inherit_allowance(a->ice, now, session_newest(s)->ice);
    session_check_relays(s, now);
    a->number = session_newest(s)->number + 1;
    return err;
}

static void drop_next(struct session *s, usec now)
{
    if (!s->next.ice)
        return;
    remember_ufrag(s, &s->next);
    ice_inherit_allowance(s->agent.ice, now, s->next.ice);
    session_agent_deinit(&s->next);
}

static void put_agent(struct session *s, usec now, const struct agent *a)
{
    drop_next(s, now);
    s->next = *a;
    session_end_gathering(s, now);
}

/* The next attempt, and the one after it later still: signaling may be down as well. */
static void back_off(struct session *s, usec now)
{
    struct restarts *r = &s->restarts;

    r->gap_us = usec_clamp(2 * r->gap_us, GAP_MIN_US, GAP_MAX_US);
    r->allowed_at = r->at = now + r->gap_us;
}

int session_restart(struct session *s, usec now)
{
    struct agent a;
    int err;

    s->clock = now;
    if (!may_restart(s))
        return ERR_WRONG_STATE;
    if (s->next.ice) { /* it is told once more, with all candidates known by now */
        s->restarts.is_due = true;
        return ERR_OK;
    }
    err = make_agent(s, now, &a);
    if (err)
        return err;
    put_agent(s, now, &a);
    s->restarts.is_due = true;
    s->restarts.repeats = 0;
    back_off(s, now);
    return ERR_OK;
}

void session_schedule_restart(struct session *s, usec now)
{
    if (s->restarts.at == USEC_NEVER)
        s->restarts.at = usec_max(now, s->restarts.allowed_at);
}

/* Perhaps only our outside address is another, or the peer's, which a relay does not mind; but a
 * direct path is found only with what a new gathering tells. The controlling side begins. */
void session_restart_after_fall(struct session *s, usec now)
{
    s->restarts.has_fallen = true;
    session_schedule_restart(s, now + (ice_is_controlling(s->agent.ice) ? 1 : 3) * FALL_US);
}

/* There is a path again; but what has been begun shall come to an end. */
void session_calm_restart(struct session *s)
{
    s->is_dark = false;
    if (!s->next.ice)
        s->restarts.at = USEC_NEVER;
}

/* Something of what was said may have got lost: it is said again until the new agent has a path.
 * While the old one works it is not worth doing so for ever. */
void session_restart_tick(struct session *s, usec now)
{
    struct restarts *r = &s->restarts;

    if (now < r->at)
        return;
    r->at = USEC_NEVER;
    if (!may_restart(s) || (!s->is_dark && !s->next.ice && !r->has_fallen))
        return;
    r->has_fallen = false;
    if (!s->is_dark && s->next.ice && r->repeats++ == REPEATS_MAX) {
        session_restart_failed(s, now);
        return;
    }
    (void)session_restart(s, now); /* without memory: at the next time */
    back_off(s, now);
}

/* The new agent found nothing. The old one goes on, with what it has. */
void session_restart_failed(struct session *s, usec now)
{
    drop_next(s, now);
    if (s->is_dark) /* the long wait was for that agent */
        s->restarts.at = usec_min(s->restarts.at, now + GAP_MIN_US);
}

void session_take_over(struct session *s, usec now)
{
    remember_ufrag(s, &s->agent);
    ice_inherit_allowance(s->next.ice, now, s->agent.ice);
    session_agent_deinit(&s->agent);
    s->agent = s->next;
    s->next = (struct agent){ 0 };
    s->restarts.finished++;
    s->restarts.gap_us = 0;
    s->restarts.allowed_at = usec_min(s->restarts.allowed_at, now + GAP_MIN_US);
}

/* A bucket: `full_at` is when it is full again. */
static bool take_from(usec *full_at, usec now, int burst, usec refill_us)
{
    if (*full_at > now + (burst - 1) * refill_us)
        return false;
    *full_at = usec_max(*full_at, now) + refill_us;
    return true;
}

/* The same once more: our answer may have been lost. That to the first one went its own way. */
static int on_repeated(struct session *s, usec now, struct agent *a,
                       const struct session_description *d)
{
    session_agent_add_remotes(s, now, a, d);
    if (a->number > 0 && strcmp(d->answers, ice_ufrag(a->ice)) != 0 &&
        take_from(&s->restarts.told_full_at, now, TELL_BURST, TELL_REFILL_US))
        s->restarts.is_due = true;
    return ERR_OK;
}

/* The newest agent waits for an answer, and this is it, or a beginning that crossed ours. */
static int on_answer(struct session *s, usec now, const struct session_description *d)
{
    struct agent *a = &s->next;
    int err = session_agent_connect(s, now, a, d);

    if (err)
        return err;
    if (!d->answers[0])
        s->restarts.is_due = true; /* the peer may not have got ours */
    session_agent_add_remotes(s, now, a, d);
    return ERR_OK;
}

static int on_begun(struct session *s, usec now, const struct session_description *d)
{
    struct agent a;
    int err;

    if (!take_from(&s->restarts.full_at, now, PEER_BURST, PEER_REFILL_US))
        return ERR_LIMIT;
    err = make_agent(s, now, &a);
    if (err)
        return err;
    err = session_agent_connect(s, now, &a, d);
    if (err) {
        session_agent_deinit(&a);
        return err;
    }
    put_agent(s, now, &a);
    s->restarts.is_due = true;
    s->restarts.repeats = 0;
    back_off(s, now);
    session_agent_add_remotes(s, now, &s->next, d);
    return ERR_OK;
}

int session_set_restart(struct session *s, usec now, const struct session_description *d)
{
    struct agent *newest = session_newest(s);

    s->clock = now;
    if (!may_restart(s))
        return ERR_WRONG_STATE;
    if (memcmp(d->fingerprint, s->remote_fingerprint, sizeof s->remote_fingerprint) != 0)
        return ERR_AUTH;
    if (newest->has_remote && strcmp(d->ufrag, newest->remote_ufrag) == 0)
        return on_repeated(s, now, newest, d);
    if (was_seen(s, d->ufrag) ||
        (d->answers[0] && (strcmp(d->answers, ice_ufrag(newest->ice)) != 0 || newest->has_remote)))
        return ERR_WRONG_STATE;
    if (newest->has_remote)
        return on_begun(s, now, d);
    return on_answer(s, now, d);
}
