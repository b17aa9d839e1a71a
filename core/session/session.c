#include "core/session/internal.h"

#include <assert.h>
#include <stdlib.h>

static usec or_default(usec value, usec usual)
{
    return value ? value : usual;
}

static void fill_defaults(struct session_config *cfg)
{
    cfg->half_open_us = or_default(cfg->half_open_us, 10 * SECOND);
    cfg->dead_us = or_default(cfg->dead_us, 30 * SECOND);
    cfg->flush_us = or_default(cfg->flush_us, SECOND);
    cfg->zombie_us = or_default(cfg->zombie_us, 20 * MINUTE);
    if (!cfg->rx_bytes_max)
        cfg->rx_bytes_max = 4 << 20;
}

int session_new(struct session **out, const struct session_config *cfg, const struct rng *rng)
{
    struct session *s = *out = calloc(1, sizeof *s);
    int err;

    if (!s)
        return ERR_NOMEM;
    s->cfg = *cfg;
    s->rng = rng;
    s->half_open_at = s->flush_at = s->open_at = USEC_NEVER;
    fill_defaults(&s->cfg);
    chain_init(&s->early, cfg->pool);
    err = ice_new(&s->ice,
                  &(struct ice_config){
                      .controlling = cfg->role == SESSION_OFFERER,
                      /* five answers may be lost before silence means anything */
                      .consent_interval_us = usec_min(5 * SECOND, s->cfg.dead_us / 6),
                      .consent_timeout_us = s->cfg.dead_us,
                      .fail_after_us = s->cfg.half_open_us,
                  },
                  rng);
    if (err) {
        session_free(s);
        *out = NULL;
    }
    return err;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    sctp_free(s->sctp);
    dtls_free(s->dtls);
    ice_free(s->ice);
    chain_deinit(&s->early);
    free(s);
}

/* Row: from; bits: to. */
static const uint16_t may_become[SESSION_STATES] = {
    [SESSION_NEW] = 1 << SESSION_CONNECTING | 1 << SESSION_CLOSED,
    [SESSION_CONNECTING] = 1 << SESSION_SECURING | 1 << SESSION_CLOSED,
    [SESSION_SECURING] = 1 << SESSION_ASSOCIATING | 1 << SESSION_CLOSED,
    [SESSION_ASSOCIATING] = 1 << SESSION_OPEN | 1 << SESSION_CLOSED,
    [SESSION_OPEN] = 1 << SESSION_CLOSING | 1 << SESSION_CLOSED,
    [SESSION_CLOSING] = 1 << SESSION_CLOSED,
};

void session_enter(struct session *s, enum session_state to, usec now)
{
    assert(may_become[s->state] & 1 << to);
    s->state = to;
    switch (to) {
    case SESSION_CONNECTING:
        s->started_at = s->heard_at = now;
        s->half_open_at = now + s->cfg.half_open_us;
        break;
    case SESSION_OPEN:
        s->open_at = s->app_at = s->heard_at = now;
        s->half_open_at = USEC_NEVER;
        s->open_due = true;
        break;
    case SESSION_CLOSING:
        s->flush_at = now + s->cfg.flush_us;
        break;
    case SESSION_CLOSED:
        s->half_open_at = s->flush_at = USEC_NEVER;
        s->closed_due = true;
        break;
    default:
        break;
    }
}

int session_add_socket(struct session *s, usec now, const struct addr *base, uint16_t preference)
{
    return ice_add_host(s->ice, now, base, preference);
}

int session_add_stun_server(struct session *s, usec now, const struct addr *server)
{
    return ice_add_stun_server(s->ice, now, server);
}

void session_end_local(struct session *s, usec now)
{
    ice_end_local(s->ice, now);
}

static enum session_setup local_setup(const struct session *s)
{
    if (s->cfg.role == SESSION_OFFERER)
        return SESSION_ACTPASS;
    return s->is_client ? SESSION_ACTIVE : SESSION_PASSIVE;
}

void session_get_local(const struct session *s, struct session_description *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->ufrag, ice_ufrag(s->ice), strlen(ice_ufrag(s->ice)) + 1);
    memcpy(out->pwd, ice_pwd(s->ice), strlen(ice_pwd(s->ice)) + 1);
    memcpy(out->fingerprint, dtls_identity_fingerprint(s->cfg.identity), DTLS_FINGERPRINT_BYTES);
    out->setup = local_setup(s);
    out->is_hawser = out->is_trickle = true;
    out->candidate_count = ice_get_local(s->ice, out->candidates, ICE_CANDIDATES_MAX);
}

/* RFC 8842 §5: an answer is active or passive; an offer that leaves the choice gets an active
 * answerer, who can begin DTLS as soon as there is a path. */
static bool choose_role(struct session *s, enum session_setup remote)
{
    if (s->cfg.role == SESSION_OFFERER && remote == SESSION_ACTPASS)
        return false;
    s->is_client = remote != SESSION_ACTIVE;
    return true;
}

static int start_dtls(struct session *s, usec now, const struct session_description *d)
{
    struct dtls_config cfg = {
        .identity = s->cfg.identity,
        .role = s->is_client ? DTLS_CLIENT : DTLS_SERVER,
        .mtu = SESSION_DATAGRAM_MAX,
    };
    int err;

    memcpy(cfg.remote_fingerprint, d->fingerprint, DTLS_FINGERPRINT_BYTES);
    err = dtls_new(&s->dtls, &cfg, s->rng);
    if (!err && !s->is_client)
        dtls_start(s->dtls, now); /* the client may know a path before we do */
    return err;
}

static int start_sctp(struct session *s)
{
    const struct sctp_config cfg = {
        .pool = s->cfg.pool,
        .packet_bytes_max = SESSION_PACKET_MAX,
        .stream_tx_bytes_max = 4 << 20,
        .tx_bytes_max = 8 << 20,
        .rx_bytes_max = s->cfg.rx_bytes_max,
    };
    int err = sctp_new(&s->sctp, &cfg, s->rng);

    return err ? err : channel_init(&s->channels, s->sctp);
}

/* Undoes what session_set_remote() began, so that a failed call leaves the session as it was. */
static int forget_remote(struct session *s, int err)
{
    sctp_free(s->sctp);
    dtls_free(s->dtls);
    s->sctp = NULL;
    s->dtls = NULL;
    return err;
}

int session_set_remote(struct session *s, usec now, const struct session_description *d)
{
    int err;

    if (s->state != SESSION_NEW)
        return ERR_WRONG_STATE;
    if (!choose_role(s, d->setup))
        return ERR_INVALID;
    err = start_sctp(s);
    if (!err)
        err = start_dtls(s, now, d);
    if (!err)
        err = ice_set_remote(s->ice, now, d->ufrag, d->pwd);
    if (err)
        return forget_remote(s, err);
    s->peer_is_hawser = d->is_hawser;
    session_enter(s, SESSION_CONNECTING, now);
    for (size_t i = 0; i < d->candidate_count; i++)
        (void)ice_add_remote(s->ice, now, &d->candidates[i]); /* one we may not use is left out */
    if (!d->is_trickle)
        ice_end_remote(s->ice, now);
    session_input_early(s, now);
    return ERR_OK;
}

int session_add_remote(struct session *s, usec now, const struct ice_candidate *c)
{
    return ice_add_remote(s->ice, now, c);
}

void session_end_remote(struct session *s, usec now)
{
    ice_end_remote(s->ice, now);
}

size_t session_send(struct session *s, usec now, unsigned channel, struct bytes data)
{
    size_t done;

    if (s->state != SESSION_OPEN || channel >= CHANNEL_COUNT)
        return 0;
    done = channel_send(&s->channels, now, channel, data);
    if (done)
        s->app_at = now;
    return done;
}

struct bytes session_peek(struct session *s, usec now, unsigned channel)
{
    if (s->open_at == USEC_NEVER || channel >= CHANNEL_COUNT)
        return bytes_of(NULL, 0);
    return channel_peek(&s->channels, now, channel);
}

void session_consume(struct session *s, usec now, unsigned channel, size_t len)
{
    s->app_at = now;
    channel_consume(&s->channels, now, channel, len);
}

void session_get_info(const struct session *s, struct session_info *info)
{
    const struct verdicts *layers[] = { ice_verdicts(s->ice),
                                        s->dtls ? dtls_verdicts(s->dtls) : NULL, NULL };

    memset(info, 0, sizeof *info);
    info->is_open = s->state == SESSION_OPEN;
    info->has_path = ice_selected(s->ice, &info->path);
    info->established_us = s->open_at == USEC_NEVER ? 0 : s->open_at - s->started_at;
    info->dropped = s->dropped;
    if (s->sctp) {
        sctp_get_info(s->sctp, &info->sctp);
        layers[2] = &info->sctp.verdicts;
    }
    for (size_t i = 0; i < COUNT(layers); i++)
        for (int v = VERDICT_TAKEN + 1; layers[i] && v < VERDICT_COUNT; v++)
            info->dropped += layers[i]->count[v];
    for (uint16_t i = 0; s->sctp && i < CHANNEL_COUNT; i++) {
        info->channel[i] = s->channels.count[i];
        info->unsent[i] = sctp_stream_unacked_bytes(s->sctp, i);
        info->unread[i] = sctp_stream_unread_bytes(s->sctp, i);
    }
}
