#include "sdk/signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/connect.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/log.h"
#include "sdk/pairing.h"

struct link *signals_find(const struct identity *id, const struct envelope *e)
{
    struct link *l;

    pthread_mutex_lock(&lib.lock);
    for (l = lib.links; l; l = l->next)
        if (l->identity == id && memcmp(l->sid, e->sid, sizeof l->sid) == 0 &&
            strcmp(l->peer.id, e->from) == 0)
            break;
    pthread_mutex_unlock(&lib.lock); /* only this thread frees links */
    return l;
}

/* ---- Restarts -------------------------------------------------------------------------------- */

#define RESTART_AGAIN_US   (250 * MILLISECOND) /* doubled twice */
#define RESTART_OFFLINE_US (200 * MILLISECOND) /* the peer is about to be at the broker again */
#define RESTART_SENDS_MAX  10

static bool is_online(struct identity *id)
{
    bool online;

    pthread_mutex_lock(&lib.lock);
    online = id->is_online;
    pthread_mutex_unlock(&lib.lock);
    return online;
}

/* What went to a connection that had just died is lost: soon once more, then patiently. */
static usec again_us(unsigned sends)
{
    return (usec)RESTART_AGAIN_US << (sends < 2 ? sends : 2);
}

static void send_restart(struct link *l)
{
    struct signal s = { .type = ENVELOPE_RESTART, .seq = ++l->seq, .body = link_describe(l) };
    char *text = NULL;
    int err = ERR_NOMEM;

    memcpy(s.sid, l->sid, sizeof s.sid);
    l->restart.again_at = io_now() + again_us(l->restart.sends);
    l->restart.sends += is_online(l->identity);
    if (s.body)
        err = identity_seal(l->identity, &l->peer, &s, &text);
    if (!err)
        err = ways_send(l, text, l->serial);
    if (err)
        log_line(HAWSER_LOG_WARNING, l->trace, "a restart was not sent: %s", err_string(err));
    json_decref(s.body);
    free(text);
}

void signals_restart(struct link *l)
{
    log_line(HAWSER_LOG_INFO, l->trace, "looking for paths anew");
    l->restart.sends = 0;
    if (l->identity)
        send_restart(l);
}

/* While this side is not at the broker nothing is sent but by the LAN, and nothing counted: the
 * session's own patience ends it. */
void signals_restart_again(struct link *l)
{
    struct session_info info;

    if (io_now() < l->restart.again_at)
        return;
    session_get_info(l->session, &info);
    if (!l->identity || !info.is_restarting || l->restart.sends >= RESTART_SENDS_MAX)
        l->restart.again_at = USEC_NEVER;
    else if (ways_are_open(l))
        send_restart(l);
    else
        l->restart.again_at = io_now() + RESTART_OFFLINE_US;
}

static void on_restart_sent(struct link *l, enum signaling_result result)
{
    if (result == SIGNALING_DELIVERED || l->restart.again_at == USEC_NEVER)
        return;
    l->restart.again_at = usec_min(l->restart.again_at, io_now() + RESTART_OFFLINE_US);
    link_turn(l);
}

/* Whether it answers ours, begins, or comes again is the session's to tell. */
static void take_restart(struct link *l, const struct envelope *e)
{
    struct session_description d;
    int err = session_description_from_json(&d, json_object_get(e->body, "session"));

    if (!err)
        err = session_set_restart(l->session, io_now(), &d);
    if (err) {
        log_line(HAWSER_LOG_INFO, l->trace, "a restart of the peer's is of no use: %s",
                 err_string(err));
        return;
    }
    l->restart.heard_seq = e->seq;
    memcpy(l->restart.heard, d.ufrag, sizeof d.ufrag);
    if (*d.answers)
        l->restart.again_at = USEC_NEVER;
}

/* ---- What arrives ---------------------------------------------------------------------------- */

static void on_candidate(struct identity *id, const struct envelope *e)
{
    struct link *l = signals_find(id, e);

    if (!l && id->device)
        device_on_candidate(id->device, e);
    if (!l || l->phase == LINK_ENDED || l->phase == LINK_IDLE)
        return;
    link_add_candidates(l, e->body);
    link_turn(l);
}

/* The signer is the session's own peer: signals_find() has compared. */
static void on_bye(struct identity *id, const struct envelope *e)
{
    struct link *l = signals_find(id, e);
    json_int_t reason = json_integer_value(json_object_get(e->body, "reason"));
    int code = HAWSER_ERR_TERMINATED;

    if (!l && id->device)
        device_on_bye(id->device, e);
    if (!l || l->phase == LINK_ENDED)
        return;
    if (reason > 0 && reason <= HAWSER_REASON_MAX)
        code -= (int)reason;
    connect_finish(l, code);
    link_end(l, code);
    link_turn(l);
}

/* The signer is the session's own peer; what it said before and later took back does not count. */
static void on_restart(struct identity *id, const struct envelope *e)
{
    struct link *l = signals_find(id, e);

    if (!l || (l->phase != LINK_CONNECTING && l->phase != LINK_OPEN) || !l->is_described)
        return;
    if (e->seq <= l->restart.heard_seq)
        return;
    take_restart(l, e);
    link_turn(l);
}

static void on_answer(struct identity *id, const struct envelope *e)
{
    struct link *l = signals_find(id, e);

    if (l && l->side == LINK_APP)
        connect_on_answer(l, e);
}

static void on_refuse(struct identity *id, const struct envelope *e)
{
    struct link *l = signals_find(id, e);

    if (l && l->side == LINK_APP)
        connect_on_refuse(l, e);
    else if (!l)
        pairing_on_refuse(id, e);
}

static void on_offer(struct identity *id, const struct envelope *e)
{
    if (id->device)
        device_on_offer(id->device, e);
}

static void on_pair(struct identity *id, const struct envelope *e)
{
    if (id->device)
        pairing_on_request(id->device, e);
}

void signals_on_envelope(struct identity *id, const struct envelope *e)
{
    static void (*const handlers[ENVELOPE_TYPES])(struct identity *, const struct envelope *) = {
        [ENVELOPE_OFFER] = on_offer,
        [ENVELOPE_ANSWER] = on_answer,
        [ENVELOPE_REFUSE] = on_refuse,
        [ENVELOPE_CANDIDATE] = on_candidate,
        [ENVELOPE_BYE] = on_bye,
        [ENVELOPE_PAIR] = on_pair,
        [ENVELOPE_PAIRED] = pairing_on_paired,
        [ENVELOPE_RESTART] = on_restart,
    };
    struct link *l = signals_find(id, e);

    if (l)
        ways_heard(l);
    handlers[e->type](id, e);
}

void signals_on_sent(struct identity *id, uint64_t request, enum signaling_result result)
{
    struct link *l;

    pthread_mutex_lock(&lib.lock);
    for (l = lib.links; l && (l->serial != request || l->identity != id);)
        l = l->next;
    pthread_mutex_unlock(&lib.lock);
    if (l && l->phase == LINK_OPEN)
        on_restart_sent(l, result);
    else if (l && l->side == LINK_APP)
        connect_on_sent(l, result);
    else if (!l)
        pairing_on_sent(request, result);
}

void signals_on_broker_bad(struct identity *id)
{
    pthread_mutex_lock(&lib.lock);
    for (struct link *l = lib.links; l; l = l->next)
        if (l->identity == id && l->side == LINK_APP)
            connect_on_broker_bad(l);
    pthread_mutex_unlock(&lib.lock);
}

void signals_forget(struct identity *id)
{
    pthread_mutex_lock(&lib.lock);
    for (struct link *l = lib.links; l; l = l->next)
        if (l->identity == id)
            l->identity = NULL;
    pthread_mutex_unlock(&lib.lock);
}

void signals_send(struct link *l, enum envelope_type type, json_t *body)
{
    struct signal s = { .type = type, .seq = ++l->seq, .body = body };
    char *text = NULL;
    int err = ERR_WRONG_STATE;

    memcpy(s.sid, l->sid, sizeof s.sid);
    if (l->identity && body)
        err = identity_seal(l->identity, &l->peer, &s, &text);
    if (text)
        err = ways_send(l, text, 0);
    if (err)
        log_line(HAWSER_LOG_WARNING, l->trace, "a message was not sent: %s", err_string(err));
    json_decref(body);
    free(text);
}

/* Without memory a candidate stays untold, as if its socket were not there. */
void signals_add_candidate(struct link *l, const struct ice_candidate *c)
{
    struct trickle *t = &l->trickle;

    if (!l->is_described || t->count == LINK_TRICKLE_MAX)
        return;
    if (!t->candidates)
        t->candidates = malloc(LINK_TRICKLE_MAX * sizeof *t->candidates);
    if (t->candidates)
        t->candidates[t->count++] = *c;
}

static void drop_candidates(struct trickle *t)
{
    free(t->candidates);
    t->candidates = NULL;
    t->count = 0;
}

static json_t *candidates_body(const struct trickle *t)
{
    json_t *list = json_array(), *body = json_object();
    char line[ICE_CANDIDATE_TEXT_MAX];

    (void)json_object_set_new(body, "ufrag", json_string(t->ufrag));
    for (size_t i = 0; i < t->count; i++)
        if (ice_candidate_encode(&t->candidates[i], line) == ERR_OK)
            (void)json_array_append_new(list, json_string(line));
    if (t->has_ended)
        (void)json_object_set_new(body, "end", json_true());
    if (json_object_set_new(body, "candidates", list) == 0)
        return body;
    json_decref(body);
    return NULL;
}

void signals_flush_candidates(struct link *l)
{
    struct trickle *t = &l->trickle;

    if (!l->is_described || (t->count == 0 && t->has_ended == t->is_told))
        return;
    signals_send(l, ENVELOPE_CANDIDATE, candidates_body(t));
    t->is_told = t->has_ended;
    drop_candidates(t);
}

/* Whether they belong to the peer's newest description: late ones of an older one lead nowhere.
 * Peers that do not say which are taken at their word. */
static bool is_current(const struct link *l, const json_t *body)
{
    const char *ufrag = json_string_value(json_object_get(body, "ufrag"));

    return !ufrag || !*l->restart.heard || strcmp(ufrag, l->restart.heard) == 0;
}

void link_add_candidates(struct link *l, const json_t *body)
{
    json_t *line;
    size_t i;

    if (!is_current(l, body))
        return;
    json_array_foreach(json_object_get(body, "candidates"), i, line)
    {
        const char *text = json_string_value(line);
        struct ice_candidate c;

        if (i < ICE_CANDIDATES_MAX && text && ice_candidate_decode(&c, text) == ERR_OK)
            (void)session_add_remote(l->session, io_now(), &c);
    }
    if (json_is_true(json_object_get(body, "end")))
        session_end_remote(l->session, io_now());
}

/* What was kept of another description's candidates is of no use any more. */
static void start_trickle(struct trickle *t, const char *ufrag)
{
    drop_candidates(t);
    if (*t->ufrag)
        t->has_ended = false;
    (void)snprintf(t->ufrag, sizeof t->ufrag, "%s", ufrag);
}

json_t *link_describe(struct link *l)
{
    struct session_description d;
    json_t *session, *body;

    session_get_local(l->session, &d);
    if (strcmp(d.ufrag, l->trickle.ufrag) != 0)
        start_trickle(&l->trickle, d.ufrag);
    l->is_described = true;
    for (size_t i = LINK_DESCRIBED_MAX; i < d.candidate_count; i++)
        signals_add_candidate(l, &d.candidates[i]);
    if (d.candidate_count > LINK_DESCRIBED_MAX)
        d.candidate_count = LINK_DESCRIBED_MAX;
    d.is_trickle = l->trickle.count > 0 || !l->trickle.has_ended;
    l->trickle.is_told = !d.is_trickle; /* then this is all, and says so */
    if (session_description_to_json(&d, &session))
        return NULL;
    body = json_object();
    if (json_object_set_new(body, "session", session) == 0)
        return body;
    json_decref(body);
    return NULL;
}

int link_set_remote(struct link *l, const json_t *body)
{
    struct session_description d;
    int err = session_description_from_json(&d, json_object_get(body, "session"));

    if (!err)
        err = session_set_remote(l->session, io_now(), &d);
    if (!err)
        memcpy(l->restart.heard, d.ufrag, sizeof d.ufrag);
    return err;
}

void link_send_bye(struct link *l, unsigned reason)
{
    json_t *body = json_object();

    (void)json_object_set_new(body, "reason", json_integer((json_int_t)reason));
    signals_send(l, ENVELOPE_BYE, body);
}
