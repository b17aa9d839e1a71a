/* remote.c: who the peer is and where it may be reached. */
#include <string.h>

#include "core/session/internal.h"

/* Whether flights go in checks: the offerer offered it, memory permitting. */
static bool agree_on_sped(struct session *s, const struct session_description *d)
{
    if (s->cfg.role == SESSION_ANSWERER && d->has_sped && s->sped.state == SPED_OFF)
        (void)sped_start(&s->sped);
    return d->has_sped && s->sped.state != SPED_OFF;
}

/* RFC 8842 §5: an answer is active or passive. An offer that leaves the choice gets a passive
 * answerer if DTLS goes in checks, so that the offerer's first check already carries its hello;
 * otherwise an active one, who can begin as soon as there is a path. */
static bool choose_role(struct session *s, enum session_setup remote, bool has_sped)
{
    if (s->cfg.role == SESSION_OFFERER && remote == SESSION_ACTPASS)
        return false;
    s->is_client = remote == SESSION_PASSIVE || (remote == SESSION_ACTPASS && !has_sped);
    return true;
}

/* SNAP: an INIT that is none is as good as absent. The answerer gives its own in return. */
static void agree_on_snap(struct session *s, const struct session_description *d)
{
    if (d->init_len == 0 || sctp_set_remote_init(s->sctp, bytes_of(d->init, d->init_len)))
        return;
    s->has_snap = true;
    if (s->init_len == 0)
        s->init_len = sctp_get_init(s->sctp, s->init);
}

static int make_dtls(struct session *s, const struct session_description *d, bool has_sped)
{
    struct dtls_config cfg = {
        .identity = s->cfg.identity,
        .role = s->is_client ? DTLS_CLIENT : DTLS_SERVER,
        .mtu = has_sped ? SPED_MTU : SESSION_DATAGRAM_MAX,
        .false_start = d->is_hawser,
    };

    memcpy(cfg.remote_fingerprint, d->fingerprint, DTLS_FINGERPRINT_BYTES);
    return dtls_new(&s->dtls, &cfg, s->rng);
}

int session_agent_connect(struct session *s, usec now, struct agent *a,
                          const struct session_description *d)
{
    int err;

    ice_set_abilities(a->ice, (s->peer_has_renomination ? ICE_RENOMINATION : 0u) |
                                  (s->peer_is_hawser ? ICE_SHARED_CONSENT : 0u));
    err = ice_set_remote(a->ice, now, d->ufrag, d->pwd);
    if (err)
        return err;
    a->has_remote = true;
    memcpy(a->remote_ufrag, d->ufrag, sizeof a->remote_ufrag);
    return ERR_OK;
}

static int add_remote(struct session *s, usec now, struct agent *a, const struct ice_candidate *c)
{
    int err = ice_add_remote(a->ice, now, c);

    if (!err)
        session_permit(s, now, &c->addr); /* once more is no more */
    return err;
}

void session_agent_add_remotes(struct session *s, usec now, struct agent *a,
                               const struct session_description *d)
{
    for (size_t i = 0; i < d->candidate_count; i++)
        (void)add_remote(s, now, a, &d->candidates[i]); /* one we may not use is left out */
    if (!d->is_trickle)
        ice_end_remote(a->ice, now);
}

/* A server may hear before we know a path, and where flights go in checks a client speaks then. */
static void start_dtls(struct session *s, usec now)
{
    if (s->has_sped || !s->is_client)
        dtls_start(s->dtls, now);
    session_collect_flight(s);
}

int session_set_remote(struct session *s, usec now, const struct session_description *d)
{
    bool has_sped;
    int err;

    s->clock = now;
    if (s->state != SESSION_NEW)
        return ERR_WRONG_STATE;
    has_sped = agree_on_sped(s, d);
    if (!choose_role(s, d->setup, has_sped))
        return ERR_INVALID;
    err = make_dtls(s, d, has_sped);
    if (err)
        return err;
    s->peer_is_hawser = d->is_hawser;
    s->peer_has_renomination = d->has_renomination;
    err = session_agent_connect(s, now, &s->agent, d);
    if (err) {
        dtls_free(s->dtls);
        s->dtls = NULL;
        return err;
    }
    s->has_sped = has_sped;
    if (!has_sped)
        session_stop_carrying(s);
    agree_on_snap(s, d);
    if (d->is_hawser)
        channel_use_credit(&s->channels, now);
    memcpy(s->remote_fingerprint, d->fingerprint, DTLS_FINGERPRINT_BYTES);
    session_enter(s, SESSION_CONNECTING, now);
    start_dtls(s, now);
    session_agent_add_remotes(s, now, &s->agent, d);
    session_input_early(s, now);
    return ERR_OK;
}

int session_add_remote(struct session *s, usec now, const struct ice_candidate *c)
{
    s->clock = now;
    return add_remote(s, now, session_newest(s), c);
}

void session_end_remote(struct session *s, usec now)
{
    s->clock = now;
    ice_end_remote(session_newest(s)->ice, now);
}
