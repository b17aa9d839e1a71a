#include "sdk/signals.h"

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
    };

    handlers[e->type](id, e);
}

void signals_on_sent(struct identity *id, uint64_t request, enum signaling_result result)
{
    struct link *l;

    pthread_mutex_lock(&lib.lock);
    for (l = lib.links; l && (l->serial != request || l->identity != id);)
        l = l->next;
    pthread_mutex_unlock(&lib.lock);
    if (l && l->side == LINK_APP)
        connect_on_sent(l, result);
    else if (!l)
        pairing_on_sent(request, result);
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

    memcpy(s.sid, l->sid, sizeof s.sid);
    if (l->identity && body)
        identity_signal(l->identity, &l->peer, &s);
    json_decref(body);
}

void signals_add_candidate(struct link *l, const struct ice_candidate *c)
{
    if (l->is_described && l->trickle.count < LINK_TRICKLE_MAX)
        l->trickle.candidates[l->trickle.count++] = *c;
}

static json_t *candidates_body(const struct trickle *t)
{
    json_t *list = json_array(), *body = json_object();
    char line[ICE_CANDIDATE_TEXT_MAX];

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
    t->count = 0;
}

void link_add_candidates(struct link *l, const json_t *body)
{
    json_t *line;
    size_t i;

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

json_t *link_describe(struct link *l)
{
    struct session_description d;
    json_t *session, *body;

    session_get_local(l->session, &d);
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

    return err ? err : session_set_remote(l->session, io_now(), &d);
}

void link_send_bye(struct link *l, unsigned reason)
{
    json_t *body = json_object();

    (void)json_object_set_new(body, "reason", json_integer((json_int_t)reason));
    signals_send(l, ENVELOPE_BYE, body);
}
